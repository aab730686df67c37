//! Languages: messages by Fluent id. English is the reference; a test holds German against it.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::ffi::OsString;
use tillgate_model::{Arg, Text};
use unic_langid::LanguageIdentifier;

/// The languages and their message files.
pub const LANGUAGES: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            include_str!("../i18n/en.ftl"),
            include_str!("../i18n/en-findings.ftl"),
            include_str!("../i18n/en-live.ftl"),
            include_str!("../i18n/en-scan.ftl"),
        ],
    ),
    (
        "de",
        &[
            include_str!("../i18n/de.ftl"),
            include_str!("../i18n/de-findings.ftl"),
            include_str!("../i18n/de-live.ftl"),
            include_str!("../i18n/de-scan.ftl"),
        ],
    ),
];

/// A language ready for use.
pub struct Lang {
    /// `en` or `de`.
    pub code: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl Lang {
    /// `--lang` if it is among the arguments, then the environment, then English. Asked before the arguments
    /// are parsed, so that their errors are in the right language too.
    pub fn choose(arguments: &[OsString], environment: &str) -> Lang {
        let texts: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).collect();
        let by_flag = texts.iter().enumerate().find_map(|(i, a)| match a.strip_prefix("--lang") {
            Some("") => texts.get(i + 1).map(|t| t.to_string()),
            Some(rest) => rest.strip_prefix('=').map(str::to_string),
            None => None,
        });
        Lang::new(&by_flag.unwrap_or_else(|| environment.to_string()))
    }

    /// A language by its tag; English for anything not spoken.
    pub fn new(tag: &str) -> Lang {
        let short = tag.get(..2).unwrap_or("").to_ascii_lowercase();
        let (code, files) = LANGUAGES.iter().find(|(code, _)| *code == short).unwrap_or(&LANGUAGES[0]);
        let id: LanguageIdentifier = code.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        bundle.set_use_isolating(false);
        for file in *files {
            // A broken message is left out here, and found by the test over all messages.
            let resource = match FluentResource::try_new(file.to_string()) {
                Ok(resource) | Err((resource, _)) => resource,
            };
            let _ = bundle.add_resource(resource);
        }
        Lang { code, bundle }
    }

    /// A message without arguments, if there is one.
    pub fn find(&self, id: &str) -> Option<String> {
        let pattern = self.bundle.get_message(id)?.value()?;
        Some(self.bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned())
    }

    /// A message; its id where it is missing.
    pub fn text(&self, text: &Text) -> String {
        let mut args = FluentArgs::new();
        for (name, arg) in &text.args {
            match arg {
                Arg::Str(value) => args.set(*name, FluentValue::from(value.as_str())),
                Arg::Num(value) => args.set(*name, FluentValue::from(*value)),
                Arg::Text(inner) => args.set(*name, FluentValue::from(self.text(inner))),
            }
        }
        let Some(pattern) = self.bundle.get_message(text.id).and_then(|m| m.value()) else {
            return text.id.to_string();
        };
        self.bundle.format_pattern(pattern, Some(&args), &mut Vec::new()).into_owned()
    }

    /// A message without arguments.
    pub fn say(&self, id: &'static str) -> String {
        self.text(&Text::new(id))
    }
}
