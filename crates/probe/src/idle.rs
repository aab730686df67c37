//! How long a silent connection survives: firewalls and address translators forget connections on which nothing
//! is said, and mostly tell neither end (RFC 5382 asks for two hours and four minutes; many give five minutes).

use crate::outcome::{Detail, Fault, Reach, Report};
use std::io;
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// What became of a connection after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The request after the silence was answered within this time.
    Answered(Duration),
    /// The far end closed in an orderly way, so long after the silence had begun: its own idle limit, mostly.
    Closed(Duration),
    /// A reset came, so long after the silence had begun; from the far end, or from a firewall in its name.
    Reset(Duration),
    /// The request after the silence was not answered: what forgot the connection says nothing.
    Silent,
    /// The far end kept talking by itself, so there was no silence to survive.
    Noisy,
}

impl Ending {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Answered(_) => "answered",
            Ending::Closed(_) => "closed",
            Ending::Reset(_) => "reset",
            Ending::Silent => "silent",
            Ending::Noisy => "noisy",
        }
    }
}

/// Several silences, each on a connection of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Silence and its ending, the shortest first; `None` for one whose connection was not opened.
    pub steps: Vec<(Duration, Option<Ending>)>,
}

/// Is silent on a connection for a time, then sends a request and waits for the first byte of an answer. What the
/// far end says of itself in the beginning (a greeting) is read first, for `wait` at most; the silence begins after
/// its last byte. Takes no longer than the silence and twice `wait`. Time is tokio's clock.
pub async fn survives<S>(mut stream: S, silence: Duration, poke: &[u8], wait: Duration) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let opened = Instant::now();
    let mut began = opened;
    let mut greeting = 0;
    loop {
        match timeout(silence.saturating_sub(began.elapsed()), read(&mut stream)).await {
            Err(_) => break,
            Ok(Read::Bytes(size)) if opened.elapsed() <= wait && greeting < GREETING => {
                greeting += size;
                began = Instant::now();
            }
            Ok(Read::Bytes(_)) => return Ending::Noisy,
            Ok(Read::Closed) => return Ending::Closed(began.elapsed()),
            Ok(Read::Reset) => return Ending::Reset(began.elapsed()),
        }
    }
    let poked = Instant::now();
    let answer = async {
        let sent = async {
            stream.write_all(poke).await?;
            stream.flush().await
        };
        match sent.await {
            Ok(()) => read(&mut stream).await,
            Err(_) => Read::Reset,
        }
    };
    match timeout(wait, answer).await {
        Ok(Read::Bytes(_)) => Ending::Answered(poked.elapsed()),
        Ok(Read::Closed) => Ending::Closed(began.elapsed()),
        Ok(Read::Reset) => Ending::Reset(began.elapsed()),
        Err(_) => Ending::Silent,
    }
}

/// Tries several silences at once, so that all take as long as the longest and three times `wait`. `open` makes a
/// connection on which `poke` is a request that gets an answer.
pub async fn survey<O, F, S>(open: O, silences: &[Duration], poke: &[u8], wait: Duration) -> Survey
where
    O: Fn() -> F,
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for silence in silences.iter().copied() {
        let (connecting, poke) = (open(), poke.to_vec());
        tasks.spawn(async move {
            let ending = match timeout(wait, connecting).await {
                Ok(Ok(stream)) => Some(survives(stream, silence, &poke, wait).await),
                _ => None,
            };
            (silence, ending)
        });
    }
    let mut steps = tasks.join_all().await;
    steps.sort_by_key(|(silence, _)| *silence);
    Survey { steps }
}

impl Survey {
    /// The longest silence after which a request was answered.
    pub fn survived(&self) -> Option<Duration> {
        let answered = self.steps.iter().filter(|(_, ending)| matches!(ending, Some(Ending::Answered(_))));
        answered.map(|(silence, _)| *silence).max()
    }

