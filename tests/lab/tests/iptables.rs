//! The kernel is the referee of what is read and written for iptables.
#![allow(clippy::unwrap_used)]

mod common;

use common::{bistro, chain, referee::judge, today};
use std::io::Write;
use std::process::{Command, Stdio};
use tillgate_intent::{Intent, intent};
use tillgate_lab::{Random, packets};
use tillgate_model::{Family, SourceFile};
use tillgate_platforms::{Input, iptables, nftables};
use tillgate_ruleset::{RuleSet, diff, trace};

fn parse(texts: &[&str]) -> RuleSet {
    let files: Vec<_> = texts.iter().map(|t| SourceFile::new("rules", *t)).collect();
    let parsed = iptables::parse(&Input { files: &files, ..Input::one(&files[0]) });
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{}", parsed.diagnostics, texts.concat());
    parsed.rules
}

const SETS: &str = "create hosts hash:net family inet hashsize 1024 maxelem 65536
add hosts 10.17.20.11
add hosts 10.17.20.64/26
add hosts 10.17.20.70 nomatch
add hosts 203.0.113.0/25
create six hash:ip family inet6
add six 2001:db8:17:20::b
create services bitmap:port range 0-65535
add services 443
add services 53
add services 12345
create pairs hash:ip,port family inet
add pairs 10.17.20.11,tcp:443
add pairs 10.17.20.12,udp:53
add pairs 203.0.113.5,icmp:8/0
create nets hash:ip,port,net family inet
add nets 10.17.20.11,tcp:8000,203.0.113.0/24
create both list:set
add both hosts
create inner hash:net,iface family inet
add inner 10.17.30.0/24,eth1.30
";

