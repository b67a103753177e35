//! `docs/configuration.md`, from the table of settings. Compared by a test, which also writes it when `UPDATE_DOCS` is set.

use std::fmt::Write;

use super::setting::{self, Secret};

const OPENING: &str = "# Configuration

Made from the table of settings in `crates/postern/src/config/setting.rs`; a test compares the two, and writes this page when the variable
`UPDATE_DOCS` is set: `UPDATE_DOCS=1 cargo test --release -p postern docs_configuration`.

Each setting has one name: `rest-listen` is the argument `--rest-listen`, the variable `POSTERN_REST_LISTEN` and the key `rest-listen` of
the TOML file that `--config` names. An argument wins over a variable, a variable over the file. An empty variable is one that is not set. A
name that is not known, a value that cannot be used and settings that exclude each other stop the start, all of them named at once.

| Kind of value | Written |
|---|---|
| TIME | a number with `ms`, `s`, `m` or `h`: `200ms`, `5s` |
| BYTES | a number, perhaps with `KiB`, `MiB` or `GiB`: `1MiB`, `1048576` |
| COUNT | a whole number from 1 |
| …, … | several with commas between; in the file also a list |
| no value | a switch: `--name`, `--name=false`; `true` or `false` in variables and in the file |

Variables that Kubernetes sets beside a Service called `postern` (`POSTERN_SERVICE_HOST`, `POSTERN_PORT=tcp://…`) are recognised and ignored.
";

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = OPENING.to_owned();
    let mut heading = "";
    for setting in setting::ALL {
        if setting.heading != heading {
            heading = setting.heading;
            let _ = write!(page, "\n## {heading}\n\n| Setting | Value | Default | Meaning |\n|---|---|---|---|\n");
        }
        let value = setting.operand.map_or_else(String::new, |operand| format!("`{operand}`"));
        let default = match setting.default {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let secret = if setting.secret == Secret::Whole { " Secret: never shown." } else { "" };
        let _ = writeln!(page, "| `{}` | {value} | {default} | {}{secret} |", setting.name, setting.about);
    }
    page
}
