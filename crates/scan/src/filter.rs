//! Kernel filters that let up what answers our SYNs and nothing else, so that a busy network does not crowd out an answer.
#![cfg(target_os = "linux")]

use crate::sweep::OUR_PORTS;
use socket2::SockFilter;

/// Bytes of an answer worth keeping: the longest is an ICMPv6 error that quotes our SYN.
pub const ANSWER: usize = 160;

/// Lets up what answers our SYNs over IPv4: TCP to our ports with RST or SYN, ICMP errors that quote TCP from our ports.
pub fn v4(base: u16) -> Vec<SockFilter> {
    use bpf::*;
    let (first, beyond) = (u32::from(base), u32::from(base) + u32::from(OUR_PORTS));
    vec![
        byte(23),
        equal(6, 0, 8),
        half(20),
        any_bit(0x1fff, 18, 0),
        header(14),
        half_x(16),
        at_least(first, 0, 15),
        at_least(beyond, 14, 0),
        byte_x(27),
        any_bit(0x06, 11, 12),
        // ICMP. What is quoted has a header of 20 bytes, as ours has.
        equal(1, 0, 11),
        header(14),
        byte_x(14),
        equal(3, 2, 0),
        equal(11, 1, 0),
        equal(12, 0, 6),
        byte_x(14 + 8 + 9),
        equal(6, 0, 4),
        half_x(14 + 8 + 20),
        at_least(first, 0, 2),
        at_least(beyond, 1, 0),
        keep(ANSWER as u32),
        keep(0),
    ]
}

/// The same over IPv6.
pub fn v6(base: u16) -> Vec<SockFilter> {
    use bpf::*;
    let (first, beyond) = (u32::from(base), u32::from(base) + u32::from(OUR_PORTS));
    vec![
        byte(20),
        equal(6, 0, 5),
        half(56),
        at_least(first, 0, 13),
        at_least(beyond, 12, 0),
        byte(67),
        any_bit(0x06, 9, 10),
        equal(58, 0, 9),
        // ICMPv6 types 1 to 4 are the errors.
        byte(54),
        at_least(1, 0, 7),
        at_least(5, 6, 0),
        byte(68),
        equal(6, 0, 4),
        half(102),
        at_least(first, 0, 2),
        at_least(beyond, 1, 0),
        keep(ANSWER as u32),
        keep(0),
    ]
}

/// Shorthand of bpf(4) for the filters: loads, jumps (with the number of instructions skipped if true and if false), returns.
mod bpf {
    use socket2::SockFilter;
    pub fn byte(at: u32) -> SockFilter {
        SockFilter::new(0x30, 0, 0, at)
    }
    pub fn half(at: u32) -> SockFilter {
        SockFilter::new(0x28, 0, 0, at)
    }
    /// X becomes the length of the IPv4 header at this offset.
    pub fn header(at: u32) -> SockFilter {
        SockFilter::new(0xb1, 0, 0, at)
    }
    pub fn byte_x(at: u32) -> SockFilter {
        SockFilter::new(0x50, 0, 0, at)
    }
    pub fn half_x(at: u32) -> SockFilter {
        SockFilter::new(0x48, 0, 0, at)
    }
    pub fn equal(value: u32, yes: u8, no: u8) -> SockFilter {
        SockFilter::new(0x15, yes, no, value)
    }
    pub fn at_least(value: u32, yes: u8, no: u8) -> SockFilter {
        SockFilter::new(0x35, yes, no, value)
    }
    pub fn any_bit(mask: u32, yes: u8, no: u8) -> SockFilter {
        SockFilter::new(0x45, yes, no, mask)
    }
    pub fn keep(bytes: u32) -> SockFilter {
        SockFilter::new(0x06, 0, 0, bytes)
    }
}
