//! The file of Kafka identities: which of a few logins at Kafka each caller has, so that Kafka's ACLs and quotas hold for its team.
//!
//! The first entry that names a caller is the caller's. The file is read as a whole: it is taken, or not at all. Secrets are files that it names;
//! nothing here reads them, or knows what a login is good for. Described in `docs/security.md`.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use crate::caller::Caller;
use crate::callers::{Callers, Teams};
use crate::toml_fault::toml_fault;

/// Bytes of a file, and entries in it: each has connections of its own.
const FILE_MAX: usize = 1 << 20;
const ENTRIES_MAX: usize = 100;
/// Bytes of the name of an identity.
const NAME_MAX: usize = 64;

/// All identities, in the order of the file.
#[derive(Debug)]
pub struct KafkaIdentityTable(Vec<KafkaIdentityEntry>);

/// One identity.
#[derive(Debug)]
pub struct KafkaIdentityEntry {
    /// Its name, for people; no other has it.
    pub name: String,
    /// How it logs in.
    pub login: KafkaLogin,
    /// `host:port`, separated by commas, where it logs in at another listener than this server does.
    pub bootstrap_servers: Option<String>,
    who: Callers,
}

/// How an identity logs in to Kafka. Whatever ends with `file` is the path of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaLogin {
    /// As this server does.
    Server,
    /// By user and password.
    Password {
        /// The SASL mechanism, as it is written.
        mechanism: String,
        /// The user.
        user: String,
        /// What holds the password.
        password_file: String,
    },
    /// By a token (OAUTHBEARER).
    Token {
        /// What holds the token.
        token_file: String,
    },
    /// By a client certificate.
    Certificate {
        /// The store: the certificate with its chain and its key.
        store_file: String,
        /// The key, where it does not stand in the store.
        key_file: Option<String>,
        /// What holds the password of the store.
        password_file: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    team: Teams,
    #[serde(default)]
    identity: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawEntry {
    name: String,
    who: Vec<String>,
    #[serde(default)]
    as_server: bool,
    bootstrap_servers: Option<String>,
    sasl_mechanism: Option<String>,
    sasl_username: Option<String>,
    sasl_password_file: Option<String>,
    sasl_token_file: Option<String>,
    ssl_keystore: Option<String>,
    ssl_key: Option<String>,
    ssl_keystore_password_file: Option<String>,
}

impl KafkaIdentityTable {
    /// Parses a file.
    ///
    /// # Errors
    /// All faults, as sentences.
    pub fn parse(text: &str) -> Result<KafkaIdentityTable, Vec<String>> {
        if text.len() > FILE_MAX {
            return Err(vec![format!("expected at most {FILE_MAX} bytes, found {}", text.len())]);
        }
        let document: Document = toml::from_str(text).map_err(|error| vec![toml_fault(text, &error)])?;
        let mut faults = Vec::new();
        let count = document.identity.len();
        if count == 0 || count > ENTRIES_MAX {
            faults.push(format!("expected 1 to {ENTRIES_MAX} of [[identity]], found {count}"));
        }
        let (mut names, mut everybody) = (BTreeSet::new(), None::<String>);
        let mut entries = Vec::with_capacity(count);
        for (n, raw) in (1..).zip(document.identity) {
            let mut fault =
                |place: &str, expected: String| faults.push(format!("identity {n}, {place}: expected {expected}"));
            let is_name = !raw.name.is_empty() && raw.name.len() <= NAME_MAX && !raw.name.chars().any(char::is_control);
            if !is_name || !names.insert(raw.name.clone()) {
                let found = &raw.name;
                fault("name", format!("1 to {NAME_MAX} bytes that name no other identity, found {found:?}"));
            }
            let who = Callers::parse(&raw.who, &document.team, |expected| fault("who", expected));
            if let Some(before) = everybody.as_ref().filter(|_| who.name_anybody()) {
                fault("who", format!("it before identity {before}, which is everybody's already"));
            }
            if who.are_everybody() {
                everybody.get_or_insert_with(|| raw.name.clone());
            }
            let bootstrap_servers = raw.bootstrap_servers.clone();
            match login(&raw) {
                Ok(login) if login == KafkaLogin::Server && bootstrap_servers.is_some() => {
                    fault("bootstrap-servers", "it without as-server".to_owned());
                }
                Ok(login) => entries.push(KafkaIdentityEntry { name: raw.name, login, bootstrap_servers, who }),
                Err((place, expected)) => fault(place, expected),
            }
        }
        if faults.is_empty() { Ok(KafkaIdentityTable(entries)) } else { Err(faults) }
    }

    /// All of them.
    pub fn entries(&self) -> &[KafkaIdentityEntry] {
        &self.0
    }

    /// The place of the identity that `caller` has; `None`: no entry names it.
    pub fn of(&self, caller: &Caller) -> Option<usize> {
        self.0.iter().position(|entry| entry.who.include(caller))
    }
}

/// For a person; without secrets, which it does not know.
impl fmt::Display for KafkaIdentityEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "identity {}: ", self.name)?;
        match &self.login {
            KafkaLogin::Server => f.write_str("this server's own login"),
            KafkaLogin::Password { mechanism, user, .. } => write!(f, "user {user} ({mechanism})"),
            KafkaLogin::Token { token_file } => write!(f, "the token in {token_file} (OAUTHBEARER)"),
            KafkaLogin::Certificate { store_file, .. } => write!(f, "the certificate in {store_file}"),
        }
    }
}

