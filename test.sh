#!/bin/sh
# Passes the tests on a fresh Debian machine with the Rust toolchain; installs what they need by itself.
# Root is needed for the network lab (namespaces, nftables, raw sockets).
set -eu
cd "$(dirname "$0")"

if [ "$(id -u)" -ne 0 ]; then
    echo "the tests need root: the network lab makes namespaces (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW)" >&2
    exit 1
fi

missing=""
for pair in nft:nftables iptables:iptables ipset:ipset ip:iproute2 conntrack:conntrack sysctl:procps dnsmasq:dnsmasq-base chronyd:chrony kea-dhcp4:kea-dhcp4-server dhcpd:isc-dhcp-server nginx:nginx-light sipp:sip-tester faketime:faketime ethtool:ethtool openssl:openssl python3:python3-minimal setpriv:util-linux cc:gcc; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # The servers are checked, not run: nothing is started that was not running before.
    export RUNLEVEL=1
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo test --workspace --locked