    /// The shortest silence that a connection did not survive, with its ending. What was lost although a longer silence
    /// was survived is not counted: nobody had forgotten the connection, something else happened to it.
    pub fn lost(&self) -> Option<(Duration, Ending)> {
        let survived = self.survived().unwrap_or_default();
        let mut beyond = self.steps.iter().filter(|(silence, _)| *silence > survived);
        beyond.find_map(|(silence, ending)| match ending {
            Some(lost @ (Ending::Closed(_) | Ending::Reset(_) | Ending::Silent)) => Some((*silence, *lost)),
            _ => None,
        })
    }

    /// As a report. `needed` is the longest silence that the application leaves on its connections: one that is lost
    /// sooner, other than by an orderly close, is a fault, though not a sure one: the far end may have
    /// stopped answering by itself.
    pub fn report(&self, needed: Option<Duration>) -> Report {
        let mut report = Report::of(self.reach());
        for (_, ending) in &self.steps {
            report.samples.add(match ending {
                Some(Ending::Answered(took)) => Some(*took),
                _ => None,
            });
        }
        if let Some(survived) = self.survived() {
            report.number("idle_survived_s", survived.as_secs_f64());
        }
        if let Some((silence, ending)) = self.lost() {
            report.number("idle_lost_s", silence.as_secs_f64());
            report.word("idle_ending", ending.name());
            if let Ending::Closed(after) | Ending::Reset(after) = ending {
                report.number("idle_ended_after_s", after.as_secs_f64());
            }
        }
        let words = self.steps.iter().map(|(silence, ending)| {
            format!("{} s: {}", silence.as_secs_f64(), ending.map_or("not-opened", Ending::name))
        });
        report.details.insert("idle_steps", Detail::List(words.collect()));
        let cut = self.lost().filter(|(silence, ending)| {
            !matches!(ending, Ending::Closed(_)) && needed.is_some_and(|needed| *silence <= needed)
        });
        if let Some((silence, ending)) = cut {
            let id = if ending == Ending::Silent { "probe-idle-forgotten" } else { "probe-idle-reset" };
            let text = Text::new(id).arg("seconds", silence.as_secs_f64());
            let text = match self.survived() {
                Some(survived) => text.arg("survived", survived.as_secs_f64()),
                None => text.arg("survived", 0),
            };
            report.faults.push(Fault { id: FindingId::LatencyHigh, text, is_sure: false });
        }
        report
    }

    fn reach(&self) -> Reach {
        let endings = || self.steps.iter().filter_map(|(_, ending)| *ending);
        if self.survived().is_some() || endings().any(|e| matches!(e, Ending::Closed(_))) {
            Reach::Passes
        } else if endings().next().is_none() {
            Reach::Undecided(Text::new("probe-idle-not-opened"))
        } else if endings().all(|e| e == Ending::Noisy) {
            Reach::Undecided(Text::new("probe-idle-noisy"))
        } else {
            // Even the shortest was lost: whether the request is answered at all is not known.
            Reach::Undecided(Text::new("probe-idle-none"))
        }
    }
}

/// A longer greeting, in bytes, is none.
const GREETING: usize = 65_536;

