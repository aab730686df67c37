//! Rule sets like those of ClassBench's seeds (Taylor and Turner, 2007), and fleets. Made here, always the same.
//!
//! Two flavours: access lists, where most rules name both ends and a port, and firewalls, where most leave
//! something open. One source in eight lies in the bistro's segments, the rest in the other
//! sites of a larger network.

use crate::on::{self, Row};
use std::fmt::Write;
use std::path::Path;

/// Which kind of rule set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    Acl,
    Firewall,
}

impl Flavour {
    pub fn parse(text: &str) -> Self {
        if text == "acl" { Flavour::Acl } else { Flavour::Firewall }
    }

    pub fn name(self) -> &'static str {
        if self == Flavour::Acl { "access list" } else { "firewall" }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

fn prefix(random: &mut Random, flavour: Flavour, inside: bool) -> String {
    let open = if flavour == Flavour::Acl { 5 } else { 40 };
    if random.below(100) < open {
        return String::new();
    }
    let length = [8, 16, 20, 24, 24, 28, 30, 32, 32, 32][random.below(10) as usize];
    let address = if inside {
        // One in eight is about this site; the rest about the other sites of its network.
        match random.below(8) {
            0 => 0x0a11_0000u32 | [10, 20, 30][random.below(3) as usize] << 8 | random.below(256) as u32,
            _ => 0x0a00_0000u32 | random.below(1 << 24) as u32,
        }
    } else {
        // A few networks that many rules name, as real ones do.
        let net = [0x5b00_0000u32, 0xc600_0000, 0xcb00_0000, 0x3400_0000][random.below(4) as usize];
        net | random.below(1 << 20) as u32
    };
    let mask = if length == 0 { 0 } else { u32::MAX << (32 - length) };
    let a = address & mask;
    format!("{}.{}.{}.{}/{length}", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255)
}

fn port(random: &mut Random, flavour: Flavour) -> Option<String> {
    let open = if flavour == Flavour::Acl { 10 } else { 45 };
    match random.below(100) {
        n if n < open => None,
        n if n < open + 40 => {
            Some([443, 80, 53, 123, 22, 25, 8080, 3389][random.below(8) as usize].to_string())
        }
        n if n < open + 50 => Some(random.below(65535).to_string()),
        _ => {
            let lo = random.below(60000);
            Some(format!("{lo}-{}", lo + 1 + random.below(5000)))
        }
    }
}

/// `count` rules about other sites of the network (10.32.0.0/11), put before a rendered file's own.
pub fn among(rendered: &str, count: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut list = String::new();
    for _ in 0..count {
        let source = format!("10.{}.{}.{}", 32 + random.below(32), random.below(256), random.below(256));
        let destination = prefix(&mut random, Flavour::Acl, false);
        let destination =
            if destination.is_empty() { String::new() } else { format!("ip daddr {destination} ") };
        let port = port(&mut random, Flavour::Acl).unwrap_or_else(|| "1-65535".into());
        let _ = writeln!(list, "\t\tip saddr {source} {destination}tcp dport {port} accept");
    }
    let mark = "hook forward priority filter; policy drop;\n";
    rendered.replacen(mark, &format!("{mark}{list}"), 1)
}

/// How narrow a rule is: the bits it fixes, roughly.
fn narrowness(words: &str) -> usize {
    let prefixes = words.split('/').skip(1).filter_map(|w| w.split(' ').next()?.parse::<usize>().ok());
    let port = match words.split_once("dport ") {
        Some((_, port)) if port.split(' ').next().is_some_and(|p| p.contains('-')) => 6,
        Some(_) => 16,
        None => 0,
    };
    prefixes.sum::<usize>() + port + if words.contains("iifname") { 4 } else { 0 }
}

/// A rule set of `count` rules in its forward chain.
pub fn rules(count: usize, flavour: Flavour, seed: u64) -> String {
    let mut random = Random((seed * 0x9e37_79b9_7f4a_7c15) | 1);
    let mut out = String::from(
        "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state established,related accept\n\t\tiifname \"eth1.10\" ip saddr 10.17.10.5 tcp dport 22 accept\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t\tct state established,related accept\n",
    );
    let mut list: Vec<(usize, String)> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut words = String::from("\t\t");
        if random.below(2) == 0 {
            let _ = write!(
                words,
                "iifname \"{}\" ",
                ["eth1.20", "eth1.10", "eth1.30", "eth0"][random.below(4) as usize]
            );
        }
        if random.below(2) == 0 {
            words.push_str("ct state new ");
        }
        for (side, inside) in [("saddr", true), ("daddr", false)] {
            let prefix = prefix(&mut random, flavour, inside);
            if !prefix.is_empty() {
                let _ = write!(words, "ip {side} {prefix} ");
            }
        }
        let protocol = if random.below(3) == 0 { "udp" } else { "tcp" };
        match port(&mut random, flavour) {
            Some(port) => {
                let _ = write!(words, "{protocol} dport {port} ");
            }
            None => {
                let _ = write!(words, "meta l4proto {protocol} ");
            }
        }
        words.push_str(if random.below(10) < 7 { "accept\n" } else { "drop\n" });
        // Narrow rules stand before wide ones, as in real lists; one in twenty is out of place.
        let misplaced = random.below(20) == 0;
        let width = if misplaced { random.below(120) as usize } else { narrowness(&words) };
        list.push((width, words));
    }
    list.sort_by_key(|(narrow, _)| std::cmp::Reverse(*narrow));
    list.iter().for_each(|(_, words)| out.push_str(words));
    out + "\t}\n}\n"
}

