//! Arguments as typed. Their German texts come from the message files (`cmd-…`, `arg-…`).

use crate::lang::Lang;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tillgate_model::{Date, Severity, Text};

/// Knows what payment terminals need from the network, writes it as firewall configuration, and proves what any
/// configuration really permits
#[derive(Parser, Debug)]
#[command(name = "tillgate", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Debug)]
pub struct Global {
    /// Estate file or folder [default: estate.toml, then estate/; env: TILLGATE_ESTATE]
    #[arg(long, global = true, value_name = "PATH")]
    pub estate: Option<PathBuf>,
    /// The date to judge by, instead of today
    #[arg(long, global = true, value_name = "DATE")]
    pub now: Option<Date>,
    /// How to print the result
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Language of all texts [default: from LANG]
    #[arg(long, global = true, value_name = "LANG", value_parser = ["en", "de"])]
    pub lang: Option<String>,
    /// Colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Print the result only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print more
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code review (verify)
    Sarif,
    /// JUnit's XML, for CI servers (verify)
    Junit,
    /// Markdown tables (verify, render --platform checklist)
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a commented estate for a first shop
    Init(Init),
    /// What terminals need, with sources
    Requirements(Requirements),
    /// Explain a port, a requirement, a finding or a PCI DSS number
    Explain(Explain),
    /// The flows of a site, each with its reasons
    Plan(Plan),
    /// Write the firewall's configuration, proved before it is written
    Render(Render),
    /// Prove what a configuration permits, against the site or alone
    Verify(Verify),
    /// Walk one packet, or a file of packets, through a configuration
    Trace(Trace),
    /// What a change opens and closes, as packets
    Diff(Diff),
    /// What really passes, measured from where this host stands
    Check(Check),
    /// Who is on the declared segments and what is open there, against the baseline
    Scan(Scan),
    /// Answer the datagrams of a check on a range of ports, from outside the shop
    Reflect(Reflect),
    /// What firewalls logged, summed up or line by line
    Logs(Logs),
    /// List, show, check and compare catalogues
    Catalog(Catalog),
}

#[derive(Args, Debug)]
pub struct Init {
    /// Folder to write estate.toml to
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Name of the organisation
    #[arg(long)]
    pub name: Option<String>,
    /// Name of the site
    #[arg(long)]
    pub site: Option<String>,
    /// Uplink interface of the firewall
    #[arg(long)]
    pub wan: Option<String>,
    /// Interface of the terminals' segment
    #[arg(long)]
    pub pos_interface: Option<String>,
    /// Subnet of the terminals
    #[arg(long)]
    pub pos_subnet: Option<String>,
    /// Address that may manage the firewall
    #[arg(long)]
    pub management: Option<String>,
    /// Fixed address of the first terminal
    #[arg(long)]
    pub terminal: Option<String>,
}

#[derive(Args, Debug)]
pub struct Requirements {
    /// Catalogue, for instance clover
    #[arg(long)]
    pub vendor: Option<String>,
    /// Device kind, for instance clover/mini
    #[arg(long)]
    pub kind: Option<String>,
    /// Feature in use; may be given several times
    #[arg(long)]
    pub feature: Vec<String>,
    /// Only what is on under a profile
    #[arg(long, value_name = "PROFILE", value_parser = ["minimal", "guide", "declared"])]
    pub profile: Option<String>,
    /// Region of the vendor's cloud
    #[arg(long)]
    pub region: Option<String>,
}

#[derive(Args, Debug)]
pub struct Explain {
    /// A port (443, udp/123), a requirement, a finding or a PCI DSS number
    pub topic: String,
}

#[derive(Args, Debug)]
pub struct Plan {
    /// Site name
    #[arg(required_unless_present = "all")]
    pub site: Option<String>,
    /// Every site
    #[arg(long, conflicts_with = "site")]
    pub all: bool,
}

