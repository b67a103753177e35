//! The TOML file that `--config` names.

use super::{
    ConfigErrors, Env,
    raw::{RawConfig, Source, unknown},
    setting::{self, Setting},
};

/// Reads it into `raw`.
pub(super) fn read(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let Some((path, source)) = raw.text(setting::CONFIG) else { return };
    let text = match env.file(&path) {
        Ok(text) => text,
        Err(error) => {
            return errors
                .add(format!("config: the file {path:?} in {source} cannot be read ({error}): expected a TOML file"));
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            return errors.add(format!("config: the file {path} is not TOML: line {line}: {}", error.message()));
        }
    };
    for (name, value) in table {
        match setting::named(&name).filter(|setting| *setting != setting::CONFIG) {
            Some(setting) => match text_of(setting, &value) {
                Ok(text) => raw.put(setting, text, Source::File(path.clone())),
                Err(expected) => {
                    let found = match setting.secret {
                        setting::Secret::Nothing => value.to_string(),
                        setting::Secret::UserInfo | setting::Secret::Pem | setting::Secret::Whole => "…".to_owned(),
                    };
                    errors.add(format!("{name}: found {found} in the file {path}: expected {expected}"));
                }
            },
            None => {
                let keys = setting::ALL.iter().filter(|known| **known != setting::CONFIG);
                let keys = keys.map(|known| known.name.to_owned());
                errors.add(unknown(&format!("key in the file {path}"), &name, keys));
            }
        }
    }
}

/// The value as it would be written in an argument.
fn text_of(setting: Setting, value: &toml::Value) -> Result<String, &'static str> {
    match (setting.operand, value) {
        (None, toml::Value::Boolean(on)) => Ok(on.to_string()),
        (None, _) => Err("true or false"),
        (Some(_), toml::Value::String(text)) => Ok(text.clone()),
        (Some("BYTES" | "COUNT"), toml::Value::Integer(number)) => Ok(number.to_string()),
        (Some("BYTES" | "COUNT"), _) => Err("a number, or a text in quotes"),
        (Some(_), toml::Value::Array(items)) if setting.is_list() && items.iter().all(toml::Value::is_str) => {
            Ok(items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(","))
        }
        (Some(_), _) if setting.is_list() => Err("a text in quotes, or a list of such texts"),
        (Some(_), _) => Err("a text in quotes"),
    }
}
