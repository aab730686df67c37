//! Rules as OPNsense keeps them in its `config.xml`.

use std::fmt::Write;

/// One rule for each row, on an interface inside; what no rule passes is dropped by default.
pub fn config(rows: &[super::Row]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\"?>\n<opnsense>\n  <system>\n    <ipv6allow>1</ipv6allow>\n    <disablenatreflection>yes</disablenatreflection>\n    <webgui>\n      <protocol>https</protocol>\n      <noantilockout>1</noantilockout>\n    </webgui>\n  </system>\n  <interfaces>\n    <wan>\n      <enable>1</enable>\n      <if>eth0</if>\n      <ipaddr>203.0.113.2</ipaddr>\n      <subnet>29</subnet>\n      <gateway>WAN_GW</gateway>\n    </wan>\n    <lan>\n      <enable>1</enable>\n      <if>eth1.10</if>\n      <ipaddr>10.32.0.1</ipaddr>\n      <subnet>11</subnet>\n    </lan>\n  </interfaces>\n  <filter>\n",
    );
    for row in rows {
        let _ = writeln!(
            out,
            "    <rule uuid=\"5e8a0000-0b1c-4d2e-9f3a-{:012x}\">\n      <type>{}</type>\n      <interface>lan</interface>\n      <ipprotocol>inet</ipprotocol>\n      <statetype>keep state</statetype>\n      <descr>row {}</descr>\n      <direction>in</direction>\n      <quick>1</quick>\n      <protocol>tcp</protocol>\n      <source>\n        <address>{}/24</address>\n      </source>\n      <destination>\n        <address>{}</address>\n        <port>{}</port>\n      </destination>\n    </rule>",
            row.number,
            if row.accept { "pass" } else { "block" },
            row.number,
            row.source,
            row.destination,
            row.port
        );
    }
    out + "  </filter>\n</opnsense>\n"
}
