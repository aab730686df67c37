//! Live checks from where the terminals sit: what passes, who refuses, and what is wrong with what answers.

pub mod certificate;
pub mod conflict;
pub mod dns;
pub mod hello;
pub mod http;
mod icmp;
pub mod idle;
pub mod judge;
pub mod local;
pub mod ntp;
pub mod nts;
pub mod outcome;
pub mod path;
pub mod plan;
pub mod reflect;
pub mod run;
pub mod segment;
pub mod sip;
mod stream;
pub mod surroundings;
pub mod tcp;
pub mod tls;
pub mod udp;
