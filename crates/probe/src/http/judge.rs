//! Judges an answer: what was expected, a sign-in page, or something else.

use super::Expect;
use super::answer::Head;
use std::net::IpAddr;
use tillgate_model::{FindingId, Text};

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `http`, `https` or another scheme, in lower case.
    pub scheme: String,
    /// In lower case, an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads a Location (RFC 9110 section 10.2.2), given where it came from; `None` for what is none.
    pub fn of(location: &str, host: &str, port: u16, path: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        if location.is_empty() || location.len() > 8192 || location.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return None;
        }
        let here =
            |path: String| Target { scheme: "http".into(), host: host.to_ascii_lowercase(), port, path };
        if let Some(rest) = location.strip_prefix("//") {
            return Self::absolute("http", rest);
        }
        let is_scheme = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        };
        if let Some((scheme, rest)) = location.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            return Self::absolute(&scheme.to_ascii_lowercase(), rest);
        }
        if location.starts_with('/') {
            return Some(here(location.into()));
        }
        let base = path.split('?').next().unwrap_or_default();
        if location.starts_with('?') {
            return Some(here(format!("{base}{location}")));
        }
        let folder = base.rfind('/').and_then(|at| base.get(..=at)).unwrap_or("/");
        Some(here(format!("{folder}{location}")))
    }

    fn absolute(scheme: &str, rest: &str) -> Option<Self> {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (host, port) = v6.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => port.parse().ok()?,
            None => usual,
        };
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        (!host.is_empty()).then(|| Target { scheme: scheme.into(), host, port, path })
    }

    /// For people, without what may name a customer (path and query).
    pub fn origin(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.scheme.as_str(), self.port) {
            ("http", 80) | ("https", 443) => format!("{}://{host}", self.scheme),
            (scheme, port) => format!("{scheme}://{host}:{port}"),
        }
    }
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    /// Met, and yet something is wrong.
    But(FindingId, Text, bool),
    /// Not met; whether nothing else explains it.
    Not(FindingId, Text, bool),
}

/// Judges the last answer of `host`; `target` is where it leads, `first` the host that was asked first.
pub(crate) fn judge(
    expect: &Expect,
    first: &str,
    host: &str,
    head: &Head,
    body: &[u8],
    target: Option<&Target>,
) -> Verdict {
    let text = |id| Text::new(id).arg("host", first);
    let status = usize::from(head.status);
    match head.status {
        // RFC 6585 section 6: made for sign-in pages.
        511 => return Verdict::Not(FindingId::CaptivePortal, text("probe-http-portal-511"), true),
        407 => return Verdict::Not(FindingId::HttpFailed, text("probe-http-proxy-auth"), true),
        _ => (),
    }
    let leads_away = target.filter(|target| !target.host.eq_ignore_ascii_case(first));
    let is_met = match expect {
        Expect::Any => head.status < 500,
        Expect::Status(expected) => head.status == *expected && (*expected != 204 || body.is_empty()),
        // Some servers end the text with a line end, some do not.
        Expect::Body(expected) => {
            head.status == 200 && body.trim_ascii_end() == expected.as_slice().trim_ascii_end()
        }
    };
    if is_met && matches!(expect, Expect::Any) {
        // What is met by any answer is met by a sign-in page as well; a site may move, too, so none of it is sure.
        let text = match leads_away {
            Some(target) if is_inside(&target.host) => {
                text("probe-http-portal-inside").arg("target", target.origin())
            }
            Some(target) if target.scheme == "http" && !is_same_site(&target.host, first) => {
                text("probe-http-portal-elsewhere").arg("target", target.origin())
            }
            None if !is_same_site(host, first) => text("probe-http-portal-elsewhere").arg("target", host),
            _ => return Verdict::Met,
        };
        return Verdict::Not(FindingId::CaptivePortal, text, false);
    }
    if is_met {
        return match leads_away.filter(|target| is_inside(&target.host)) {
            Some(target) => {
                let text = text("probe-http-portal-inside").arg("target", target.origin());
                Verdict::But(FindingId::CaptivePortal, text, false)
            }
            None => Verdict::Met,
        };
    }
    if let (Some(target), false) = (leads_away, matches!(expect, Expect::Any)) {
        let text = text("probe-http-portal-redirect").arg("target", target.origin());
        return Verdict::Not(FindingId::CaptivePortal, text, true);
    }
    if head.status == 200 && !matches!(expect, Expect::Any) && is_html(head, body) {
        let lower = String::from_utf8_lossy(body).to_ascii_lowercase();
        let led = page_target(&lower).filter(|target| target.host != first.to_ascii_lowercase());
        let text = match (&led, host.eq_ignore_ascii_case(first)) {
            (Some(target), _) => text("probe-http-portal-page-to").arg("target", target.origin()),
            (None, false) => text("probe-http-portal-page-to").arg("target", host),
            (None, true) => text("probe-http-portal-page"),
        };
        // Without a form or a way on it may as well be the page of a filter.
        let is_sure = led.is_some() || lower.contains("<form") || !host.eq_ignore_ascii_case(first);
        return Verdict::Not(FindingId::CaptivePortal, text, is_sure);
    }
    let text = match expect {
        Expect::Any => text("probe-http-error").num("status", status),
        Expect::Status(expected) if *expected != head.status => {
            text("probe-http-status").num("expected", usize::from(*expected)).num("status", status)
        }
        Expect::Body(_) if head.status != 200 => {
            text("probe-http-status").num("expected", 200).num("status", status)
        }
        _ => text("probe-http-body").num("bytes", body.len()),
    };
    Verdict::Not(FindingId::HttpFailed, text, true)
}

