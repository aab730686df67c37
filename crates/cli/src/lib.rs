//! The command line as a function of arguments, environment and streams, so that tests can call it.
//!
//! Exit codes: 0 holds, 1 does not hold, 2 bad input or use, 3 undecided.

mod args;
mod commands;
mod document;
mod formats;
mod lang;
mod load;
mod output;
mod present;
mod report;

pub use args::command;
pub use lang::{LANGUAGES, Lang};

use args::{Cli, Command};
use clap::{CommandFactory, FromArgMatches};
use output::Output;
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use tillgate_model::{Date, Text};

/// What the process brings along.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `LANG`, or what overrides it.
    pub lang: String,
    /// `TILLGATE_ESTATE`
    pub estate: Option<String>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// Whether standard output is a terminal.
    pub terminal: bool,
    /// Whether standard input is a terminal.
    pub interactive: bool,
    /// Whether standard error is a terminal.
    pub progress: bool,
    /// Columns of the terminal.
    pub width: Option<u16>,
    /// Today, unless `--now` says otherwise.
    pub today: Date,
    /// Seconds since 1970, for what is measured.
    pub clock: fn() -> i64,
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods)]
fn seconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

impl Environment {
    /// The environment of this process: the one place that reads the clock.
    pub fn of_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let terminal = std::io::stdout().is_terminal();
        Environment {
            lang: ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|n| variable(n)).unwrap_or_default(),
            estate: variable("TILLGATE_ESTATE"),
            no_color: variable("NO_COLOR").is_some(),
            terminal,
            interactive: std::io::stdin().is_terminal(),
            progress: std::io::stderr().is_terminal(),
            width: terminal.then(terminal_size::terminal_size).flatten().map(|(w, _)| w.0),
            today: jiff::Zoned::now().date(),
            clock: seconds,
        }
    }
}

/// Something went wrong; it has been told to the user, and this is the exit code.
#[derive(Debug)]
pub(crate) struct Failed(pub u8);

/// What a command returns: the exit code.
pub(crate) type Result<T = u8> = std::result::Result<T, Failed>;

/// Runs the command line.
pub fn run(
    arguments: Vec<OsString>,
    environment: &Environment,
    input: &mut dyn Read,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let lang = Lang::choose(&arguments, &environment.lang);
    let command = args::localise(Cli::command(), &lang);
    let parsed = command.try_get_matches_from(&arguments).and_then(|m| Cli::from_arg_matches(&m));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let help = error.use_stderr();
            let text = error.render();
            let target: &mut dyn Write = if help { err } else { out };
            // A reader that went away needs no message.
            let _ = write!(target, "{text}");
            return if help { 2 } else { 0 };
        }
    };
    let mut output = Output::new(&cli.global, environment, lang, out, err);
    if let Err(failed) = formats::check(&cli, &mut output) {
        return failed.0;
    }
    let result = match &cli.command {
        Command::Init(a) => commands::init::run(a, environment, input, &mut output),
        Command::Requirements(a) => commands::requirements::run(a, &cli.global, &mut output),
        Command::Explain(a) => commands::explain::run(a, &mut output),
        Command::Plan(a) => commands::plan::run(a, &cli.global, environment, input, &mut output),
        Command::Render(a) => commands::render::run(a, &cli.global, environment, input, &mut output),
        Command::Verify(a) => commands::verify::run(a, &cli.global, environment, input, &mut output),
        Command::Diff(a) => commands::diff::run(a, &cli.global, environment, input, &mut output),
        Command::Trace(a) => commands::trace::run(a, &cli.global, environment, input, &mut output),
        Command::Check(a) => commands::check::run(a, &cli.global, environment, input, &mut output),
        Command::Scan(a) => commands::scan::run(a, &cli.global, environment, input, &mut output),
        Command::Reflect(a) => commands::reflect::run(a, environment, &mut output),
        Command::Logs(a) => commands::logs::run(a, input, &mut output),
        Command::Catalog(a) => commands::catalog::run(a, &cli.global, environment, input, &mut output),
    };
    let code = result.unwrap_or_else(|failed| failed.0);
    if let Err(error) = output.finish()
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let text = output.lang.text(&Text::new("cannot-write").arg("detail", error));
        let _ = writeln!(output.err, "{text}");
        return 2;
    }
    code
}
