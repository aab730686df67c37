//! A shop's segment of namespaces on one bridge: firewall, terminals, a printer, the scanning host; an office behind the
//! firewall. Needs root.

use super::common::scratch;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub const ESTATE: &str = r#"
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
[[site.device]]
name = "counter-1"
kind = "clover/station-duo"
segment = "pos"
address = "10.17.20.11"
mac = "d4:95:24:00:17:11"
features = ["local-pay-display", "network-printer"]
[[site.device]]
name = "counter-2"
kind = "clover/mini"
segment = "pos"
address = "10.17.20.12"
mac = "d4:95:24:00:17:12"
[[site.device]]
name = "kitchen-printer"
kind = "printer"
segment = "pos"
address = "10.17.20.40"
mac = "00:11:62:00:17:40"
[[site.device]]
name = "till-pc"
kind = "pos-host"
segment = "office"
address = "10.17.10.20"
"#;

/// Listens on a port and answers as told: `silent`, `telnet`, or `record FILE` what comes in.
const SERVER: &str = r#"
import socket, sys, threading
address, port, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((address, port)); s.listen(512)
def talk(c):
    try:
        if mode == "telnet": c.sendall(b"\xff\xfd\x01\xff\xfd\x1flogin: ")
        while True:
            data = c.recv(4096)
            if not data: break
            if mode == "record":
                with open(sys.argv[4], "ab") as f: f.write(data)
    except OSError: pass
    c.close()
while True:
    c, _ = s.accept()
    threading.Thread(target=talk, args=(c,), daemon=True).start()
"#;

pub struct Lab {
    prefix: String,
    pub folder: PathBuf,
    spaces: Vec<String>,
    children: Vec<(String, Child)>,
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

impl Lab {
    /// The healthy shop, seen from a host of its own in the terminals' segment.
    pub fn new() -> Lab {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("ts{}-{number}", std::process::id());
        let folder = scratch(&format!("scan-{number}"));
        std::fs::write(folder.join("estate.toml"), ESTATE).unwrap();
        std::fs::write(folder.join("server.py"), SERVER).unwrap();
        let mut lab = Lab { prefix, folder, spaces: Vec::new(), children: Vec::new() };
        lab.space("fw");
        lab.on("fw", "ip link add pos type bridge");
        lab.on("fw", "ip link set pos address 00:0d:b9:00:17:01");
        lab.on("fw", "ip addr add 10.17.20.1/24 dev pos");
        lab.on("fw", "ip link set pos up");
        lab.on("fw", "sysctl -qw net.ipv4.ip_forward=1");
        lab.host("scan", "10.17.20.66", "00:1b:21:00:17:66");
        lab.host("c1", "10.17.20.11", "d4:95:24:00:17:11");
        lab.host("c2", "10.17.20.12", "d4:95:24:00:17:12");
        lab.host("pr", "10.17.20.40", "00:11:62:00:17:40");
        lab.space("till");
        let (fw, till) = (lab.name("fw"), lab.name("till"));
        run(
            "ip",
            &["-n", &fw, "link", "add", "office", "type", "veth", "peer", "name", "eth0", "netns", &till],
            "",
        );
        lab.on("fw", "ip addr add 10.17.10.1/24 dev office");
        lab.on("fw", "ip link set office up");
        lab.on("till", "ip addr add 10.17.10.20/24 dev eth0");
        lab.on("till", "ip link set eth0 up");
        lab.on("till", "ip route add default via 10.17.10.1");
        lab.terminal();
        let printed = lab.path("printed").display().to_string();
        lab.server("printer", "pr", "10.17.20.40", 9100, &["record", &printed]);
        std::fs::write(
            lab.path("dnsmasq.conf"),
            "no-resolv\nno-hosts\nbind-interfaces\nlisten-address=10.17.20.1\nport=53\nuser=root\npid-file=\n",
        )
        .unwrap();
        let file = lab.path("dnsmasq.conf").display().to_string();
        lab.start("dnsmasq", "fw", &["dnsmasq", "-k", "-C", &file]);
        lab.listens("fw", "10.17.20.1:53");
        // The kernel tells a carrier up to a second late.
        for space in ["scan", "c1", "c2", "pr", "till"] {
            lab.wait(space, "ip link show eth0", "state UP");
        }
        lab
    }