/// Rule sets nobody would write, made of everything people do write.
fn random_rules(random: &mut Random) -> String {
    let interfaces = ["eth1.20", "eth1.10", "eth1.30", "eth0", "eth1+", "+", "wg0"];
    let v4 = [
        "10.17.20.11",
        "10.17.20.0/24",
        "10.17.20.0/255.255.255.128",
        "10.17.10.0/24",
        "203.0.113.0/24",
        "198.51.100.7",
    ];
    let v6 = ["2001:db8:17:20::/64", "2001:db8:17:20::b", "2600::/12"];
    let ports = ["443", "80:90", "1024:65535", ":1023", "https", "53"];
    let lists = ["22,53,123", "80,443,8000:8080", "443"];
    let matching = |random: &mut Random, forward: bool| -> String {
        let not = |random: &mut Random| if random.below(6) == 0 { "! " } else { "" };
        let mut words: Vec<String> = Vec::new();
        if random.below(3) == 0 {
            words.push(format!("{}-i {}", not(random), random.pick(&interfaces)));
        }
        if forward && random.below(4) == 0 {
            words.push(format!("{}-o {}", not(random), random.pick(&interfaces)));
        }
        // `! -i +` matches nothing, and iptables refuses to say so.
        words.retain(|w| !w.starts_with("! ") || !w.ends_with('+') || w.ends_with("1+"));
        let family = random.below(3);
        if family == 0 {
            words.push("-4".into());
            match random.below(8) {
                0 | 1 => words.push(format!("{}-s {}", not(random), random.pick(&v4))),
                2 | 3 => words.push(format!("{}-d {}", not(random), random.pick(&v4))),
                4 => words.push(format!("-m iprange {}--dst-range 203.0.113.0-203.0.113.99", not(random))),
                5 => words.push(format!(
                    "-m set {}--match-set {} src",
                    not(random),
                    random.pick(&["hosts", "both"])
                )),
                6 => words.push(format!(
                    "-m set {}--match-set {}",
                    not(random),
                    random.pick(&[
                        "pairs src,dst",
                        "pairs dst,dst",
                        "nets src,dst,dst",
                        "inner src,src",
                        "services dst"
                    ])
                )),
                _ => words.push(format!(
                    "-m addrtype {}--dst-type {}",
                    not(random),
                    random.pick(&["MULTICAST", "BROADCAST", "BROADCAST,MULTICAST"])
                )),
            }
        } else if family == 1 {
            words.push("-6".into());
            match random.below(3) {
                0 => words.push(format!("{}-s {}", not(random), random.pick(&v6))),
                1 => words.push(format!("{}-d {}", not(random), random.pick(&v6))),
                _ => words.push(format!("-m set {}--match-set six src", not(random))),
            }
        }
        match random.below(10) {
            0 | 1 => words.push(format!("-p tcp -m tcp {}--dport {}", not(random), random.pick(&ports))),
            2 | 3 => words.push(format!("-p udp -m udp {}--dport {}", not(random), random.pick(&ports))),
            4 => words.push(format!(
                "-p {} -m multiport {}--dports {}",
                random.pick(&["tcp", "udp"]),
                not(random),
                random.pick(&lists)
            )),
            5 => words.push(format!("-p tcp -m multiport --ports {}", random.pick(&lists))),
            6 => words.push(format!(
                "-p tcp -m tcp {}",
                random.pick(&[
                    "--syn",
                    "! --syn",
                    "--tcp-flags SYN,RST,ACK SYN",
                    "! --tcp-flags SYN,ACK SYN"
                ])
            )),
            7 if family == 0 => words.push(format!(
                "-p icmp -m icmp {}--icmp-type {}",
                not(random),
                random.pick(&["8", "echo-reply", "3/4", "any"]).replace("any", "8/0")
            )),
            8 => words.push(format!("{}-p {}", not(random), random.pick(&["tcp", "udp", "47"]))),
            _ => {}
        }
        if random.below(4) == 0 {
            words.push(format!(
                "-m conntrack {}--ctstate {}",
                not(random),
                random.pick(&["NEW", "RELATED,ESTABLISHED", "INVALID", "NEW,UNTRACKED", "NEW,DNAT", "DNAT"])
            ));
        } else if random.below(8) == 0 {
            words.push("-m state --state NEW".into());
        }
        if random.below(6) == 0 {
            words.push("-m comment --comment \"a \\\"quoted\\\" -j DROP\"".into());
        }
        words.join(" ")
    };
    let chains = ["one", "two", "three"];
    let mut rules = String::new();
    let mut body = |random: &mut Random, name: &str, level: usize, forward: bool, count: usize| {
        for _ in 0..count {
            let verdict = match random.below(12) {
                0..=3 => "-j ACCEPT".to_string(),
                4..=6 => "-j DROP".into(),
                7 => String::new(),
                8 => "-j REJECT".into(),
                9 => "-j RETURN".into(),
                _ if level < 3 => format!("{} {}", random.pick(&["-j", "-j", "-g"]), chains[level]),
                _ => "-j LOG --log-prefix \"x \"".into(),
            };
            rules.push_str(&format!("-A {name} {} {verdict}\n", matching(random, forward)));
        }
    };
    for (at, name) in chains.iter().enumerate() {
        body(random, name, at + 1, false, 3);
    }
    body(random, "FORWARD", 0, true, 9);
    body(random, "INPUT", 0, false, 5);
    let policy = *random.pick(&["ACCEPT", "DROP"]);
    let mut out = format!(
        "*filter\n:INPUT {policy} [0:0]\n:FORWARD {policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n:one - [0:0]\n:two - [0:0]\n:three - [0:0]\n{rules}COMMIT\n"
    );
    if random.below(2) == 0 {
        out.push_str("*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -4 -s 10.17.20.13 -j CT --notrack\n-A PREROUTING -4 -p udp -m udp --dport 123 -s 10.17.30.0/24 -j DROP\nCOMMIT\n");
    }
    if random.below(2) == 0 {
        out.push_str("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A PREROUTING -4 -i eth0 -p tcp -m multiport --dports 443,8443 -j DNAT --to-destination 10.17.20.11:12345\n-A PREROUTING -4 -i eth1.20 -p udp -m udp --dport 53 -j REDIRECT --to-ports 53\n-A PREROUTING -4 -d 198.51.100.7 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.17.20.12\nCOMMIT\n");
    }
    out
}

/// The bistro with IPv6 in the terminals' segment, so that both families are routed.
fn site() -> Intent {
    let (estate, library) = bistro();
    let mut site = estate.sites[0].clone();
    site.segments[0].subnet6 = Some("2001:db8:17:20::/64".parse().unwrap());
    site.segments[0].gateways.push("2001:db8:17:20::1".parse().unwrap());
    intent(&site, &library, today())
}

#[test]
fn random_rules_agree() {
    let intent = site();
    let mut random = Random::new(1998);
    for round in 0..50 {
        let text = random_rules(&mut random);
        let rules = parse(&[&text, SETS]);
        let compared = judge(&rules, &|lab| lab.load_iptables(&text, SETS), &intent, &mut random);
        assert!(compared > 20_000, "round {round}: only {compared} packets compared");
    }
}