enum Read {
    Bytes(usize),
    Closed,
    Reset,
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Read {
    let mut room = [0; 4096];
    match stream.read(&mut room).await {
        Ok(0) => Read::Closed,
        Ok(size) => Read::Bytes(size),
        Err(_) => Read::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::sleep;

    const WAIT: Duration = Duration::from_secs(5);

    /// A far end behind something that forgets connections after `memory`, and says so or not.
    fn behind(memory: Duration, says_so: bool) -> DuplexStream {
        let (near, mut far) = duplex(64);
        tokio::spawn(async move {
            let mut room = [0; 16];
            let opened = Instant::now();
            while let Ok(1..) = far.read(&mut room).await {
                if opened.elapsed() < memory {
                    let _ = far.write_all(b"pong").await;
                } else if says_so {
                    return;
                }
            }
        });
        near
    }

    fn seconds(list: &[u64]) -> Vec<Duration> {
        list.iter().copied().map(Duration::from_secs).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn finds_how_long_a_silence_may_be() {
        let started = Instant::now();
        let silences = seconds(&[600, 30, 120, 60, 300]);
        let open = || async { Ok(behind(Duration::from_secs(290), false)) };
        let survey = survey(open, &silences, b"ping", WAIT).await;
        assert_eq!(survey.survived(), Some(Duration::from_secs(120)));
        assert_eq!(survey.lost(), Some((Duration::from_secs(300), Ending::Silent)));
        assert!(started.elapsed() <= Duration::from_secs(600) + 3 * WAIT, "all at once");
        let report = survey.report(Some(Duration::from_secs(300)));
        assert_eq!(report.reach, Reach::Passes);
        assert_eq!(report.faults[0].text.id, "probe-idle-forgotten");
        assert!(!report.faults[0].is_sure);
        assert!(survey.report(Some(Duration::from_secs(200))).faults.is_empty());
        assert!(survey.report(None).faults.is_empty());
    }

    #[test]
    fn a_loss_by_chance_is_not_forgotten() {
        let answered = Some(Ending::Answered(Duration::from_millis(20)));
        let step = |at, ending| (Duration::from_secs(at), ending);
        let mut survey =
            Survey { steps: vec![step(30, answered), step(60, Some(Ending::Silent)), step(300, answered)] };
        assert_eq!(survey.lost(), None);
        let report = survey.report(Some(Duration::from_secs(300)));
        assert!(report.faults.is_empty() && !report.details.contains_key("idle_lost_s"));
        assert_eq!((report.samples.sent, report.samples.times.len()), (3, 2));
        survey.steps.push(step(600, Some(Ending::Silent)));
        assert_eq!(survey.lost(), Some((Duration::from_secs(600), Ending::Silent)));
    }

    #[tokio::test(start_paused = true)]
    async fn tells_endings_apart() {
        let long = Duration::from_secs(100);
        let closed = survives(behind(Duration::from_secs(50), true), long, b"ping", WAIT).await;
        assert!(matches!(closed, Ending::Closed(after) if after >= long));
        let (near, far) = duplex(64);
        tokio::spawn(async move {
            sleep(Duration::from_secs(75)).await;
            drop(far);
        });
        assert_eq!(survives(near, long, b"ping", WAIT).await, Ending::Closed(Duration::from_secs(75)));
        let (near, mut far) = duplex(64);
        tokio::spawn(async move {
            let _ = far.write_all(b"220 welcome").await;
            let mut room = [0; 16];
            let _ = far.read(&mut room).await;
            let _ = far.write_all(b"250").await;
            sleep(long).await;
        });
        assert!(matches!(survives(near, long, b"ping", WAIT).await, Ending::Answered(_)), "after a greeting");
        let (near, mut far) = duplex(64);
        tokio::spawn(async move {
            while far.write_all(b".").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(survives(near, long, b"ping", WAIT).await, Ending::Noisy);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_stream_and_a_full_pipe_end() {
        let (near, mut far) = duplex(1 << 16);
        tokio::spawn(async move { while far.write_all(&[0; 4096]).await.is_ok() {} });
        let ending = timeout(Duration::from_secs(60), survives(near, WAIT * 2, b"ping", WAIT)).await;
        assert_eq!(ending, Ok(Ending::Noisy));
        let (near, _far) = duplex(2);
        assert_eq!(survives(near, WAIT, b"longer than the pipe", WAIT).await, Ending::Silent);
    }

    #[tokio::test]
    async fn a_reset_is_seen_over_tcp() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        });
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let ending = survives(stream, Duration::from_secs(30), b"ping", Duration::from_secs(30)).await;
        assert!(matches!(ending, Ending::Reset(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_connection_is_no_verdict() {
        let open = || async { Err::<DuplexStream, _>(io::Error::from(io::ErrorKind::ConnectionRefused)) };
        let survey = survey(open, &seconds(&[1, 2]), b"ping", WAIT).await;
        assert_eq!(survey.report(None).reach, Reach::Undecided(Text::new("probe-idle-not-opened")));
    }
}
