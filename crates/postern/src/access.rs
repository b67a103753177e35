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
use postern_http::{AccessControl, TokenKeys};
use postern_proxy::Identities;
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use crate::config::{AccessConfig, KeysFrom, Way};

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
    /// The texts of the files in use.
    contents: Vec<String>,
    /// Asks for a look at the files right now.
    pub(crate) reload: Arc<Notify>,
}

impl Access {
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn start(config: AccessConfig) -> Result<Access, String> {
        let keys = TokenKeys::default();
        let identities = match &config.way {
            Way::PassThrough(chosen) => Some(Identities::new(chosen.identities.clone())),
            _ => None,
        };
        let contents = contents(&config)?;
        let decisions = config.build(&reader(&config, &contents), &keys, identities.as_ref());
        let decisions = decisions.map_err(|faults| faults.join("; "))?;
        let control = AccessControl::new(decisions.authentication, decisions.rules);
        Ok(Access { control, config: Arc::new(config), keys, identities, contents, reload: Arc::new(Notify::new()) })
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
        // The rules are the last of the files.
        let unchanged = found.iter().zip(&self.contents).take_while(|(found, known)| found == known).count();
        match self.config.rules.is_some() && unchanged + 1 == found.len() {
            // Passwords that were verified stay so: to verify them anew would take seconds.
            true => self.control.replace_rules(decisions.rules),
            false => self.control.replace(decisions.authentication, decisions.rules),
        }
        self.contents = found;
        Ok(true)
    }
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
        let mut access = Access::start(AccessConfig { way, rules: None, own_topics: vec!["_schemas".to_owned()] })
            .expect("a good file");
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
}
