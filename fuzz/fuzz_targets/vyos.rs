//! Any text read as vyos.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tillgate_fuzz::read("vyos", text));
