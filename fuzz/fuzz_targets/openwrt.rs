//! Any text read as openwrt.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tillgate_fuzz::read("openwrt", text));
