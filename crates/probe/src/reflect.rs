//! A cooperating far end for UDP and TCP ports, and its client: with it, every port gets a verdict.
//!
//! # The protocol, version 1
//! Both ends know a secret of 32 bytes (the operator passes it). A datagram is a head of 128 bytes and padding. A reply
//! is exactly as long as its request, so nothing can be amplified; TCP carries heads without padding.
//!
//! | bytes | field |
//! |---|---|
//! | 0–3 | `TGRF` |
//! | 4 | version, 1 |
//! | 5 | kind: 1 hello, 2 cookie, 3 ask, 4 answer |
//! | 6–7 | length of the whole datagram |
//! | 8–23 | session: random, chosen by the client |
//! | 24–31 | number: differs for every datagram of a session; the reply carries its request's |
//! | 32–39 | end of the cookie, seconds since 1970 by the server's clock at its start and steady since; 0 in a hello |
//! | 40–55 | cookie; 0 in a hello and an answer |
//! | 56–71 | the client's address as the server sees it (IPv4 mapped, RFC 4291 section 2.5.5.2); in an answer only |
//! | 72–73 | its port |
//! | 74–75 | the server's port: where the client aims in a hello and an ask, where it arrived in a cookie and an answer |
//! | 76–95 | 0 |
//! | 96–127 | HMAC-SHA256 over everything before and after |
//!
//! All numbers are big-endian. The key of hello and cookie is HMAC(secret, `tillgate-reflect/1 hello` ‖ session), that of
//! ask and answer HMAC(secret, `tillgate-reflect/1 session` ‖ session ‖ end of the cookie).
//!
//! 1. The client sends a hello to each port. Who does not know the secret gets no reply at all.
//! 2. The server replies with a cookie: HMAC(key of this run, address ‖ port ‖ session ‖ end), cut to 16 bytes. It keeps
//!    nothing. A recorded hello sent again from a forged address brings that address one cookie, no longer than the
//!    hello, within a limit for all hellos.
//! 3. The client shows the cookie in an ask: so it receives what is sent to its address (RFC 9000 section 8
//!    calls that address validation). The server checks cookie, end and number, remembers the number until the cookie
//!    ends so that a recorded ask brings nothing, and answers with the address and port that it sees.
//!
//! A cookie's end is at most 32 s away and told by the server: the client's clock may be wrong, which is one of the
//! things that are being looked for. The server has an address and an end of its own and does not start without.

mod client;
mod desk;
mod server;
mod stream;
mod sum;
mod wire;

pub use client::{echo, range};
pub use desk::Tally;
pub use server::{CannotServe, Reflector};
pub use stream::range_tcp;

#[cfg(test)]
mod tests;
