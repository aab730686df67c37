#!/usr/bin/env python3
"""tillgate's live checks beside the tools people use for each, in one run: scans, probes, TLS, clocks, SIP, port conflicts.

Needs root and Debian. Installs what is missing, makes network namespaces of its own and removes them again.

    cargo build --release -p tillgate-probe -p tillgate-scan --examples
    benches/versus/live.py [--limit SECONDS] [scan] [cpu] [tls] [ntp] [sip] [conflict] [many]
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import re
import resource
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES = ROOT / "target/release/examples"
SCAN, RELAY, PROBES = EXAMPLES / "scan", EXAMPLES / "relay", EXAMPLES / "probes"
# Program and the Debian package it comes from.
PROGRAMS = {
    "nmap": "nmap",
    "masscan": "masscan",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "sslscan": "sslscan",
    "chronyd": "chrony",
    "ntpdig": "ntpsec-ntpdig",
    "sipsak": "sipsak",
    "sipp": "sip-tester",
    "nginx": "nginx-light",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ethtool": "ethtool",
    "openssl": "openssl",
    "time": "time",
}
SSLYZE = "6.3.1"
NAME = "till.example"
SECTIONS = ["scan", "cpu", "tls", "ntp", "sip", "conflict", "many"]
# Seconds after which masscan is stopped; it does not always end by itself.
MASSCAN = 45


# --- Helpers that run inside a namespace, as this same script.


def listen(path):
    """Listens on every `address port` of a file, and closes what comes."""
    chosen = selectors.DefaultSelector()
    for line in pathlib.Path(path).read_text().splitlines():
        address, port = line.split()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, int(port)))
        sock.listen(1024)
        sock.setblocking(False)
        chosen.register(sock, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in chosen.select():
            try:
                key.fileobj.accept()[0].close()
            except OSError:
                pass


def mute(port):
    """Takes connections and datagrams and says nothing."""
    tcp = socket.create_server(("0.0.0.0", int(port)), backlog=1024)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", int(port)))
    print("ready", flush=True)
    held = []
    while True:
        held.append(tcp.accept())


# --- The lab.


class Lab:
    """Namespaces and processes, all of them ended with it."""

    def __init__(self, folder):
        self.folder = folder
        self.names, self.processes, self.serial = [], [], 0

    def inside(self, name):
        return ["nsenter", f"--net=/run/netns/tgv-{name}", "--"]

    def do(self, name, *commands):
        for command in commands:
            subprocess.run(self.inside(name) + command.split(), check=True, stdout=subprocess.DEVNULL)

    def space(self, name):
        place = f"tgv-{name}"
        subprocess.run(["ip", "netns", "del", place], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "add", place], check=True)
        self.names.append(place)
        self.do(name, "ip link set lo up")
        for key in ("all", "default"):
            self.do(name, f"sysctl -qw net.ipv6.conf.{key}.disable_ipv6=1")

    def pair(self, one, other, left, right):
        """A cable between two namespaces, with an address at each end or none."""
        self.serial += 1
        ends = [(one, f"a{self.serial}", left), (other, f"b{self.serial}", right)]
        subprocess.run(
            ["ip", "link", "add", ends[0][1], "netns", f"tgv-{one}", "type", "veth"]
            + ["peer", "name", ends[1][1], "netns", f"tgv-{other}"],
            check=True,
        )
        for name, end, address in ends:
            # Frames of the kernel get whole checksums, as on a real wire.
            self.do(name, f"ethtool -K {end} tx off", f"ip link set {end} up")
            if address:
                self.do(name, f"ip addr add {address} dev {end}")
        return ends[0][1], ends[1][1]

    def start(self, name, command, wait=None, ready=None):
        """Starts something that stays; waits for its word, or for a TCP port."""
        self.serial += 1
        log = self.folder / f"log{self.serial}"
        with log.open("w") as out:
            process = subprocess.Popen(
                self.inside(name) + [str(c) for c in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, TERM="dumb"),
                cwd=self.folder,
            )
        process.log = log
        self.processes.append(process)
        for _ in range(100):
            time.sleep(0.1)
            if process.poll() is not None:
                raise SystemExit(f"{command} ended:\n{log.read_text()[-2000:]}")
            if wait and wait in log.read_text():
                return process
            if ready and self.answers(name, ready):
                return process
            if not wait and not ready:
                time.sleep(0.5)
                return process
        raise SystemExit(f"{command} is not ready:\n{log.read_text()[-2000:]}")

    def answers(self, name, port):
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        done = subprocess.run(self.inside(name) + [sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def helper(self, name, *words):
        return self.start(name, [sys.executable, __file__, "--helper", *words], wait="ready")

    def stop(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.remove(process)

    def close(self):
        for process in list(self.processes):
            self.stop(process)
        for place in self.names:
            subprocess.run(["ip", "netns", "del", place])


class Cost:
    """What a command cost."""

    def __init__(self, wall, cpu, memory, output, stopped, code):
        self.wall, self.cpu, self.memory, self.output = wall, cpu, memory, output
        self.stopped, self.code = stopped, code

    def value(self, key):
        found = re.search(rf"^{key}=(.*)$", self.output, re.M)
        return found.group(1) if found else None

    def number(self, key):
        return float(self.value(key) or "nan")


def children(pid):
    """Processes whose parent is this one."""
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = place.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found.append(int(place.parent.name))
    return found


def run(lab, name, command, limit):
    """Runs a command in a namespace, to its end or to its limit: asked to end first, killed 5 s later."""
    memory = lab.folder / "memory"
    memory.unlink(missing_ok=True)
    whole = lab.inside(name) + ["time", "-q", "-f", "%M", "-o", str(memory)] + [str(c) for c in command]
    stopped = []

    def stop(kind):
        for child in children(process.pid):
            stopped.append(kind)
            os.kill(child, kind)

    with tempfile.TemporaryFile("w+") as out:
        start = time.monotonic()
        process = subprocess.Popen(
            whole, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=lab.folder
        )
        timers = [
            threading.Timer(limit, stop, [signal.SIGINT]),
            threading.Timer(limit + 5, stop, [signal.SIGKILL]),
        ]
        for timer in timers:
            timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        for timer in timers:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read()
    lines = memory.read_text().split() if memory.exists() else []
    kilobytes = int(lines[-1]) if lines else 0
    return Cost(wall, usage.ru_utime + usage.ru_stime, kilobytes / 1024, output, bool(stopped), process.returncode)


def median(costs):
    """The one in the middle by its wall time."""
    return sorted(costs, key=lambda cost: cost.wall)[len(costs) // 2]


# --- The table.


def title(text):
    print(f"\n{text}\n{'':<30}{'wall':>10}{'CPU':>10}{'peak':>10}", flush=True)


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"


def row(who, cost, result="", targets=()):
    """A line; targets are (words, value, limit)."""
    line = f"{who:<30}{seconds(cost.wall):>10}{seconds(cost.cpu):>10}{cost.memory:>7.1f} MB"
    bare(line, result, targets)


def bare(line, result, targets=()):
    failed = [words for words, value, limit in targets if not value <= limit]
    if targets:
        all_words = ", ".join(words for words, _, _ in targets)
        verdict = "reached" if not failed else "missed: " + ", ".join(failed)
        result += f"\n{'':<4}target {all_words}: {verdict}"
    print(f"{line}   {result}".rstrip(), flush=True)


# --- Scans.


def scan(lab, limit):
    dice = random.Random(20)
    hosts = [f"10.60.0.{n}" for n in range(1, 255)]
    truth = {(host, port) for host in hosts for port in dice.sample(range(1, 1001), 5)}
    while len(truth) < 1282:
        truth.add((dice.choice(hosts), dice.randint(1, 1000)))
    single = {("10.60.1.5", port) for port in dice.sample(range(1, 65536), 20)}
    shop = [f"10.80.0.{n}" for n in dice.sample(range(2, 251), 60)]
    devices = {(host, port) for host in shop for port in dice.sample(range(1, 1001), 3)}

    for name in ("pos", "far", "wire", "rt", "net", "lan"):
        lab.space(name)
    lab.pair("pos", "rt", "10.50.0.10/24", "10.50.0.1/24")
    lab.pair("rt", "net", "10.55.0.1/24", "10.55.0.2/24")
    ends = [lab.pair("far", "wire", "10.51.0.10/24", None)[1], lab.pair("wire", "rt", None, "10.51.0.1/24")[0]]
    lab.pair("pos", "lan", "10.80.0.1/24", "10.80.0.251/24")
    lab.do("pos", "ip route add default via 10.50.0.1")
    lab.do("far", "ip route add default via 10.51.0.1")
    lab.do("rt", "sysctl -qw net.ipv4.ip_forward=1", "ip route add 10.60.0.0/23 via 10.55.0.2")
    lab.do("net", "ip route add default via 10.55.0.1", "ip route add local 10.60.0.0/23 dev lo")
    for host in shop:
        lab.do("lan", f"ip route add local {host}/32 dev lo")
    for name, pairs in (("net", truth | single), ("lan", devices)):
        path = lab.folder / f"{name}.pairs"
        path.write_text("".join(f"{host} {port}\n" for host, port in sorted(pairs)))
        lab.helper(name, "listen", path)

    def router(policy):
        elements = ", ".join(f"{host} . {port}" for host, port in sorted(truth | single))
        path = lab.folder / "router.nft"
        path.write_text(
            "flush ruleset\ntable inet t {\n"
            f"set open {{ type ipv4_addr . inet_service; elements = {{ {elements} }} }}\n"
            f"chain forward {{ type filter hook forward priority 0; policy {policy};\n"
            "ct state established,related accept\nip daddr . tcp dport @open accept\n}\n}\n"
        )
        lab.do("rt", f"nft -f {path}")

    def tillgate(name, targets, ports, right, aims=(), who="tillgate, fast"):
        cost = run(lab, name, [SCAN, targets, ports, "fast"], limit)
        pairs = {(h, int(p)) for h, p in re.findall(r"^([\d.]+) (\d+)$", cost.output, re.M)}
        missed, false = len(right - pairs), len(pairs - right)
        say = f"{missed} missed, {false} false; complete: {cost.value('complete')}, expected misses {cost.value('expected_misses')}"
        say += f", attempts {cost.value('rounds')}, loss {cost.number('loss'):.1%}, dropped {cost.value('dropped')}"
        values = {"wall": cost.wall, "memory": cost.memory, "misses": cost.number("expected_misses")}
        targets = [(words, values[key], most) for words, key, most in aims]
        row(who, cost, say, targets + [("0 missed, 0 false", missed + false, 0)])
        return cost

    def nmap(name, targets, ports, right, more=(), who="nmap -sS -T4"):
        path = lab.folder / "nmap.txt"
        path.unlink(missing_ok=True)
        discovery = [] if name == "lan" else ["-Pn"]
        words = ["nmap", "-sS", "-T4", "-n", *discovery, *more, f"-p{ports}", "-oG", path, targets]
        cost = run(lab, "pos" if name == "lan" else name, words, limit)
        text = path.read_text() if path.exists() else ""
        pairs = {
            (host, int(port))
            for host, rest in re.findall(r"^Host: (\S+) .*?Ports: (.*)$", text, re.M)
            for port in re.findall(r"(\d+)/open/tcp", rest)
        }
        say = f"{len(right - pairs)} missed, {len(pairs - right)} false"
        if cost.stopped:
            say = f"stopped after {limit:.0f} s; {say} by then"
        row(who, cost, say)
        return cost

    def masscan(name, targets, ports, right):
        path = lab.folder / "masscan.txt"
        path.unlink(missing_ok=True)
        bound = min(limit, MASSCAN)
        words = ["masscan", targets, f"-p{ports}", "--rate", 50000, "--wait", 3, "-oL", path]
        cost = run(lab, name, words, bound)
        text = path.read_text() if path.exists() else ""
        pairs = {(host, int(port)) for port, host in re.findall(r"^open tcp (\d+) (\S+) \d+$", text, re.M)}
        say = f"{len(right - pairs)} missed, {len(pairs - right)} false"
        if cost.stopped:
            say += f"; did not end, stopped after {bound:.0f} s"
        row("masscan, 50,000/s", cost, say)

    block, nmap_block, masscan_block = "10.60.0.0/24", "10.60.0.1-254", "10.60.0.1-10.60.0.254"
    quick = ["--min-rate", "20000", "--max-retries", "1"]
    silent_pairs = 254_000 - len(truth)

    router("drop")
    title(f"scan: /24 x 1,000 ports, {silent_pairs / 254_000:.1%} silent, {len(truth)} open")
    aims = [("8 s", "wall", 8), ("8 MB", "memory", 8)]
    tillgate("pos", block, "1-1000", truth, aims)
    nmap("pos", nmap_block, "1-1000", truth)
    nmap("pos", nmap_block, "1-1000", truth, quick, "nmap, 20,000/s and 1 retry")
    masscan("pos", masscan_block, "1-1000", truth)

    title(f"scan: one host x 65,535 ports, silent, {len(single)} open")
    tillgate("pos", "10.60.1.5", "1-65535", single, [("4 s", "wall", 4)])
    nmap("pos", "10.60.1.5", "1-65535", single)
    masscan("pos", "10.60.1.5", "1-65535", single)

    title("scan: /24 x 1,000 ports, silent, 20 ms and 2 % loss each way")
    line = lab.start("wire", [RELAY, *ends, 10, 0.02, 7])
    aims = [("15 s", "wall", 15), ("stated misses < 1e-4", "misses", 1e-4)]
    tillgate("far", block, "1-1000", truth, aims)
    nmap("far", nmap_block, "1-1000", truth, quick, "nmap, 20,000/s and 1 retry")
    masscan("far", masscan_block, "1-1000", truth)
    nmap("far", nmap_block, "1-1000", truth)
    lab.stop(line)
    for word in line.log.read_text().splitlines()[-1:]:
        print(f"    the line: {word}")

    router("accept")
    title("scan: /24 x 1,000 ports, all others refuse")
    other = nmap("pos", nmap_block, "1-1000", truth)
    aims = [("level with nmap", "wall", other.wall * 1.1), ("1/8 of its memory", "memory", other.memory / 8)]
    tillgate("pos", block, "1-1000", truth, aims)
    masscan("pos", masscan_block, "1-1000", truth)

    title(f"scan: a LAN of {len(shop)} devices among 254 addresses x 1,000 ports, {len(devices)} open")
    tillgate("pos", "10.80.0.0/24", "1-1000", devices, [("1.5 s", "wall", 1.5)])
    nmap("lan", "10.80.0.1-254", "1-1000", devices, ["--exclude", "10.80.0.1,10.80.0.251"])


# --- Servers of one host: pages, certificates, clocks, telephones.


def certificates(folder):
    """An authority and a certificate of it, RSA with 2,048 bits."""
    (folder / "extensions").write_text(f"subjectAltName=DNS:{NAME},IP:127.0.0.1,IP:10.70.0.1\n")
    for command in (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 400 -subj /CN=versus -keyout ca.key -out ca.pem",
        f"openssl req -newkey rsa:2048 -nodes -subj /CN={NAME} -keyout leaf.key -out leaf.csr",
        "openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 200 -extfile extensions -out leaf.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, stderr=subprocess.DEVNULL)


def servers(lab):
    """nginx on 80, 443 (TLS 1.2 and 1.3) and 8443 (1.0 too)."""
    lab.space("s")
    lab.space("c")
    lab.pair("c", "s", "10.70.0.10/24", "10.70.0.1/24")
    certificates(lab.folder)
    tls = f"ssl_certificate {lab.folder}/leaf.pem; ssl_certificate_key {lab.folder}/leaf.key;"
    page = f"server_name {NAME}; location / {{ return 200 'open for business\\n'; }}"
    config = lab.folder / "nginx.conf"
    config.write_text(
        f"daemon off; user root; worker_processes 1; worker_rlimit_nofile 8192; pid {lab.folder}/nginx.pid; error_log {lab.folder}/nginx.err;\n"
        f"events {{ worker_connections 4096; }}\nhttp {{ access_log off;\n"
        f"server {{ listen 80 backlog=2048; {page} }}\n"
        f"server {{ listen 443 ssl backlog=2048; {tls} ssl_protocols TLSv1.2 TLSv1.3; {page} }}\n"
        f"server {{ listen 8443 ssl; {tls} ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0; {page} }}\n"
        "}\n"
    )
    lab.start("s", ["nginx", "-c", config], ready=443)


def probes(lab, name, count, at_once, *targets, limit=120):
    words = [PROBES, count, at_once, *targets, f"name={NAME}", f"ca={lab.folder}/ca.pem"]
    return run(lab, name, words, limit)


def cpu(lab, limit):
    count = 2000
    title(f"CPU of a probe, {count} on loopback, one after the other")
    config = lab.folder / "blackbox.yml"
    config.write_text(
        json.dumps(
            {
                "modules": {
                    "tcp": {"prober": "tcp", "timeout": "5s"},
                    "http": {"prober": "http", "timeout": "5s", "http": {"preferred_ip_protocol": "ip4"}},
                    "tls": {
                        "prober": "tcp",
                        "timeout": "5s",
                        "tcp": {"tls": True, "tls_config": {"ca_file": f"{lab.folder}/ca.pem", "server_name": NAME}},
                    },
                }
            }
        )
    )
    words = ["prometheus-blackbox-exporter", f"--config.file={config}", "--web.listen-address=127.0.0.1:9115"]
    exporter = lab.start("s", words, ready=9115)
    aims = {"tcp": (60, "127.0.0.1:80"), "http": (90, "127.0.0.1:80"), "tls": (600, "127.0.0.1:443")}
    for kind, (aim, address) in aims.items():
        cost = probes(lab, "s", count, 1, f"{kind}:{address}")
        micros = cost.number("cpu_us")
        passed = int(cost.value("passes") or 0)
        line = f"{'tillgate ' + kind:<30}{seconds(cost.wall):>10}{micros:>7.0f} us{cost.memory:>7.1f} MB"
        bare(line, f"{passed} of {count} pass", [(f"{aim} us", micros, aim)])
        target = f"http://{address}/" if kind == "http" else address
        code = [sys.executable, __file__, "--helper", "ask", f"/probe?module={kind}&target={target}", str(count)]
        before, start = ticks(exporter.pid), time.monotonic()
        done = subprocess.run(lab.inside("s") + code, capture_output=True, text=True, check=True)
        wall, spent = time.monotonic() - start, ticks(exporter.pid) - before
        status = pathlib.Path(f"/proc/{exporter.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024
        other = spent / count * 1e6
        line = f"{'blackbox_exporter ' + kind:<30}{seconds(wall):>10}{other:>7.0f} us{peak:>7.1f} MB"
        bare(line, f"{done.stdout.strip()} of {count} pass, {other / micros:.0f} times the CPU")
    lab.stop(exporter)


def ticks(pid):
    """CPU seconds of a process so far."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def ask(path, count):
    """Asks the exporter so often over one connection; how many probes passed."""
    connection = http.client.HTTPConnection("127.0.0.1", 9115)
    passed = 0
    for _ in range(int(count)):
        connection.request("GET", path)
        passed += b"probe_success 1" in connection.getresponse().read()
    print(passed)


