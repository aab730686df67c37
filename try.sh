#!/bin/sh
# The main job on the shipped example: what the bistro's firewall really permits, and the configuration it should have.
set -eu
cd "$(dirname "$0")"

if ! command -v cc >/dev/null 2>&1; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null
fi
cargo build --release --locked --quiet
tillgate=target/release/tillgate

echo "== what the firewall does today: tillgate verify bistro"
"$tillgate" verify bistro --estate examples/bistro --config examples/bistro/firewall.nft && exit 1 || [ $? -eq 1 ]

echo
echo "== what it should do: tillgate render bistro"
"$tillgate" render bistro --estate examples/bistro | tee target/bistro.nft

echo
echo "== proved: tillgate verify bistro --config target/bistro.nft"
"$tillgate" verify bistro --estate examples/bistro --config target/bistro.nft
