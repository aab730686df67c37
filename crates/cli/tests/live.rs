//! `tillgate check` in a shop of namespaces with real servers: all green when all is well, then one fault at a time.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "live/shop.rs"]
mod shop;

use serde_json::Value as Json;
use shop::{DNS, SUITES, Shop};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Findings as `(id, message)`, those that only the lab itself causes left aside.
fn found(value: &Json) -> Vec<(String, String)> {
    let list = value["findings"].as_array().unwrap();
    list.iter()
        .map(|f| (f["id"].as_str().unwrap().to_string(), f["message"].as_str().unwrap().to_string()))
        .collect()
}

/// The fault is named by these ids, each with these words, and nothing else is said to fail.
fn only(value: &Json, expected: &[(&str, &str)]) {
    let list = found(value);
    for (id, words) in expected {
        assert!(list.iter().any(|(i, m)| i == id && m.contains(words)), "no {id} with {words:?}: {list:#?}");
    }
    let meant = |(id, message): &&(String, String)| {
        expected.iter().any(|(i, words)| i == id && message.contains(words))
    };
    let stray: Vec<_> = list.iter().filter(|found| !meant(found)).collect();
    assert!(stray.is_empty(), "{stray:#?}");
}

const QUICK: &str = "--deadline 4s --samples 2";

#[test]
fn a_healthy_shop_is_green() {
    let shop = Shop::new();
    let (code, value) = shop.check("pos", QUICK);
    assert_eq!(code, 0, "{value:#}");
    assert!(found(&value).is_empty(), "{value:#}");
    let probes = value["probes"].as_array().unwrap();
    let passing: Vec<&str> =
        probes.iter().filter(|p| p["reach"] == "passes").filter_map(|p| p["kind"].as_str()).collect();
    for kind in ["dns", "tls", "ntp", "sip", "udp", "http", "portal", "path", "conflict"] {
        assert!(passing.contains(&kind), "{kind}: {value:#}");
    }
    assert_eq!(value["host"]["device"], "counter-1");
}

/// One fault in a shop that is well otherwise: named by these ids and words, with this exit code.
fn fault(make: impl FnOnce(&mut Shop), more: &str, code: i32, expected: &[(&str, &str)]) -> Json {
    let mut shop = Shop::new();
    make(&mut shop);
    let quick =
        QUICK.split(" --").filter(|o| !more.contains(o.trim_start_matches('-').split(' ').next().unwrap()));
    let quick: Vec<String> = quick.map(|o| format!("--{}", o.trim_start_matches('-'))).collect();
    let (exit, value) = shop.check("pos", &format!("{} {more}", quick.join(" ")));
    only(&value, expected);
    assert_eq!(exit, code, "{value:#}");
    value
}

#[test]
fn https_dropped() {
    fault(|shop| shop.before("tcp dport 443 drop"), "", 1, &[("port-unreachable", "no answer")]);
}

#[test]
fn https_refused() {
    let rule = "tcp dport 443 reject with tcp reset";
    fault(|shop| shop.before(rule), "", 1, &[("port-unreachable", "refused")]);
}

#[test]
fn https_prohibited() {
    let rule = "tcp dport 443 reject with icmpx admin-prohibited";
    fault(|shop| shop.before(rule), "", 1, &[("port-unreachable", "prohibited by 10.17.20.1")]);
}

#[test]
fn time_dropped() {
    fault(|shop| shop.before("udp dport 123 drop"), "", 1, &[("ntp-unreachable", "answered none")]);
}

#[test]
fn one_clock_is_wrong_by_40_seconds() {
    let make = |shop: &mut Shop| shop.clock("clock-21", "203.0.113.21", &["faketime", "-f", "+40s"]);
    let value = fault(make, "", 3, &[("clock-off", "40")]);
    assert!(found(&value).iter().all(|(_, m)| m.contains("40")), "{value:#}");
}

#[test]
fn both_clocks_say_that_this_host_is_wrong() {
    let make = |shop: &mut Shop| {
        shop.clock("clock-20", "203.0.113.20", &["faketime", "-f", "+40s"]);
        shop.clock("clock-21", "203.0.113.21", &["faketime", "-f", "+40s"]);
    };
    fault(make, "", 1, &[("clock-off", "40")]);
}

