//! `tillgate init`: a commented estate for a first shop.

use crate::args::Init;
use crate::output::Output;
use crate::{Environment, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use tillgate_catalog::Library;
use tillgate_model::{SourceFile, Text};

/// The answers, in the order they are asked.
struct Answers {
    name: String,
    site: String,
    wan: String,
    pos_interface: String,
    pos_subnet: String,
    management: String,
    terminal: String,
}

pub fn run(args: &Init, environment: &Environment, input: &mut dyn Read, output: &mut Output<'_>) -> Result {
    let path = args.dir.join("estate.toml");
    if path.exists() {
        return output.fail(&Text::new("init-exists").arg("name", path.display()));
    }
    let answers = answers(args, environment, input, output);
    let Some(text) = estate(&answers, output) else {
        return output.fail(&Text::new("bad-prefix").arg("text", &answers.pos_subnet));
    };
    // What is written must load; a wrong answer is shown where it stands.
    let (library, _) = Library::load(&[]);
    let (_, found) = tillgate_estate::load(&[SourceFile::new("estate.toml", text.as_str())], &library);
    output.diagnostics(&found)?;
    let result = std::fs::create_dir_all(&args.dir).and_then(|()| {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut f| f.write_all(text.as_bytes()))
    });
    match result {
        Ok(()) => {
            output.note(&Text::new("init-done").arg("name", path.display()).arg("site", &answers.site));
            Ok(0)
        }
        Err(error) => {
            output.fail(&Text::new("cannot-create").arg("name", path.display()).arg("detail", error))
        }
    }
}

fn answers(args: &Init, environment: &Environment, input: &mut dyn Read, output: &mut Output<'_>) -> Answers {
    let mut lines = BufReader::new(input);
    let mut ask = |given: &Option<String>, question: &'static str, default: &str| -> String {
        if let Some(given) = given {
            return given.clone();
        }
        if !environment.interactive {
            return default.to_string();
        }
        let text = output.lang.say(question);
        let _ = write!(output.err, "{text} [{default}]: ");
        let _ = output.err.flush();
        let mut line = String::new();
        let _ = lines.read_line(&mut line);
        let answer = line.trim();
        if answer.is_empty() { default.to_string() } else { answer.to_string() }
    };
    Answers {
        name: ask(&args.name, "ask-name", "My shop"),
        site: ask(&args.site, "ask-site", "shop"),
        wan: ask(&args.wan, "ask-wan", "eth0"),
        pos_interface: ask(&args.pos_interface, "ask-pos-interface", "eth1.20"),
        pos_subnet: ask(&args.pos_subnet, "ask-pos-subnet", "10.1.20.0/24"),
        management: ask(&args.management, "ask-management", "10.1.10.5"),
        terminal: ask(&args.terminal, "ask-terminal", "10.1.20.11"),
    }
}

/// A TOML string that holds any text.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn estate(answers: &Answers, output: &Output<'_>) -> Option<String> {
    let net = tillgate_model::parse_prefix(&answers.pos_subnet)?;
    let (first, _) = tillgate_model::prefix_range(&net);
    let gateway: IpAddr =
        tillgate_model::address_from_bits(tillgate_model::Family::of(net.addr()), first + 1);
    let say = |id: &'static str| output.lang.say(id);
    Some(format!(
        r#"# {head}

[estate]
name = {name}
# {assessment}
# assessment = "saq-b-ip"

[[site]]
name = {site}
number = 1
catalogs = ["clover"]
profile = "declared"              # minimal | guide | declared
egress = "internet"               # internet | names
source = "devices"                # devices | segment
region = "eu"

[site.firewall]
platform = "nftables"
wan = [{wan}]                    # {wan_comment}
nat = "masquerade"                # masquerade | none
management = [{management}]        # {management_comment}

[site.services]                   # {services_comment}
dns = "gateway"
dhcp = "gateway"
# ntp = ["192.0.2.123"]           # {ntp_comment}

[[site.segment]]
name = "pos"
role = "pos"                      # pos | corp | guest | voice | kitchen | management
interface = {pos_interface}
subnet = {pos_subnet}
gateway = "{gateway}"

# [[site.segment]]
# name = "office"
# role = "corp"
# interface = "eth1.10"
# subnet = "10.1.10.0/24"
# gateway = "10.1.10.1"

[[site.device]]
name = "terminal-1"
kind = "clover/station-duo"       # tillgate catalog show clover
segment = "pos"
address = {terminal}
# mac = "d4:95:24:00:00:01"       # {mac_comment}
# features = ["local-pay-display"]  # {features_comment}

# [[site.exception]]
# allow = "tcp pos -> 198.51.100.7:8443"
# reason = "loyalty partner"
# owner = "it@shop.example"
# expires = 2027-03-31
"#,
        head = say("init-head"),
        assessment = say("init-assessment"),
        name = quoted(&answers.name),
        site = quoted(&answers.site),
        wan = quoted(&answers.wan),
        wan_comment = say("init-wan"),
        management = quoted(&answers.management),
        management_comment = say("init-management"),
        services_comment = say("init-services"),
        ntp_comment = say("init-ntp"),
        pos_interface = quoted(&answers.pos_interface),
        pos_subnet = quoted(&answers.pos_subnet),
        terminal = quoted(&answers.terminal),
        mac_comment = say("init-mac"),
        features_comment = say("init-features"),
    ))
}
