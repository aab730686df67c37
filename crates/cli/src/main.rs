//! The binary: process in, exit code out. Everything else is [`tillgate_cli::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().collect();
    let environment = tillgate_cli::Environment::of_process();
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    ExitCode::from(tillgate_cli::run(arguments, &environment, &mut std::io::stdin(), &mut out, &mut err))
}