#[test]
fn clocks_send_a_kiss_of_death() {
    let make = |shop: &mut Shop| {
        for (name, address) in [("clock-20", "203.0.113.20"), ("clock-21", "203.0.113.21")] {
            shop.stop(name);
            shop.answer("net", move |over| {
                datagrams(&format!("{address}:123"), over, |question| {
                    // Stratum 0, reference DENY, our question's time as the origin (RFC 5905 section 7.4).
                    let mut answer = vec![0xe4, 0, 6, 0xec];
                    answer.resize(12, 0);
                    answer.extend(b"DENY");
                    answer.resize(24, 0);
                    answer.extend(question.get(40..48)?);
                    answer.resize(48, 0);
                    Some(answer)
                });
            });
        }
    };
    fault(make, "", 1, &[("ntp-unreachable", "DENY")]);
}

#[test]
fn resolver_is_dead() {
    fault(|shop| shop.stop("dnsmasq"), "", 1, &[("dns-failed", "10.17.20.1")]);
}

#[test]
fn resolver_lies() {
    let make = |shop: &mut Shop| {
        shop.dns(&DNS.replace("www.eu.clover.com,203.0.113.10", "www.eu.clover.com,192.168.1.1"));
    };
    fault(make, "", 1, &[("dns-failed", "192.168.1.1")]);
}

#[test]
fn resolver_invents_names() {
    let make = |shop: &mut Shop| shop.dns(&DNS.replace("local=/#/", "address=/#/203.0.113.66"));
    fault(make, "", 1, &[("dns-failed", "203.0.113.66"), ("dns-failed", "REFUSED")]);
}

#[test]
fn resolver_is_slow() {
    let make = |shop: &mut Shop| {
        shop.nft("table ip slow { chain in { type nat hook prerouting priority dstnat; iifname \"pos\" udp dport 53 redirect to :5300;\n}\n}\n");
        shop.on("fw", "nft insert rule inet tillgate input udp dport 5300 accept");
        shop.answer("fw", |over| {
            relay("10.17.20.1:5300", "10.17.10.1:53", Duration::from_millis(700), over, |d| d.to_vec())
        });
    };
    fault(make, "", 0, &[("latency-high", "10.17.20.1")]);
}

#[test]
fn tls_is_intercepted() {
    let mut shop = Shop::new();
    shop.web(&[("443", "proxy", "TLSv1.2 TLSv1.3", SUITES)]);
    // What the inspecting firewall asked its owner to install.
    let trusted = shop.path("other.pem").display().to_string();
    let (code, value) = shop.check_with("pos", QUICK, &[("SSL_CERT_FILE", &trusted)]);
    only(&value, &[("tls-intercepted", "Lab other")]);
    assert_eq!(code, 1, "{value:#}");
}

#[test]
fn certificate_has_ended() {
    let make = |shop: &mut Shop| shop.web(&[("443", "expired", "TLSv1.2 TLSv1.3", SUITES)]);
    fault(make, "", 1, &[("tls-failed", "expired")]);
}

#[test]
fn certificate_names_another_host() {
    let make = |shop: &mut Shop| shop.web(&[("443", "wrong", "TLSv1.2 TLSv1.3", SUITES)]);
    fault(make, "", 1, &[("tls-failed", "www.example.org")]);
}

#[test]
fn certificate_has_a_weak_key() {
    let suites = "ssl_ciphers ECDHE+AESGCM:@SECLEVEL=0;";
    let make = |shop: &mut Shop| shop.web(&[("443", "weak", "TLSv1.2 TLSv1.3", suites)]);
    fault(make, "", 0, &[("tls-weak", "1024")]);
}

#[test]
fn server_speaks_old_versions_only() {
    let suites = "ssl_ciphers ALL:@SECLEVEL=0;";
    let make = |shop: &mut Shop| shop.web(&[("443", "server", "TLSv1", suites)]);
    fault(make, "", 1, &[("tls-failed", "TLS 1.0"), ("tls-weak", "clover.com")]);
}

