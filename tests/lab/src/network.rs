//! Namespaces, links, routes; frames in and out.

use crate::frame::{Frame, build, parse};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tillgate_intent::Topology;
use tillgate_model::{Family, Packet};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One interface of the firewall and the host behind it.
struct Side {
    interface: String,
    socket: OwnedFd,
    /// Hardware address of the firewall's end.
    gate: [u8; 6],
    /// Hardware address of the host's end.
    host: [u8; 6],
}

/// A firewall and a host behind each of its interfaces; gone when dropped.
pub struct Lab {
    stop: Arc<AtomicBool>,
    echoes: Vec<JoinHandle<()>>,
    prefix: String,
    sides: Vec<Side>,
    uplinks: Vec<String>,
    /// The firewall's addresses in its segments.
    own: Vec<IpAddr>,
    /// Numbers given out: one that arrives late is not taken for a packet of a later call.
    used: Cell<usize>,
}

/// What became of one packet.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It came out of this interface, looking so.
    Forwarded(String, Packet),
    /// The firewall itself got it.
    Delivered,
    /// It came out nowhere.
    Gone,
}

fn run(program: &str, arguments: &[&str], input: Option<&str>) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("the lab needs {program} (packages iproute2, nftables, conntrack): {e}"));
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that refuses its input says why on standard error.
        let _ = stdin.write_all(text.as_bytes());
    }
    let done = child.wait_with_output().expect("a started program ends");
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{program} {}: {error} (the lab needs root: CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW)",
        arguments.join(" ")
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

impl Lab {
    /// Builds the network of a topology. Interfaces beside it (`extra`) get a link and no address.
    pub fn new(topology: &Topology, extra: &[&str]) -> Lab {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("tg{}-{number}", std::process::id());
        let gate = format!("{prefix}-fw");
        run("ip", &["netns", "add", &gate], None);
        let own = topology.zones.iter().flat_map(|z| z.gateways.clone()).collect();
        let mut lab = Lab {
            stop: Arc::default(),
            echoes: Vec::new(),
            prefix,
            sides: Vec::new(),
            uplinks: topology.uplinks.clone(),
            own,
            used: Cell::new(0),
        };
        let in_gate = |arguments: &[&str]| {
            let all = [&["netns", "exec", gate.as_str()], arguments].concat();
            run("ip", &all, None)
        };
        in_gate(&["ip", "link", "set", "lo", "up"]);
        let names: Vec<&str> = topology
            .zones
            .iter()
            .map(|z| z.interface.as_str())
            .chain(topology.uplinks.iter().map(String::as_str))
            .collect();
        for (at, name) in names.iter().copied().chain(extra.iter().copied()).enumerate() {
            lab.add_side(at, name);
        }
        for key in
            ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0"]
        {
            in_gate(&["sysctl", "-qw", key]);
        }
        for side in &lab.sides {
            // By path: a full stop in an interface name is no separator.
            let write = format!("echo 0 > /proc/sys/net/ipv4/conf/{}/rp_filter", side.interface);
            in_gate(&["sh", "-c", &write]);
        }
        for zone in &topology.zones {
            for net in &zone.subnets {
                let own = zone.gateways.iter().find(|g| Family::of(**g) == Family::of(net.addr()));
                match own {
                    Some(own) => {
                        let address = format!("{own}/{}", net.prefix_len());
                        in_gate(&["ip", "addr", "add", &address, "dev", &zone.interface, "nodad"]);
                    }
                    None => {
                        in_gate(&["ip", "route", "add", &net.to_string(), "dev", &zone.interface]);
                    }
                }
            }
        }
        for (at, uplink) in topology.uplinks.iter().enumerate() {
            in_gate(&["ip", "addr", "add", &format!("100.64.{at}.2/30"), "dev", uplink]);
            in_gate(&["ip", "addr", "add", &format!("fd99:{at}::2/64"), "dev", uplink, "nodad"]);
        }
        if let Some(first) = topology.uplinks.first() {
            lab.route_by(first);
        }
        lab
    }

