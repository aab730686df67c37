//! Any text read as opnsense.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tillgate_fuzz::read("opnsense", text));