/// `count` rules as a platform's export prints them: sources, destinations and ports like those of an access list, each
/// rule its own.
pub fn on_platform(count: usize, platform: &str) -> String {
    on::config(platform, &rows(count))
}

/// The same with the rule in the middle the other way round.
pub fn changed(count: usize, platform: &str) -> String {
    let mut rows = rows(count);
    let middle = &mut rows[count / 2];
    middle.accept = !middle.accept;
    on::config(platform, &rows)
}

fn rows(count: usize) -> Vec<Row> {
    let mut random = Random(0x5851_f42d_4c95_7f2d);
    (1..=count)
        .map(|number| Row {
            number,
            source: format!("10.{}.{}.0", 32 + random.below(32), random.below(256)),
            destination: format!("198.51.{}.{}", random.below(256), random.below(256)),
            port: 1 + random.below(60_000),
            accept: random.below(10) < 7,
        })
        .collect()
}

/// An estate of `count` sites from one template, and a configuration for each (`DIR/estate`, `DIR/config`).
pub fn fleet(count: usize, folder: &Path) -> std::io::Result<()> {
    let estate = folder.join("estate");
    let config = folder.join("config");
    std::fs::create_dir_all(estate.join("templates"))?;
    std::fs::create_dir_all(estate.join("sites"))?;
    std::fs::create_dir_all(&config)?;
    std::fs::write(estate.join("estate.toml"), "[estate]\nname = \"fleet\"\ndevices = \"devices.csv\"\n")?;
    let template = include_str!("../../examples/chain/templates/standard-shop.toml")
        .replace("{net}.{site}.", "10.{area}.")
        .replace("20.0/24", "{shop}.0/27")
        .replace("20.1", "{shop}.1")
        .replace("10.0/24", "{shop}.32/27")
        .replace("10.1\"", "{shop}.33\"")
        .replace("10.5", "{shop}.37")
        .replace("30.0/24", "{shop}.64/27")
        .replace("30.1", "{shop}.65")
        .replace("40.0/24", "{shop}.96/27")
        .replace("40.1", "{shop}.97")
        .replace("2001:db8:{site}:20::", "2001:db8:{area}:{shop}::");
    std::fs::write(estate.join("templates/shop.toml"), template)?;
    let mut sites = String::new();
    let mut devices = String::from("site,name,kind,segment,address\n");
    for n in 0..count {
        let (area, shop) = (n / 250, n % 250);
        let name = format!("shop-{n:05}");
        let _ = write!(
            sites,
            "[[site]]\nname = \"{name}\"\nnumber = {n}\ntemplate = \"standard-shop\"\nregion = \"eu\"\nvars = {{ area = {area}, shop = {shop} }}\n"
        );
        for t in 0..3 {
            let _ = writeln!(devices, "{name},counter-{t},clover/mini,pos,10.{area}.{shop}.{}", 10 + t);
        }
        // Every tenth forgot its time server.
        let time = if n % 10 == 9 {
            ""
        } else {
            "\t\tiifname \"eth1.20\" oifname \"eth0\" ip saddr @terminals ip daddr 192.0.2.123 udp dport 123 accept\n"
        };
        let text = format!(
            "table inet filter {{\n\tset terminals {{\n\t\ttype ipv4_addr\n\t\telements = {{ 10.{area}.{shop}.10, 10.{area}.{shop}.11, 10.{area}.{shop}.12 }}\n\t}}\n\tchain antispoof {{\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tip saddr != 0.0.0.0 fib saddr . iif oif missing log drop\n\t}}\n\tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state established,related accept\n\t\tct state invalid drop\n\t\tiif lo accept\n\t\ticmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept\n\t\tiifname {{ \"eth1.10\", \"eth1.20\", \"eth1.30\", \"eth1.40\" }} meta nfproto ipv4 udp dport 67 accept\n\t\tiifname {{ \"eth1.10\", \"eth1.30\", \"eth1.40\" }} meta l4proto {{ tcp, udp }} th dport 53 accept\n\t\tiifname \"eth1.20\" ip saddr @terminals meta l4proto {{ tcp, udp }} th dport 53 accept\n\t\tiifname \"eth1.10\" ip saddr 10.{area}.{shop}.37 tcp dport 22 accept\n\t\tlog drop\n\t}}\n\tchain forward {{\n\t\ttype filter hook forward priority filter; policy drop;\n\t\tct state established,related accept\n\t\tct state invalid drop\n\t\tiifname \"eth1.20\" oifname \"eth0\" ip saddr @terminals tcp dport 443 accept\n{time}\t\tiifname {{ \"eth1.10\", \"eth1.30\" }} oifname \"eth0\" ip saddr 10.{area}.{shop}.0/24 accept\n\t\tlog drop\n\t}}\n\tchain nat {{\n\t\ttype nat hook postrouting priority srcnat;\n\t\toifname \"eth0\" masquerade\n\t}}\n}}\n"
        );
        std::fs::write(config.join(format!("{name}.nft")), text)?;
    }
    std::fs::write(estate.join("sites/all.toml"), sites)?;
    std::fs::write(estate.join("devices.csv"), devices)
}

