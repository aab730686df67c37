//! Sophos Firewall (XG, SFOS) and Sophos UTM 9.
//! ("Sophos Firewall Syslog Guide", log types; UTM 9: the packet filter's log lines of `ulogd`.)

use super::clock::{of_day, of_stamp, zone};
use super::flow::flow;
use super::icmp;
use super::pairs::Pairs;
use crate::record::{Line, Record, Time, Verdict};
use crate::text::{address, number, port, protocol};

/// `log_type=` and `log_component=` (SFOS), or `severity=`, `sys=` and `sub=` (UTM 9) among the first pairs.
pub fn is_mine(message: &[u8]) -> bool {
    let (mut sfos, mut utm) = (0, 0);
    for (key, _) in Pairs::of(&message[..message.len().min(1024)]).take(16) {
        match key {
            b"log_type" | b"log_component" => sfos += 1,
            b"severity" | b"sys" | b"sub" => utm += 1,
            _ => {}
        }
        if sfos == 2 || utm == 3 {
            return true;
        }
    }
    false
}

/// Reads one line.
pub fn read(message: &[u8]) -> Line<'_> {
    let mut said = Said::default();
    for (key, value) in Pairs::of(message) {
        said.take(key, value);
    }
    if said.log_type.is_empty() && !said.sub.is_empty() { said.utm() } else { said.sfos() }
}

/// The fields that matter; the first of each name counts.
#[derive(Default)]
struct Said<'a> {
    log_type: &'a [u8],
    component: &'a [u8],
    log_subtype: &'a [u8],
    sub: &'a [u8],
    action: &'a [u8],
    date: &'a [u8],
    time: &'a [u8],
    zone: &'a [u8],
    stamp: &'a [u8],
    source: &'a [u8],
    source_port: &'a [u8],
    destination: &'a [u8],
    destination_port: &'a [u8],
    protocol: &'a [u8],
    rule: &'a [u8],
    input: &'a [u8],
    output: &'a [u8],
    input_zone: &'a [u8],
    output_zone: &'a [u8],
    icmp_type: &'a [u8],
}

impl<'a> Said<'a> {
    #[inline]
    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        let field = match key {
            b"log_type" => &mut self.log_type,
            b"log_component" => &mut self.component,
            b"log_subtype" => &mut self.log_subtype,
            b"sub" => &mut self.sub,
            b"action" => &mut self.action,
            b"date" => &mut self.date,
            b"time" => &mut self.time,
            b"timezone" => &mut self.zone,
            b"timestamp" => &mut self.stamp,
            b"src_ip" | b"srcip" => &mut self.source,
            b"src_port" | b"srcport" => &mut self.source_port,
            b"dst_ip" | b"dstip" => &mut self.destination,
            b"dst_port" | b"dstport" => &mut self.destination_port,
            b"protocol" | b"proto" => &mut self.protocol,
            b"fw_rule_id" | b"fwrule" => &mut self.rule,
            b"in_interface" | b"initf" => &mut self.input,
            b"out_interface" | b"outitf" => &mut self.output,
            b"srczone" | b"src_zone" => &mut self.input_zone,
            b"dstzone" | b"dst_zone" => &mut self.output_zone,
            b"icmp_type" | b"type" => &mut self.icmp_type,
            _ => return,
        };
        if field.is_empty() {
            *field = value;
        }
    }

    fn sfos(self) -> Line<'a> {
        match self.log_type {
            b"" => return Line::Unread("type"),
            b"Firewall" => {}
            b"Event"
            | b"System Health"
            | b"Wireless Protection"
            | b"Heartbeat"
            | b"Sandbox"
            | b"Anti-Spam" => {
                return Line::Other;
            }
            _ if self.source.is_empty() && self.destination.is_empty() => return Line::Other,
            _ => {}
        }
        let verdict = match self.log_subtype {
            b"Allowed" | b"Detect" | b"Warned" => Verdict::Permit,
            b"Denied" | b"Drop" | b"Dropped" | b"Blocked" | b"Rejected" => Verdict::Deny,
            _ => Verdict::None,
        };
        let mut record = self.record(verdict);
        // Errors about another packet have a component of their own.
        record.is_reply |= self.component.eq_ignore_ascii_case(b"ICMP ERROR MESSAGE");
        flow(record)
    }

    fn utm(self) -> Line<'a> {
        if self.sub != b"packetfilter" && self.sub != b"ips" {
            return Line::Other;
        }
        let verdict = match self.action {
            b"drop" => Verdict::Deny,
            b"reject" => Verdict::Reset,
            b"accept" | b"pass" | b"alert" => Verdict::Permit,
            // "Packet logged" and the NAT rules' lines do not decide.
            _ => Verdict::None,
        };
        flow(self.record(verdict))
    }

    fn record(&self, verdict: Verdict) -> Record<'a> {
        let protocol = protocol(self.protocol);
        let stamped = || of_stamp(self.stamp);
        Record {
            time: of_day(self.date, self.time)
                .map(|t| Time { offset: zone(self.zone), ..t })
                .or_else(stamped),
            protocol,
            source: address(self.source),
            source_port: port(self.source_port),
            destination: address(self.destination),
            destination_port: port(self.destination_port),
            rule: some(self.rule),
            input: some(self.input).or(some(self.input_zone)),
            output: some(self.output).or(some(self.output_zone)),
            is_reply: number(self.icmp_type).is_some_and(|kind| icmp::answers(protocol, kind)),
            ..Record::new(verdict)
        }
    }
}