def tls(lab, limit):
    sslyze = sslyze_program()
    old = {"1.0", "1.1"}
    for port, words in ((443, "TLS 1.2 and 1.3"), (8443, "TLS 1.0 to 1.3")):
        title(f"TLS assessment: nginx, RSA with 2,048 bits, {words}")
        address = f"127.0.0.1:{port}"
        cost = median([probes(lab, "s", 1, 1, f"assess:{address}") for _ in range(5)])
        told = set(re.findall(r"TLS (1\.\d)", cost.value("versions") or "")) & old
        faults = ", ".join(re.findall(r"^fault=\S+ (\S+)", cost.output, re.M)) or "none"
        say = "old versions: " + (" ".join(sorted(told)) or "none") + f"; faults: {faults}"
        row("tillgate", cost, say, [("0.5 s", cost.wall, 0.5)])
        cost = median([run(lab, "s", ["sslscan", "--no-colour", address], limit) for _ in range(3)])
        versions = {v for v in re.findall(r"^TLSv(1\.\d)\s+enabled", cost.output, re.M)} & old
        row("sslscan", cost, "old versions: " + (" ".join(sorted(versions)) or "none"))
        if not sslyze:
            print(f"{'sslyze':<30}   not to be had: no PyPI")
            continue
        cost = median([run(lab, "s", [sslyze, address], limit) for _ in range(3)])
        parts = re.split(r"\* TLS (1\.\d) Cipher Suites", cost.output)
        versions = {v for v, text in zip(parts[1::2], parts[2::2]) if "accepted the following" in text} & old
        row("sslyze", cost, "old versions: " + (" ".join(sorted(versions)) or "none"))


