//! The command line, read with `clap` by a definition made from the table of settings.
//!
//! `clap` stops at the first error. So that all are reported at once, an argument that it refuses is reported and left out, and the rest
//! is read again.

use std::io::{self, IsTerminal};

use clap::{
    Arg, ArgAction, ArgMatches, Command as Definition,
    builder::{EnumValueParser, StyledStr},
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use clap_complete::Shell;

use super::{
    ConfigErrors,
    raw::{RawConfig, Source, unknown},
    setting::{self, Setting},
};

/// Width of the help, in columns.
const WIDTH: usize = 96;

/// The argument of `check-config` besides the settings.
const CONNECT: &str = "connect";

/// What the arguments request.
#[derive(Debug, PartialEq)]
pub(super) enum Request {
    /// Run.
    Run,
    /// Say what the configuration is, and with `connect` whether the cluster answers.
    Check { connect: bool },
    /// Say what a caller may do.
    Explain(Question),
    /// Ask a running process whether it is ready.
    Healthcheck,
    /// Print this.
    Print(String),
}

/// What `explain` is asked.
#[derive(Debug, PartialEq)]
pub(crate) struct Question {
    /// The name of the caller.
    pub(crate) name: String,
    /// The groups that its token or its gateway names.
    pub(crate) groups: Vec<String>,
    pub(crate) method: String,
    pub(crate) path: String,
}

/// The definition of the command line.
pub(crate) fn definition() -> Definition {
    Definition::new("postern")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Postern: a REST proxy for Kafka and a Schema Registry in one process, with a Kafka broker inside if no cluster is \
             named.",
        )
        .after_help(
            "Each setting is an argument, a variable (--rest-listen is POSTERN_REST_LISTEN) and a key of the file that --config \
             names. Arguments override variables, variables override the file. An empty variable is one that is not set. TIME \
             is a number with ms, s, m or h; BYTES a number, perhaps with KiB, MiB or GiB.",
        )
        .term_width(WIDTH)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('V')
                .short_alias('v')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        )
        .subcommand(
            Definition::new("check-config")
                .about("Print what holds, where it comes from and what is wrong, without a start")
                .arg(
                    Arg::new(CONNECT)
                        .long(CONNECT)
                        .action(ArgAction::SetTrue)
                        .help("Connect to the Kafka cluster, to see whether it answers"),
                ),
        )
        .subcommand(
            Definition::new("explain")
                .about("Say whether the rules of access let a caller do something, and why")
                .arg(Arg::new("as").long("as").value_name("NAME").required(true).help("The name of the caller, or anonymous"))
                .arg(
                    Arg::new("groups")
                        .long("groups")
                        .value_name("GROUP,…")
                        .value_delimiter(',')
                        .action(ArgAction::Append)
                        .help("The groups that its token or its gateway names"),
                )
                .arg(Arg::new("method").required(true).value_name("METHOD"))
                .arg(Arg::new("path").required(true).value_name("PATH")),
        )
        .subcommand(
            Definition::new("healthcheck").about("Ask the process with these settings whether it is ready; ends with 0 or 1"),
        )
        .subcommand(Definition::new("version").about("Print the version"))
        .subcommand(Definition::new("man").about("Print the man page"))
        .subcommand(
            Definition::new("completions")
                .about("Print what lets a shell complete these arguments")
                .arg(Arg::new("shell").required(true).value_name("SHELL").value_parser(EnumValueParser::<Shell>::new())),
        )
        .args(setting::ALL.iter().map(argument))
}

/// A setting as an argument. Values are checked later, together with those from elsewhere.
fn argument(setting: &Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        "false" => " [default: off]".to_owned(),
        default => format!(" [default: {default}]"),
    };
    let argument = Arg::new(setting.name)
        .long(setting.name)
        .help(format!("{}{default}", setting.about))
        .help_heading(setting.heading)
        .next_line_help(true)
        // They may stand before or after a command.
        .global(true)
        .action(ArgAction::Append);
    match setting.operand {
        Some(operand) => argument.value_name(operand),
        // `--switch false` reads like `--switch=false`.
        None => {
            argument.num_args(0..=1).default_missing_value("true").value_name("true|false").hide_possible_values(true)
        }
    }
}

