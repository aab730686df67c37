//! Headline figures: `tillgate verify` as a whole process, time and memory, on rule sets and fleets made here.
//!
//! `cargo build --release && cargo run --release -p tillgate-bench` prints a table; `… rules N FLAVOUR` prints a rule set, `… platform N NAME` one of a
//! platform, `… fleet N DIR` writes an estate and its configurations,
//! `… flows N DIR` an estate of one site with that many flows,
//! `… samples NAME DIR` reads every file of a folder as one platform.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

mod generate;
mod on;
mod samples;

use nix::sys::resource::{UsageWho, getrusage};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["rules", count, flavour] => {
            print!("{}", generate::rules(number(count), generate::Flavour::parse(flavour), 1))
        }
        ["platform", count, platform] => print!("{}", generate::on_platform(number(count), platform)),
        ["samples", platform, folder] => {
            samples::read(&program(), platform, Path::new(folder)).expect("the folder can be read")
        }
        ["flows", count, folder] => {
            generate::flows(number(count), Path::new(folder)).expect("the folder can be written")
        }
        ["fleet", count, folder] => {
            generate::fleet(number(count), Path::new(folder)).expect("the folder can be written")
        }
        _ => measure(),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/tillgate")
}

/// Wall time of the median of five runs, and the largest memory any child has used so far, in MB.
fn run(arguments: &[String], runs: usize) -> (Duration, f64) {
    let program = program();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            let status =
                Command::new(&program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            let code = status.expect("build with cargo build --release first").code();
            assert!(matches!(code, Some(0 | 1 | 3)), "{arguments:?} ended with {code:?}");
            start.elapsed()
        })
        .collect();
    times.sort();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children").max_rss() as f64 / 1024.0;
    (times[runs / 2], peak)
}

fn measure() {
    let folder = std::env::temp_dir().join(format!("tillgate-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let estate = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/bistro").display().to_string();
    println!("{:<44} {:>10} {:>10}   target", "tillgate verify", "wall", "peak");
    // From small to large, because the peak is the largest of all children so far.
    for (count, target) in [(1_000, "20 ms, 20 MB"), (10_000, "1 s, 64 MB")] {
        for flavour in [generate::Flavour::Acl, generate::Flavour::Firewall] {
            let file = folder.join("rules.nft");
            std::fs::write(&file, generate::rules(count, flavour, 1)).expect("a rule set can be written");
            let config = file.display().to_string();
            let site = ["verify", "bistro", "--estate", &estate, "--config", &config].map(String::from);
            let (time, peak) = run(&site, 5);
            println!(
                "{:<44} {:>10.1?} {:>7.1} MB   {target}",
                format!("{count} rules, {}, against the bistro", flavour.name()),
                time,
                peak
            );
            let alone = ["verify", "--config", &config].map(String::from);
            let (time, peak) = run(&alone, 5);
            println!(
                "{:<44} {:>10.1?} {:>7.1} MB   {target}",
                format!("{count} rules, {}, alone", flavour.name()),
                time,
                peak
            );
        }
    }
    // A rule set that keeps to the site's plan: the rendered file, with rules about other sites before its own.
    let rendered = Command::new(program()).args(["render", "bistro", "-q", "--estate", &estate]).output();
    let rendered = String::from_utf8(rendered.expect("tillgate renders").stdout).expect("rules are text");
    for count in [1_000, 10_000] {
        let file = folder.join("conforming.nft");
        std::fs::write(&file, generate::among(&rendered, count)).expect("a rule set can be written");
        let config = file.display().to_string();
        let (time, peak) =
            run(&["verify", "bistro", "--estate", &estate, "--config", &config].map(String::from), 5);
        println!("{:<44} {:>10.1?} {:>7.1} MB", format!("{count} rules that keep to the plan"), time, peak);
    }
    for (platform, _) in on::PLATFORMS {
        for (count, target) in [(1_000, "50 ms"), (10_000, "2 s")] {
            let file = folder.join(format!("{platform}.{count}"));
            let text = generate::on_platform(count, platform);
            std::fs::write(&file, &text).expect("a rule set can be written");
            let config = file.display().to_string();
            let (time, peak) =
                run(&["verify", "bistro", "--estate", &estate, "--config", &config].map(String::from), 5);
            println!(
                "{:<44} {time:>10.1?} {peak:>7.1} MB   {target}",
                format!("{count} rules, {platform}, against the bistro")
            );
            if count == 1_000 {
                // The same with one rule in the middle the other way round.
                let changed = folder.join("changed");
                std::fs::write(&changed, generate::changed(count, platform))
                    .expect("a rule set can be written");
                let new = changed.display().to_string();
                let (time, peak) = run(&["diff", &config, &new].map(String::from), 5);
                println!(
                    "{:<44} {time:>10.1?} {peak:>7.1} MB   200 ms",
                    format!("diff of two times {count} rules, {platform}")
                );
            }
        }
    }
    let large = folder.join("large");
    generate::flows(1_000, &large).expect("an estate can be written");
    let large = large.display().to_string();
    for (platform, _) in on::PLATFORMS {
        let (time, peak) =
            run(&["render", "large", "--estate", &large, "--platform", platform, "-q"].map(String::from), 5);
        println!("{:<44} {time:>10.1?} {peak:>7.1} MB   50 ms", format!("render of 1000 flows, {platform}"));
    }
    for count in [25, 10_000] {
        let fleet = folder.join(format!("fleet{count}"));
        generate::fleet(count, &fleet).expect("a fleet can be written");
        let estate = fleet.join("estate").display().to_string();
        let config = fleet.join("config").display().to_string();
        let all = ["verify", "--all", "--estate", &estate, "--config", &config].map(String::from);
        let (time, peak) = run(&all, 1);
        println!(
            "{:<44} {:>10.1?} {:>7.1} MB   {}",
            format!("{count} sites"),
            time,
            peak,
            if count > 25 { "30 s" } else { "" }
        );
    }
    std::fs::remove_dir_all(folder).expect("the temporary folder can be removed");
}
