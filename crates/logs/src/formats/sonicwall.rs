//! SonicWall: `id=firewall` key=value lines and the ArcSight form.
//! ("SonicOS Log Events Reference Guide", Index of Syslog Tag Field Description.)

use super::clock::of_stamp;
use super::flow::flow;
use super::icmp;
use super::pairs::{Cef, Pairs};
use crate::record::{Line, Record, Verdict};
use crate::text::{address, number, port, protocol};
use std::net::IpAddr;
use tillgate_model::Protocol;

/// `sn=`, `pri=` or `fw=`, and `m=` among the first pairs, or a SonicWall CEF header.
pub fn is_mine(message: &[u8]) -> bool {
    if is_cef(message) {
        return true;
    }
    let mut marks = 0;
    for (key, value) in Pairs::of(&message[..message.len().min(512)]).take(12) {
        match key {
            b"id" if value != b"firewall" && marks == 0 => return false,
            b"sn" | b"fw" | b"pri" | b"c" => marks += 1,
            b"m" if marks >= 3 => return true,
            _ => {}
        }
    }
    false
}

/// Reads one line.
pub fn read(message: &[u8]) -> Line<'_> {
    let mut said = Said::default();
    if let Some(cef) = Cef::of(message).filter(|_| is_cef(message)) {
        said.id = cef.id;
        said.text = cef.name;
        for (key, value) in cef.pairs() {
            match key {
                b"spt" => first(&mut said.source_port, value),
                b"dpt" => first(&mut said.destination_port, value),
                b"deviceInboundInterface" => first(&mut said.input, value),
                b"deviceOutboundInterface" => first(&mut said.output, value),
                b"cat" => first(&mut said.category, value),
                b"act" => first(&mut said.action, value),
                b"c6a2" => first(&mut said.source_v6, value),
                b"c6a3" => first(&mut said.destination_v6, value),
                _ => said.take(key, value),
            }
        }
    } else {
        for (key, value) in Pairs::of(message) {
            said.take(key, value);
        }
    }
    said.judge()
}

fn is_cef(message: &[u8]) -> bool {
    Cef::of(&message[..message.len().min(256)])
        .is_some_and(|cef| cef.vendor.eq_ignore_ascii_case(b"SonicWall"))
}

/// The fields that matter; the first of each name counts.
#[derive(Default)]
struct Said<'a> {
    id: &'a [u8],
    text: &'a [u8],
    time: &'a [u8],
    category: &'a [u8],
    source: &'a [u8],
    source_v6: &'a [u8],
    source_port: &'a [u8],
    destination: &'a [u8],
    destination_v6: &'a [u8],
    destination_port: &'a [u8],
    protocol: &'a [u8],
    rule: &'a [u8],
    action: &'a [u8],
    input: &'a [u8],
    output: &'a [u8],
    icmp_type: &'a [u8],
}

fn first<'a>(field: &mut &'a [u8], value: &'a [u8]) {
    if field.is_empty() {
        *field = value;
    }
}