#[test]
fn a_sign_in_page_answers() {
    let make = |shop: &mut Shop| {
        shop.nft("table ip portal { chain in { type nat hook prerouting priority dstnat; iifname \"pos\" tcp dport 80 dnat to 203.0.113.31:80;\n}\n}\n");
    };
    let expected =
        [("captive-portal", "portal.hotel.example"), ("optional-unreachable", "portal.hotel.example")];
    fault(make, "", 1, &expected);
}

#[test]
fn large_packets_vanish() {
    let make = |shop: &mut Shop| {
        shop.on("fw", "ip link set eth0 mtu 1400");
        shop.nft("table inet fault { chain out { type filter hook output priority -10; icmp type destination-unreachable drop;\n}\n}\n");
    };
    let value = fault(make, "--deadline 12s", 1, &[("path-mtu", "1400")]);
    assert!(value["probes"].as_array().unwrap().iter().any(|p| p["kind"] == "path"), "{value:#}");
}

#[test]
fn voice_dropped() {
    fault(
        |shop| shop.before("udp dport 5060 drop"),
        "",
        0,
        &[("optional-unreachable", "(5060/udp) is not reached at 203.0.113.40: no answer")],
    );
}

#[test]
fn voice_rewritten() {
    let make = |shop: &mut Shop| {
        shop.nft("table ip alg { chain in { type nat hook prerouting priority dstnat; iifname \"pos\" udp dport 5060 redirect to :5070;\n}\n}\n");
        shop.on("fw", "nft insert rule inet tillgate input udp dport 5070 accept");
        shop.answer("fw", |over| {
            relay("10.17.20.1:5070", "203.0.113.40:5060", Duration::ZERO, over, |datagram| {
                String::from_utf8_lossy(datagram).replace("10.17.20.11", "198.51.100.2").into_bytes()
            });
        });
    };
    let value = fault(make, "", 0, &[("optional-unreachable", "198.51.100.2")]);
    let probe = value["probes"].as_array().unwrap().iter().find(|p| p["kind"] == "sip").unwrap().clone();
    assert_eq!(probe["faults"][0]["id"], "sip-failed", "{probe:#}");
}

#[test]
fn half_of_a_range_is_open() {
    let rule = "udp dport 10050-10100 drop";
    fault(|shop| shop.before(rule), "", 0, &[("optional-unreachable", "10000-10049")]);
}

