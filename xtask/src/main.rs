//! Development commands: `cargo xtask test`, `conformance`, `bench`, `tidy`.
//!
//! Standard library only: this crate is compiled before anything else can be checked.

use std::process::ExitCode;

mod bench;
mod cluster;
mod conformance;
mod node;
mod process;
mod python;
mod steps;
mod test;
mod tidy;
mod workspace;

/// The result of a command; an error is a complete message for the terminal.
type Outcome<T = ()> = Result<T, String>;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [STEP…]      everything that must hold before a change lands; with names: these steps only
  conformance [--embedded|--apache] [--update] [-v] [-k WORD] [FILE…]
                    replays the recorded scenarios; --update writes the list of expected failures anew
  bench [--rounds N] [--seconds N]
                    one table: echo, produce with one and with many records, beside a native producer
  tidy              imports, sizes and words that only a person would notice otherwise
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "test" => test::run(&rest),
        "conformance" => conformance::command(&rest),
        "bench" => bench::command(&rest),
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
