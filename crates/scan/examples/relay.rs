//! A line with delay and loss between two Ethernet interfaces, for kernels without netem:
//! `relay INTERFACE INTERFACE MILLISECONDS LOSS [SEED]`, both for each way, the loss as a share (0.02). The interfaces stand in a namespace of
//! their own, without addresses, offloading off. Runs until it is killed; says on standard error what it could not carry.
#![allow(clippy::print_stderr, clippy::disallowed_methods)]

use socket2::SockFilter;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tillgate_scan::link::{BATCH, Error, Interface, Wire};
use tillgate_scan::packet::SYN_MAX;

/// Frames under way each way at most.
const ROOM: usize = 400_000;
/// All EtherTypes.
const ALL: u16 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = match words.as_slice() {
        [one, other, delay, loss, seed @ ..] => {
            delay.parse().ok().zip(loss.parse().ok()).map(|(delay, loss)| {
                let seed = seed.first().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
                (one, other, Duration::from_secs_f64(f64::max(delay, 0.0) / 1e3), loss, seed)
            })
        }
        _ => None,
    };
    let Some((one, other, delay, loss, seed)) = asked else {
        eprintln!("usage: relay INTERFACE INTERFACE MILLISECONDS LOSS [SEED]");
        return ExitCode::from(2);
    };
    match relay(one, other, delay, loss, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// One way.
#[derive(Default)]
struct Way {
    queue: VecDeque<(Instant, Vec<u8>)>,
    overflow: u64,
}

fn relay(one: &str, other: &str, delay: Duration, loss: f64, seed: u64) -> Result<(), Error> {
    let interfaces = Interface::all()?;
    let open = |name: &str| {
        let interface = interfaces.iter().find(|interface| interface.name == name);
        // BPF: let every frame up, whole.
        let all = [SockFilter::new(0x06, 0, 0, u32::from(u16::MAX))];
        Wire::open(interface.ok_or_else(|| Error::NoInterface(name.to_owned()))?, ALL, &all, 1_600)
    };
    // A socket does not hear what it sends itself, so that nothing goes in circles.
    let (mut left, mut right) = (open(one)?, open(other)?);
    let (mut there, mut back) = (Way::default(), Way::default());
    let mut random = seed.max(1);
    let mut told = 0;
    loop {
        let mut moved = take(&mut left, &mut there, delay, loss, &mut random)?;
        moved += take(&mut right, &mut back, delay, loss, &mut random)?;
        moved += give(&mut right, &mut there)?;
        moved += give(&mut left, &mut back)?;
        let lost = left.read_drops()? + right.read_drops()? + there.overflow + back.overflow;
        if lost > told {
            eprintln!("not carried: {lost}");
            (told, there.overflow, back.overflow) = (0, 0, 0);
        }
        if moved == 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

fn take(
    wire: &mut Wire,
    way: &mut Way,
    delay: Duration,
    loss: f64,
    random: &mut u64,
) -> Result<usize, Error> {
    let due = Instant::now() + delay;
    let mut count = 0;
    // Not so long that sending starves.
    for _ in 0..4 {
        let got = wire.receive(|frame| {
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            if (*random >> 11) as f64 / (1_u64 << 53) as f64 >= loss {
                if way.queue.len() < ROOM {
                    way.queue.push_back((due, frame.to_vec()));
                } else {
                    way.overflow += 1;
                }
            }
        })?;
        count += got;
        if got < BATCH {
            break;
        }
    }
    Ok(count)
}

fn give(wire: &mut Wire, way: &mut Way) -> Result<usize, Error> {
    let now = Instant::now();
    let due = way.queue.iter().take(4 * BATCH).take_while(|(due, _)| *due <= now).count();
    let mut sent = 0;
    let mut small: Vec<([u8; SYN_MAX], usize)> = Vec::new();
    for (_, frame) in way.queue.iter().take(due.min(BATCH)) {
        let mut room = [0; SYN_MAX];
        let Some(part) = room.get_mut(..frame.len()) else { break };
        part.copy_from_slice(frame);
        small.push((room, frame.len()));
    }
    if !small.is_empty() {
        sent = wire.send(&small)?;
    } else if let Some((_, frame)) = way.queue.front().filter(|_| due > 0) {
        sent = usize::from(wire.send_one(frame)?);
    }
    way.queue.drain(..sent);
    Ok(sent)
}