#[test]
fn another_program_holds_a_port() {
    let make = |shop: &mut Shop| {
        shop.answer("pos", |over| {
            let _held = std::net::TcpListener::bind("0.0.0.0:12345").unwrap();
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    };
    fault(make, "", 1, &[("port-conflict", "12345")]);
}

#[test]
fn a_silent_connection_is_cut() {
    let make = |shop: &mut Shop| {
        shop.on("fw", "sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=4");
        shop.on("fw", "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0");
    };
    let value = fault(make, "--idle 1s --idle 9s", 0, &[("latency-high", "9 s of silence")]);
    let idle = value["probes"].as_array().unwrap().iter().find(|p| p["kind"] == "idle").unwrap().clone();
    assert!(!idle["faults"].as_array().unwrap().is_empty(), "{idle:#}");
}

#[test]
fn openings_get_lost() {
    let rule = "tcp flags syn / syn,ack tcp dport 443 numgen inc mod 3 == 0 drop";
    fault(
        |shop| shop.before(rule),
        "--samples 4 --deadline 8s --only tls",
        0,
        &[("latency-high", "203.0.113.1")],
    );
}

#[test]
fn guests_reach_the_terminals() {
    let mut shop = Shop::new();
    shop.answer("pos", |over| {
        let _open = std::net::TcpListener::bind("10.17.20.11:12345").unwrap();
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let (code, value) = shop.check("guest", "--from guest --deadline 3s");
    only(&value, &[]);
    assert_eq!(code, 0, "{value:#}");
    assert!(value["tried"].as_array().unwrap().len() > 40, "{value:#}");
    shop.on("fw", "nft insert rule inet tillgate forward iifname guest oifname pos accept");
    shop.on("fw", "nft insert rule inet tillgate antispoof accept");
    let (code, value) = shop.check("guest", "--from guest --deadline 3s");
    let refused = ("segment-reachable", "gets refusals from");
    only(&value, &[("segment-reachable", "reaches counter-1 (10.17.20.11) at 12345/tcp"), refused]);
    assert_eq!(code, 1, "{value:#}");
    // A terminal that is switched off, behind an open door: somebody looked for it.
    shop.on("pos", "ip link set eth0 down");
    shop.on("fw", "ip neigh flush dev pos");
    let (code, value) = shop.check("guest", "--from guest --deadline 6s");
    assert!(code == 1 || code == 3, "{value:#}");
    assert!(
        found(&value).iter().any(|(id, m)| id == "segment-reachable" && m.contains("10.17.20.12")),
        "{value:#}"
    );
    // Evidence from another place is none.
    let wrong = shop.run("office", "--from guest");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("office"), "{wrong:?}");
}

#[test]
fn a_stranger_decides_nothing() {
    let shop = Shop::new();
    shop.on("pos", "ip addr del 10.17.20.11/24 dev eth0");
    shop.on("pos", "ip addr add 10.17.20.77/24 dev eth0");
    shop.on("pos", "ip route add default via 10.17.20.1");
    let (code, value) = shop.check("pos", QUICK);
    assert_eq!(code, 3, "{value:#}");
    let heavy = |f: &&Json| f["severity"] != "info";
    let findings = value["findings"].as_array().unwrap();
    assert!(findings.iter().filter(heavy).all(|f| f["proof"] == "possible"), "{value:#}");
    // A terminal is measured under its own address.
    let wrong = shop.run("pos", "--as counter-2");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("10.17.20.12"), "{wrong:?}");
}

#[test]
fn two_addresses_are_measured_one_at_a_time() {
    let shop = Shop::new();
    shop.on("pos", "ip addr add 10.17.20.12/24 dev eth0");
    shop.before("ip saddr 10.17.20.12 tcp dport 443 drop");
    let (code, value) = shop.check("pos", &format!("{QUICK} --as counter-1"));
    only(&value, &[]);
    assert_eq!(code, 0, "{value:#}");
    let (code, value) = shop.check("pos", &format!("{QUICK} --as counter-2"));
    only(&value, &[("port-unreachable", "no answer")]);
    assert_eq!((code, &value["host"]["addresses"]), (1, &serde_json::json!(["10.17.20.12"])), "{value:#}");
    let foreign = shop.run("pos", "--address 10.17.20.99");
    assert_eq!(foreign.status.code(), Some(2), "{foreign:?}");
}

#[test]
fn a_measuring_host_counts_as_the_terminals_do() {
    let mut shop = Shop::new();
    let probe = "[[site.device]]\nname = \"meter\"\nkind = \"probe\"\nsegment = \"pos\"\naddress = \"10.17.20.77\"\nuntil = 2026-12-31\n";
    shop.declare(probe);
    shop.on("pos", "ip addr del 10.17.20.11/24 dev eth0");
    shop.on("pos", "ip addr add 10.17.20.77/24 dev eth0");
    shop.on("pos", "ip route add default via 10.17.20.1");
    let (code, value) = shop.check("pos", QUICK);
    only(&value, &[]);
    assert_eq!((code, &value["host"]["device"]), (0, &Json::from("meter")), "{value:#}");
    shop.before("tcp dport 443 drop");
    let (code, value) = shop.check("pos", QUICK);
    only(&value, &[("port-unreachable", "no answer")]);
    assert_eq!(code, 1, "{value:#}");
}

#[test]
fn an_address_that_goes_midway_is_told() {
    let mut shop = Shop::new();
    shop.before("udp dport 123 drop");
    let space = shop.space("pos");
    shop.answer("fw", move |_| {
        std::thread::sleep(Duration::from_millis(1500));
        let gone = ["-n", &space, "addr", "del", "10.17.20.11/24", "dev", "eth0"];
        assert!(std::process::Command::new("ip").args(gone).status().unwrap().success());
    });
    let gone = shop.run("pos", QUICK);
    assert_eq!(gone.status.code(), Some(2), "{gone:?}");
    assert!(String::from_utf8_lossy(&gone.stderr).contains("10.17.20.11"), "{gone:?}");
}

#[test]
fn a_till_reaches_its_terminal_under_the_vendors_own_authority() {
    let mut shop = Shop::new();
    let folder = shop.folder.display().to_string();
    let text = format!(
        "daemon off; user root; master_process off; pid {folder}/t.pid; error_log {folder}/t.log;\nevents {{}}\nhttp {{ access_log off; server {{ listen 10.17.20.11:12345 ssl; ssl_certificate {folder}/proxy.pem; ssl_certificate_key {folder}/proxy.key; }} }}\n"
    );
    std::fs::write(shop.path("terminal.conf"), text).unwrap();
    let file = shop.path("terminal.conf");
    shop.start("terminal", "pos", &["nginx", "-e", "stderr", "-c", file.to_str().unwrap()]);
    std::thread::sleep(Duration::from_millis(500));
    let (code, value) = shop.check("office", &format!("{QUICK} --as till-pc"));
    let probe =
        value["probes"].as_array().unwrap().iter().find(|p| p["service"] == "12345/tcp").unwrap().clone();
    assert_eq!(probe["reach"], "passes", "{value:#}");
    assert!(probe["details"]["issuer"].as_str().unwrap().contains("Lab other"), "{probe:#}");
    assert!(found(&value).iter().all(|(id, _)| !id.starts_with("tls-")), "{value:#}");
    assert_eq!(code, 0, "{value:#}");
}

#[test]
fn nothing_measured_is_nothing_proved() {
    let mut shop = Shop::new();
    shop.stop("dnsmasq");
    let (code, value) = shop.check("pos", &format!("{QUICK} --only tls"));
    assert_eq!(code, 3, "{value:#}");
    only(&value, &[("port-unreachable", "was not measured")]);
    let (code, value) = shop.check("pos", &format!("{QUICK} --only portal"));
    assert_eq!((code, value["verdict"].as_str()), (3, Some("undecided")), "{value:#}");
    shop.dns(DNS);
    std::thread::sleep(Duration::from_millis(500));
    // The way is looked at even where nothing else is.
    let (code, value) = shop.check("pos", &format!("{QUICK} --only path"));
    assert_eq!((code, value["probes"][0]["reach"].as_str()), (0, Some("passes")), "{value:#}");
}

#[test]
fn a_dual_stack_till_has_its_own_way() {
    let shop = Shop::new();
    let (code, value) = shop.check("office", "--from office --deadline 3s");
    only(&value, &[]);
    assert_eq!(code, 0, "{value:#}");
    let tried = value["tried"].as_array().unwrap();
    let asks = |address: &str, port: u64| tried.iter().any(|t| t["address"] == address && t["port"] == port);
    // The till may reach its terminal, not the other one; nobody declared 10.17.20.2.
    assert!(
        !asks("10.17.20.11", 12345) && asks("10.17.20.12", 12345) && asks("10.17.20.2", 445),
        "{value:#}"
    );
    assert!(asks("10.17.20.11", 12344) && asks("10.17.20.11", 12346), "{value:#}");
    let (code, value) = shop.check("pos", "--from pos --deadline 3s");
    only(&value, &[]);
    assert_eq!(code, 0, "{value:#}");
    let tried = value["tried"].as_array().unwrap();
    let out = |t: &&Json| t["to"] == "internet" && t["why"] == "egress";
    assert!(tried.iter().filter(out).count() >= 12, "{value:#}");
}

#[test]
fn bad_surroundings_are_told() {
    let shop = Shop::new();
    shop.on("pos", "ip link set eth0 down");
    let none = shop.run("pos", "");
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no address"), "{none:?}");
    // The router stands in every segment's network and in none of the site's places for terminals alone.
    let outside = shop.run("net", "");
    assert_eq!(outside.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&outside.stderr).contains("no segment"), "{outside:?}");
}

#[test]
fn rounds_and_metrics_are_kept() {
    let shop = Shop::new();
    let (rounds, metrics) = (shop.path("rounds.jsonl"), shop.path("shop.prom"));
    let run = shop.run("pos", &format!("{QUICK} --only dns --every 1s --for 3s -o {}", rounds.display()));
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let text = std::fs::read_to_string(&rounds).unwrap();
    assert!(text.lines().count() >= 2, "{text}");
    for line in text.lines() {
        let round: Json = serde_json::from_str(line).unwrap();
        assert_eq!(round["verdict"], "holds");
    }
    assert!(String::from_utf8_lossy(&run.stdout).contains('▁'), "{run:?}");
    let (code, _) = shop.check("pos", &format!("{QUICK} --only dns --metrics {}", metrics.display()));
    assert_eq!(code, 0);
    let text = std::fs::read_to_string(&metrics).unwrap();
    assert!(text.contains("tillgate_probe_up{site=\"shop\",requirement=\"clover.dns\""), "{text}");
}

/// Answers datagrams until it is over.
fn datagrams(address: &str, over: &AtomicBool, answer: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = [0; 2048];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        if let Some(reply) = answer(&buffer[..length]) {
            let _ = socket.send_to(&reply, from);
        }
    }
}

