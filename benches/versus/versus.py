#!/usr/bin/env python3
"""tillgate beside two policy compilers, aerleon and capirca from PyPI, in one run.

What they do: write a policy of N terms for a platform, and look for shadowed terms. What tillgate does: write a plan of
N flows and prove it by reading it back; find shadowed rules in any configuration. Prints wall time, memory and ratios.

    cargo build --release && benches/versus/versus.py

Live checks (scans, probes, TLS, clocks, SIP) have measurements of their own: `benches/versus/live.py`.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TILLGATE = ROOT / "target/release/tillgate"
BENCH = ROOT / "target/release/tillgate-bench"
PEERS = {"aerleon": "1.18.0", "capirca": "2.0.9"}
TERMS = 1000
RUNS = 3
# Platform of ours, target of theirs, options of the header.
TARGETS = [
    ("nftables", "nftables", "inet forward", ["aerleon"]),
    ("iptables", "iptables", "FORWARD DROP", ["aerleon", "capirca"]),
    ("pf", "packetfilter", "versus out inet", ["aerleon", "capirca"]),
    ("ios", "cisco", "versus extended inet", ["aerleon", "capirca"]),
    ("asa", "ciscoasa", "versus", ["aerleon", "capirca"]),
    ("fortios", "fortigate", "from-zone lan to-zone wan", ["aerleon"]),
]


def measure(command, **more):
    """Median wall time in seconds, and the peak in MB, of a whole process."""
    times, peak, output = [], 0, ""
    for _ in range(RUNS):
        with tempfile.TemporaryFile("w+") as out:
            start = time.monotonic()
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **more)
            _, status, usage = os.wait4(process.pid, 0)
            times.append(time.monotonic() - start)
            process.returncode = os.waitstatus_to_exitcode(status)
            peak = max(peak, usage.ru_maxrss / 1024)
            out.seek(0)
            output = out.read()
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"{command} ended with {process.returncode}:\n{output[-2000:]}")
    return sorted(times)[RUNS // 2], peak, output


def peers():
    """The peers in an environment of their own, below the build folder."""
    folder = ROOT / "target/versus"
    if not (folder / "bin/aclgen").exists() or not (folder / "ready").exists():
        for name, version in PEERS.items():
            place = folder / name
            venv.create(place, with_pip=True)
            subprocess.run([place / "bin/pip", "install", "-q", f"{name}=={version}"], check=True)
        (folder / "ready").touch()
    return {name: folder / name / "bin/aclgen" for name in PEERS}


def rows(count):
    """The same rules for everybody: a network, a host, a port."""
    out = []
    state = 0x5851F42D
    for number in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        out.append((f"10.{32 + state % 32}.{number % 256}.0/24", f"198.51.{number // 256}.{number % 256}/32", 1 + state % 60000, state % 10 < 7))
    return out


def planted(count):
    """Rules in pairs of networks of their own: 20 shadowed by one other rule, 20 by two together, the rest by none."""
    rules, shadowed = [], set()
    for group in range(20):
        base = f"172.16.{group}"
        rules += [(f"{base}.0/24", "198.51.100.1/32", 443, True)]
        shadowed.add(len(rules))
        rules += [(f"{base}.64/26", "198.51.100.1/32", 443, True)]
        base = f"172.17.{group}"
        rules += [(f"{base}.0/25", "198.51.100.2/32", 443, False), (f"{base}.128/25", "198.51.100.2/32", 443, False)]
        shadowed.add(len(rules))
        rules += [(f"{base}.0/24", "198.51.100.2/32", 443, True)]
    return rules + rows(count - len(rules)), shadowed


def policy(folder, target, options, rules):
    """A policy file with its definitions."""
    definitions, policies = folder / "def", folder / "pol"
    definitions.mkdir(exist_ok=True)
    policies.mkdir(exist_ok=True)
    networks, services = [], []
    terms = [f'header {{\n  comment:: "versus"\n  target:: {target} {options}\n}}\n']
    for number, (source, destination, port, accept) in enumerate(rules):
        networks.append(f"S{number} = {source}\nD{number} = {destination}\n")
        services.append(f"P{number} = {port}/tcp\n")
        action = "accept" if accept else "deny"
        terms.append(
            f"term t{number} {{\n  source-address:: S{number}\n  destination-address:: D{number}\n"
            f"  destination-port:: P{number}\n  protocol:: tcp\n  action:: {action}\n}}\n"
        )
    (definitions / "versus.net").write_text("".join(networks))
    (definitions / "versus.svc").write_text("".join(services))
    (policies / "versus.pol").write_text("".join(terms))
    # They look for policies in folders called "pol" below the base.
    return ["--base_directory", str(folder), "--definitions_directory", str(definitions), "--output_directory", str(folder)]


def nftables(rules):
    lines = "".join(
        f"ip saddr {s} ip daddr {d.removesuffix('/32')} tcp dport {p} {'accept' if a else 'drop'}\n" for s, d, p, a in rules
    )
    return f"table inet t {{\nchain forward {{\ntype filter hook forward priority filter; policy drop;\n{lines}}}\n}}\n"


def main():
    if not TILLGATE.exists() or not BENCH.exists():
        sys.exit("build first: cargo build --release --workspace")
    programs = peers()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        estate = folder / "estate"
        subprocess.run([BENCH, "flows", str(TERMS), str(estate)], check=True)
        print(f"writing {TERMS} flows (tillgate proves what it writes) and {TERMS} terms (the others do not)")
        print(f"{'platform':<12}{'tillgate':>12}{'':>10}", *(f"{p:>12}{'':>10}{'ratio':>8}" for p in PEERS))
        for ours, theirs, options, able in TARGETS:
            wall, peak, _ = measure([TILLGATE, "render", "large", "--estate", estate, "--platform", ours, "-q", "-o", folder / "out"])
            line = f"{ours:<12}{wall * 1000:>9.0f} ms{peak:>7.0f} MB"
            for peer, program in programs.items():
                if peer not in able:
                    line += f"{'cannot':>23}{'':>8}"
                    continue
                place = folder / f"{peer}-{theirs}"
                place.mkdir()
                arguments = policy(place, theirs, options, rows(TERMS))
                other, memory, log = measure([program, *arguments])
                if not any(f.stat().st_size > 10_000 for f in place.iterdir() if f.is_file()):
                    sys.exit(f"{peer} wrote nothing for {theirs}:\n{log[-2000:]}")
                line += f"{other * 1000:>10.0f} ms{memory:>7.0f} MB{other / wall:>7.0f}x"
            print(line, flush=True)

        rules, shadowed = planted(TERMS)
        config = folder / "planted.nft"
        config.write_text(nftables(rules))
        print(f"\nshadowed rules found of {len(shadowed)} planted among {TERMS}: half by one other rule, half by two together")
        wall, peak, output = measure([TILLGATE, "verify", "--config", config, "--format", "json"])
        lines = {
            next(e["line"] for e in f["evidence"] if e["kind"] == "rule") - 4
            for f in json.loads(output)["findings"]
            if f["id"] == "rule-shadowed"
        }
        print(f"{'tillgate':<12}{wall * 1000:>9.0f} ms{peak:>7.0f} MB{len(lines & shadowed):>5} found, {len(lines - shadowed)} wrong")
        for peer, program in programs.items():
            place = folder / f"{peer}-shade"
            place.mkdir()
            arguments = policy(place, "cisco", "versus extended inet", rules)
            other, memory, output = measure([program, *arguments, "--shade_check"])
            found = {int(n) for n in re.findall(r"\bt(\d+)\b[^\n]{0,40}\bshaded\b", output)}
            found |= {int(n) for n in re.findall(r"[Tt]erm t(\d+) is shaded", output)}
            print(
                f"{peer:<12}{other * 1000:>9.0f} ms{memory:>7.0f} MB{len(found & shadowed):>5} found, {len(found - shadowed)} wrong"
                f"   {other / wall:.0f}x the time"
            )


if __name__ == "__main__":
    main()
