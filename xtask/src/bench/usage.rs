//! What a process used, as Linux counts it.

use std::{fs, process::Command, time::Duration};

use crate::{Outcome, process};

/// CPU time of all its threads so far, in user and kernel mode.
pub(crate) fn cpu(pid: u32) -> Outcome<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // The second field is the name in parentheses, which may hold anything; the third comes after the last of them.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(Duration::from_secs_f64((user + system) / ticks_per_second()?)),
        _ => Err(format!("{path} is not laid out as expected: {text}")),
    }
}

/// Resident memory in MiB.
pub(crate) fn resident(pid: u32) -> Outcome<f64> {
    status(pid, "VmRSS:")
}

/// The most resident memory since its start, in MiB.
pub(crate) fn resident_peak(pid: u32) -> Outcome<f64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, name: &str) -> Outcome<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| format!("{path} has no {name}"))
}

fn ticks_per_second() -> Outcome<f64> {
    let printed = process::output(Command::new("getconf").arg("CLK_TCK"))?;
    printed.trim().parse().map_err(|_| format!("getconf CLK_TCK printed {printed}"))
}

/// The machine, in one line.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} x {}, Linux {}", model.unwrap_or("unknown CPU"), kernel.trim())
}