/// Reads the arguments into `raw`.
pub(super) fn read(arguments: &[String], raw: &mut RawConfig, errors: &mut ConfigErrors) -> Request {
    let mut left: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let matches = loop {
        let error = match definition().try_get_matches_from(std::iter::once("postern").chain(left.iter().copied())) {
            Ok(matches) => break matches,
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion => {
                return Request::Print(for_stdout(error.render()));
            }
            kind => {
                let (sentence, refused) = refusal(kind, &error);
                errors.add(sentence);
                let is_refused = |argument: &&str| {
                    argument.strip_prefix(&refused).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
                };
                let Some(at) = left.iter().position(is_refused) else { return Request::Run };
                let removed = left.remove(at);
                // What follows an unknown argument is most likely its value: one error is enough.
                let has_value = kind == ErrorKind::UnknownArgument && removed == refused && removed.starts_with("--");
                if has_value && left.get(at).is_some_and(|next| !next.starts_with('-')) {
                    left.remove(at);
                }
            }
        }
    };
    // What stands before a command is among its own arguments, too.
    take(matches.subcommand().map_or(&matches, |(_, matches)| matches), raw, errors);
    match matches.subcommand() {
        Some(("completions", matches)) => {
            let shell = *matches.get_one::<Shell>("shell").expect("clap requires it");
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut definition(), "postern", &mut text);
            Request::Print(String::from_utf8_lossy(&text).into_owned())
        }
        Some(("man", _)) => {
            let mut page = Vec::new();
            let _ = clap_mangen::Man::new(definition()).render(&mut page);
            Request::Print(String::from_utf8_lossy(&page).into_owned())
        }
        Some(("check-config", matches)) => Request::Check { connect: matches.get_flag(CONNECT) },
        Some(("explain", matches)) => {
            let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
            let groups = matches.get_many::<String>("groups").into_iter().flatten().cloned().collect();
            Request::Explain(Question { name: text("as"), groups, method: text("method"), path: text("path") })
        }
        Some(("healthcheck", _)) => Request::Healthcheck,
        Some(("version", _)) => Request::Print(format!("postern {}\n", env!("CARGO_PKG_VERSION"))),
        Some(_) | None => Request::Run,
    }
}

/// What is wrong, and the argument that is.
fn refusal(kind: ErrorKind, error: &clap::Error) -> (String, String) {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let found = context(ContextKind::InvalidArg).or(context(ContextKind::InvalidSubcommand)).unwrap_or_default();
    // clap shows the operand of an argument that it knows: `--data-dir <DIR>`.
    let name = found.split([' ', '=']).next().unwrap_or_default().trim_end_matches("[").to_owned();
    let known = name.strip_prefix("--").and_then(setting::named);
    let whole = || error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let sentence = match (kind, known) {
        (ErrorKind::InvalidValue | ErrorKind::WrongNumberOfValues, Some(setting)) => {
            let operand = setting.operand.unwrap_or("true or false");
            format!("{}: the argument {name} has no value: expected {operand}", setting.name)
        }
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, _) => {
            unknown("argument", &name, setting::ALL.iter().map(|known| format!("--{}", known.name)))
        }
        _ => whole(),
    };
    (sentence, name)
}

/// The settings among `matches`.
fn take(matches: &ArgMatches, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    for setting in setting::ALL.iter().copied() {
        if matches.value_source(setting.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        let mut values = matches.get_many::<String>(setting.name).into_iter().flatten();
        let Some(first) = values.next() else { continue };
        if let Some(other) = values.find(|other| *other != first) {
            errors.add(format!(
                "{}: given twice, as {:?} and as {:?}: expected one value",
                setting.name,
                setting.shown(first),
                setting.shown(other)
            ));
        }
        raw.put(setting, first.clone(), Source::Argument(format!("--{}", setting.name)));
    }
}

/// With colours on a terminal only.
fn for_stdout(text: StyledStr) -> String {
    if io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() }
}
