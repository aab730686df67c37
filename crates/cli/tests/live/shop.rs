//! A shop of namespaces with real servers: a terminal's place, the office, guests, a router with the site's own rendered
//! firewall, and an internet of nginx, chrony, dnsmasq and sipp behind it. Needs root.

use super::common::scratch;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The site: one terminal whose address the measuring host takes, with everything a terminal can need.
const ESTATE: &str = r#"
[estate]
name = "Lab"
[[site]]
name = "shop"
number = 17
catalogs = ["clover"]
region = "eu"
[site.firewall]
platform = "nftables"
wan = ["eth0"]
nat = "masquerade"
management = ["10.17.10.5"]
[site.services]
dns = "gateway"
[[site.segment]]
name = "pos"
role = "pos"
interface = "pos"
subnet = "10.17.20.0/24"
gateway = "10.17.20.1"
[[site.segment]]
name = "office"
role = "corp"
interface = "office"
subnet = "10.17.10.0/24"
gateway = "10.17.10.1"
[[site.segment]]
name = "guest"
role = "guest"
interface = "guest"
subnet = "10.17.30.0/24"
gateway = "10.17.30.1"
[[site.device]]
name = "counter-1"
kind = "clover/station-duo"
segment = "pos"
address = "10.17.20.11"
features = ["local-pay-display", "http-setup"]
[[site.device]]
name = "counter-2"
kind = "clover/mini"
segment = "pos"
address = "10.17.20.12"
[[site.device]]
name = "till-pc"
kind = "pos-host"
segment = "office"
address = "10.17.10.20"
[[site.exception]]
allow = "udp counter-1 -> 203.0.113.40:5060"
reason = "voice"
owner = "it@lab.example"
expires = 2027-03-31
[[site.exception]]
allow = "udp counter-1 -> 203.0.113.50:10000-10100"
reason = "media"
owner = "it@lab.example"
expires = 2027-03-31
[[site.exception]]
allow = "tcp counter-1 -> 203.0.113.30:80"
reason = "set-up"
owner = "it@lab.example"
expires = 2027-03-31
"#;

