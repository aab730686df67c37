//! Scans TCP ports from the command line, to measure the engine alone:
//! `scan 192.0.2.0/24,198.51.100.7 1-1000,3389 [fast] [connect]`. Prints a line for every open port, then what the scan
//! says of itself.
#![allow(clippy::print_stdout)]

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;
use tillgate_scan::connect;
use tillgate_scan::discover::Effort;
use tillgate_scan::pace::Pace;
use tillgate_scan::ports::{Outcome, Port};
use tillgate_scan::raw;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (targets, ports) = match words.as_slice() {
        [targets, ports, ..] => (addresses(targets), numbers(ports)),
        _ => (None, None),
    };
    let (Some(targets), Some(ports)) = (targets, ports) else {
        println!("usage: scan ADDRESS[/LENGTH],… PORT[-PORT],… [fast] [connect]");
        return ExitCode::from(2);
    };
    let has = |word: &str| words.iter().skip(2).any(|w| w == word);
    let (pace, effort) = match has("fast") {
        true => (Pace::fast(), Effort::Quick),
        false => (Pace::normal(), Effort::Normal),
    };
    let deadline = Duration::from_secs(600);
    let outcome = if has("connect") {
        let options = connect::Options { pace, deadline, ..connect::Options::default() };
        connect::scan_blocking(&targets, &ports, &options).map_err(|error| error.to_string())
    } else {
        let options = raw::Options { pace, effort, deadline, ..raw::Options::default() };
        raw::scan(&targets, &ports, &options).map_err(|error| format!("{error:?}"))
    };
    match outcome {
        Ok(outcome) => {
            print(&outcome);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error={error}");
            ExitCode::FAILURE
        }
    }
}

fn print(outcome: &Outcome) {
    for port in outcome.ports.iter().filter(|port| port.state == Port::Open) {
        println!("{} {}", port.host, port.port);
    }
    println!("complete={}", outcome.is_complete);
    println!("expected_misses={:.1e}", outcome.expected_misses);
    println!("loss={:.4}", outcome.loss);
    println!("rounds={}", outcome.rounds);
    println!("sent={}", outcome.sent);
    println!("received={}", outcome.received);
    println!("dropped={}", outcome.dropped);
    println!("seconds={:.3}", outcome.time.as_secs_f64());
    for gap in &outcome.gaps {
        println!("gap={}", gap.id);
    }
}

fn addresses(text: &str) -> Option<Vec<IpAddr>> {
    let mut all = Vec::new();
    for word in text.split(',') {
        match word.contains('/') {
            true => all.extend(word.parse::<ipnet::IpNet>().ok()?.hosts()),
            false => all.push(word.parse().ok()?),
        }
    }
    Some(all)
}

fn numbers(text: &str) -> Option<Vec<u16>> {
    let mut all = Vec::new();
    for word in text.split(',') {
        let (low, high) = word.split_once('-').unwrap_or((word, word));
        all.extend(low.parse::<u16>().ok()?..=high.parse().ok()?);
    }
    Some(all)
}
