//! Arguments as typed. Their German texts come from the message files (`cmd-…`, `arg-…`).

use crate::lang::Lang;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
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