    fn add_side(&mut self, at: usize, interface: &str) {
        let (gate, host) = (format!("{}-fw", self.prefix), format!("{}-h{at}", self.prefix));
        let mac = |end: u8| [0x02, 0, 0, end, 0, at as u8];
        let text = |m: [u8; 6]| m.map(|b| format!("{b:02x}")).join(":");
        run("ip", &["netns", "add", &host], None);
        let (a, b) = (text(mac(1)), text(mac(2)));
        run(
            "ip",
            &[
                "-n", &gate, "link", "add", interface, "address", &a, "type", "veth", "peer", "name", "peer",
                "address", &b, "netns", &host,
            ],
            None,
        );
        // Without ARP and neighbour discovery every address has a neighbour.
        run("ip", &["-n", &gate, "link", "set", interface, "arp", "off", "up"], None);
        run("ip", &["-n", &host, "link", "set", "peer", "arp", "off", "up"], None);
        let socket = std::thread::spawn(move || {
            let space = File::open(format!("/run/netns/{host}")).expect("the namespace was just made");
            setns(&space, CloneFlags::CLONE_NEWNET).expect("entering a namespace needs CAP_SYS_ADMIN");
            let socket =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll)
                    .expect("raw sockets need CAP_NET_RAW");
            // Frames of 20,000 packets wait here until they are read.
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &(256 << 20));
            let address: LinkAddr = nix::ifaddrs::getifaddrs()
                .expect("a namespace lists its interfaces")
                .filter(|i| i.interface_name == "peer")
                .find_map(|i| i.address.and_then(|a| a.as_link_addr().copied()))
                .expect("the link was just made");
            bind(socket.as_raw_fd(), &address).expect("binding to an interface of this namespace");
            socket
        })
        .join()
        .expect("the namespace's thread ends");
        self.sides.push(Side { interface: interface.into(), socket, gate: mac(1), host: mac(2) });
    }

    /// Sends everything without a nearer route by this uplink.
    pub fn route_by(&self, uplink: &str) {
        let Some(at) = self.uplinks.iter().position(|u| u == uplink) else { return };
        self.gate(
            "ip",
            &["route", "replace", "default", "via", &format!("100.64.{at}.1"), "dev", uplink],
            None,
        );
        self.gate(
            "ip",
            &["-6", "route", "replace", "default", "via", &format!("fd99:{at}::1"), "dev", uplink],
            None,
        );
    }

    /// Runs a program on the firewall.
    pub fn gate(&self, program: &str, arguments: &[&str], input: Option<&str>) -> String {
        let name = format!("{}-fw", self.prefix);
        let all = [&["netns", "exec", name.as_str(), program], arguments].concat();
        run("ip", &all, input)
    }

    /// Answers datagrams to a port of the firewall itself, so that connections to it become established.
    pub fn echo(&mut self, port: u16) {
        let (space, stop) = (format!("/run/netns/{}-fw", self.prefix), Arc::clone(&self.stop));
        let (ready, started) = std::sync::mpsc::channel();
        self.echoes.push(std::thread::spawn(move || {
            let space = File::open(space).expect("the firewall's namespace exists");
            setns(&space, CloneFlags::CLONE_NEWNET).expect("entering a namespace needs CAP_SYS_ADMIN");
            let socket = UdpSocket::bind(("::", port)).expect("the port is free in a new namespace");
            socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
            ready.send(()).expect("the lab waits for this");
            let mut buffer = [0u8; 2048];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(&buffer[..length], from);
                }
            }
        }));
        started.recv().expect("the thread binds its port");
    }

    /// Whether the kernel takes a rule set (checking alone finds no loops).
    pub fn accepts(&self, rules: &str) -> bool {
        let name = format!("{}-fw", self.prefix);
        let child = Command::new("ip")
            .args(["netns", "exec", &name, "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("ip was started before");
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(rules.as_bytes());
        }
        child.wait().expect("a started program ends").success()
    }

    /// Loads a rule set in place of the one before, and the table that counts what the firewall itself gets.
    pub fn load(&self, rules: &str) {
        self.gate("nft", &["flush", "ruleset"], None);
        self.gate("nft", &["-f", "-"], Some(rules));
        self.watch();
    }

    /// Loads rules for `iptables-restore` and `ip6tables-restore`, after the sets they name (`ipset restore`).
    pub fn load_iptables(&self, rules: &str, sets: &str) {
        self.gate("nft", &["flush", "ruleset"], None);
        self.gate("ipset", &["destroy"], None);
        self.gate("ipset", &["restore"], Some(sets));
        self.gate("iptables-restore", &[], Some(rules));
        self.gate("ip6tables-restore", &[], Some(rules));
        self.watch();
    }

    /// Forgets all connections, and watches what the firewall itself gets.
    fn watch(&self) {
        self.gate("conntrack", &["-F"], None);
        let counter = "table inet lab {
            set seen4 { typeof ip id; flags dynamic; size 65536; }
            set seen6 { typeof ip6 flowlabel; flags dynamic; size 65536; }
            chain input { type filter hook input priority 20000;
                iifname != \"lo\" meta nfproto ipv4 add @seen4 { ip id }
                iifname != \"lo\" meta nfproto ipv6 add @seen6 { ip6 flowlabel }
            }
        }";
        self.gate("nft", &["-f", "-"], Some(counter));
    }

    /// Sends packets in by their ingress interface and says what became of each. At most 60,000 at once.
    pub fn send(&self, packets: &[Packet]) -> Vec<Fate> {
        assert!(packets.len() <= 60_000, "numbers must fit 16 bits");
        for side in &self.sides {
            while recv_frame(side).is_some() {}
        }
        self.gate("nft", &["flush", "set", "inet", "lab", "seen4"], None);
        self.gate("nft", &["flush", "set", "inet", "lab", "seen6"], None);
        let mut fates = vec![Fate::Gone; packets.len()];
        let base = if self.used.get() + packets.len() > 65_000 { 0 } else { self.used.get() };
        self.used.set(base + packets.len());
        for (number, packet) in packets.iter().enumerate() {
            let side = self.sides.iter().find(|s| Some(&s.interface) == packet.input.as_ref());
            let side = side.unwrap_or_else(|| panic!("no interface for {packet}"));
            // Numbers start at 1: what the kernel sends by itself carries 0.
            let frame = build(packet, (base + number) as u32 + 1, side.host, side.gate);
            send(side.socket.as_raw_fd(), &frame, MsgFlags::empty())
                .unwrap_or_else(|e| panic!("sending {packet}: {e}"));
            if number % 512 == 511 {
                self.collect(packets, base, &mut fates);
            }
        }
        // The last ones may still be on another processor's queue.
        std::thread::sleep(Duration::from_millis(3));
        self.collect(packets, base, &mut fates);
        for (set, v4) in [("seen4", true), ("seen6", false)] {
            for number in self.seen(set) {
                let at = (number as usize).checked_sub(base + 1).filter(|at| *at < packets.len());
                if let Some(at) = at.filter(|at| packets[*at].source.is_ipv4() == v4) {
                    fates[at] = Fate::Delivered;
                }
            }
        }
        fates
    }

    fn seen(&self, set: &str) -> BTreeSet<u32> {
        let text = self.gate("nft", &["list", "set", "inet", "lab", set], None);
        let elements =
            text.split_once("elements = {").map_or("", |(_, rest)| rest.split('}').next().unwrap_or(""));
        elements.split(',').filter_map(|w| w.trim().parse().ok()).collect()
    }

    /// A veth pair hands frames over at once, so what was sent has arrived when the call returned.
    fn collect(&self, sent: &[Packet], base: usize, fates: &mut [Fate]) {
        for side in &self.sides {
            while let Some(frame) = recv_frame(side) {
                // Our own frames are seen on their way out too; what the firewall says by itself is no answer to us.
                let answer = self.own.contains(&frame.packet.source) && frame.packet.source_port == 53;
                if frame.from != side.gate || answer {
                    continue;
                }
                let Some(at) = (frame.number as usize).checked_sub(base + 1) else { continue };
                let Some(ours) = sent.get(at) else { continue };
                // What the firewall answers by itself carries any number, and other flags or types.
                let (seen, icmp) = (&frame.packet, ours.protocol.is_icmp());
                let same = ours.protocol == seen.protocol
                    && ours.source.is_ipv4() == seen.source.is_ipv4()
                    && ours.tcp_flags == seen.tcp_flags
                    && (!icmp || ours.source_port == seen.source_port);
                if same {
                    fates[at] = Fate::Forwarded(side.interface.clone(), frame.packet);
                }
            }
        }
    }

    /// Counters of rules by comment, summed.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let text = self.gate("nft", &["list", "ruleset"], None);
        let mut out = BTreeMap::new();
        for line in text.lines() {
            let packets: Option<u64> =
                line.split_once("counter packets ").and_then(|(_, r)| r.split(' ').next()?.parse().ok());
            let comment = line.split_once("comment \"").and_then(|(_, r)| r.split('"').next());
            if let (Some(packets), Some(comment)) = (packets, comment) {
                *out.entry(comment.to_string()).or_insert(0u64) += packets;
            }
        }
        out
    }
}

fn recv_frame(side: &Side) -> Option<Frame> {
    let mut buffer = [0u8; 2048];
    loop {
        let length = recv(side.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).ok()?;
        if let Some(frame) = parse(&buffer[..length]) {
            return Some(frame);
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for echo in self.echoes.drain(..) {
            let _ = echo.join();
        }
        let hosts = (0..self.sides.len()).map(|at| format!("{}-h{at}", self.prefix));
        for name in hosts.chain([format!("{}-fw", self.prefix)]) {
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
    }
}