/// A running shop; servers and namespaces are gone when it is dropped.
pub struct Shop {
    prefix: String,
    pub folder: PathBuf,
    children: Vec<(&'static str, Child)>,
    /// Addresses of the secured web server.
    listen: [&'static str; 2],
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("the lab needs {program}: {e}"));
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {error} (the lab needs root)");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

impl Shop {
    /// The healthy shop.
    pub fn new() -> Shop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("tl{}-{number}", std::process::id());
        let folder = scratch(&format!("live-{number}"));
        std::fs::write(folder.join("estate.toml"), ESTATE).unwrap();
        let (over, threads) = (Arc::default(), Vec::new());
        let listen = ["203.0.113.10", "203.0.113.11"];
        let mut shop = Shop { prefix, folder, children: Vec::new(), listen, over, threads };
        for space in ["fw", "pos", "office", "guest", "net"] {
            run("ip", &["netns", "add", &shop.space(space)], "");
            shop.on(space, "ip link set lo up");
            // Each place has the resolver its router gives it; `ip netns exec` puts the file in place.
            let folder = PathBuf::from("/etc/netns").join(shop.space(space));
            std::fs::create_dir_all(&folder).unwrap();
            let gateway = match space {
                "office" => "10.17.10.1",
                "guest" => "10.17.30.1",
                _ => "10.17.20.1",
            };
            std::fs::write(folder.join("resolv.conf"), format!("nameserver {gateway}\n")).unwrap();
        }
        for (space, link, own, far) in [
            ("pos", "pos", "10.17.20.1/24", "10.17.20.11/24"),
            ("office", "office", "10.17.10.1/24", "10.17.10.20/24"),
            ("guest", "guest", "10.17.30.1/24", "10.17.30.66/24"),
            ("net", "eth0", "198.51.100.2/24", "198.51.100.1/24"),
        ] {
            let (fw, there) = (shop.space("fw"), shop.space(space));
            run(
                "ip",
                &["-n", &fw, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", &there],
                "",
            );
            shop.on("fw", &format!("ip addr add {own} dev {link}"));
            shop.on("fw", &format!("ip link set {link} up"));
            shop.on(space, &format!("ip addr add {far} dev eth0"));
            shop.on(space, "ip link set eth0 up");
            if space != "net" {
                let gateway = own.trim_end_matches("/24");
                shop.on(space, &format!("ip route add default via {gateway}"));
            }
        }
        shop.on("fw", "ip route add default via 198.51.100.1");
        shop.on("fw", "sysctl -qw net.ipv4.ip_forward=1");
        for host in [10, 11, 20, 21, 30, 31, 40, 50] {
            shop.on("net", &format!("ip addr add 203.0.113.{host}/32 dev lo"));
        }
        let rendered = shop.render();
        shop.nft(&rendered);
        shop.certificates();
        shop.dns(DNS);
        shop.web(&[("443", "server", "TLSv1.2 TLSv1.3", SUITES)]);
        shop.clocks();
        shop.start(
            "sipp",
            "net",
            &["sipp", "-sn", "uas", "-aa", "-i", "203.0.113.40", "-p", "5060", "-nostdin"],
        );
        shop.reflector("10000-10100");
        shop.ready();
        shop
    }

    /// The same shop where nothing has an IPv4 address any more.
    pub fn only_ipv6(&mut self) {
        let (four, six) = (
            ["10.17.20.0/24", "10.17.20.1\"", "10.17.20.11\"", "10.17.20.12\""],
            ["2001:db8:17:20::/64", "2001:db8:17:20::1\"", "2001:db8:17:20::11\"", "2001:db8:17:20::12\""],
        );
        let mut estate = ESTATE.split("[[site.exception]]").next().unwrap().to_string();
        for (old, new) in four.iter().zip(six) {
            estate = estate.replace(old, new);
        }
        let estate = estate.replacen("subnet = \"2001", "subnet6 = \"2001", 1).replacen(
            "gateway = \"2001",
            "gateway6 = \"2001",
            1,
        );
        let estate = estate.replace("address = \"2001", "address6 = \"2001");
        std::fs::write(self.path("estate.toml"), estate).unwrap();
        for (space, link, address) in [
            ("fw", "pos", "2001:db8:17:20::1/64"),
            ("pos", "eth0", "2001:db8:17:20::11/64"),
            ("fw", "eth0", "2001:db8:51::2/64"),
            ("net", "eth0", "2001:db8:51::1/64"),
        ] {
            self.on(space, &format!("ip -4 addr flush dev {link}"));
            self.on(space, &format!("ip addr add {address} dev {link} nodad"));
        }
        for host in [10, 11, 20, 21] {
            self.on("net", &format!("ip addr add 2001:db8:113::{host}/128 dev lo nodad"));
        }
        self.on("fw", "sysctl -qw net.ipv6.conf.all.forwarding=1");
        self.on("pos", "ip -6 route add default via 2001:db8:17:20::1");
        self.on("fw", "ip -6 route add default via 2001:db8:51::1");
        self.on("net", "ip -6 route add 2001:db8:17:20::/64 via 2001:db8:51::2");
        let rendered = self.render();
        self.nft(&rendered);
        self.dns("no-resolv\nno-hosts\nbind-interfaces\nlisten-address=2001:db8:17:20::1\nport=53\nhost-record=www.eu.clover.com,2001:db8:113::10\nhost-record=api.eu.clover.com,2001:db8:113::11\nhost-record=time.android.com,2001:db8:113::20\nhost-record=2.android.pool.ntp.org,2001:db8:113::21\nlocal=/#/\nuser=root\npid-file=\n");
        self.listen = ["[2001:db8:113::10]", "[2001:db8:113::11]"];
        self.web(&[("443", "server", "TLSv1.2 TLSv1.3", SUITES)]);
        self.clock("clock-20", "2001:db8:113::20", &[]);
        self.clock("clock-21", "2001:db8:113::21", &[]);
        // Duplicate address detection of the links.
        std::thread::sleep(Duration::from_millis(800));
        let folder = PathBuf::from("/etc/netns").join(self.space("pos"));
        std::fs::write(folder.join("resolv.conf"), "nameserver 2001:db8:17:20::1\n").unwrap();
    }

    /// Puts a slow and lossy line between the router and the internet: each frame comes this much later, and every
    /// so many-th is lost, either way.
    pub fn line(&mut self, late: Duration, lost: usize) {
        self.on("fw", "ip link del eth0");
        let middle = self.space("office");
        for (space, inside, address) in [("fw", "a", "198.51.100.2/24"), ("net", "b", "198.51.100.1/24")] {
            let own = self.space(space);
            run(
                "ip",
                &[
                    "-n", &own, "link", "add", "eth0", "type", "veth", "peer", "name", inside, "netns",
                    &middle,
                ],
                "",
            );
            self.on(space, &format!("ip addr add {address} dev eth0"));
            self.on(space, "ip link set eth0 up");
            self.on("office", &format!("ip link set dev {inside} promisc on up"));
            // Whole frames with whole checksums go through the line.
            self.on(space, "ethtool -K eth0 tx off tso off gso off gro off");
            self.on("office", &format!("ethtool -K {inside} gro off"));
        }
        self.on("fw", "ip route add default via 198.51.100.1");
        self.answer("office", move |over| {
            let (a, b) = (packets("a"), packets("b"));
            std::thread::scope(|scope| {
                scope.spawn(|| carry(&a, &b, late, lost, over));
                carry(&b, &a, late, lost, over);
            });
        });
        std::thread::sleep(Duration::from_millis(1200));
    }

    /// Declares more in the site, and loads the firewall written for it.
    pub fn declare(&mut self, more: &str) {
        let text = ESTATE.replacen("[[site.exception]]", &format!("{more}[[site.exception]]"), 1);
        std::fs::write(self.path("estate.toml"), text).unwrap();
        let rendered = self.render();
        self.nft(&rendered);
    }

    fn render(&self) -> String {
        let estate = self.path("estate.toml");
        let arguments = ["render", "shop", "--estate", estate.to_str().unwrap(), "--now", "2026-11-25"];
        run(env!("CARGO_BIN_EXE_tillgate"), &arguments, "")
    }

    /// A namespace's full name.
    pub fn space(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command in a namespace.
    pub fn on(&self, space: &str, command: &str) -> String {
        let space = self.space(space);
        let mut arguments = vec!["netns", "exec", &space];
        arguments.extend(command.split_whitespace());
        run("ip", &arguments, "")
    }

    /// Rules for the router.
    pub fn nft(&self, text: &str) {
        let space = self.space("fw");
        run("ip", &["netns", "exec", &space, "nft", "-f", "-"], text);
    }

    /// A table of the router's that sees packets before the shop's own rules.
    pub fn before(&self, rules: &str) {
        self.nft(&format!(
            "table inet fault {{ chain forward {{ type filter hook forward priority -10; policy accept;\n{rules}\n}}\n}}\n"
        ));
    }

    /// A server that runs until the shop closes, or until it is stopped.
    pub fn start(&mut self, name: &'static str, space: &str, command: &[&str]) {
        self.start_with(name, space, command, &[]);
    }

    pub fn start_with(
        &mut self,
        name: &'static str,
        space: &str,
        command: &[&str],
        environment: &[(&str, &str)],
    ) {
        let log = std::fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", &self.space(space)])
            .args(command)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children.push((name, child));
    }

    /// Something that answers by hand, in a namespace, until the shop closes.
    pub fn answer(&mut self, space: &str, serve: impl FnOnce(&AtomicBool) + Send + 'static) {
        let (space, stop) = (self.space(space), Arc::clone(&self.over));
        let (ready, wait) = std::sync::mpsc::channel();
        self.threads.push(std::thread::spawn(move || {
            let file = std::fs::File::open(format!("/run/netns/{space}")).unwrap();
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            ready.send(()).unwrap();
            serve(&stop);
        }));
        wait.recv().unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }

    /// Ends a server.
    pub fn stop(&mut self, name: &str) {
        for (_, child) in self.children.iter_mut().filter(|(n, _)| *n == name) {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.retain(|(n, _)| *n != name);
    }

    /// A certificate authority, a server's certificate, and broken ones.
    fn certificates(&self) {
        let make = |script: &str| {
            let all = format!("cd {} && {{ {script}; }} 2>/dev/null", self.folder.display());
            run("sh", &["-c", &all], "");
        };
        let names = "DNS:*.clover.com,DNS:*.eu.clover.com,DNS:bolt.cardpointe.com";
        for ca in ["ca", "other"] {
            make(&format!(
                "openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/O=Lab {ca}/CN=Lab {ca}' -keyout {ca}.key -out {ca}.pem"
            ));
        }
        let leaf = |name: &str, ca: &str, bits: u32, names: &str, dates: &str| {
            make(&format!(
                "openssl req -newkey rsa:{bits} -nodes -subj '/CN={name}' -keyout {name}.key -out {name}.csr && printf 'subjectAltName={names}\\nextendedKeyUsage=serverAuth\\n' > {name}.ext && {dates} openssl x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -set_serial {bits} -days 90 -extfile {name}.ext -out {name}.crt && cat {name}.crt {ca}.pem > {name}.pem"
            ));
        };
        leaf("server", "ca", 2048, names, "");
        leaf("expired", "ca", 2048, names, "faketime '400 days ago'");
        leaf("wrong", "ca", 2048, "DNS:www.example.org", "");
        leaf("weak", "ca", 1024, names, "");
        leaf("proxy", "other", 2048, names, "");
        leaf("time", "ca", 2048, "DNS:time.android.com", "");
    }

    /// The gateway's resolver.
    pub fn dns(&mut self, text: &str) {
        self.stop("dnsmasq");
        std::fs::write(self.path("dnsmasq.conf"), text).unwrap();
        let file = self.path("dnsmasq.conf");
        self.start("dnsmasq", "fw", &["dnsmasq", "-k", "-C", file.to_str().unwrap()]);
        self.listens("fw", ":53");
    }

    /// Web servers: port, certificate, versions, more directives.
    pub fn web(&mut self, servers: &[(&str, &str, &str, &str)]) {
        self.stop("nginx");
        let folder = self.folder.display();
        let mut text = format!(
            "daemon off; user root; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;\nevents {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; scgi_temp_path {folder}/s; uwsgi_temp_path {folder}/u;\n"
        );
        let [a, b] = self.listen;
        for (port, certificate, versions, more) in servers {
            text.push_str(&format!("server {{ listen {a}:{port} ssl; listen {b}:{port} ssl; ssl_certificate {folder}/{certificate}.pem; ssl_certificate_key {folder}/{certificate}.key; ssl_protocols {versions}; {more} location / {{ return 200 ok; }} }}\n"));
        }
        text.push_str("server { listen 203.0.113.30:80; location /generate_204 { return 204; } location / { return 200 'set-up'; } }\n");
        text.push_str("server { listen 203.0.113.31:80; location / { return 302 http://portal.hotel.example/login; } }\n}\n");
        std::fs::write(self.path("nginx.conf"), text).unwrap();
        let file = self.path("nginx.conf");
        self.start("nginx", "net", &["nginx", "-e", "stderr", "-c", file.to_str().unwrap()]);
        self.listens("net", ":443");
    }

    /// Two time servers that have this host's time.
    fn clocks(&mut self) {
        self.clock("clock-20", "203.0.113.20", &[]);
        self.clock("clock-21", "203.0.113.21", &[]);
    }

    /// A time server, started by another program where one is given.
    pub fn clock(&mut self, name: &'static str, address: &str, by: &[&str]) {
        self.stop(name);
        let file = self.path(&format!("{name}.conf"));
        let text = format!(
            "local stratum 2\nallow all\nbindaddress {address}\ncmdport 0\npidfile {folder}/{name}.pid\nntsserverkey {folder}/time.key\nntsservercert {folder}/time.pem\nntsdumpdir {folder}\n",
            folder = self.folder.display()
        );
        std::fs::write(&file, text).unwrap();
        let mut command: Vec<&str> = by.to_vec();
        command.extend(["chronyd", "-x", "-d", "-u", "root", "-f", file.to_str().unwrap()]);
        self.start(name, "net", &command);
        self.listens(
            "net",
            &format!("{address}:123")
                .replace("2001:db8:113::20:", "[2001:db8:113::20]:")
                .replace("2001:db8:113::21:", "[2001:db8:113::21]:"),
        );
    }

    /// The reflector outside.
    fn reflector(&mut self, ports: &str) {
        std::fs::write(self.path("secret"), "5a".repeat(32)).unwrap();
        let secret = self.path("secret");
        let program = env!("CARGO_BIN_EXE_tillgate");
        let command = [
            program,
            "reflect",
            "--bind",
            "203.0.113.50",
            "--udp",
            ports,
            "--for",
            "5m",
            "--secret",
            secret.to_str().unwrap(),
        ];
        self.start("reflect", "net", &command);
    }

    /// Waits until somebody listens at an address in a namespace.
    fn listens(&self, space: &str, address: &str) {
        for _ in 0..200 {
            if self.on(space, "ss -Hltun").contains(address) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nobody listens at {address}");
    }

    /// Waits until the servers listen.
    fn ready(&self) {
        for waited in 0.. {
            let (tcp, udp) = (self.on("net", "ss -Hltn"), self.on("net", "ss -Hlun"));
            let resolver = self.on("fw", "ss -Hlun");
            let wanted = [
                tcp.contains("203.0.113.10:443") && tcp.contains("203.0.113.30:80"),
                udp.contains("203.0.113.20:123") && udp.contains("203.0.113.21:123"),
                udp.contains("203.0.113.40:5060") && udp.contains("203.0.113.50:10100"),
                resolver.contains("10.17.20.1:53"),
                // The kernel tells a carrier up to a second late.
                ["pos", "office", "guest", "net"]
                    .iter()
                    .all(|s| self.on(s, "ip link show eth0").contains("state UP")),
            ];
            if wanted == [true; 5] {
                return;
            }
            if waited == 400 {
                let logs = ["nginx", "dnsmasq", "clock-20", "sipp", "reflect"]
                    .map(|n| std::fs::read_to_string(self.path(&format!("{n}.log"))).unwrap_or_default());
                panic!("servers are not ready: {wanted:?}\n{logs:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `tillgate check` from a segment; JSON and the exit code.
    pub fn check(&self, space: &str, more: &str) -> (i32, serde_json::Value) {
        self.check_with(space, more, &[])
    }

    /// The same as a user sees it.
    pub fn run(&self, space: &str, more: &str) -> Output {
        self.run_with(space, more, &[])
    }

    fn run_with(&self, space: &str, more: &str, environment: &[(&str, &str)]) -> Output {
        let at = |name: &str| self.path(name).display().to_string();
        let line = format!(
            "check shop --estate {} --now 2026-11-25 --reflector 203.0.113.50 --secret {} --roots {} {more}",
            at("estate.toml"),
            at("secret"),
            at("ca.pem")
        );
        Command::new("ip")
            .args(["netns", "exec", &self.space(space), env!("CARGO_BIN_EXE_tillgate")])
            .args(line.split_whitespace())
            .env("LANG", "en_GB.UTF-8")
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    pub fn check_with(
        &self,
        space: &str,
        more: &str,
        environment: &[(&str, &str)],
    ) -> (i32, serde_json::Value) {
        let done = self.run_with(space, &format!("--format json {more}"), environment);
        let out = String::from_utf8_lossy(&done.stdout);
        let value = serde_json::from_str(&out)
            .unwrap_or_else(|e| panic!("{e}: {out} {}", String::from_utf8_lossy(&done.stderr)));
        (done.status.code().unwrap_or(-1), value)
    }
}

/// A socket for whole frames of an interface of this thread's namespace.
fn packets(interface: &str) -> OwnedFd {
    let socket =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), SockProtocol::EthAll).unwrap();
    let mut all = nix::ifaddrs::getifaddrs().unwrap();
    let address: LinkAddr = all
        .find_map(|i| (i.interface_name == interface).then_some(i.address?.as_link_addr().copied()?))
        .unwrap();
    bind(socket.as_raw_fd(), &address).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(50)).unwrap();
    socket
}

/// Carries frames from one interface to another.
#[allow(clippy::disallowed_methods)]
fn carry(from: &OwnedFd, to: &OwnedFd, late: Duration, lost: usize, over: &AtomicBool) {
    /// A frame that this side sent itself.
    const OUTGOING: u8 = 4;
    let (queue, due) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (at, frame) in due {
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                let _ = send(to.as_raw_fd(), &frame, MsgFlags::empty());
            }
        });
        let mut buffer = vec![0; 70_000];
        let mut count = 0;
        while !over.load(Ordering::Relaxed) {
            let Ok((length, address)) = recvfrom::<LinkAddr>(from.as_raw_fd(), &mut buffer) else { continue };
            if address.is_some_and(|a| a.pkttype() == OUTGOING) {
                continue;
            }
            count += 1;
            if count % lost != 0 {
                let _ = queue.send((Instant::now() + late, buffer[..length].to_vec()));
            }
        }
        drop(queue);
    });
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for space in ["fw", "pos", "office", "guest", "net"] {
            let _ = Command::new("ip").args(["netns", "del", &self.space(space)]).output();
            let _ = std::fs::remove_dir_all(PathBuf::from("/etc/netns").join(self.space(space)));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a server should take today.
pub const SUITES: &str = "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;";

/// What the gateway's resolver knows.
pub const DNS: &str = "no-resolv\nno-hosts\nbind-interfaces\nlisten-address=10.17.20.1,10.17.10.1,10.17.30.1\nport=53\nhost-record=www.eu.clover.com,203.0.113.10\nhost-record=api.eu.clover.com,203.0.113.11\nhost-record=time.android.com,203.0.113.20\nhost-record=2.android.pool.ntp.org,203.0.113.21\nhost-record=connectivitycheck.gstatic.com,203.0.113.30\nlocal=/#/\nuser=root\npid-file=\n";
