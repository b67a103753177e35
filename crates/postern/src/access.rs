//! Keeps up to date what decides about callers: the files of users, secrets, keys and rules, and keys that are fetched.
//!
//! Files are looked at by their content, because mounted secrets are symbolic links that are swapped as a whole, of which events get lost.
//! A change is taken when two readings agree, all files together or none of them; what is broken, emptied or missing leaves the state before
//! as it is.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, header::ACCEPT};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use postern_access::KeySet;
use postern_http::{AccessControl, KafkaIdentities, TokenKeys};
use postern_kafka::Settings;
use postern_proxy::{ConfiguredIdentities, Identities};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use crate::config::{AccessConfig, ConfiguredLogins, KeysFrom, Way};

/// How often files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Between two readings that must agree.
const SETTLE: Duration = Duration::from_millis(200);
/// A fault is logged again after so long.
const FAULT_INTERVAL: Duration = Duration::from_secs(60);
/// How often keys are fetched, and how long they are used while they cannot be.
const FETCH_INTERVAL: Duration = Duration::from_secs(600);
const RETRY_INTERVAL: Duration = Duration::from_secs(10);
const KEYS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a set of keys.
const KEYS_MAX: usize = 1 << 20;

/// What decides about callers, kept up to date by tasks that end when they are aborted.
pub(crate) struct Access {
    pub(crate) control: AccessControl,
    config: Arc<AccessConfig>,
    keys: TokenKeys,
    /// The callers whom Kafka knows, where they are recognized by that.
    pub(crate) identities: Option<Identities>,
    /// The identities at Kafka that are configured.
    pub(crate) configured: ConfiguredIdentities,
    /// The texts of the files in use.
    contents: Vec<String>,
    /// Asks for a look at the files right now.
    pub(crate) reload: Arc<Notify>,
}

impl Access {
    /// To be called inside a runtime. Identities at Kafka that are configured reach it as `kafka` says.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn start(config: AccessConfig, kafka: Settings) -> Result<Access, String> {
        let keys = TokenKeys::default();
        let identities = match &config.way {
            Way::PassThrough(chosen) => Some(Identities::new(chosen.identities.clone())),
            _ => None,
        };
        let contents = contents(&config)?;
        let decisions = config.build(&reader(&config, &contents), &keys, identities.as_ref());
        let decisions = decisions.map_err(|faults| faults.join("; "))?;
        let configured = ConfiguredIdentities::new(kafka);
        let whose = whose(&configured, decisions.identities)?;
        let control = AccessControl::new(decisions.authentication, None);
        control.replace_rules(decisions.rules, whose);
        let (config, reload) = (Arc::new(config), Arc::new(Notify::new()));
        Ok(Access { control, config, keys, identities, configured, contents, reload })
    }

    /// The tasks that keep it up to date: each ends when it is dropped.
    pub(crate) fn keep(self) -> Vec<tokio::task::AbortHandle> {
        let mut tasks = Vec::new();
        if let Way::Bearer { keys: KeysFrom::Url(url), .. } = &self.config.way {
            tasks.push(tokio::spawn(fetch_keys(url.clone(), self.keys.clone())).abort_handle());
        }
        if !self.config.files().is_empty() {
            tasks.push(tokio::spawn(self.watch()).abort_handle());
        }
        tasks
    }

    async fn watch(mut self) {
        let mut complained = None::<Instant>;
        loop {
            tokio::select! {
                () = sleep(POLL_INTERVAL) => {}
                () = self.reload.notified() => {}
            }
            match self.look().await {
                Ok(false) => {}
                Ok(true) => {
                    complained = None;
                    tracing::info!("who may do what was read again: {}", self.config.files().join(", "));
                }
                Err(fault) => {
                    if complained.is_none_or(|at| at.elapsed() >= FAULT_INTERVAL) {
                        complained = Some(Instant::now());
                        tracing::error!("who may do what stays as it was, because a file cannot be used: {fault}");
                    }
                }
            }
        }
    }

    /// Takes what has changed; returns whether anything has.
    async fn look(&mut self) -> Result<bool, String> {
        let found = tokio::task::block_in_place(|| contents(&self.config))?;
        if found == self.contents {
            return Ok(false);
        }
        sleep(SETTLE).await;
        if tokio::task::block_in_place(|| contents(&self.config))? != found {
            return Ok(false); // being written; the next look finds it whole
        }
        let built = self.config.build(&reader(&self.config, &found), &self.keys, self.identities.as_ref());
        let decisions = built.map_err(|faults| faults.join("; "))?;
        decisions.doubts.iter().for_each(|doubt| tracing::warn!("{doubt}"));
        let whose = tokio::task::block_in_place(|| whose(&self.configured, decisions.identities))?;
        let of_way = self.config.files_of_way().len();
        match found[..of_way] == self.contents[..of_way] {
            // Passwords that were verified stay so: to verify them anew would take seconds.
            true => self.control.replace_rules(decisions.rules, whose),
            false => self.control.replace(decisions.authentication, decisions.rules, whose),
        }
        self.contents = found;
        Ok(true)
    }
}

