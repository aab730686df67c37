//! Faults planted into what is written for OPNsense.

/// Lines of text from a finding's line that belong to it: no rule below is longer.
pub const LINES: usize = 11;

/// Findings and a part of the planted rule each must name.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "planted 1"),
    ("rule-any-any", "planted 2"),
    ("inbound-from-internet", "planted 3"),
    ("segment-exposed", "planted 4"),
    ("rule-shadowed", "planted 5"),
    ("rule-shadowed", "planted 8"),
    ("deny-not-logged", "denied and logged"),
];

/// A rule of the lines, `from` and `to` being what stands inside source and destination.
fn rule(number: u32, kind: &str, interface: &str, protocol: &str, from: &str, to: &str) -> String {
    format!(
        "    <rule>\n      <descr>planted {number}</descr>\n      <type>{kind}</type>\n      <interface>{interface}</interface>\n      <ipprotocol>inet</ipprotocol>\n      {protocol}\n      <source>{from}</source>\n      <destination>{to}</destination>\n    </rule>\n"
    )
}

/// The text with the faults in it.
pub fn plant(rendered: &str) -> String {
    let any = "<any>1</any>";
    let text = rendered.replace("      <log>1</log>\n", "");
    let first = rule(1, "block", "opt1", "<protocol>udp</protocol>", any, &format!("{any}<port>123</port>"));
    let terminal = "<address>10.17.20.11</address><port>12345</port>";
    let smtp = format!("{any}<port>25</port>");
    let (tcp, udp) = ("<protocol>tcp</protocol>", "<protocol>udp</protocol>");
    let half = |length: &str| format!("<address>{length}</address>");
    // Behind what guards the segments from each other, a rule can lead to the internet alone.
    let rules = [
        rule(2, "pass", "opt1", "", any, any),
        rule(5, "block", "opt1", tcp, any, &smtp),
        rule(6, "block", "opt1", "", &half("10.99.0.0/25"), any),
        rule(7, "block", "opt1", "", &half("10.99.0.128/25"), any),
        rule(8, "pass", "opt1", udp, &half("10.99.0.0/24"), any),
    ];
    let early = [
        rule(3, "pass", "wan", tcp, any, terminal),
        rule(4, "pass", "opt2", "", any, "<address>10.17.20.0/24</address>"),
    ];
    let text = text.replacen("  <filter>\n", &format!("  <filter>\n{first}{}", early.concat()), 1);
    let mut at = text.rfind("<interface>opt1</interface>").unwrap_or(0);
    at = text.get(..at).and_then(|t| t.rfind("    <rule>\n")).unwrap_or(0);
    let (before, after) = text.split_at(at);
    let text = format!("{before}{}{after}", rules.concat());
    let forward = "    <rule>\n      <interface>wan</interface>\n      <ipprotocol>inet</ipprotocol>\n      <protocol>tcp</protocol>\n      <source><any>1</any></source>\n      <destination><any>1</any><port>8443</port></destination>\n      <target>10.17.20.11</target>\n      <local-port>12345</local-port>\n    </rule>\n";
    text.replacen("    <outbound>\n", &format!("{forward}    <outbound>\n"), 1)
}