impl<'a> Said<'a> {
    #[inline]
    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        let field = match key {
            b"m" => &mut self.id,
            b"msg" => &mut self.text,
            b"time" => &mut self.time,
            b"c" => &mut self.category,
            b"src" => &mut self.source,
            b"srcV6" => &mut self.source_v6,
            b"dst" => &mut self.destination,
            b"dstV6" => &mut self.destination_v6,
            b"proto" => &mut self.protocol,
            b"rule" => &mut self.rule,
            b"fw_action" => &mut self.action,
            b"type" | b"icmpType" => &mut self.icmp_type,
            _ => return,
        };
        first(field, value);
    }

    fn judge(self) -> Line<'a> {
        // Legacy categories: 1 maintenance, 2 system errors, 16 user activity. Their lines name
        // addresses as well, of an administrator who logged in for example.
        let is_housekeeping = matches!(self.category, b"1" | b"2" | b"16");
        let (source, source_port, input) = end(self.source, self.source_v6);
        let (destination, destination_port, output) = end(self.destination, self.destination_v6);
        let is_without = self.source.is_empty() && self.destination.is_empty();
        if self.id.is_empty() {
            return Line::Unread("event id");
        }
        if is_housekeeping || is_without || self.protocol.is_empty() && source_port.is_none() {
            return Line::Other;
        }
        let name = self.protocol.split(|b| *b == b'/').next().unwrap_or(b"");
        let protocol = protocol(name);
        // `proto=icmp/8` has no service, it is the type.
        let of_service = self
            .protocol
            .get(name.len() + 1..)
            .and_then(number)
            .filter(|_| protocol.is_some_and(Protocol::is_icmp));
        let icmp_type = number(self.icmp_type).or(of_service);
        flow(Record {
            time: of_stamp(self.time),
            protocol,
            source,
            source_port: source_port.or(port(self.source_port)),
            destination,
            destination_port: destination_port.or(port(self.destination_port)),
            rule: some(self.rule),
            input: input.or(some(self.input)),
            output: output.or(some(self.output)),
            is_reply: icmp_type.is_some_and(|kind| icmp::answers(protocol, kind)),
            ..Record::new(self.verdict())
        })
    }

    /// `fw_action` decides where the firmware fills it; `NA` is what it writes for connections that
    /// open and close. Then the event's number, and last the words of its fixed text.
    fn verdict(&self) -> Verdict {
        match self.action {
            b"drop" | b"deny" | b"block" | b"discard" => return Verdict::Deny,
            b"forward" | b"allow" | b"mgmt" => return Verdict::Permit,
            b"reset" | b"reject" => return Verdict::Reset,
            _ => {}
        }
        match self.id {
            // Web site hit; connection opened; closed.
            b"97" | b"98" | b"537" => return Verdict::Permit,
            // TCP, UDP, ICMP, other packets dropped; TCP, UDP, ICMP from the LAN denied.
            b"36" | b"37" | b"38" | b"41" | b"173" | b"174" | b"175" => return Verdict::Deny,
            _ => {}
        }
        let words = || self.text.split(|b| !b.is_ascii_alphabetic());
        let has = |wanted: &[&[u8]]| words().any(|w| wanted.iter().any(|x| w.eq_ignore_ascii_case(x)));
        if has(&[b"dropped", b"drop", b"denied", b"deny", b"blocked", b"rejected", b"discarded"]) {
            Verdict::Deny
        } else if has(&[b"allowed", b"opened", b"forwarded", b"accepted"]) {
            Verdict::Permit
        } else {
            Verdict::None
        }
    }
}

/// `address:port:interface:name`, each but the first perhaps missing. With IPv6 the address has a field
/// of its own and this one begins with the colon.
fn end<'a>(text: &'a [u8], v6: &[u8]) -> (Option<IpAddr>, Option<u16>, Option<&'a [u8]>) {
    if v6.is_empty()
        && let Some(whole) = address(text)
    {
        return (Some(whole), None, None);
    }
    let mut parts = text.split(|b| *b == b':');
    let own = address(parts.next().unwrap_or(b""));
    let source = if v6.is_empty() { own } else { address(v6) };
    (source, parts.next().and_then(port), parts.next().and_then(some))
}