    /// The terminal's port for tills, with TLS as it has it.
    fn terminal(&mut self) {
        let folder = self.folder.display().to_string();
        let make = format!(
            "cd {folder} && openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=counter-1 -keyout c1.key -out c1.pem 2>/dev/null"
        );
        run("sh", &["-c", &make], "");
        let text = format!(
            "daemon off; user root; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;\nevents {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; scgi_temp_path {folder}/s; uwsgi_temp_path {folder}/u;\nserver {{ listen 10.17.20.11:12345 ssl; ssl_certificate {folder}/c1.pem; ssl_certificate_key {folder}/c1.key; ssl_protocols TLSv1.2 TLSv1.3; location / {{ return 200 ok; }} }}\n}}\n"
        );
        std::fs::write(self.path("nginx.conf"), text).unwrap();
        let file = self.path("nginx.conf").display().to_string();
        self.start("nginx", "c1", &["nginx", "-e", "stderr", "-c", &file]);
        self.listens("c1", "10.17.20.11:12345");
    }

    fn name(&self, space: &str) -> String {
        format!("{}-{space}", self.prefix)
    }

    pub fn space(&mut self, space: &str) {
        run("ip", &["netns", "add", &self.name(space)], "");
        self.spaces.push(space.to_string());
        self.on(space, "ip link set lo up");
    }

    /// A host on the terminals' bridge.
    pub fn host(&mut self, space: &str, address: &str, mac: &str) {
        self.space(space);
        let (fw, there) = (self.name("fw"), self.name(space));
        let port = format!("p-{space}");
        run(
            "ip",
            &["-n", &fw, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &there],
            "",
        );
        // A bridge's port would say something of its own.
        self.on("fw", &format!("ip link set {port} addrgenmode none"));
        self.on("fw", &format!("ip link set {port} master pos up"));
        self.on(space, &format!("ip link set eth0 address {mac}"));
        self.on(space, &format!("ip addr add {address}/24 dev eth0"));
        self.on(space, "ip link set eth0 up");
        if address.starts_with("10.17.20.") {
            self.on(space, "ip route add default via 10.17.20.1");
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command in a namespace.
    pub fn on(&self, space: &str, command: &str) -> String {
        let space = self.name(space);
        let mut arguments = vec!["netns", "exec", &space];
        arguments.extend(command.split_whitespace());
        run("ip", &arguments, "")
    }

    /// Rules for a namespace.
    pub fn nft(&self, space: &str, text: &str) {
        run("ip", &["netns", "exec", &self.name(space), "nft", "-f", "-"], text);
    }

    pub fn start(&mut self, name: &str, space: &str, command: &[&str]) {
        let log = std::fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", &self.name(space)])
            .args(command)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children.push((name.to_string(), child));
    }

    /// A small server of its own.
    pub fn server(&mut self, name: &str, space: &str, address: &str, port: u16, mode: &[&str]) {
        let file = self.path("server.py").display().to_string();
        let number = port.to_string();
        let mut command = vec!["python3", &file, address, &number];
        command.extend(mode);
        self.start(name, space, &command);
        self.listens(space, &format!("{address}:{port}"));
    }

    pub fn stop(&mut self, name: &str) {
        for (_, child) in self.children.iter_mut().filter(|(n, _)| n == name) {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.retain(|(n, _)| n != name);
    }

    fn listens(&self, space: &str, at: &str) {
        self.wait(space, "ss -Hltn", at);
    }

    pub fn wait(&self, space: &str, command: &str, words: &str) {
        let says = |_| {
            let said = self.on(space, command).contains(words);
            if !said {
                std::thread::sleep(Duration::from_millis(50));
            }
            said
        };
        assert!((0..400).any(says), "{space}: {command} never says {words}");
    }

    /// `tillgate scan shop` in a namespace.
    pub fn run(&self, space: &str, arguments: &str) -> Output {
        self.run_by(space, &[env!("CARGO_BIN_EXE_tillgate")], arguments)
    }

    pub fn run_by(&self, space: &str, program: &[&str], arguments: &str) -> Output {
        let estate = self.path("estate.toml").display().to_string();
        let line = format!("scan shop --estate {estate} --now 2026-11-25 {arguments}");
        Command::new("ip")
            .args(["netns", "exec", &self.name(space)])
            .args(program)
            .args(line.split_whitespace())
            .env("LANG", "en_GB.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Code and JSON of a scan from the scanning host.
    pub fn scan(&self, arguments: &str) -> (i32, serde_json::Value) {
        let done = self.run("scan", &format!("--format json --fast {arguments}"));
        let out = String::from_utf8_lossy(&done.stdout);
        let value = serde_json::from_str(&out)
            .unwrap_or_else(|e| panic!("{e}: {out} {}", String::from_utf8_lossy(&done.stderr)));
        (done.status.code().unwrap_or(-1), value)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for space in &self.spaces {
            let _ = Command::new("ip").args(["netns", "del", &self.name(space)]).output();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