/// Passes datagrams on and back, late and changed on their way out.
fn relay(
    address: &str,
    server: &str,
    late: Duration,
    over: &AtomicBool,
    change: impl Fn(&[u8]) -> Vec<u8> + Sync,
) {
    let near = UdpSocket::bind(address).unwrap();
    near.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    std::thread::scope(|scope| {
        let mut buffer = [0; 4096];
        while !over.load(Ordering::Relaxed) {
            let Ok((length, from)) = near.recv_from(&mut buffer) else { continue };
            let (datagram, near, change) = (buffer[..length].to_vec(), &near, &change);
            scope.spawn(move || {
                std::thread::sleep(late);
                let far = UdpSocket::bind("0.0.0.0:0").unwrap();
                far.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                far.connect(server).unwrap();
                let _ = far.send(&change(&datagram));
                let mut answer = [0; 4096];
                while let Ok(length) = far.recv(&mut answer) {
                    let _ = near.send_to(&answer[..length], from);
                }
            });
        }
    });
}

#[test]
fn a_shop_of_ipv6_alone() {
    let mut shop = Shop::new();
    shop.only_ipv6();
    let (code, value) = shop.check("pos", QUICK);
    only(&value, &[]);
    assert_eq!(code, 0, "{value:#}");
    let probes = value["probes"].as_array().unwrap();
    for kind in ["dns", "tls", "ntp"] {
        let six = |p: &&Json| p["kind"] == kind && p["target"].as_str().unwrap().contains("2001:db8:");
        assert!(probes.iter().filter(six).any(|p| p["reach"] == "passes"), "{kind}: {value:#}");
    }
    shop.before("meta nfproto ipv6 tcp dport 443 drop");
    let (code, value) = shop.check("pos", QUICK);
    only(&value, &[("port-unreachable", "2001:db8:113::10")]);
    assert_eq!(code, 1, "{value:#}");
}

