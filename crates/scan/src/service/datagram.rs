//! The questions that are asked of UDP ports, one small datagram each, and their answers.

use super::{Basis, Service, Weakness, dns, sip, snmp};
use std::net::SocketAddr;

/// What is asked of a UDP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Dns,
    Mdns,
    Ntp,
    Sip,
    Snmp,
    Ssdp,
    Tftp,
}

/// The question for a port; `None` where none is known that does no harm.
pub(super) fn question(port: u16) -> Option<Question> {
    Some(match port {
        53 => Question::Dns,
        69 => Question::Tftp,
        123 => Question::Ntp,
        161 => Question::Snmp,
        1900 => Question::Ssdp,
        5060 => Question::Sip,
        5353 => Question::Mdns,
        _ => return None,
    })
}

impl Question {
    /// Whether the answer may come from another port of the device (RFC 1350 section 4; many UPnP devices).
    pub fn answers_from_anywhere(self) -> bool {
        matches!(self, Question::Tftp | Question::Ssdp)
    }

    /// What to send. `id` marks the answers that belong to it.
    pub fn datagrams(self, at: SocketAddr, local: SocketAddr, id: u64) -> Vec<Vec<u8>> {
        match self {
            Question::Dns => vec![dns::version_query(id as u16)],
            Question::Mdns => vec![dns::services_query(id as u16)],
            Question::Ntp => {
                // Version 4, mode 3 (RFC 5905 figure 8); the transmit time is only a mark.
                let mut packet = vec![0x23];
                packet.resize(40, 0);
                packet.extend(id.to_be_bytes());
                vec![packet]
            }
            Question::Sip => vec![sip::request(at, local, "UDP", id)],
            Question::Snmp => snmp::requests(id as u16).to_vec(),
            Question::Ssdp => {
                // UPnP Device Architecture 2.0 section 1.3.2, sent to one device.
                let text = format!(
                    "M-SEARCH * HTTP/1.1\r\nHOST: {at}\r\nMAN: \"ssdp:discover\"\r\nST: upnp:rootdevice\r\n\r\n"
                );
                vec![text.into_bytes()]
            }
            // A file that nobody has.
            Question::Tftp => vec![[&[0, 1][..], format!("tillgate-{id:016x}\0octet\0").as_bytes()].concat()],
        }
    }

    /// What an answer says; `None` for what is no answer to this question.
    pub fn answer(self, id: u64, bytes: &[u8]) -> Option<Service> {
        match self {
            Question::Dns => dns::version_answer(id as u16, bytes),
            Question::Mdns => dns::services_answer(id as u16, bytes),
            Question::Ntp => ntp(id, bytes),
            Question::Sip => sip::answer(id, bytes),
            Question::Snmp => snmp::answer(id as u16, bytes),
            Question::Ssdp => ssdp(bytes),
            Question::Tftp => tftp(bytes),
        }
    }

    /// What ends the exchange that an answer began, where it would go on by itself: a TFTP server that has the
    /// file after all.
    pub fn farewell(self, bytes: &[u8]) -> Option<Vec<u8>> {
        (self == Question::Tftp && matches!(bytes, [0, 3 | 6, ..])).then(|| vec![0, 5, 0, 0, 0])
    }
}

fn ntp(id: u64, bytes: &[u8]) -> Option<Service> {
    let origin = bytes.get(24..32)?;
    if bytes.len() < 48 || bytes.first()? & 7 != 4 || origin != id.to_be_bytes() {
        return None;
    }
    let stratum = bytes.get(1)?;
    Some(Service::new("ntp", Basis::Answer).version(format!("stratum {stratum}").as_bytes()))
}

fn ssdp(bytes: &[u8]) -> Option<Service> {
    if !bytes.starts_with(b"HTTP/1.") {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let server = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case("server").then(|| value.trim())
    });
    Some(Service::new("ssdp", Basis::Answer).version(server.unwrap_or("").as_bytes()))
}

fn tftp(bytes: &[u8]) -> Option<Service> {
    let text = match bytes {
        [0, 3, _, _, ..] | [0, 6, ..] => &[][..],
        [0, 5, _, _, text @ ..] => text.split(|b| *b == 0).next().unwrap_or(&[]),
        _ => return None,
    };
    Some(Service::new("tftp", Basis::Answer).version(text).weak(Weakness::NoLogin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_belong_to_their_questions() {
        let at: SocketAddr = "10.0.0.1:123".parse().unwrap();
        let mut packet = Question::Ntp.datagrams(at, at, 0x0102_0304_0506_0708).remove(0);
        assert_eq!(packet.len(), 48);
        assert_eq!(
            Question::Ntp.answer(0x0102_0304_0506_0708, &packet),
            None,
            "a client's packet is no answer"
        );
        let sent = packet[40..].to_vec();
        packet[24..32].copy_from_slice(&sent);
        (packet[0], packet[1]) = (0x24, 3);
        let seen = Question::Ntp.answer(0x0102_0304_0506_0708, &packet).unwrap();
        assert_eq!(seen.version.as_deref(), Some("stratum 3"));
        assert_eq!(Question::Ntp.answer(1, &packet), None);

        let seen = Question::Tftp.answer(1, b"\0\x05\0\x01File not found\0").unwrap();
        assert_eq!((seen.version.as_deref(), seen.weaknesses.len()), (Some("File not found"), 1));
        assert!(
            Question::Tftp.farewell(b"\0\x03\0\x01data").is_some()
                && Question::Tftp.farewell(b"\0\x05").is_none()
        );
        let seen =
            Question::Ssdp.answer(1, b"HTTP/1.1 200 OK\r\nSERVER: Linux UPnP/1.0 box\r\n\r\n").unwrap();
        assert_eq!(seen.version.as_deref(), Some("Linux UPnP/1.0 box"));
    }
}
