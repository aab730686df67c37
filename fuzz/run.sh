#!/bin/sh
# Every target for a number of seconds (60 without an argument). Needs cargo-fuzz; coverage needs unstable compiler flags.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
for target in $(cargo fuzz list | sort -r); do
    mkdir -p "fuzz/corpus/$target"
    case $target in
        nft | iptables | routeros | fortios | vyos | pf | opnsense | ios | asa | openwrt)
            platform=$target
            [ "$target" = nft ] && platform=nftables
            awk -v to="fuzz/corpus/$target/case" '/^=CONFIG=/{n++;f=1;next}/^=PACKETS=/{f=0}f{print>(to n)}' "crates/platforms/tests/$platform/reading.txt"
            ;;
        estate) cp examples/bistro/estate.toml examples/chain/templates/*.toml fuzz/corpus/estate/ ;;
        csv) cp examples/chain/devices.csv fuzz/corpus/csv/ ;;
        catalog) cp catalogs/square.toml fuzz/corpus/catalog/ ;;
    esac
    RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=8192
done
