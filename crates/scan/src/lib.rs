//! Devices and open ports of declared segments, against a baseline.

pub mod baseline;
pub mod connect;
pub mod discover;
mod filter;
pub mod judge;
pub mod link;
pub mod mac;
pub mod names;
pub mod nmap;
pub mod observed;
pub mod pace;
pub mod packet;
pub mod ports;
pub mod raw;
pub mod service;
mod sweep;
pub mod vendor;
#[cfg(test)]
mod veth;
