//! Whether large packets vanish on the way to a server that answers, with nothing but the server itself: the same
//! request is made in large segments and in small ones. Says what segment size was agreed on, too.

use super::mtu::{Answer, Search, floor, hole_text};
use crate::conflict;
use crate::outcome::{Detail, Fault, Reach, Report, reach_of};
use rustix::net::sockopt;
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// A request that a server answers, of any length.
pub trait Exchange {
    /// A request of at least this many bytes that the server answers as it does a short one: a ClientHello with
    /// the padding extension (RFC 7685), an HTTP request with a long header.
    fn request(&self, bytes: usize) -> Vec<u8>;

    /// Whether what has been received is the whole of what is waited for.
    fn is_answer(&self, received: &[u8]) -> bool {
        !received.is_empty()
    }
}

/// The segment size of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Bytes of payload in a full segment, TCP options not counted in.
    pub mss: u16,
    /// Largest packet the kernel believes to pass to the far end.
    pub mtu: u16,
    /// Whether somebody made it smaller than the path needs: the far end's interface, or a router on the way
    /// ("MSS clamping").
    pub is_clamped: bool,
}

/// Reads the segment size of a connection.
pub fn segments(stream: impl AsFd, far: IpAddr) -> io::Result<Segments> {
    let mss = cap(SockRef::from(&stream).tcp_mss()?);
    let mtu = match far {
        IpAddr::V4(_) => cap(sockopt::ip_mtu(&stream)?),
        IpAddr::V6(_) => cap(sockopt::ipv6_mtu(&stream)?),
    };
    // The kernel's figure leaves out the options of each segment: 12 bytes where both ends send time stamps
    // (RFC 7323), and whether they do cannot be seen.
    let is_clamped = mss.saturating_add(OPTIONS + headers(far)) < mtu;
    Ok(Segments { mss, mtu, is_clamped })
}

/// Looks for a black hole on the way to a server: a request in full segments goes unanswered, and the same in small
/// ones does not. A short request tells of the way back (the answer's segments are full), a long one of the way
/// there. Then the largest packet that passes is searched for, one connection per size, until the
/// deadline; both directions count, and the smaller one wins. Connections with a small segment size are the only
/// thing a server sees of it; at most about fifteen.
pub async fn black_hole(address: SocketAddr, exchange: &impl Exchange, deadline: Duration) -> Report {
    // Long enough for the kernel to repeat a lost segment twice (after 0.2 and 0.6 s, RFC 6298 with Linux's minimum).
    let wait = (deadline / 6).min(Duration::from_millis(1500));
    let mut seen = Seen::default();
    let ended = timeout(deadline, seen.examine(address, exchange, wait)).await;
    match ended {
        Ok(Err(error)) => Report::of(Reach::Undecided(Text::new("probe-error").arg("detail", error))),
        _ => seen.report(address),
    }
}

/// Bytes of TCP options that Linux puts into every segment where both ends support time stamps.
const OPTIONS: u16 = 12;
/// A request that fits any packet.
const SHORT: usize = 200;
/// No answer that is waited for is longer.
const LONGEST: usize = 65_536;

/// What came of one connection.
#[derive(Debug)]
enum Attempt {
    /// The answer came.
    Answered(Duration),
    /// The far end closed or reset after it had the request: it has it, at least.
    Cut,
    /// The answer did not come, or not all of it; whether the request was never acknowledged, where that is known.
    Silent(Option<bool>),
    /// There was no connection.
    NotConnected(io::Error),
}

impl Attempt {
    fn is_through(&self) -> bool {
        matches!(self, Attempt::Answered(_) | Attempt::Cut)
    }
}

#[derive(Default)]
struct Seen {
    segments: Option<Segments>,
    short: Option<Attempt>,
    long: Option<Attempt>,
    /// The long request in the smallest segments.
    small: Option<Attempt>,
    search: Option<Search>,
}