def sslyze_program():
    place = ROOT / "target/versus/sslyze"
    program = place / "bin/sslyze"
    if not program.exists():
        venv.create(place, with_pip=True)
        subprocess.run([place / "bin/pip", "install", "-q", f"sslyze=={SSLYZE}"], stderr=subprocess.DEVNULL)
    return program if program.exists() else None


def ntp(lab, limit):
    runs = 7
    title(f"NTP: one clock on both sides, true offset 0, quiet line, {runs} runs")
    config = lab.folder / "chrony.conf"
    config.write_text(f"local stratum 5\nallow\ncmdport 0\npidfile {lab.folder}/chronyd.pid\n")
    server = lab.start("s", ["chronyd", "-x", "-d", "-u", "root", "-f", config])

    def tell(who, costs, offsets, more="", aims=()):
        errors = sorted(abs(offset) for offset in offsets)
        if not errors:
            row(who, median(costs), "no offset:\n" + costs[0].output[-300:])
            return
        middle = statistics.median(errors)
        say = f"error {middle:.1f} us, at worst {errors[-1]:.1f}{more}"
        row(who, median(costs), say, [(words, middle, most) for words, most in aims])

    costs = [probes(lab, "c", 1, 1, "ntp:10.70.0.1:123") for _ in range(runs)]
    bounds = [cost.number("bound_us") for cost in costs]
    offsets = [cost.number("offset_us") for cost in costs]
    held = sum(abs(offset) <= bound for offset, bound in zip(offsets, bounds))
    more = f", bound {statistics.median(bounds):.0f} us, kept by {held} of {runs}"
    tell("tillgate, 8 samples", costs, offsets, more, [("10 us", 10)])
    once = ["chronyd", "-Q", "-t", 20, "-u", "root", "server 10.70.0.1 iburst", "cmdport 0", f"pidfile {lab.folder}/q.pid"]
    costs = [run(lab, "c", once, limit) for _ in range(runs)]
    offsets = [float(found) * 1e6 for cost in costs for found in re.findall(r"wrong by (-?[\d.]+) seconds", cost.output)]
    tell("chronyd -Q", costs, offsets)
    costs = [run(lab, "c", ["ntpdig", "-j", "-p", 8, "10.70.0.1"], limit) for _ in range(runs)]
    offsets = [float(found) * 1e6 for cost in costs for found in re.findall(r'"offset":\s*(-?[\d.e-]+)', cost.output)]
    tell("ntpdig, 8 samples", costs, offsets)
    lab.stop(server)


