//! Every reader of bytes, fed with noise and with mutations of valid messages.

use super::tests::{CERTIFICATE, tls_flight};
use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

#[test]
fn no_bytes_panic() {
    let at = "10.0.0.1:161".parse().unwrap();
    let mut dns_answer = dns::services_query(5);
    (dns_answer[2], dns_answer[7]) = (0x84, 1);
    dns_answer.extend(b"\xc0\x0c\0\x0c\0\x01\0\0\0\x09\0\x07\x04_ipp\xc0\x0c");
    let mut snmp_answer = snmp::requests(5)[1].clone();
    if let Some(byte) = snmp_answer.iter_mut().find(|b| **b == 0xa0) {
        *byte = 0xa2;
    }
    let seeds: Vec<Vec<u8>> = vec![
        tls_flight(0x0303, 0xc02f, CERTIFICATE),
        CERTIFICATE.to_vec(),
        hello::only_1_3([1; 32]),
        dns_answer,
        snmp_answer,
        sip::request(at, at, "UDP", 5),
        b"HTTP/1.1 401 No\r\nServer: x\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nabcd".to_vec(),
        b"SIP/2.0 200 OK\r\nCall-ID: 0000000000000005@x\r\nServer: x\r\n\r\n".to_vec(),
        b"\xff\xfb\x01\xff\xfa\x18\x01\xff\xf0login: ".to_vec(),
        b"\x4a\0\0\0\x0a8.0.36\0rest of it".to_vec(),
        b"\0\x05\0\x01File not found\0".to_vec(),
        b"220 x FTP\r\n".to_vec(),
    ];
    let mut random = Random(0x5eed_0000_0001);
    for round in 0..20_000 {
        let bytes = if round % 4 == 0 {
            (0..random.below(80)).map(|_| random.next() as u8).collect()
        } else {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, random.next() as u8),
                    _ if !bytes.is_empty() => bytes[at] = random.next() as u8,
                    _ => {}
                }
            }
            bytes
        };
        let _ = hello::reply(&bytes);
        let _ = certificate::describe(&bytes, &mut TlsSeen::default());
        let _ = greeting::greeting(random.next() as u16, &bytes);
        let _ = greeting::is_whole(&bytes);
        let _ = greeting::unknown(None, &bytes);
        let _ = http::answer(&bytes).map(|a| a.service);
        use datagram::Question::*;
        for question in [Dns, Mdns, Ntp, Sip, Snmp, Ssdp, Tftp] {
            let _ = question.answer(5, &bytes);
            let _ = question.farewell(&bytes);
        }
    }
}