impl Seen {
    async fn examine(
        &mut self,
        address: SocketAddr,
        exchange: &impl Exchange,
        wait: Duration,
    ) -> io::Result<()> {
        let mut request = exchange.request(SHORT);
        let short = attempt(address, exchange, &request, None, wait, &mut self.segments).await?;
        let short = self.short.insert(short);
        let Some(segments) = self.segments else { return Ok(()) };
        let mut unused = None;
        // Where even a short request is not answered, only the answer can be too large. A long one would not tell
        // more, and might teach this host's kernel a size that the application never learns.
        if short.is_through() {
            request = exchange.request(usize::from(segments.mtu.min(9000)) * 2);
            let long = attempt(address, exchange, &request, None, wait, &mut unused).await?;
            if self.long.insert(long).is_through() {
                return Ok(());
            }
        }
        let headers = headers(address.ip());
        let least = floor(address.ip());
        let started = Instant::now();
        let small = attempt(address, exchange, &request, Some(least - headers), wait, &mut unused).await?;
        if !self.small.insert(small).is_through() {
            return Ok(());
        }
        // Now it is known how long an answer takes; the rest is for one segment lost and repeated.
        let wait = wait.min(started.elapsed() * 4 + Duration::from_millis(700));
        let ceiling = segments.mtu.min(segments.mss.saturating_add(OPTIONS + headers));
        let search = self.search.insert(Search::from_passed(least, ceiling));
        while let Some(size) = search.size() {
            let mss = Some(size.saturating_sub(headers));
            let tried = attempt(address, exchange, &request, mss, wait, &mut unused).await?;
            search.answer(size, Answer::from(tried.is_through()));
        }
        Ok(())
    }

    fn report(self, address: SocketAddr) -> Report {
        let mut report = Report::of(self.reach());
        if let Some(Attempt::Answered(took)) = &self.short {
            report.samples.add(Some(*took));
        }
        if let Some(segments) = self.segments {
            report.number("mss_bytes", segments.mss.into());
            report.number("kernel_mtu_bytes", segments.mtu.into());
            report.details.insert("mss_clamped", Detail::Flag(segments.is_clamped));
        }
        let found = self.search.as_ref().map(Search::found);
        let Some((found, mtu)) = found.and_then(|found| Some((found, found.mtu?))) else { return report };
        report.number("mtu_probes", found.probes.into());
        if mtu >= found.ceiling {
            // The first silence had another reason.
            return report;
        }
        report.number(if found.is_exact { "mtu_bytes" } else { "mtu_at_least_bytes" }, mtu.into());
        let text = hole_text(mtu, found.ceiling, address.ip());
        report.faults.push(Fault { id: FindingId::PathMtu, text, is_sure: found.is_exact });
        if let Some(Attempt::Silent(Some(is_stuck))) = self.long.or(self.short) {
            report.word("mtu_direction", if is_stuck { "out" } else { "back" });
        }
        report
    }

    /// How far a plain connection with a short request got; and whether anything can be said of a long one.
    fn reach(&self) -> Reach {
        match (&self.short, &self.long, &self.small) {
            (Some(Attempt::NotConnected(error)), ..) => reach_of(error),
            (None, ..) => Reach::Silent,
            (Some(Attempt::Answered(_)), Some(long), Some(small))
                if !long.is_through() && !small.is_through() =>
            {
                Reach::Undecided(Text::new("probe-mtu-long-unanswered"))
            }
            (Some(Attempt::Answered(_)), ..) => Reach::Passes,
            (Some(Attempt::Cut), ..) => Reach::Broken(Text::new("probe-cut-off")),
            (Some(Attempt::Silent(_)), _, Some(small)) if small.is_through() => {
                Reach::Broken(Text::new("probe-mtu-small-only"))
            }
            (Some(Attempt::Silent(_)), ..) => Reach::Silent,
        }
    }
}

/// One connection and one request, in segments of at most `mss`. Errors are this host's own.
async fn attempt(
    address: SocketAddr,
    exchange: &impl Exchange,
    request: &[u8],
    mss: Option<u16>,
    wait: Duration,
    agreed: &mut Option<Segments>,
) -> io::Result<Attempt> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(mss) = mss {
        socket.set_tcp_mss(mss.into())?;
    }
    let socket = TcpSocket::from_std_stream(socket.into());
    let mut stream = match timeout(wait, socket.connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Ok(Attempt::NotConnected(error)),
        Err(_) => return Ok(Attempt::NotConnected(io::ErrorKind::TimedOut.into())),
    };
    *agreed = segments(&stream, address.ip()).ok();
    let started = Instant::now();
    match timeout(wait, talk(&mut stream, exchange, request)).await {
        Ok(true) => Ok(Attempt::Answered(started.elapsed())),
        Ok(false) => Ok(Attempt::Cut),
        Err(_) => {
            let is_stuck = is_stuck(&stream).await;
            // What could not be delivered is not to be repeated for minutes.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            Ok(Attempt::Silent(is_stuck))
        }
    }
}

/// Whether an answer came before the far end closed.
async fn talk(stream: &mut TcpStream, exchange: &impl Exchange, request: &[u8]) -> bool {
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut received = Vec::new();
    loop {
        match stream.read_buf(&mut received).await {
            Ok(0) | Err(_) => return exchange.is_answer(&received),
            Ok(_) if exchange.is_answer(&received) || received.len() >= LONGEST => return true,
            Ok(_) => {}
        }
    }
}

