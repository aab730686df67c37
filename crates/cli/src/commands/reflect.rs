//! `tillgate reflect`: the far end of a check of port ranges, outside the shop.

use super::live;
use crate::args::Reflect;
use crate::output::Output;
use crate::{Environment, Result};
use tillgate_model::Text;
use tillgate_probe::reflect::{CannotServe, Reflector};

pub fn run(args: &Reflect, environment: &Environment, output: &mut Output<'_>) -> Result {
    let secret = live::secret(&args.secret, output)?;
    let (udp, tcp) = (args.udp.clone(), args.tcp.clone());
    if udp.is_none() && tcp.is_none() {
        return output.fail(&Text::new("reflect-no-ports"));
    }
    let clock = environment.clock;
    let now = move || clock().unsigned_abs();
    let until = now() + args.during.as_secs().max(1);
    let ports = udp.map(|p| p.0).unwrap_or_default();
    let tcp = tcp.map(|p| p.0).unwrap_or_default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Text::new("probe-error").arg("detail", error)),
    };
    let count = ports.len() + tcp.len();
    let reflector = Reflector { bind: args.bind, ports, tcp, until, secret };
    if let Err(problem) = reflector.check(now()) {
        return output.fail(&text_of(&problem));
    }
    let text = Text::new("reflect-begins")
        .arg("address", args.bind)
        .num("ports", count)
        .arg("until", live::time(until as i64));
    output.note(&text);
    // It ends by itself.
    match runtime.block_on(reflector.serve(now, std::future::pending())) {
        Ok(tally) => {
            output.note(
                &Text::new("reflect-ended")
                    .num("answers", tally.answers as usize)
                    .num("dropped", tally.dropped() as usize),
            );
            Ok(0)
        }
        Err(problem) => output.fail(&text_of(&problem)),
    }
}

fn text_of(problem: &CannotServe) -> Text {
    match problem {
        CannotServe::NoAddress => Text::new("reflect-no-address"),
        CannotServe::NoEnd => Text::new("reflect-no-end"),
        CannotServe::NoPorts => Text::new("reflect-no-ports"),
        CannotServe::Port(port, error) => Text::new("reflect-port").arg("port", port).arg("detail", error),
        CannotServe::NoRandom => Text::new("reflect-no-random"),
    }
}