fn some(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tried::{batter, told};

    const HEAD: &str = r#"  id=firewall sn=18B169000001 time="2026-03-02 10:00:01 UTC" fw=203.0.113.9 "#;

    const CASES: [(&str, &str); 20] = [
        (
            r#"pri=6 c=262144 m=98 msg="Connection Opened" app=49177 n=10 src=10.9.1.20:40112:X0:counter-1 dst=198.51.100.7:443:X1 srcMac=02:aa:00:00:00:01 dstMac=02:aa:00:00:00:02 proto=tcp/https sent=52 rule="5 (LAN->WAN)" fw_action="NA""#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 (LAN->WAN) in=X0 out=X1",
        ),
        (
            r#"pri=6 c=1024 m=537 msg="Connection Closed" f=2 n=11 src=10.9.1.20:60622:X0-V9 dst=192.0.2.53:53:X1 proto=udp/dns sent=56 rcvd=146"#,
            "permit udp 10.9.1.20:60622 > 192.0.2.53:53 in=X0-V9 out=X1",
        ),
        (
            r#"pri=5 c=64 m=36 msg="TCP connection dropped" n=3 src=203.0.113.5:40112:X1 dst=198.51.100.2:23:X1 proto=tcp/23 rule="9 (WAN->WAN)" fw_action="drop""#,
            "deny tcp 203.0.113.5:40112 > 198.51.100.2:23 rule=9 (WAN->WAN) in=X1 out=X1",
        ),
        (
            r#"pri=5 c=128 m=37 msg="UDP packet dropped" n=3 src=10.9.1.20:40112:X0 dst=198.51.100.7:123:X1 proto=udp/ntp fw_action="NA""#,
            "deny udp 10.9.1.20:40112 > 198.51.100.7:123 in=X0 out=X1",
        ),
        (
            r#"pri=5 c=256 m=38 msg="ICMP packet dropped due to policy" n=3 src=203.0.113.5:8:X1 dst=198.51.100.2:0:X1 type=8 code=0 proto=icmp/0 fw_action="drop""#,
            "deny icmp 203.0.113.5 > 198.51.100.2 in=X1 out=X1",
        ),
        (
            r#"pri=5 c=256 m=38 msg="ICMP packet dropped no match" src=203.0.113.5:3:X1 dst=198.51.100.2:1:X1 type=3 code=1 proto=icmp/1"#,
            "deny icmp 203.0.113.5 > 198.51.100.2 in=X1 out=X1 reply",
        ),
        (
            r#"pri=6 c=1024 m=1235 msg="Packet allowed: TCP" src=10.9.1.20:1:X0 dst=198.51.100.7:2:X1 proto=tcp/2 fw_action="forward""#,
            "permit tcp 10.9.1.20:1 > 198.51.100.7:2 in=X0 out=X1",
        ),
        (
            r#"pri=1 c=32 m=82 msg="Possible port scan detected" src=203.0.113.5:1:X1 dst=198.51.100.2:2:X1 proto=tcp/2 fw_action="NA""#,
            "none tcp 203.0.113.5:1 > 198.51.100.2:2 in=X1 out=X1",
        ),
        (
            r#"pri=1 c=32 m=23 msg="IP spoof dropped" src=203.0.113.5:1:X1 dst=198.51.100.2:2:X1 proto=tcp/2"#,
            "deny tcp 203.0.113.5:1 > 198.51.100.2:2 in=X1 out=X1",
        ),
        (
            r#"pri=6 c=1024 m=97 n=9 src=10.9.1.20:52589:X0 dst=198.51.100.7:443:X1 proto=tcp/https op=1 result=403 dstname=pay.example arg=/?src=1 code=20 Category="Online Banking""#,
            "permit tcp 10.9.1.20:52589 > 198.51.100.7:443 in=X0 out=X1",
        ),
        (
            r#"pri=6 c=1024 m=98 msg="Connection Opened" srcV6=2001:db8:9::20 src=:40112:X0 dstV6=2001:db8::7 dst=:443:X1 proto=tcp/https rule="6 (LAN->WAN)" fw_action="NA""#,
            "permit tcp [2001:db8:9::20]:40112 > [2001:db8::7]:443 rule=6 (LAN->WAN) in=X0 out=X1",
        ),
        (
            r#"pri=5 c=128 m=37 msg="UDP packet dropped" srcV6=2001:db8:9::20 src=:546:X0 dstV6=2001:db8::7 dst=:547:X1 proto=udp/547 fw_action="drop""#,
            "deny udp [2001:db8:9::20]:546 > [2001:db8::7]:547 in=X0 out=X1",
        ),
        (
            r#"pri=5 c=256 m=38 msg="ICMPv6 packet dropped" srcV6=2001:db8:9::20 src=:128:X0 dstV6=2001:db8::7 dst=:0:X1 proto=icmpv6/128"#,
            "deny icmpv6 2001:db8:9::20 > 2001:db8::7 in=X0 out=X1",
        ),
        (
            r#"pri=5 c=512 m=41 msg="Unknown protocol dropped" src=203.0.113.5:0:X1 dst=198.51.100.2:0:X1 proto=47/0 fw_action="drop""#,
            "deny gre 203.0.113.5 > 198.51.100.2 in=X1 out=X1",
        ),
        (
            r#"pri=6 c=16 m=29 msg="Administrator login allowed" n=1 src=10.9.1.2:0:X0 dst=10.9.1.1:443:X0 proto=tcp/https usr="admin""#,
            "other",
        ),
        (r#"pri=6 c=1 m=5 msg="Log Cleared" n=1"#, "other"),
        (
            r#"pri=6 c=1024 m=98 msg="Connection Opened" src=10.9.1.20:40112:X0 proto=tcp/https"#,
            "unread addresses",
        ),
        (
            r#"pri=6 c=1024 m=98 msg="Connection Opened" src=10.9.1.20:40112:X0 dst=198.51.100.7:44"#,
            "permit - 10.9.1.20:40112 > 198.51.100.7:44 in=X0",
        ),
        (
            r#"pri=6 c=1024 m=98 msg="Connection src=1.1.1.1:1:X9" src=10.9.1.20:40112:X0 dst=198.51.100.7:443:X1 src=10.0.0.1:1:X5 proto=tcp/https"#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 in=X0 out=X1",
        ),
        (
            r#"pri=5 c=64 m=36 msg="x" src=10.9.1.20 dst=198.51.100.7 proto=tcp/https"#,
            "deny tcp 10.9.1.20 > 198.51.100.7",
        ),
    ];

    #[test]
    fn cases() {
        for (line, expected) in CASES {
            let line = format!("{HEAD}{line}");
            assert!(is_mine(line.as_bytes()), "{line}");
            assert_eq!(told(&read(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn arcsight() {
        let line = "CEF:0|SonicWall|NSA 2650|6.5.4|36|TCP connection dropped|4|cat=64 gcat=6 src=203.0.113.5 spt=40112 deviceInboundInterface=X1 dst=198.51.100.2 dpt=23 deviceOutboundInterface=X1 proto=tcp/23 fw_action=\"drop\"";
        assert!(is_mine(line.as_bytes()));
        assert_eq!(told(&read(line.as_bytes())), "deny tcp 203.0.113.5:40112 > 198.51.100.2:23 in=X1 out=X1");
        let open = "0|SonicWall|TZ 400|6.5.4|98|Connection Opened|4|cat=1024 src=10.9.1.20 spt=1 dst=198.51.100.2 dpt=2 proto=udp/2";
        assert!(is_mine(open.as_bytes()));
        assert_eq!(told(&read(open.as_bytes())), "permit udp 10.9.1.20:1 > 198.51.100.2:2");
    }

    #[test]
    fn time() {
        let line = format!("{HEAD}{}", CASES[0].0);
        let Line::Flow(Record { time: Some(time), .. }) = read(line.as_bytes()) else { panic!("{line}") };
        assert_eq!((time.year, time.hour, time.offset), (Some(2026), 10, Some(0)));
    }

    #[test]
    fn not_mine() {
        for line in [
            r#"id="2001" severity="info" sys="SecureNet" sub="packetfilter" m=1"#,
            "IN=eth0 OUT= SRC=10.0.0.1",
            "m=1",
            "",
        ] {
            assert!(!is_mine(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn hostile() {
        let lines: Vec<String> = CASES.iter().map(|(l, _)| format!("{HEAD}{l}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        batter(&lines, |line| {
            is_mine(line);
            read(line);
        });
    }
}
