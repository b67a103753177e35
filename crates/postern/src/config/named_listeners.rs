//! Listeners with names, as Confluent's servers have them: `NAME://HOST:PORT` in `listeners`, `NAME:https` in `listener.protocol.map`, and settings of
//! one listener behind `listener.name.NAME.`, before which the plain setting gives way.
//!
//! Here the listeners of one server have the same settings. So what is said of one by its name becomes the plain setting, if it is said of all
//! that it matters for; what differs between them stops the start.

use std::collections::BTreeMap;

/// What becomes of a setting.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Becomes {
    /// It stays as it is.
    Same,
    /// Another one.
    Another { name: String, value: String },
    /// Nothing, because of another one that is said of the listener by its name.
    Nothing,
    /// Nothing: the reason.
    NoEffect(String),
}

const LISTENERS: &str = "listeners";
const MAP: &str = "listener.protocol.map";
const PREFIX: &str = "listener.name.";

/// What becomes of each of the settings of one server, names and values, in their order.
///
/// # Errors
/// The place of a setting that cannot be followed, and why.
pub(super) fn without_names(settings: &[(&str, &str)]) -> Result<Vec<Becomes>, (usize, String)> {
    let mut becomes = vec![Becomes::Same; settings.len()];
    let find = |name: &str| settings.iter().position(|(known, _)| *known == name);
    // Without listeners it says nothing.
    let map_place = find(MAP).filter(|_| find(LISTENERS).is_some());
    let map = match map_place {
        Some(place) => protocols(settings[place].1).map_err(|why| (place, why))?,
        None => BTreeMap::new(),
    };
    if let Some(place) = map_place {
        becomes[place] = Becomes::Nothing;
    }
    let mut listeners: BTreeMap<String, bool> = BTreeMap::new();
    if let Some(place) = find(LISTENERS) {
        let mut urls = Vec::new();
        for url in settings[place].1.split(',').map(str::trim) {
            let (name, address) = url.split_once("://").unwrap_or(("http", url));
            let name = name.to_ascii_lowercase();
            let protocol = map.get(&name).cloned().unwrap_or_else(|| name.clone());
            urls.push(if url.contains("://") { format!("{protocol}://{address}") } else { url.to_owned() });
            listeners.insert(name, protocol == "https");
        }
        becomes[place] = Becomes::Another { name: LISTENERS.to_owned(), value: urls.join(",") };
    }
    // Each setting that is said of a listener by its name: of which ones, and where.
    let mut named: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (place, (setting, _)) in settings.iter().enumerate() {
        let Some((listener, setting)) = setting.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')) else {
            continue;
        };
        match listeners.get(listener) {
            Some(is_tls) if *is_tls || !setting.starts_with("ssl.") => {
                named.entry(setting).or_default().insert(listener, place);
            }
            Some(_) => becomes[place] = Becomes::NoEffect(format!("the listener {listener} does not speak TLS")),
            None => becomes[place] = Becomes::NoEffect(format!("there is no listener {listener}")),
        }
    }
    for (setting, places) in named {
        let plain = find(setting);
        let first = *places.values().next().unwrap_or(&0);
        let value = settings[first].1;
        for (listener, is_tls) in &listeners {
            let matters = *is_tls || !setting.starts_with("ssl.");
            let said = places.get(listener.as_str()).copied().or(plain).map(|place| settings[place].1);
            if matters && said != Some(value) {
                let why =
                    format!("listeners of one server have the same settings here, and it is another for {listener}");
                return Err((first, why));
            }
        }
        for place in places.into_values().chain(plain) {
            becomes[place] = Becomes::Nothing;
        }
        becomes[first] = Becomes::Another { name: setting.to_owned(), value: value.to_owned() };
    }
    Ok(becomes)
}

/// `NAME:https,OTHER:http`
fn protocols(text: &str) -> Result<BTreeMap<String, String>, String> {
    let pair = |one: &str| {
        let (name, protocol) = one.trim().split_once(':')?;
        let (name, protocol) = (name.trim().to_ascii_lowercase(), protocol.trim().to_ascii_lowercase());
        (!name.is_empty() && matches!(protocol.as_str(), "http" | "https")).then_some((name, protocol))
    };
    let pairs = text.split(',').filter(|one| !one.trim().is_empty()).map(pair);
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| "expected NAME:http or NAME:https, several with commas between".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of the settings, in words.
    fn left(settings: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let becomes = without_names(settings).map_err(|(place, why)| format!("{}: {why}", settings[place].0))?;
        let shown = settings.iter().zip(becomes).filter_map(|((name, value), becomes)| match becomes {
            Becomes::Same => Some(format!("{name}={value}")),
            Becomes::Another { name, value } => Some(format!("{name}={value}")),
            Becomes::Nothing => None,
            Becomes::NoEffect(why) => Some(format!("{name} ({why})")),
        });
        Ok(shown.collect())
    }

    #[test]
    fn what_is_said_of_the_one_listener_of_a_kind_is_said_of_the_server() {
        let settings = [
            ("listeners", "INTERNAL://0.0.0.0:8082,https://0.0.0.0:8443"),
            ("listener.protocol.map", "INTERNAL:HTTP"),
            ("ssl.keystore.location", "/plain"),
            ("listener.name.https.ssl.keystore.location", "/own"),
            ("listener.name.internal.ssl.key.password", "x"),
            ("listener.name.other.ssl.key.password", "x"),
        ];
        let expected = [
            "listeners=http://0.0.0.0:8082,https://0.0.0.0:8443",
            "ssl.keystore.location=/own",
            "listener.name.internal.ssl.key.password (the listener internal does not speak TLS)",
            "listener.name.other.ssl.key.password (there is no listener other)",
        ];
        assert_eq!(left(&settings).expect("it can be followed"), expected);
    }

    #[test]
    fn what_differs_between_listeners_is_refused() {
        let listeners = ("listeners", "A://:1,B://:2");
        let map = ("listener.protocol.map", "A:https,B:https");
        let of = |a, b| [("listener.name.a.ssl.keystore.location", a), ("listener.name.b.ssl.keystore.location", b)];
        let same = left(&[&[listeners, map], &of("/k", "/k")[..]].concat()).expect("they agree");
        assert_eq!(same, ["listeners=https://:1,https://:2", "ssl.keystore.location=/k"]);
        for settings in [&of("/k", "/l")[..], &of("/k", "/k")[..1]] {
            let refused = left(&[&[listeners, map], settings].concat()).expect_err("they differ");
            assert!(refused.contains("another for b"), "{refused}");
        }
        assert!(left(&[listeners, ("listener.protocol.map", "A:SSL")]).is_err());
    }
}