/// How an entry logs in: exactly one way, and nothing that another one would need. An error names the key and what was expected of it.
fn login(raw: &RawEntry) -> Result<KafkaLogin, (&'static str, String)> {
    let sasl = [
        ("sasl-mechanism", &raw.sasl_mechanism),
        ("sasl-username", &raw.sasl_username),
        ("sasl-password-file", &raw.sasl_password_file),
        ("sasl-token-file", &raw.sasl_token_file),
    ];
    let tls = [
        ("ssl-keystore", &raw.ssl_keystore),
        ("ssl-key", &raw.ssl_key),
        ("ssl-keystore-password-file", &raw.ssl_keystore_password_file),
    ];
    let none_of = |unwanted: &[(&'static str, &Option<String>)], beside: &str| match unwanted
        .iter()
        .find(|(_, text)| text.is_some())
    {
        None => Ok(()),
        Some((name, _)) => Err((*name, format!("it without {beside}"))),
    };
    let some = |(name, text): (&'static str, &Option<String>), beside: &str| {
        let text = text.clone().filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| (name, format!("a text beside {beside}, found none")))
    };
    match (&raw.sasl_mechanism, &raw.ssl_keystore) {
        _ if raw.as_server => {
            none_of(&[sasl.as_slice(), tls.as_slice()].concat(), "as-server")?;
            Ok(KafkaLogin::Server)
        }
        (Some(mechanism), _) if mechanism.trim().eq_ignore_ascii_case("OAUTHBEARER") => {
            none_of(&[&sasl[1..3], tls.as_slice()].concat(), "sasl-mechanism OAUTHBEARER")?;
            Ok(KafkaLogin::Token { token_file: some(sasl[3], "sasl-mechanism")? })
        }
        (Some(mechanism), _) => {
            none_of(&[&sasl[3..], tls.as_slice()].concat(), "sasl-mechanism of a password")?;
            Ok(KafkaLogin::Password {
                mechanism: mechanism.clone(),
                user: some(sasl[1], "sasl-mechanism")?,
                password_file: some(sasl[2], "sasl-mechanism")?,
            })
        }
        (None, Some(_)) => {
            none_of(&sasl[1..], "ssl-keystore")?;
            Ok(KafkaLogin::Certificate {
                store_file: some(tls[0], "ssl-keystore")?,
                key_file: raw.ssl_key.clone(),
                password_file: raw.ssl_keystore_password_file.clone(),
            })
        }
        (None, None) => {
            let expected = "sasl-mechanism, ssl-keystore or as-server = true, found none of them".to_owned();
            Err(("how it logs in", expected))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Way;

    fn caller(name: &str, groups: &[&str]) -> Caller {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Caller::new(Way::Basic, name, groups).expect("a name")
    }

    #[test]
    fn the_first_entry_that_names_a_caller_is_the_callers() {
        let table = KafkaIdentityTable::parse(
            r#"
            team.verify = ["bot-verify", "claim:lsst-verify"]
            [[identity]]
            name = "verify"
            who = ["@verify"]
            sasl-mechanism = "SCRAM-SHA-512"
            sasl-username = "v"
            sasl-password-file = "/v"
            [[identity]]
            name = "prompt"
            who = ["claim:lsst-*"]
            bootstrap-servers = "kafka:9094"
            ssl-keystore = "/p.pem"
            [[identity]]
            name = "token"
            who = ["bot-*"]
            sasl-mechanism = "oauthbearer"
            sasl-token-file = "/t"
            [[identity]]
            name = "server"
            who = ["ana", "anonymous"]
            as-server = true
            "#,
        )
        .expect("sound");
        let of = |caller: &Caller| table.of(caller).map(|at| table.entries()[at].name.as_str());
        assert_eq!(of(&caller("bot-verify", &[])), Some("verify"));
        assert_eq!(of(&caller("ben", &["x", "lsst-verify"])), Some("verify"));
        assert_eq!(of(&caller("ben", &["lsst-prompt"])), Some("prompt"));
        assert_eq!(of(&caller("bot-other", &[])), Some("token"));
        assert_eq!(of(&caller("ana", &[])), Some("server"));
        assert_eq!(of(&Caller::anonymous()), Some("server"));
        assert_eq!(of(&caller("anonymous", &[])), None, "a name is nobody's lack of one");
        assert_eq!(of(&caller("eve", &["verify"])), None);
        let logins: Vec<&KafkaLogin> = table.entries().iter().map(|entry| &entry.login).collect();
        let text = |text: &str| text.to_owned();
        let password =
            KafkaLogin::Password { mechanism: text("SCRAM-SHA-512"), user: text("v"), password_file: text("/v") };
        let certificate = KafkaLogin::Certificate { store_file: text("/p.pem"), key_file: None, password_file: None };
        let token = KafkaLogin::Token { token_file: text("/t") };
        assert_eq!(logins, [&password, &certificate, &token, &KafkaLogin::Server]);
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        let entry = |rest: &str| format!("[[identity]]\nname = \"a\"\nwho = [\"*\"]\n{rest}\n");
        let sound = entry("as-server = true");
        assert!(KafkaIdentityTable::parse(&sound).is_ok());
        for (text, expected) in [
            (String::new(), "expected 1 to 100 of [[identity]], found 0"),
            (sound.repeat(101), "found 101"),
            (entry("sasl-mechanism = \"PLAIN\"\nsasl-password = \"canary\""), "unknown field"),
            (entry(""), "how it logs in: expected sasl-mechanism, ssl-keystore or as-server"),
            (entry("as-server = true\nssl-key = \"k\""), "ssl-key: expected it without as-server"),
            (
                entry("as-server = true\nbootstrap-servers = \"k:1\""),
                "bootstrap-servers: expected it without as-server",
            ),
            (entry("sasl-mechanism = \"PLAIN\"\nsasl-username = \"u\""), "sasl-password-file: expected a text beside"),
            (entry("sasl-mechanism = \"PLAIN\"\nsasl-token-file = \"t\""), "sasl-token-file: expected it without"),
            (entry("sasl-mechanism = \"OAUTHBEARER\""), "sasl-token-file: expected a text"),
            (entry("ssl-keystore = \"s\"\nsasl-username = \"u\""), "sasl-username: expected it without ssl-keystore"),
            (sound.replace("\"*\"", ""), "who: expected at least one name"),
            (sound.replace("\"*\"", "\"@nobody\""), "who: expected a team of this file"),
            (sound.replace("\"a\"", "\"\""), "name: expected 1 to 64 bytes"),
            (sound.repeat(2), "identity 2, name: expected 1 to 64 bytes that name no other identity"),
            (sound.repeat(2), "identity 2, who: expected it before identity a, which is everybody's already"),
        ] {
            let faults = KafkaIdentityTable::parse(&text).expect_err(expected).join("; ");
            assert!(faults.contains(expected), "{faults}");
        }
        let last = format!("{sound}{}", sound.replace("\"a\"", "\"b\"").replace("\"*\"", "\"anonymous\""));
        assert!(KafkaIdentityTable::parse(&last).is_ok(), "who is recognized is not anonymous");
    }
}