#[derive(Args, Debug)]
pub struct Render {
    /// Site name
    #[arg(required_unless_present = "all")]
    pub site: Option<String>,
    /// Every site; needs -o
    #[arg(long, conflicts_with = "site", requires = "output")]
    pub all: bool,
    /// Firewall platform, instead of the estate's
    #[arg(long)]
    pub platform: Option<String>,
    /// File for the configuration, or folder for it and its companions
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

impl Render {
    /// Whether a checklist is asked for: what stands for every device that has only a web page.
    pub fn is_checklist(&self) -> bool {
        self.platform.as_deref() == Some("checklist")
    }
}

#[derive(Args, Debug)]
pub struct Verify {
    /// Site name; without one, what can be judged without an estate
    pub site: Option<String>,
    /// Every site, from SITE.* or SITE/ in the folder given as --config
    #[arg(long, conflicts_with = "site")]
    pub all: bool,
    /// Configuration file or folder, or - for standard input; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Vec<PathBuf>,
    /// Firewall platform, where it cannot be recognised
    #[arg(long)]
    pub platform: Option<String>,
    /// Mend what can be mended, and write the changes as a patch; each is proved before
    #[arg(long, requires = "site")]
    pub fix: bool,
    /// File for the patch
    #[arg(short = 'o', long = "output", value_name = "PATH", requires = "fix")]
    pub patch_to: Option<PathBuf>,
    /// Severity from which a finding fails the site
    #[arg(long, value_name = "SEVERITY", default_value = "high", value_parser = severity)]
    pub fail_on: Severity,
}

#[derive(Args, Debug)]
pub struct Trace {
    /// The packet: "tcp 10.17.20.11:40000 -> 203.0.113.5:443 in eth1 out eth0"
    #[arg(required_unless_present = "packets")]
    pub packet: Option<String>,
    /// File with one packet a line
    #[arg(long, value_name = "FILE", conflicts_with = "packet")]
    pub packets: Option<PathBuf>,
    /// Configuration file or folder, or - for standard input; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Vec<PathBuf>,
    /// Firewall platform, where it cannot be recognised
    #[arg(long)]
    pub platform: Option<String>,
    /// Site whose segments and addresses the packet meets
    #[arg(long)]
    pub site: Option<String>,
}

#[derive(Args, Debug)]
pub struct Diff {
    /// Old configuration: file or folder, or - for standard input
    pub old: PathBuf,
    /// New configuration
    pub new: PathBuf,
    /// Firewall platform where it cannot be recognised: once for both, or twice, for the old and the new one
    #[arg(long)]
    pub platform: Vec<String>,
    /// Site whose segments and routes say which packets there are
    #[arg(long)]
    pub site: Option<String>,
}

/// Kinds of probes, as `--only` takes them.
const KINDS: [&str; 9] = ["dns", "tls", "tcp", "http", "ntp", "sip", "udp", "portal", "path"];

#[derive(Args, Debug)]
pub struct Check {
    /// Site name
    pub site: Option<String>,
    /// Without an estate: what this vendor's terminals need in any network
    #[arg(
        long = "vendor",
        value_name = "CATALOG",
        conflicts_with = "site",
        required_unless_present = "site"
    )]
    pub of_vendor: Option<String>,
    /// Stand in for this device, under its address, while it is unplugged
    #[arg(long = "as", value_name = "DEVICE", requires = "site")]
    pub stand_in: Option<String>,
    /// Test the segmentation from this segment: what must not pass is tried
    #[arg(long, value_name = "SEGMENT", requires = "site", conflicts_with_all = ["watch", "every", "only", "metrics"])]
    pub from: Option<String>,
    /// Only these kinds
    #[arg(long, value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(KINDS.iter().copied().chain(["conflict"])))]
    pub only: Vec<String>,
    /// Resolver to ask, instead of the site's
    #[arg(long, value_name = "ADDRESS")]
    pub resolver: Vec<IpAddr>,
    /// Reflector for ranges of ports (tillgate reflect)
    #[arg(long, value_name = "ADDRESS", requires = "secret")]
    pub reflector: Option<IpAddr>,
    /// File with the reflector's secret: 64 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    pub secret: Option<PathBuf>,
    /// Certificates (PEM) that count as public roots too
    #[arg(long, value_name = "FILE")]
    pub roots: Vec<PathBuf>,
    /// Address of this host to measure from
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<IpAddr>,
    /// Attempts of each probe
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub samples: u32,
    /// Time for each probe
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub deadline: Duration,
    /// Program that may hold the ports of a payment application
    #[arg(long, value_name = "NAME")]
    pub program: Option<String>,
    /// Silence that a connection must survive; may be given several times
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub idle: Vec<Duration>,
    /// Ask time servers for authenticated time (NTS, port 4460) as well
    #[arg(long)]
    pub nts: bool,
    /// Measure again and again, with a view of how it goes
    #[arg(long)]
    pub watch: bool,
    /// How often, in a long run
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub every: Option<Duration>,
    /// For how long
    #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "every")]
    pub during: Option<Duration>,
    /// File for a long run's results, a JSON line a round
    #[arg(short = 'o', long = "output", value_name = "FILE", requires = "every")]
    pub rounds_to: Option<PathBuf>,
    /// File for the node_exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Severity from which a finding fails the site
    #[arg(long, value_name = "SEVERITY", default_value = "high", value_parser = severity)]
    pub fail_on: Severity,
}

/// How a scan asks for ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Frames of its own; needs CAP_NET_RAW
    Raw,
    /// The system's connections
    Connect,
}