def sip(lab, limit):
    scenario = lab.folder / "options.xml"
    scenario.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="options">\n<recv request="OPTIONS"/>\n<send><![CDATA[\n'
        "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]t[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n"
        "Content-Length: 0\n\n]]></send>\n</scenario>\n"
    )
    words = ["sipp", "-sf", scenario, "-i", "10.70.0.1", "-p", 5060, "-nostdin"]
    uas = lab.start("s", words)
    silent = lab.helper("s", "mute", "5080")
    for port, what, runs in ((5060, "a live server", 5), (5070, "a closed port", 5), (5080, "a silent port", 1)):
        title(f"SIP: OPTIONS over UDP to {what}")
        cost = median([probes(lab, "c", 1, 1, f"sip:10.70.0.1:{port}") for _ in range(runs)])
        verdict = ", ".join(re.findall(r"^(passes|refused|silent|broken|unreachable|undecided)=1$", cost.output, re.M))
        row("tillgate", cost, verdict, [("4 s and 0.1 s for the process", cost.wall, 4.1)])
        command = ["sipsak", "-s", f"sip:till@10.70.0.1:{port}"]
        cost = median([run(lab, "c", command, limit) for _ in range(runs)])
        lines = cost.output.strip().splitlines()
        say = f"exit code {cost.code}" + (f", {lines[-1][:70]}" if lines else "")
        row("sipsak", cost, say)
    lab.stop(uas)
    lab.stop(silent)


def conflict(lab, limit):
    ports = [12345, 12346, 9100, *range(20000, 21297)]
    path = lab.folder / "listeners"
    path.write_text("".join(f"127.0.0.1 {port}\n" for port in ports))
    helper = lab.helper("s", "listen", path)
    runs = 21
    title(f"port conflicts: {len(ports)} listeners, {len(list(pathlib.Path('/proc').glob('[0-9]*')))} processes, {runs} runs")
    for who, asked in (("tillgate, 4 ports", [*ports[:3], 443]), (f"tillgate, {len(ports)} ports", ports)):
        words = "holders:" + ",".join(map(str, asked))
        costs = [probes(lab, "s", 1, 1, words) for _ in range(runs)]
        cost = median(costs)
        took = statistics.median(c.number("wall_us") for c in costs) / 1000
        say = f"{cost.number('found'):.0f} found, {cost.number('named'):.0f} named; the look itself {took:.1f} ms"
        row(who, cost, say, [("10 ms", took, 10)])
    cost = median([run(lab, "s", ["ss", "-ltnp"], limit) for _ in range(runs)])
    row("ss -ltnp", cost, f"{cost.output.count('users:((')} named")
    lab.stop(helper)


def many(lab, limit):
    lab.helper("s", "mute", "9443")
    lab.do("s", "nft add table inet q", "nft add chain inet q i { type filter hook input priority 0 ; }")
    lab.do("s", "nft add rule inet q i tcp dport 9 drop")
    server = "10.70.0.1"
    title("1,000 checks at once: a quarter each TCP and TLS that answer, TCP and TLS that are silent")
    cost = probes(lab, "c", 1000, 1000, f"tcp:{server}:9", f"tcp:{server}:80", f"tls:{server}:9443", f"tls:{server}:443")
    ends = ", ".join(f"{n} {w}" for w, n in re.findall(r"^(passes|refused|silent|broken|unreachable|undecided)=(\d+)$", cost.output, re.M))
    longest = cost.number("longest_ms") / 1000
    aims = [("30 MB", cost.memory, 30), ("each within its 5 s, 50 ms of grace", longest, 5.05)]
    row("tillgate", cost, f"{ends}; the longest {longest:.2f} s", aims)


def install():
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if missing:
        # At this run level, packages do not start their services.
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
        if subprocess.run(command, env=env, stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"cannot install {' '.join(missing)}")


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if sys.argv[1:2] == ["--helper"]:
        # The helpers hold a socket for each listener.
        return {"listen": listen, "mute": mute, "ask": ask}[sys.argv[2]](*sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a command is stopped (600)")
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {' '.join(SECTIONS)}; all without any")
    args = parser.parse_args()
    unknown = set(args.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {' '.join(sorted(unknown))}")
    if os.geteuid():
        sys.exit("needs root: it makes network namespaces")
    if not all(program.exists() for program in (SCAN, RELAY, PROBES)):
        sys.exit("build first: cargo build --release -p tillgate-probe -p tillgate-scan --examples")
    install()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384) if hard > 0 else 16384, hard))
    wanted = [name for name in SECTIONS if name in args.sections or not args.sections]
    with tempfile.TemporaryDirectory() as name:
        os.environ["TMPDIR"] = name
        lab = Lab(pathlib.Path(name))
        try:
            if set(wanted) - {"scan"}:
                servers(lab)
            for section in wanted:
                globals()[section](lab, args.limit)
        finally:
            lab.close()


if __name__ == "__main__":
    main()