/// An estate of one site with at least `count` flows: terminals of one shop, four flows each.
pub fn flows(count: usize, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut text = String::from(
        "[estate]\nname = \"large\"\n[[site]]\nname = \"large\"\nnumber = 1\ncatalogs = [\"clover\"]\nprofile = \"declared\"\nregion = \"eu\"\n[site.firewall]\nplatform = \"nftables\"\nwan = [\"eth0\"]\nmanagement = [\"10.1.0.5\"]\n[site.services]\ndns = \"gateway\"\nntp = [\"192.0.2.123\"]\n[[site.segment]]\nname = \"pos\"\nrole = \"pos\"\ninterface = \"eth1\"\nsubnet = \"10.2.0.0/16\"\ngateway = \"10.2.0.1\"\n[[site.segment]]\nname = \"office\"\nrole = \"corp\"\ninterface = \"eth2\"\nsubnet = \"10.1.0.0/24\"\ngateway = \"10.1.0.1\"\n",
    );
    for n in 0..count.div_ceil(4) {
        let _ = write!(
            text,
            "[[site.device]]\nname = \"till-{n}\"\nkind = \"clover/mini\"\nsegment = \"pos\"\naddress = \"10.2.{}.{}\"\n",
            1 + n / 200,
            10 + n % 200
        );
    }
    std::fs::write(folder.join("estate.toml"), text)
}
