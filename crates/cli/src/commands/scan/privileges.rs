//! Capabilities: raw sockets are for the one thread that opens them.

/// Gives up what this thread, and those it starts from now on, may do with raw sockets. What answers on the network is read
/// without it: a fault in a reader of certificates or banners then opens no packet socket.
#[cfg(target_os = "linux")]
pub fn give_up() -> bool {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let Ok(mut sets) = capabilities(None) else { return false };
    let raw = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(raw);
    }
    set_capabilities(None, sets).is_ok()
}

/// Other systems know no capabilities.
#[cfg(not(target_os = "linux"))]
pub fn give_up() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tillgate_probe::local::capabilities;

    #[test]
    fn a_thread_gives_up_raw_sockets_for_itself() {
        let own = || capabilities(&std::fs::read_to_string("/proc/thread-self/status").unwrap());
        let before = own();
        let after = std::thread::spawn(move || {
            assert!(super::give_up());
            own()
        });
        let after = after.join().unwrap();
        assert!(!after.net_raw && !after.net_admin);
        assert_eq!(own(), before, "others keep theirs");
    }
}
