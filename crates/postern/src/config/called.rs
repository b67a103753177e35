//! Other names of this program: those of the start scripts in the images of Confluent's servers, which links and charts call it by.

use super::setting::{self, Setting};

/// What the names of their scripts begin with.
const SCRIPTS: [(&str, Setting); 2] =
    [("kafka-rest-", setting::KAFKA_REST_PROPERTIES), ("schema-registry-", setting::SCHEMA_REGISTRY_PROPERTIES)];

/// The arguments of a program that is called so: `kafka-rest-start FILE` and `schema-registry-start FILE` name a properties file. As the first argument
/// these names mean the same; `/etc/confluent/docker/run`, which starts what the variables say, means nothing there.
///
/// # Errors
/// It is the name of another script, which must not start a server; or there is no such way to start one.
pub(crate) fn as_called(program: &str, arguments: Vec<String>) -> Result<Vec<String>, String> {
    let is_run = arguments.first().is_some_and(|first| first == "/etc/confluent/docker/run");
    let arguments: Vec<String> = arguments.into_iter().skip(usize::from(is_run)).collect();
    let ((name, setting), rest) = match (script(program), arguments.first().and_then(|first| script(first))) {
        (Some(script), _) => (script, &arguments[..]),
        (None, Some(script)) => (script, &arguments[1..]),
        (None, None) => return Ok(arguments),
    };
    let start = name.ends_with("-start");
    match rest.first().map(String::as_str) {
        _ if name.contains("-stop") => Err(format!(
            "{name}: this program ends no other process: expected SIGTERM to the one that runs (kill, systemctl stop, docker stop), which then \
             finishes what is under way"
        )),
        _ if !start => {
            Err(format!("{name}: this program has no such name: expected kafka-rest-start or schema-registry-start"))
        }
        Some("-daemon") => Err(format!(
            "{name} -daemon: this program stays in the foreground: expected a service manager (systemctl start, docker run -d), or \
             nohup {name} FILE > FILE.log 2>&1 &"
        )),
        Some("--help" | "-h") => Ok(rest.to_vec()),
        _ => Ok(std::iter::once(format!("--{}", setting.name)).chain(rest.iter().cloned()).collect()),
    }
}

/// The script that a path names, and where the file goes that it is given.
fn script(path: &str) -> Option<(&str, Setting)> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let (_, setting) = SCRIPTS.iter().find(|(begin, _)| name.starts_with(begin))?;
    Some((name, *setting))
}

#[cfg(test)]
mod tests {
    use super::as_called;

    #[test]
    fn only_the_names_that_start_a_server_do() {
        let called = |program: &str, arguments: &[&str]| {
            as_called(program, arguments.iter().map(|argument| (*argument).to_owned()).collect())
        };
        assert_eq!(
            called("/usr/bin/kafka-rest-start", &["f"]),
            Ok(vec!["--kafka-rest-properties".to_owned(), "f".to_owned()])
        );
        assert_eq!(called("/usr/bin/postern", &["--kafka-rest-listen"]), Ok(vec!["--kafka-rest-listen".to_owned()]));
        for (program, arguments, expected) in [
            ("/usr/bin/kafka-rest-stop", &[][..], "kafka-rest-stop: this program ends no other process"),
            ("schema-registry-stop", &["f"], "expected SIGTERM"),
            ("postern", &["schema-registry-stop-service"], "expected SIGTERM"),
            ("/usr/bin/kafka-rest-run-class", &["f"], "expected kafka-rest-start or schema-registry-start"),
            ("kafka-rest-start", &["-daemon", "f"], "nohup kafka-rest-start FILE"),
            ("postern", &["schema-registry-start", "-daemon", "f"], "nohup schema-registry-start FILE"),
        ] {
            let refused = called(program, arguments).expect_err(expected);
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