#[test]
fn rendered_rules_do_what_the_plan_says() {
    let (bistro, library) = bistro();
    let (chain, _) = chain();
    let sites = ["aachen", "augsburg", "hamburg"].map(|n| chain.site(n).unwrap());
    let mut random = Random::new(12);
    for site in [&bistro.sites[0]].into_iter().chain(sites) {
        let intent = intent(site, &library, today());
        let rendered = iptables::render(site, &intent).unwrap_or_else(|e| panic!("{}: {e:?}", site.name));
        let sets = rendered.companions.iter().find(|(n, _)| n == "ipset.conf").map_or("", |(_, t)| t);
        let rules = parse(&[&rendered.text]);
        let compared = judge(&rules, &|lab| lab.load_iptables(&rendered.text, sets), &intent, &mut random);
        assert!(compared > 30_000, "{}: only {compared} packets compared", site.name);
    }
}

/// What iptables' own translator makes of rules means the same to both readers.
#[test]
fn translated_rules_mean_the_same() {
    let intent = site();
    let mut random = Random::new(77);
    let (mut pairs, mut compared) = (0, 0);
    while pairs < 50 {
        let text: String = random_rules(&mut random)
            .lines()
            // The translator has no words for sets and some others; it says so in a comment.
            .filter(|l| {
                !l.contains("--match-set")
                    && !l.contains("-6")
                    && !l.contains("DNAT")
                    && !l.contains("--ports")
                    && !l.contains("--comment")
                    // iptables 1.8.9 forgets the negation of UDP ports.
                    && !l.contains("udp ! --dport")
            })
            .map(|l| l.replace(" -4 ", " ") + "\n")
            .collect();
        let mut child = Command::new("iptables-restore-translate")
            .args(["-f", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the package iptables is installed");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let translated = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        if translated.contains("# -") || translated.lines().any(|l| l.starts_with("# ") && l.contains("-A")) {
            continue;
        }
        let file = SourceFile::new("translated.nft", translated.as_str());
        let read = nftables::parse(&Input::one(&file));
        assert!(read.diagnostics.is_empty(), "{:?}\n{translated}", read.diagnostics);
        let rules = parse(&[&text]);
        for packet in packets(&rules, &intent.topology, "eth0", Family::V4, 20_000, &mut random) {
            let (a, b) = (
                trace(&rules, Some(&intent.topology), &packet, Some("")),
                trace(&read.rules, Some(&intent.topology), &packet, Some("")),
            );
            assert_eq!(
                a.decision, b.decision,
                "{packet}\n{text}\n{translated}\n{:#?}\n{:#?}",
                a.steps, b.steps
            );
            compared += 1;
        }
        pairs += 1;
    }
    assert!(compared >= 500_000, "{compared}");
}

/// Every packet that two rule sets treat differently lies in a box of their difference, and no other does.
#[test]
fn differences_are_exact() {
    let intent = site();
    let mut random = Random::new(5);
    let (mut differing, mut compared, mut changes) = (0, 0, 0);
    for round in 0..30 {
        let text = random_rules(&mut random);
        // One line gone, doubled elsewhere or moved; or another rule set altogether.
        let mut lines: Vec<&str> = text.lines().collect();
        let end = lines.iter().position(|l| *l == "COMMIT").unwrap();
        let rules: Vec<usize> = (0..end).filter(|i| lines[*i].starts_with("-A")).collect();
        let at = rules[random.below(rules.len())];
        let other = match round % 3 {
            0 => {
                lines.remove(at);
                lines.join("\n") + "\n"
            }
            1 => {
                lines.swap(at, rules[0]);
                lines.join("\n") + "\n"
            }
            _ => random_rules(&mut random),
        };
        let (old, new) = (parse(&[&text, SETS]), parse(&[&other, SETS]));
        let found = diff(&old, &new, None);
        changes += found.opened.len() + found.closed.len();
        for change in found.opened.iter().chain(&found.closed) {
            let one = trace(&old, None, &change.packet, Some("")).decision;
            let two = trace(&new, None, &change.packet, Some("")).decision;
            assert!(one != two, "{}: {one:?} and {two:?}\n{text}\n{other}", change.packet);
        }
        for family in Family::BOTH {
            for packet in packets(&old, &intent.topology, "eth0", family, 3_000, &mut random) {
                let a = trace(&old, None, &packet, Some("")).outcomes;
                let b = trace(&new, None, &packet, Some("")).outcomes;
                // What both leave open may be the same after all.
                let bounds = |o: tillgate_ruleset::Outcomes| (o.may_accept(), o.must_accept());
                let ways = [found.change(&found.opened, &packet), found.change(&found.closed, &packet)];
                let said = ways.iter().any(Option::is_some);
                assert!(
                    (bounds(a) != bounds(b)) == said,
                    "{packet}: {a:?} and {b:?}, said to differ: {said}\n{text}\n{other}"
                );
                differing += usize::from(said);
                compared += 1;
            }
        }
    }
    assert!(differing > 1_000 && compared > 100_000 && changes > 100, "{differing} {compared} {changes}");
}