/// Who is who for Kafka from now on.
///
/// # Errors
/// A login that cannot be used; then everybody stays who they were.
fn whose(
    configured: &ConfiguredIdentities,
    chosen: Option<ConfiguredLogins>,
) -> Result<Option<KafkaIdentities>, String> {
    let Some(ConfiguredLogins { table, logins, .. }) = chosen else { return Ok(None) };
    let is_server: Vec<bool> = logins.iter().map(Option::is_none).collect();
    let logins = logins.into_iter().flatten().map(|login| (login.name, login.bootstrap_servers, login.security));
    let made = configured.replace(logins.collect()).map_err(|error| format!("kafka-identities: {error}"))?;
    let mut made = made.into_iter();
    let identities = is_server.into_iter().map(|is_server| if is_server { None } else { made.next() }).collect();
    Ok(Some(KafkaIdentities::new(table, identities)))
}

/// The texts of all files, in their order.
fn contents(config: &AccessConfig) -> Result<Vec<String>, String> {
    let read = |path: &&str| std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read ({error})"));
    config.files().iter().map(read).collect()
}

/// Reads from texts that were read before, so that all are of one moment.
fn reader<'a>(config: &'a AccessConfig, contents: &'a [String]) -> impl Fn(&str) -> std::io::Result<String> + 'a {
    move |path| {
        let found = config.files().iter().position(|known| *known == path).and_then(|at| contents.get(at));
        found.cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// Fetches the keys of the issuer again and again: on a schedule, and when a token is signed with an unknown one.
async fn fetch_keys(url: String, keys: TokenKeys) {
    let mut last_good = Instant::now();
    loop {
        let fetched = timeout(FETCH_TIMEOUT, fetch(&url)).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let pause = match fetched {
            Ok(set) => {
                last_good = Instant::now();
                keys.attempted(Some(set));
                FETCH_INTERVAL
            }
            Err(fault) => {
                tracing::warn!(
                    "the keys of the issuer cannot be fetched from {url}: {fault}; those from before stay in use"
                );
                keys.attempted(None);
                if last_good.elapsed() > KEYS_AGE_MAX {
                    keys.forget();
                }
                RETRY_INTERVAL
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = keys.wanted() => {}
        }
    }
}

/// Redirects are not followed: what they point to was not configured.
async fn fetch(url: &str) -> Result<KeySet, String> {
    let request = Request::get(url).header(ACCEPT, "application/json").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let config = tokio::task::block_in_place(tls);
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
    let answer = Client::builder(TokioExecutor::new()).build(connector).request(request).await;
    let answer = answer.map_err(|error| root_cause(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answers {}", answer.status()));
    }
    let body =
        Limited::new(answer.into_body(), KEYS_MAX).collect().await.map_err(|error| error.to_string())?.to_bytes();
    let text = std::str::from_utf8(&body).map_err(|_| "its answer is not text".to_owned())?;
    KeySet::parse(text).map_err(|expected| format!("expected {expected}"))
}

/// As a client that trusts the authorities of the system.
pub(crate) fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The innermost reason: the outer ones only say that a call failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UsersFile;

    const ANA: &str = "ana:$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe\n";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_is_taken_when_it_changes_and_kept_when_it_breaks() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("users").display().to_string();
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        write(ANA);
        let users = UsersFile::Htpasswd(path.clone());
        let way = Way::Basic { users, realm: "R".to_owned() };
        let own_topics = vec!["_schemas".to_owned()];
        let config = AccessConfig { way, rules: None, own_topics, identities: None };
        let mut access = Access::start(config, Settings::for_test("127.0.0.1:1")).expect("a good file");
        assert_eq!(access.look().await, Ok(false), "nothing has changed");
        for broken in ["", "ana:canary\n"] {
            write(broken);
            let fault = access.look().await.expect_err("it is broken");
            assert!(fault.contains(&path) && !fault.contains("canary"), "{fault}");
            assert_eq!(access.contents, [ANA], "what was read before stays");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(access.look().await.is_err());
        let both = format!("{ANA}{}", ANA.replace("ana", "ben"));
        write(&both);
        assert_eq!(access.look().await, Ok(true));
        assert_eq!(access.contents, [both]);
    }
    /// What is wrong with one login changes nobody's.
    #[tokio::test(flavor = "multi_thread")]
    async fn identities_at_kafka_are_taken_together_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("written");
        let entry = |name: &str| {
            format!(
                "[[identity]]\nname={name:?}\nwho=[{name:?}]\nbootstrap-servers=\"127.0.0.1:1\"\nsasl-mechanism=\"SCRAM-SHA-512\"\n\
                 sasl-username={name:?}\nsasl-password-file={:?}\n",
                path(name)
            )
        };
        let read = |text: &str| {
            write("identities", text);
            let arguments =
                ["--bootstrap-servers=127.0.0.1:1".to_owned(), format!("--kafka-identities={}", path("identities"))];
            match crate::config::read(&arguments, &crate::config::Process) {
                Ok(crate::config::Command::Run(config)) => config.access,
                other => panic!("{other:?}"),
            }
        };
        write("ana", "secret");
        let mut access = Access::start(read(&entry("ana")), Settings::for_test("127.0.0.1:1")).expect("sound");
        let found = |access: &Access| format!("{:?}", access.configured);
        assert_eq!(found(&access), "[KafkaIdentity(\"ana\")]");
        write("identities", &(entry("ana") + &entry("ben")));
        let fault = access.look().await.expect_err("there is no password for ben");
        assert!(fault.contains("the identity ben") && fault.contains(&path("ben")), "{fault}");
        assert_eq!(found(&access), "[KafkaIdentity(\"ana\")]");
        write("ben", "secret");
        assert_eq!(access.look().await, Ok(true));
        assert_eq!(found(&access), "[KafkaIdentity(\"ana\"), KafkaIdentity(\"ben\")]");
    }
}