/// Header lines that proxies and caches leave, as `name: value`.
pub(crate) fn proxies(head: &Head) -> Vec<String> {
    const NAMES: [&str; 9] = [
        "via",
        "x-cache",
        "x-cache-lookup",
        "x-cache-hits",
        "cache-status",
        "x-squid-error",
        "x-bluecoat-via",
        "proxy-connection",
        "age",
    ];
    let line = |(name, value): &(String, String)| format!("{name}: {}", short(value));
    head.headers.iter().filter(|(name, _)| NAMES.contains(&name.as_str())).map(line).take(16).collect()
}

/// At most 200 characters.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Whether two hosts are of one owner, as far as their names tell: the same registrable name.
fn is_same_site(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|host| host.trim_end_matches('.').to_ascii_lowercase());
    let is_address = |host: &str| host.parse::<IpAddr>().is_ok();
    one == other || !is_address(&one) && !is_address(&other) && registrable(&one) == registrable(&other)
}

/// The last two labels, or three below what countries keep for kinds of owners (`co.uk`, `com.br`): a guess without a
/// list of public suffixes, good enough where nothing is sure of it anyway.
fn registrable(host: &str) -> String {
    let labels: Vec<&str> = host.rsplit('.').collect();
    let is_kind =
        |label: &str| matches!(label, "ac" | "co" | "com" | "edu" | "gov" | "gv" | "net" | "or" | "org");
    let count = match labels.as_slice() {
        [country, kind, _, ..] if country.len() == 2 && is_kind(kind) => 3,
        _ => 2,
    };
    labels.into_iter().take(count).collect::<Vec<_>>().join(".")
}

/// Whether a host is an address that is not public.
fn is_inside(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(v4)) => v4.is_private() || v4.is_link_local() || v4.is_loopback(),
        Ok(IpAddr::V6(v6)) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
        Err(_) => false,
    }
}

fn is_html(head: &Head, body: &[u8]) -> bool {
    let is_said = head.value("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    let start = body.trim_ascii_start();
    let begins =
        |with: &str| start.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with.as_bytes()));
    is_said || begins("<!doctype html") || begins("<html") || begins("<head") || begins("<meta")
}

/// Where a page sends its reader on: a `refresh` in a `<meta>`, a script's `location`, or a form's action.
fn page_target(lower: &str) -> Option<Target> {
    ["http-equiv=\"refresh\"", "http-equiv='refresh'", "location", "action="].iter().find_map(|mark| {
        let after = lower.split_once(mark)?.1;
        // Close by, and no further than the tag or statement goes.
        let near: String = after.chars().take(400).take_while(|c| !matches!(c, '>' | ';' | '\n')).collect();
        // `content="0;url=…"` has a semicolon of its own.
        let near = match near.contains("http") {
            true => near,
            false => after.chars().take(400).take_while(|c| !matches!(c, '>' | '\n')).collect(),
        };
        let at = [near.find("http://"), near.find("https://")].into_iter().flatten().min()?;
        let url = near.get(at..)?.split(['"', '\'', ' ', '>', '<', ')']).next()?;
        Target::of(url, "", 80, "/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        for (location, origin, path) in [
            ("http://Portal.example/login?x=1#y", "http://portal.example", "/login?x=1"),
            ("https://portal.example", "https://portal.example", "/"),
            ("http://u:p@10.0.0.1:8080?x", "http://10.0.0.1:8080", "/?x"),
            ("http://[2001:db8::1]:81/", "http://[2001:db8::1]:81", "/"),
            ("//other.example/a", "http://other.example", "/a"),
            ("/b", "http://here.example:8000", "/b"),
            ("c?u=http://x/", "http://here.example:8000", "/dir/c?u=http://x/"),
            ("?q", "http://here.example:8000", "/dir/a?q"),
        ] {
            let target = Target::of(location, "here.example", 8000, "/dir/a?b=/c").unwrap();
            assert_eq!((target.origin().as_str(), target.path.as_str()), (origin, path), "{location}");
        }
        for bad in ["", "http://", "http://a b/", "http://a:99999/", "http://[::1/", "#x"] {
            assert_eq!(Target::of(bad, "here.example", 80, "/"), None, "{bad}");
        }
    }

    #[test]
    fn sites_are_told_apart() {
        for (one, other, is_same) in [
            ("clover.com", "www.Clover.com.", true),
            ("api.clover.com", "clover.com", true),
            ("a.shop.co.uk", "shop.co.uk", true),
            ("shop.co.uk", "portal.co.uk", false),
            ("shop.example", "portal.example", false),
            ("router", "router", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "198.51.2.1", false),
        ] {
            assert_eq!(is_same_site(one, other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn pages_say_where_they_lead() {
        for (page, origin) in [
            (r#"<meta http-equiv="refresh" content="0;url=http://a.example/x">"#, "http://a.example"),
            (r#"<script>window.location = "https://b.example/";</script>"#, "https://b.example"),
            (r#"<form method=post action='http://10.0.0.1:8002/index'>"#, "http://10.0.0.1:8002"),
        ] {
            assert_eq!(page_target(page).map(|t| t.origin()).as_deref(), Some(origin), "{page}");
        }
        assert_eq!(page_target("<html><body>your location here<br>http://x.example"), None);
    }
}
