//! What `check-config` prints: every setting that holds and where it comes from, what has no effect, and all faults.

use std::fmt::Write;

use super::{ConfigErrors, raw::RawConfig, setting};

/// The whole text.
pub(super) fn report(raw: &RawConfig, errors: &ConfigErrors) -> String {
    let mut text = String::new();
    let mut heading = "";
    for setting in setting::ALL.iter().copied() {
        if setting.heading != heading {
            heading = setting.heading;
            let _ = writeln!(text, "{heading}");
        }
        let name = setting.name;
        let _ = match (raw.text(setting), setting.default) {
            (Some((value, source)), _) => writeln!(text, "  {name} = {} ({source})", setting.shown(&value)),
            (None, "") => writeln!(text, "  {name} is not set"),
            (None, default) => writeln!(text, "  {name} = {default} (default)"),
        };
    }
    for (heading, is_warning) in [("Notes", false), ("Warnings", true)] {
        let notes: Vec<_> = raw.notes().iter().filter(|note| note.is_warning == is_warning).collect();
        if !notes.is_empty() {
            let _ = writeln!(text, "{heading}");
            notes.iter().for_each(|note| {
                let _ = writeln!(text, "  {}", note.text);
            });
        }
    }
    let _ = match errors.is_empty() {
        true => writeln!(text, "The configuration can be used."),
        false => writeln!(text, "The configuration cannot be used: {errors}"),
    };
    text
}