fn some(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tried::{batter, told};

    const OLD: &str = r#"device="SFW" date=2026-03-02 time=10:00:01 timezone="CET" device_name="XG210" device_id=C1 log_id=010101600001 "#;
    const NEW: &str = r#"device_name="SFW" timestamp="2026-03-02T10:00:01+0100" device_model="XGS116" device_serial_id="X1" log_id="010101600001" "#;
    const UTM: &str = r#"ulogd[4711]: id="2001" severity="info" sys="SecureNet" "#;

    const CASES: [(&str, &str, &str); 22] = [
        (
            OLD,
            r#"log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" status="Allow" priority=Information duration=0 fw_rule_id=5 policy_type=1 user_name="" in_interface="Port1" out_interface="Port2" src_mac=02:aa:00:00:00:01 src_ip=10.9.1.20 src_country_code=R1 dst_ip=198.51.100.7 dst_country_code=DEU protocol="TCP" src_port=40112 dst_port=443 tran_src_ip=203.0.113.9 tran_src_port=0 srczonetype="LAN" srczone="LAN""#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 in=Port1 out=Port2",
        ),
        (
            OLD,
            r#"log_type="Firewall" log_component="Firewall Rule" log_subtype="Denied" status="Deny" fw_rule_id=0 src_ip=10.9.1.20 dst_ip=198.51.100.7 protocol="UDP" src_port=40112 dst_port=123"#,
            "deny udp 10.9.1.20:40112 > 198.51.100.7:123 rule=0",
        ),
        (
            OLD,
            r#"log_type="Firewall" log_component="Invalid Traffic" log_subtype="Denied" status="Deny" fw_rule_id=0 src_ip=10.9.1.20 dst_ip=198.51.100.7 protocol="TCP" src_port=40112 dst_port=443 message="Could not associate packet to any connection.""#,
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=0",
        ),
        (
            OLD,
            r#"log_type="Firewall" log_component="Appliance Access" log_subtype="Denied" src_ip=203.0.113.5 dst_ip=198.51.100.2 protocol="TCP" src_port=50000 dst_port=22"#,
            "deny tcp 203.0.113.5:50000 > 198.51.100.2:22",
        ),
        (
            OLD,
            r#"log_type="Firewall" log_component="ICMP ERROR MESSAGE" log_subtype="Allowed" src_ip=203.0.113.5 dst_ip=198.51.100.2 protocol="ICMP" icmp_type=3 icmp_code=1"#,
            "permit icmp 203.0.113.5 > 198.51.100.2 reply",
        ),
        (
            OLD,
            r#"log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" fw_rule_id=3 src_ip=10.9.1.20 dst_ip=198.51.100.2 protocol="ICMP" icmp_type=8 icmp_code=0"#,
            "permit icmp 10.9.1.20 > 198.51.100.2 rule=3",
        ),
        (
            NEW,
            r#"log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" log_version=1 severity="Information" fw_rule_id="7" fw_rule_name="POS out" src_ip="2001:db8:9::20" dst_ip="2001:db8::7" protocol="TCP" src_port=40112 dst_port=443 src_zone_type="LAN" src_zone="POS" dst_zone="WAN" con_event="Start""#,
            "permit tcp [2001:db8:9::20]:40112 > [2001:db8::7]:443 rule=7 in=POS out=WAN",
        ),
        (
            NEW,
            r#"log_type="Firewall" log_component="DoS Attack" log_subtype="Denied" src_ip="203.0.113.5" dst_ip="198.51.100.2" protocol="UDP" src_port=1 dst_port=53"#,
            "deny udp 203.0.113.5:1 > 198.51.100.2:53",
        ),
        (
            NEW,
            r#"log_type="Firewall" log_component="Firewall Rule" log_subtype="Denied" src_ip="2001:db8::5" dst_ip="2001:db8::6" protocol="ICMPv6" icmp_type=128"#,
            "deny icmpv6 2001:db8::5 > 2001:db8::6",
        ),
        (
            NEW,
            r#"log_type="Content Filtering" log_component="HTTP" log_subtype="Denied" fw_rule_id="7" user_name="" url="https://pay.example/" src_ip="10.9.1.20" dst_ip="198.51.100.7" protocol="TCP" src_port=40112 dst_port=443"#,
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=7",
        ),
        (
            NEW,
            r#"log_type="IDP" log_component="Signatures" log_subtype="Drop" src_ip="203.0.113.5" dst_ip="10.9.1.20" protocol="TCP" src_port=1 dst_port=80"#,
            "deny tcp 203.0.113.5:1 > 10.9.1.20:80",
        ),
        (
            NEW,
            r#"log_type="Event" log_component="GUI" log_subtype="Admin" status="Successful" user_name="admin" src_ip="10.9.1.2" message="logged in""#,
            "other",
        ),
        (NEW, r#"log_type="System Health" log_component="CPU" log_subtype="Usage" system=1%"#, "other"),
        (
            NEW,
            r#"log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" src_ip="10.9.1"#,
            "unread addresses",
        ),
        (
            UTM,
            r#"sub="packetfilter" name="Packet dropped" action="drop" fwrule="60002" initf="eth1" outitf="eth0" srcmac="02:aa:00:00:00:01" dstmac="02:aa:00:00:00:02" srcip="10.9.1.20" dstip="198.51.100.7" proto="6" length="52" tos="0x00" prec="0x00" ttl="127" srcport="49242" dstport="5222" tcpflags="SYN""#,
            "deny tcp 10.9.1.20:49242 > 198.51.100.7:5222 rule=60002 in=eth1 out=eth0",
        ),
        (
            UTM,
            r#"sub="packetfilter" name="Packet accepted" action="accept" fwrule="4" initf="eth1" outitf="eth0" srcip="10.9.1.20" dstip="198.51.100.7" proto="17" srcport="40000" dstport="123""#,
            "permit udp 10.9.1.20:40000 > 198.51.100.7:123 rule=4 in=eth1 out=eth0",
        ),
        (
            UTM,
            r#"sub="packetfilter" name="Packet rejected" action="reject" fwrule="5" srcip="10.9.1.20" dstip="198.51.100.7" proto="6" srcport="40000" dstport="25""#,
            "reset tcp 10.9.1.20:40000 > 198.51.100.7:25 rule=5",
        ),
        (
            UTM,
            r#"sub="packetfilter" name="Packet dropped" action="drop" fwrule="60001" initf="eth0" srcip="203.0.113.5" dstip="198.51.100.7" proto="1" length="84" type="3" code="1""#,
            "deny icmp 203.0.113.5 > 198.51.100.7 rule=60001 in=eth0 reply",
        ),
        (
            UTM,
            r#"sub="packetfilter" name="Packet logged" action="log" fwrule="62001" srcip="2001:db8::1" dstip="2001:db8::2" proto="58" type="128" code="0""#,
            "none icmpv6 2001:db8::1 > 2001:db8::2 rule=62001",
        ),
        (
            UTM,
            r#"sub="packetfilter" name="Packet dropped" action="drop" fwrule="60001" srcip="203.0.113.5" dstip="224.0.0.1" proto="2""#,
            "deny igmp 203.0.113.5 > 224.0.0.1 rule=60001",
        ),
        (
            UTM,
            r#"sub="ips" name="Intrusion protection alert" action="drop" reason="x" srcip="203.0.113.5" dstip="10.9.1.20" proto="6" srcport="1" dstport="80""#,
            "deny tcp 203.0.113.5:1 > 10.9.1.20:80",
        ),
        (
            UTM,
            r#"sub="http" name="http access" action="pass" method="GET" srcip="10.9.1.20" dstip="198.51.100.7""#,
            "other",
        ),
    ];

    #[test]
    fn cases() {
        for (head, line, expected) in CASES {
            let line = format!("{head}{line}");
            assert!(is_mine(line.as_bytes()), "{line}");
            assert_eq!(told(&read(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn time() {
        let line = format!("{NEW}{}", CASES[6].1);
        let Line::Flow(Record { time: Some(time), .. }) = read(line.as_bytes()) else { panic!("{line}") };
        assert_eq!((time.year, time.hour, time.offset), (Some(2026), 10, Some(60)));
    }

    #[test]
    fn not_mine() {
        for line in ["id=firewall sn=1 pri=6 c=64 m=36", "devid=FG1 logid=1 type=traffic subtype=forward", ""]
        {
            assert!(!is_mine(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn hostile() {
        let lines: Vec<String> = CASES.iter().map(|(h, l, _)| format!("{h}{l}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        batter(&lines, |line| {
            is_mine(line);
            read(line);
        });
    }
}
