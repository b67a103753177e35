//! JAAS files of the originals: `authentication.method=BASIC` names a section of one, and that a file of users; the section `KafkaClient` says who the
//! server is for Kafka where `sasl.jaas.config` does not.
//!
//! The JAAS file is an option of the Java virtual machine in variables of the start scripts: `-Djava.security.auth.login.config=FILE`.

use super::{
    ConfigErrors, Env, jaas,
    raw::{RawConfig, Source},
    setting,
};

/// Variables of the start scripts that hold options of the virtual machine.
const OPTIONS: [&str; 3] = ["KAFKAREST_OPTS", "SCHEMA_REGISTRY_OPTS", "KAFKA_OPTS"];
/// The section that Kafka's clients read.
const KAFKA_CLIENT: &str = "KafkaClient";
const JAAS_FILE: &str = "-Djava.security.auth.login.config=";

/// Adds the file of users to `raw`, where settings of the originals ask for Basic and nothing of ours names one.
pub(super) fn read(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let Some((way, source)) = raw.text(setting::AUTHENTICATION) else { return };
    let is_named = raw.has(setting::BASIC_USERS) || raw.has(setting::BASIC_PROPERTIES);
    if way != "basic" || !source.is_confluent() || is_named {
        return;
    }
    let realm = raw.text(setting::BASIC_REALM).map_or_else(String::new, |(realm, _)| realm);
    let Some((variable, path)) = jaas_file(env, &OPTIONS) else {
        return errors.add(format!(
            "basic-properties: not set, and {source} asks for Basic: expected the file of users here, or a JAAS file as {JAAS_FILE}FILE in \
             KAFKAREST_OPTS"
        ));
    };
    let users = env.file(&path).map_err(|error| format!("it cannot be read ({error})")).and_then(|text| {
        let section = section(&text, &realm).ok_or_else(|| {
            format!("expected a section named as authentication.realm, which is {realm:?}")
        })?;
        let login = jaas::parse(section)?;
        if login.module != "PropertyFileLoginModule" {
            return Err(format!(
                "expected PropertyFileLoginModule, found {}: let a gateway in front authenticate against other directories",
                login.module
            ));
        }
        login.options.get("file").cloned().ok_or_else(|| "expected file=… beside PropertyFileLoginModule".to_owned())
    });
    match users {
        Ok(users) => raw.put(setting::BASIC_PROPERTIES, users, Source::ConfluentVariable(variable)),
        Err(fault) => errors.add(format!("{variable}: the JAAS file {path}: {fault}")),
    }
}

/// What the JAAS file that one of these variables names says of Kafka's clients, with the name of the variable; nothing where it has no such section.
///
/// # Errors
/// The file cannot be read, as a sentence.
pub(super) fn kafka_client(env: &impl Env, options: &[&str]) -> Result<Option<(String, String)>, String> {
    let Some((variable, path)) = jaas_file(env, options) else { return Ok(None) };
    let text = env.file(&path).map_err(|error| format!("{variable}: the JAAS file {path} cannot be read ({error})"))?;
    Ok(section(&text, KAFKA_CLIENT)
        .map(|section| (format!("{variable}, {path}, {KAFKA_CLIENT}"), section.trim().to_owned())))
}

/// The first of these variables that names a JAAS file, and the file.
fn jaas_file(env: &impl Env, options: &[&str]) -> Option<(String, String)> {
    let variables = env.variables();
    options.iter().find_map(|name| {
        let (_, options) = variables.iter().find(|(known, _)| known == name)?;
        let path = options.split_whitespace().find_map(|option| option.strip_prefix(JAAS_FILE))?;
        Some(((*name).to_owned(), path.trim_matches('"').to_owned()))
    })
}

/// The login modules of a section, without its name and braces. Quotes may hold braces.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//").or_else(|| rest.strip_prefix('#')) {
            rest = comment.split_once('\n')?.1;
            continue;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/")?.1;
            continue;
        }
        let open = rest.find('{')?;
        let found = rest[..open].trim().trim_matches('"');
        let inner = &rest[open + 1..];
        let mut quote = None;
        let close = inner.char_indices().find(|(_, c)| match quote {
            Some(begun) => {
                if *c == begun {
                    quote = None;
                }
                false
            }
            None if matches!(c, '"' | '\'') => {
                quote = Some(*c);
                false
            }
            None => *c == '}',
        });
        let (at, _) = close?;
        if found == name {
            return Some(&inner[..at]);
        }
        rest = inner[at + 1..].trim_start().trim_start_matches(';');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_among_others() {
        let text = "// of the proxy\nKafkaClient { a.B required x=\"}\"; };\n/* { */\nKafkaRest {\n  c.D required file=\"/u\";\n};\n";
        assert_eq!(section(text, "KafkaRest").map(str::trim), Some("c.D required file=\"/u\";"));
        assert_eq!(section(text, "KafkaClient").map(str::trim), Some("a.B required x=\"}\";"));
        assert_eq!(section(text, "Other"), None);
        assert_eq!(section("A {", "A"), None);
    }
}