#[derive(Args, Debug)]
pub struct Scan {
    /// Site name
    pub site: String,
    /// Segment, or an address or range within one; may be given several times
    #[arg(long, value_name = "SEGMENT")]
    pub segment: Vec<String>,
    /// TCP ports to ask for [default: a few hundred known ones]
    #[arg(long, value_name = "PORTS", value_parser = ports)]
    pub ports: Option<Ports>,
    /// Ask UDP ports too
    #[arg(long = "udp")]
    pub datagrams: bool,
    /// As fast as the network carries, without heed of the router's connection table
    #[arg(long)]
    pub fast: bool,
    /// How to ask [default: raw where it is possible]
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// File of earlier scans to compare with; a complete scan is added
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Judge what nmap saw (-oX), instead of scanning; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ports", "datagrams", "fast", "engine"])]
    pub import: Vec<PathBuf>,
    /// Do not ask before scanning public addresses, or more than 4096
    #[arg(long)]
    pub yes: bool,
    /// Time for the whole scan
    #[arg(long = "deadline", value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub time_limit: Duration,
    /// Do not ask open ports what they are
    #[arg(long)]
    pub no_services: bool,
    /// File for the node_exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Severity from which a finding fails the site
    #[arg(long, value_name = "SEVERITY", default_value = "high", value_parser = severity)]
    pub fail_on: Severity,
}

#[derive(Args, Debug)]
pub struct Reflect {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS")]
    pub bind: IpAddr,
    /// Ports for datagrams: 10000-10100,5060
    #[arg(long, value_name = "PORTS", value_parser = ports)]
    pub udp: Option<Ports>,
    /// Ports for connections
    #[arg(long, value_name = "PORTS", value_parser = ports)]
    pub tcp: Option<Ports>,
    /// File with the secret: 64 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    pub secret: PathBuf,
    /// For how long; it ends by itself
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub during: Duration,
}

/// A list of ports.
#[derive(Clone, Debug)]
pub struct Ports(pub Vec<u16>);

fn ports(text: &str) -> Result<Ports, String> {
    let mut out = Vec::new();
    for part in text.split(',') {
        let Some((lo, hi)) = tillgate_model::parse_port_range(part.trim()).filter(|(lo, _)| *lo != 0) else {
            return Err("443, 10000-10100".into());
        };
        out.extend(lo..=hi);
    }
    out.sort_unstable();
    out.dedup();
    Ok(Ports(out))
}

/// `30s`, `5m`, `24h`, `2d`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86_400.0,
        _ => return Err("30s, 5m, 24h, 2d".into()),
    };
    match number.parse::<f64>() {
        Ok(n) if n > 0.0 && n * seconds <= 366.0 * 86_400.0 => Ok(Duration::from_secs_f64(n * seconds)),
        _ => Err("30s, 5m, 24h, 2d".into()),
    }
}

#[derive(Args, Debug)]
pub struct Logs {
    /// Log files, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One JSON object for each line that was read
    #[arg(long)]
    pub normalize: bool,
}

#[derive(Args, Debug)]
pub struct Catalog {
    #[command(subcommand)]
    pub action: CatalogAction,
}

#[derive(Subcommand, Debug)]
pub enum CatalogAction {
    /// The catalogues in use
    List,
    /// One catalogue with everything in it
    Show {
        /// Catalogue id
        id: String,
    },
    /// Check catalogue files
    Lint {
        /// Files; the shipped catalogues when none is given
        files: Vec<PathBuf>,
    },
    /// What changed between two catalogue files
    Diff {
        /// Old file
        old: PathBuf,
        /// New file
        new: PathBuf,
    },
    /// The JSON Schema of catalogue files
    Schema,
}

fn severity(text: &str) -> Result<Severity, String> {
    let words = Severity::ALL.map(Severity::name).join(", ");
    Severity::parse(text).ok_or(words)
}

/// The whole command line, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Replaces every text by the one of the language; English is what stands above.
pub fn localise(command: clap::Command, lang: &Lang) -> clap::Command {
    if lang.code == "en" {
        return command;
    }
    let own = command.get_name().to_string();
    localise_below("", own, command, lang)
}

/// `cmd-catalog-diff` where a command has a name of its own there, else `cmd-diff`.
fn localise_below(above: &str, own: String, command: clap::Command, lang: &Lang) -> clap::Command {
    let about = lang.find(&format!("cmd-{above}{own}")).or_else(|| lang.find(&format!("cmd-{own}")));
    let ids: Vec<String> = command.get_arguments().map(|a| a.get_id().to_string()).collect();
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_string()).collect();
    let mut command = match about {
        Some(text) => command.about(text),
        None => command,
    };
    for id in ids {
        if let Some(text) = lang.find(&format!("arg-{}", id.replace('_', "-"))) {
            command = command.mut_arg(&id, |a| a.help(text));
        }
    }
    for name in names {
        let below = if above.is_empty() && own == "tillgate" { String::new() } else { format!("{own}-") };
        command = command.mut_subcommand(&name, |c| localise_below(&below, name.clone(), c, lang));
    }
    command.subcommand_help_heading(lang.text(&Text::new("heading-commands"))).help_template(format!(
        "{{about-with-newline}}\n{}: {{usage}}\n\n{{all-args}}{{after-help}}",
        lang.text(&Text::new("heading-usage"))
    ))
}
