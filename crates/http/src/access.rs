//! What a caller may do: the right of each route, and of what is named in its path.
//!
//! What the body names is checked by the handler that reads it, with [`Params::check`]; lists are filtered there as well. The rules
//! themselves are those of `postern-access`.

pub(crate) mod kafka_identities;
pub(crate) mod routes;

use hyper::StatusCode;
use postern_access::{Creation, Denied, KafkaIdentityTable, Permissions, Right};
use postern_proxy::{Error, RegistryError, ResolveError, TopicTemplate};

use self::kafka_identities::no_identity;
use self::routes::Need;
use crate::problem::Problem;
use crate::registry::{written_scope, written_subject};
use crate::request_context::{Params, RequestContext};

impl Problem {
    /// 403/40301, or 401 for a caller who has not said who it is.
    pub(crate) fn denied(denied: &Denied) -> Problem {
        match denied.is_anonymous() {
            true => Problem::generic(StatusCode::UNAUTHORIZED, denied),
            false => Problem::new(StatusCode::FORBIDDEN, 40301, denied),
        }
    }
}

impl Params {
    /// What the caller may do.
    pub(crate) fn permissions(&self) -> &Permissions {
        &self.1
    }

    /// 403 unless the caller may treat `name` so.
    pub(crate) fn check(&self, right: Right, name: &str) -> Result<(), Problem> {
        self.permissions().check(right, name).map_err(|denied| Problem::denied(&denied))
    }

    /// 403 unless the caller may treat every name so, those that there will be included.
    pub(crate) fn check_whole_kind(&self, right: Right, member: &str) -> Result<(), Problem> {
        if self.permissions().may_all(right) {
            return Ok(());
        }
        let message = format!(
            "{member}: a pattern may match any {kind}, and {caller} may not {right} every one: name each. Nothing was done.",
            kind = right.kind().name(),
            caller = self.permissions().caller().name(),
            right = right.name(),
        );
        Err(Problem::new(StatusCode::FORBIDDEN, 40301, message))
    }

    /// 403 unless the caller may change these configs of a topic and give it so many partitions.
    pub(crate) fn check_alteration(
        &self,
        topic: &str,
        configs: &[&str],
        partitions: Option<i32>,
    ) -> Result<(), Problem> {
        let checked = self.permissions().check_alteration(topic, configs, partitions);
        checked.map_err(|denied| Problem::denied(&denied))
    }

    /// 403 unless the caller may treat the schemas of `subject` so while it produces to `topic`.
    pub(crate) fn check_schema_of(&self, topic: &str, subject: &str, right: Right) -> Result<(), Problem> {
        self.permissions().check_schema_of(topic, subject, right).map_err(|denied| Problem::denied(&denied))
    }

    /// The same of several; all of them, or nothing is done.
    pub(crate) fn check_all<'a>(&self, right: Right, names: impl IntoIterator<Item = &'a str>) -> Result<(), Problem> {
        names.into_iter().try_for_each(|name| self.check(right, name))
    }
}

/// An error of a produce without the names of topics and subjects that the caller may not see.
pub(crate) fn without_hidden_names(permissions: &Permissions, error: Error) -> Error {
    match error {
        Error::NoSuchTopic { topic, similar } => {
            let similar = similar.filter(|name| permissions.may(Right::Describe, name));
            Error::NoSuchTopic { topic, similar }
        }
        Error::Schema(side, ResolveError::Refused { step, error }) => {
            let error = match error {
                RegistryError::IdNotUnderSubject { id, subject, mut registered_under } => {
                    registered_under.retain(|subject| permissions.may(Right::Read, subject.as_str()));
                    match registered_under.is_empty() {
                        true => RegistryError::IdNotFound(id),
                        false => RegistryError::IdNotUnderSubject { id, subject, registered_under },
                    }
                }
                error => error,
            };
            Error::Schema(side, ResolveError::Refused { step, error })
        }
        error => error,
    }
}

/// How a topic is made if there is none for a record; `None`: the caller may not have that.
pub(crate) fn topic_template(permissions: &Permissions, topic: &str) -> Option<TopicTemplate> {
    let Creation { partitions, replicas, configs } = permissions.on_first_produce(topic)?;
    let caller = permissions.caller().name().to_owned();
    Some(TopicTemplate { caller, partitions, replication_factor: replicas, configs })
}

/// 403 unless the caller has the right that the route of `request` needs.
pub(crate) fn authorize(request: &RequestContext) -> Result<(), Problem> {
    let permissions = request.params.permissions();
    if permissions.is_unlimited() {
        return Ok(());
    }
    let param = |name: &'static str| request.params.get(name);
    let checked = match request.need {
        Need::Open => Ok(()),
        Need::Any => permissions.check_named(),
        Need::Topic(right) => permissions.check(right, param("topic")),
        Need::Group(right) => permissions.check(right, param("group")),
        Need::GroupOfTopic(right, of_topic) => {
            permissions.check(right, param("group")).and_then(|()| permissions.check(of_topic, param("topic")))
        }
        Need::Whole(right) => permissions.check(right, ""),
        Need::Subject(right) => permissions.check(right, written_subject(request)?.as_str()),
        Need::Scope(right, whole) => match written_scope(request)? {
            Some(scope) => permissions.check(right, scope.as_str()),
            None => match whole {
                Some(whole) => permissions.check(whole, ""),
                None => permissions.check_named(),
            },
        },
    };
    checked.map_err(|denied| Problem::denied(&denied))
}