/// Whether bytes of ours wait for their acknowledgement, by the kernel's table of connections.
async fn is_stuck(stream: &TcpStream) -> Option<bool> {
    let (local, far) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
    let path = if local.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let table = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await.ok()?.ok()?;
    let is_end = |a: SocketAddr, b: SocketAddr| (a.ip(), a.port()) == (b.ip(), b.port());
    let mut lines = conflict::lines(&table).filter(|l| is_end(l.local, local) && is_end(l.remote, far));
    lines.next().map(|line| line.unacknowledged > 0)
}

/// Bytes of the IP and TCP headers without options.
fn headers(far: IpAddr) -> u16 {
    if far.is_ipv4() { 20 + 20 } else { 40 + 20 }
}

fn cap(bytes: u32) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    struct Lines;

    impl Exchange for Lines {
        fn request(&self, bytes: usize) -> Vec<u8> {
            let mut request = vec![b'x'; bytes];
            request.push(b'\n');
            request
        }
    }

    /// What a server of the tests does with a request that has come in whole.
    #[derive(Clone, Copy)]
    enum Habit {
        Answers,
        AnswersShort,
        AnswersSmallSegments,
        Closes,
        Hushes,
        Drips,
        Floods,
    }

    async fn server(habit: Habit) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, habit));
            }
        });
        address
    }

    async fn serve(mut stream: TcpStream, habit: Habit) {
        let mut received = Vec::new();
        while received.last() != Some(&b'\n') {
            if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
                return;
            }
        }
        let mss = SockRef::from(&stream).tcp_mss().unwrap();
        let answers = match habit {
            Habit::Answers => true,
            Habit::AnswersShort => received.len() < 1000,
            // Stands for a path that takes packets of 1,400 bytes.
            Habit::AnswersSmallSegments => received.len() < 1000 || mss + 12 <= 1360,
            Habit::Closes => return,
            Habit::Hushes | Habit::Drips | Habit::Floods => false,
        };
        if answers {
            let _ = stream.write_all(b"ok\n").await;
        }
        while let Habit::Drips | Habit::Floods = habit {
            let pause = if let Habit::Drips = habit { 1000 } else { 0 };
            let size = if let Habit::Drips = habit { 1 } else { 10_000 };
            if stream.write_all(&vec![b'.'; size]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        let _ = stream.read_buf(&mut received).await;
    }

    #[tokio::test]
    async fn no_hole_where_long_requests_are_answered() {
        for habit in [Habit::Answers, Habit::Closes] {
            let report = black_hole(server(habit).await, &Lines, Duration::from_secs(60)).await;
            assert!(report.faults.is_empty());
            assert!(report.details.contains_key("mss_bytes"));
        }
    }

    #[tokio::test]
    async fn a_server_that_dislikes_long_requests_is_no_hole() {
        let report = black_hole(server(Habit::AnswersShort).await, &Lines, Duration::from_secs(6)).await;
        assert!(report.faults.is_empty());
        assert_eq!(report.reach, Reach::Undecided(Text::new("probe-mtu-long-unanswered")));
    }

    #[tokio::test]
    async fn finds_the_size_that_passes() {
        let address = server(Habit::AnswersSmallSegments).await;
        let report = black_hole(address, &Lines, Duration::from_secs(50)).await;
        let fault = &report.faults[0];
        assert_eq!((fault.id, fault.is_sure, report.reach.name()), (FindingId::PathMtu, true, "passes"));
        assert_eq!(report.details["mtu_bytes"], Detail::Number(1400.0));
        assert_eq!(report.details["mtu_direction"], Detail::Text("back".to_owned()));
    }

    #[tokio::test]
    async fn ends_whatever_the_server_does() {
        struct Never;
        impl Exchange for Never {
            fn request(&self, bytes: usize) -> Vec<u8> {
                Lines.request(bytes)
            }
            fn is_answer(&self, _: &[u8]) -> bool {
                false
            }
        }
        let started = Instant::now();
        for (habit, reach) in [(Habit::Hushes, "silent"), (Habit::Drips, "silent"), (Habit::Floods, "passes")]
        {
            let report = black_hole(server(habit).await, &Never, Duration::from_millis(900)).await;
            assert_eq!((report.reach.name(), report.faults.len()), (reach, 0));
        }
        assert!(started.elapsed() < Duration::from_secs(60));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let report = black_hole(closed, &Lines, Duration::from_secs(20)).await;
        assert_eq!(report.reach, Reach::Refused(None));
    }
}