#[test]
fn a_slow_and_lossy_line() {
    let make = |shop: &mut Shop| shop.line(Duration::from_millis(10), 50);
    let more = "--samples 40 --deadline 30s --only tls";
    let value = fault(make, more, 0, &[("latency-high", "203.0.113.1")]);
    let probes = value["probes"].as_array().unwrap();
    for probe in probes.iter().filter(|p| p["kind"] == "tls") {
        assert!(probe["samples"]["median_ms"].as_f64().unwrap() >= 40.0, "{probe:#}");
    }
}

#[test]
fn time_is_authenticated_where_it_is_offered() {
    let shop = Shop::new();
    let nts = |name: &str| {
        let (code, value) = shop.check("pos", &format!("{QUICK} --only ntp --nts"));
        assert_eq!(code, 0, "{value:#}");
        let probes = value["probes"].as_array().unwrap();
        let probe = probes.iter().find(|p| p["target"].as_str().unwrap().starts_with(name)).unwrap();
        probe["details"]["nts"].as_str().unwrap().to_string()
    };
    // The shop's firewall permits what terminals need, and no more.
    assert_eq!(nts("time.android.com"), "not offered");
    shop.on("fw", "nft insert rule inet tillgate forward tcp dport 4460 accept");
    assert_eq!(nts("time.android.com"), "works");
    assert_eq!(nts("2.android.pool"), "fails");
}