/// Whether `permissions` let their caller send such a request, and why, for a person; with `identities` also as whom Kafka is asked.
///
/// # Errors
/// No API has such a path, or such a method there.
pub fn explain(
    permissions: &Permissions,
    identities: Option<&KafkaIdentityTable>,
    method: &str,
    path: &str,
) -> Result<(bool, String), String> {
    let path = crate::path::clean(path.split('?').next().unwrap_or_default());
    let method = method.to_ascii_uppercase();
    let routed = if method == "HEAD" { "GET" } else { &method };
    let Some((need, params)) = routes::find(routed, &path) else {
        return Err(format!("there is no {method} {path} in any of the APIs"));
    };
    let named = |name: &str| params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str());
    let asked: Vec<(Right, String)> = match need {
        Need::Open => return Ok((true, "allowed: it is open to everybody".to_owned())),
        Need::Any => Vec::new(),
        Need::Topic(right) => vec![(right, named("topic").to_owned())],
        Need::Group(right) => vec![(right, named("group").to_owned())],
        Need::GroupOfTopic(right, of_topic) => {
            vec![(right, named("group").to_owned()), (of_topic, named("topic").to_owned())]
        }
        Need::Subject(right) => vec![(right, qualified(named("context"), named("subject")))],
        Need::Scope(right, whole) => match (named("context"), named("subject"), whole) {
            ("", "", Some(whole)) => vec![(whole, String::new())],
            ("", "", None) => Vec::new(),
            (context, subject, _) => vec![(right, qualified(context, subject))],
        },
        Need::Whole(right) => vec![(right, String::new())],
    };
    let is_named = permissions.check_named();
    let mut is_allowed = is_named.is_ok();
    let mut sentences: Vec<String> = is_named.err().map(|denied| format!("denied: {denied}")).into_iter().collect();
    for (right, name) in &asked {
        is_allowed &= permissions.may(*right, name);
        sentences.push(format!("{} {name}: {}", right.name(), permissions.explain(*right, name)));
    }
    if asked.is_empty() && is_allowed {
        sentences.push(
            "allowed; what the body names is checked when it is read, and lists show what may be seen".to_owned(),
        );
    }
    if let Some(identities) = identities.filter(|_| crate::path::is_of_rest_proxy(&path)) {
        match identities.of(permissions.caller()).map(|at| &identities.entries()[at]) {
            Some(entry) => sentences.push(format!("Kafka is asked as {entry}")),
            None => {
                is_allowed = false;
                sentences.push(format!("denied: {}", no_identity(permissions)));
            }
        }
    }
    Ok((is_allowed, sentences.join("\n")))
}

fn qualified(context: &str, subject: &str) -> String {
    match context {
        "" | "." => subject.to_owned(),
        context => format!(":.{}:{subject}", context.trim_start_matches('.')),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postern_access::{Caller, Rules, Way};

    use super::*;

    #[test]
    fn a_path_is_explained_as_it_would_be_judged() {
        const RULES: &str =
            "[[rule]]\nwho=[\"ana\"]\ntopics=[\"own.*\"]\nsubjects=[\":.c:*\"]\nmay=[\"produce\",\"register\"]";
        let (rules, _) = Rules::parse(RULES, &["_schemas"]).expect("good rules");
        let rules = Arc::new(rules);
        let of = |name| {
            let caller = Caller::new(Way::Basic, name, Vec::new()).expect("a name");
            Permissions::new(Arc::new(caller), Some(Arc::clone(&rules)))
        };
        let ana = of("ana");
        for (method, path, expected) in [
            ("GET", "/", true),
            ("GET", "/topics", true),
            ("HEAD", "/topics", true),
            ("POST", "/topics/own.t", true),
            ("POST", "/topics/other", false),
            ("POST", "/v3/clusters/C/topics/own.t/records:batch", true),
            ("GET", "/v3/clusters/C/topics/own.t/configs/retention.ms", true),
            ("POST", "/v3/clusters/C/topics/own.t/configs:alter", false),
            ("GET", "/v3/clusters/C/acls", false),
            ("POST", "/contexts/c/subjects/s/versions", true),
            ("POST", "/subjects/s/versions", false),
            ("PUT", "/config", false),
        ] {
            let (is_allowed, sentence) = explain(&ana, None, method, path).expect(path);
            assert_eq!(is_allowed, expected, "{method} {path}: {sentence}");
        }
        let (_, sentence) = explain(&ana, None, "post", "/topics/other").expect("a path");
        assert!(sentence.contains("may not produce to topic other. It may produce to: own.*"), "{sentence}");
        assert!(!explain(&of("eve"), None, "GET", "/topics").expect("a path").0);
        assert!(explain(&ana, None, "GET", "/nowhere").is_err());
    }

    /// Where the registry is asked, Kafka is asked by the registry.
    #[test]
    fn it_is_explained_as_whom_kafka_is_asked() {
        let identities = KafkaIdentityTable::parse(
            "[[identity]]\nname=\"team\"\nwho=[\"claim:lsst\"]\nsasl-mechanism=\"PLAIN\"\nsasl-username=\"u\"\nsasl-password-file=\"f\"",
        )
        .expect("sound");
        let explained = |groups: &[&str], path| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let caller = Caller::new(Way::Bearer, "ana", groups).expect("a name");
            explain(&Permissions::new(Arc::new(caller), None), Some(&identities), "GET", path).expect("a path")
        };
        let (is_allowed, sentence) = explained(&["lsst"], "/topics");
        assert!(is_allowed && sentence.contains("Kafka is asked as identity team: user u (PLAIN)"), "{sentence}");
        let (is_allowed, sentence) = explained(&[], "/topics");
        assert!(!is_allowed && sentence.contains("denied: ana has no identity at Kafka"), "{sentence}");
        let (is_allowed, sentence) = explained(&[], "/subjects");
        assert!(is_allowed && !sentence.contains("Kafka"), "{sentence}");
    }
}
