//! `docs/configuration.md`, from the table of settings. Compared by a test, which also writes it when `UPDATE_DOCS` is set.

use std::fmt::Write;

use super::{
    confluent::{Fate, Scope, TABLE},
    setting::{self, Secret},
};

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
    page.push_str(CONFLUENT);
    for row in TABLE {
        let whose = match row.scope {
            Scope::Rest => "REST Proxy",
            Scope::Registry => "Schema Registry",
            Scope::Both => "both",
            Scope::Client => "Kafka client",
        };
        let fate = match &row.fate {
            Fate::Honoured(setting, _) => format!("is `{}`", setting.name),
            Fate::Security => "as there: how connections to Kafka are secured".to_owned(),
            Fate::NoEffect(note) => format!("no effect, with a warning: {note}"),
            Fate::Refused(reason) => format!("refused: {reason}"),
            Fate::Only(allowed, reason) => format!("refused unless `{}`: {reason}", allowed.join("` or `")),
        };
        let _ = writeln!(page, "| `{}` | {whose} | {fate} |", row.name);
    }
    page
}

const CONFLUENT: &str = "
## Settings of Confluent's REST Proxy and Schema Registry

The variables of the images cp-kafka-rest (`KAFKA_REST_…`) and cp-schema-registry (`SCHEMA_REGISTRY_…`), and the properties files of both
servers (`kafka-rest-start FILE`, `schema-registry-start FILE`, or `--kafka-rest-properties FILE` and `--schema-registry-properties FILE`),
mean here what they mean there. Settings of our own win over them.

- Where any of them is set, the cluster is the one that they name; without one nothing starts. The embedded broker never takes its place.
- The servers that are asked for listen, on all interfaces unless `listeners` says otherwise: the REST proxy on 8082, the registry on 8081. A
  REST proxy without `schema.registry.url` has its registry in the process, which `registry-listen` makes reachable.
- What would mean less protection or other data if it were ignored stops the start. What tunes Java has no effect and is told once.
- Names that are not in this table have no effect, as there; the warning says which was meant, perhaps.
- A setting of the Kafka client stands behind `client.`, `producer.`, `consumer.` or `admin.` (REST Proxy) or `kafkastore.` (registry).

| Setting | Of | Here |
|---|---|---|
";
