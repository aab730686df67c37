//! Any notation is a packet or an error with a place; a packet's notation reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tillgate_model::Packet;

fuzz_target!(|text: &str| match Packet::parse(text) {
    Ok(packet) => assert_eq!(Packet::parse(&packet.to_string()).map(|p| p.to_string()), Ok(packet.to_string())),
    Err(error) => assert!(error.at <= text.len()),
});
