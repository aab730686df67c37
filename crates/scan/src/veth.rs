//! Two network namespaces joined by a veth pair, for the engines' tests. They live in threads and end with them; without root
//! there are none, and the tests that need them pass unseen.
#![cfg(all(test, target_os = "linux"))]

use crate::packet::Mac;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The scanner's end.
pub const NEAR: &str = "near0";

type Job = Box<dyn FnOnce() + Send>;

/// The pair: 10.99.0.1 and fd99::1 here; there 10.99.0.2 to 10.99.0.15, fd99::2 and fd99::3.
pub struct Pair {
    near: Sender<Job>,
    far: Sender<Job>,
    far_mac: Mac,
    payload: Arc<AtomicUsize>,
    readers: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Pair {
    /// `None` without the right to make namespaces.
    pub fn new() -> Option<Self> {
        let (near, near_id) = namespace()?;
        let (far, _) = namespace()?;
        let (sender, receiver) = channel();
        let job: Job = Box::new(move || {
            let made = run(&format!("ip link add far0 type veth peer name {NEAR}"))
                && run(&format!("ip link set {NEAR} netns {near_id}"))
                && run("ip link set lo up")
                && run("ip link set far0 up");
            let _ = std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
            for n in 2..=15 {
                run(&format!("ip addr add 10.99.0.{n}/24 dev far0"));
            }
            run("ip -6 addr add fd99::2/64 dev far0 nodad");
            run("ip -6 addr add fd99::3/64 dev far0 nodad");

            let link = crate::link::Interface::all().unwrap_or_default();
            let mac_of = link.iter().find(|link| link.name == "far0").map(|link| link.mac);
            let _ = sender.send(mac_of.filter(|_| made));
        });
        far.send(job).ok()?;
        let far_mac = receiver.recv().ok()??;
        let pair = Pair { near, far, far_mac, payload: Arc::default(), readers: Mutex::default() };
        pair.within(|| {
            run("ip link set lo up");
            run(&format!("ip addr add 10.99.0.1/24 dev {NEAR}"));
            run(&format!("ip -6 addr add fd99::1/64 dev {NEAR} nodad"));
            run(&format!("ip link set {NEAR} up"));
        });
        // Link-local addresses are tentative for a second or two.
        std::thread::sleep(Duration::from_millis(2_200));
        Some(pair)
    }

    /// Runs something at the scanner's end.
    pub fn within<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = channel();
        self.near
            .send(Box::new(move || {
                let _ = sender.send(job());
            }))
            .unwrap();
        receiver.recv().unwrap()
    }

    /// Runs a command at the far end.
    pub fn far(&self, command: &'static str) {
        let (sender, receiver) = channel();
        self.far
            .send(Box::new(move || {
                let _ = sender.send(run(command));
            }))
            .unwrap();
        assert!(receiver.recv().unwrap(), "{command}");
    }

    /// Listens at the far end, counts what is written, and gives the addresses in order.
    pub fn listen(&self, addresses: &[&str]) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> =
            addresses.iter().map(|address| address.parse().unwrap()).collect();
        addresses.sort();
        let (sender, receiver) = channel();
        let asked = addresses.clone();
        let job: Job = Box::new(move || {
            let _ = sender
                .send(asked.iter().map(|address| TcpListener::bind(address).unwrap()).collect::<Vec<_>>());
        });
        self.far.send(job).unwrap();
        for listener in receiver.recv().unwrap() {
            let payload = Arc::clone(&self.payload);
            let reader = std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                    let mut bytes = Vec::new();
                    let _ = stream.read_to_end(&mut bytes);
                    payload.fetch_add(bytes.len(), Ordering::Relaxed);
                }
            });
            self.readers.lock().unwrap().push(reader);
        }
        addresses
    }

    /// Bytes written to listeners so far.
    pub fn payload_bytes(&self) -> usize {
        self.payload.load(Ordering::Relaxed)
    }

    /// The far end's address on the wire.
    pub fn far_mac(&self) -> Mac {
        self.far_mac
    }
}

/// Runs a command in this thread's namespace.
pub fn run(command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}

/// A thread in a namespace of its own that does jobs until its sender goes.
fn namespace() -> Option<(Sender<Job>, i32)> {
    let (jobs, todo) = channel::<Job>();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let made = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_ok();
        let _ = sender.send(made.then(|| nix::unistd::gettid().as_raw()));
        if made {
            todo.into_iter().for_each(|job| job());
        }
    });
    Some((jobs, receiver.recv().ok()??))
}
