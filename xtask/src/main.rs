//! Development commands: `cargo xtask test`, `suite`, `conformance`, `bench`, `tidy`.
//!
//! Few dependencies: this crate is compiled before anything else can be checked.

use std::process::ExitCode;

use command_line::{Outcome, USAGE};

mod bench;
mod cluster;
mod command_line;
mod conformance;
mod node;
mod overload;
mod packages;
mod pipeline;
mod process;
mod python;
mod replicas;
mod steps;
mod suite;
mod test;
mod tidy;
mod workspace;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "test" => test::command(&rest),
        "conformance" => conformance::command(&rest),
        "bench" => bench::command(&rest),
        "pipeline" if rest.is_empty() => pipeline::command(),
        "packages" if rest.is_empty() => packages::command(),
        "overload" => overload::command(&rest),
        "replicas" => replicas::command(&rest),
        "suite" => suite::command(&rest),
        "chaos" => suite::chaos(&rest),
        "tidy" if rest.is_empty() => tidy::run(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{}", sentence.trim_end());
            ExitCode::FAILURE
        }
    }
}
