//! Any listing read as what `nft -j` prints.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tillgate_fuzz::read("nftables", &format!("{{\"nftables\": [{text}]}}")));
