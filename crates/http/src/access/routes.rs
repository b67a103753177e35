//! Which right each route needs. A route that is not listed here is not served: a test takes every route and looks.

use postern_access::Right;

use Need::{Any, Group, GroupOfTopic, Open, Scope, Subject, Topic, Whole};
use Right::{
    Acls, Alter, ChangeAcls, ChangeSettings, Configure, Consume, Delete, Describe, Govern, Join, Produce, Read,
    Register, Remove, Settings, Watch,
};

/// What a route needs before its body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Open,
    /// That some rule names the caller. What else it needs stands in the body, or its list is filtered.
    Any,
    /// A right on the topic of the path.
    Topic(Right),
    /// On the group of the path.
    Group(Right),
    /// On the group and the topic of the path.
    GroupOfTopic(Right, Right),
    /// On the subject of the path.
    Subject(Right),
    /// On the subject or the context of the path; without one on the whole.
    Scope(Right, Option<Right>),
    /// On the cluster or the registry.
    Whole(Right),
}

/// What a route without a row needs: a right that hardly anybody has. A test finds such routes.
pub(crate) const UNLISTED: Need = Whole(Govern);

/// That of a route; `None`: it is not listed.
pub(crate) fn need(method: &str, path: &str) -> Option<Need> {
    // The registry's routes exist once more in each context, but for those that are about the contexts themselves.
    let plain = path.strip_prefix("/contexts/{context}").filter(|rest| !rest.is_empty()).unwrap_or(path);
    let plain = plain.strip_prefix("/v3/clusters/{cluster}/").unwrap_or(plain);
    let found = NEEDS.iter().find(|(known, of, _)| *known == method && *of == plain);
    found.map(|(_, _, need)| *need)
}

/// That of a path as a client writes it, with the parameters of its route, decoded.
pub(super) fn find(method: &str, path: &str) -> Option<(Need, Vec<(&'static str, String)>)> {
    const CLUSTER: &str = "/v3/clusters/{cluster}/";
    let (context, plain) = match path.strip_prefix("/contexts/").and_then(|rest| rest.split_once('/')) {
        Some((context, rest)) => (Some(context), format!("/{rest}")),
        None => (None, path.to_owned()),
    };
    let fits = |(known, pattern, need): &(&'static str, &'static str, Need)| {
        let base = if pattern.starts_with('/') { "" } else { CLUSTER };
        let segments: Vec<&'static str> = base.split('/').filter(|part| !part.is_empty()).collect();
        let segments: Vec<_> = segments.into_iter().chain(pattern.split('/').filter(|part| !part.is_empty())).collect();
        let given: Vec<&str> = plain.split('/').filter(|part| !part.is_empty()).collect();
        if *known != method || segments.len() != given.len() {
            return None;
        }
        let mut params: Vec<(&'static str, String)> = Vec::new();
        let mut literal = 0;
        for (segment, given) in segments.iter().zip(&given) {
            match segment.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                Some((name, end)) if given.ends_with(end) => {
                    let value = &given[..given.len() - end.len()];
                    params.push((name, crate::path::decode(value).into_owned()));
                }
                None if segment == given => literal += 1,
                _ => return None,
            }
        }
        params.extend(context.map(|context| ("context", crate::path::decode(context).into_owned())));
        Some((literal, *need, params))
    };
    let found = NEEDS.iter().filter_map(fits).max_by_key(|(literal, ..)| *literal);
    found.map(|(_, need, params)| (need, params))
}

/// Whether requests of a route are there to alter something, so that the audit has a line for each. Records are no alteration.
pub(crate) fn alters(method: &str, path: &str, need: Need) -> bool {
    let is_about_records = need == Topic(Produce) || path.starts_with("/consumers");
    // Look-ups and tests of compatibility are POST as well.
    let is_question = need == Subject(Read) || path == "/";
    method != "GET" && !is_about_records && !is_question
}

#[rustfmt::skip]
const NEEDS: &[(&str, &str, Need)] = &[
    ("GET", "/", Open),
    ("POST", "/", Any),
    ("GET", "/openapi.json", Any),
    ("GET", "/docs", Any),
    // API v2.
    ("GET", "/brokers", Any),
    ("GET", "/topics", Any),
    ("GET", "/topics/{topic}", Topic(Describe)),
    ("POST", "/topics/{topic}", Topic(Produce)),
    ("GET", "/topics/{topic}/partitions", Topic(Describe)),
    ("GET", "/topics/{topic}/partitions/{partition}", Topic(Describe)),
    ("POST", "/topics/{topic}/partitions/{partition}", Topic(Produce)),
    ("GET", "/topics/{topic}/partitions/{partition}/offsets", Topic(Describe)),
    ("GET", "/topics/{topic}/partitions/{partition}/records", Topic(Consume)),
    ("GET", "/topics/{topic}/records", Topic(Consume)),
    ("POST", "/consumers/{group}", Group(Join)),
    // An instance is found by its owner only.
    ("DELETE", "/consumers/{group}/instances/{instance}", Any),
    ("POST", "/consumers/{group}/instances/{instance}/subscription", Group(Join)),
    ("GET", "/consumers/{group}/instances/{instance}/subscription", Any),
    ("DELETE", "/consumers/{group}/instances/{instance}/subscription", Any),
    ("POST", "/consumers/{group}/instances/{instance}/assignments", Group(Join)),
    ("GET", "/consumers/{group}/instances/{instance}/assignments", Any),
    ("GET", "/consumers/{group}/instances/{instance}/records", Group(Join)),
    ("POST", "/consumers/{group}/instances/{instance}/offsets", Group(Join)),
    ("GET", "/consumers/{group}/instances/{instance}/offsets", Group(Join)),
    ("POST", "/consumers/{group}/instances/{instance}/positions", Group(Join)),
    ("POST", "/consumers/{group}/instances/{instance}/positions/beginning", Group(Join)),
    ("POST", "/consumers/{group}/instances/{instance}/positions/end", Group(Join)),
    // API v3, below the cluster.
    ("GET", "/v3/clusters", Any),
    ("GET", "/v3/clusters/{cluster}", Any),
    ("GET", "acls", Whole(Acls)),
    ("POST", "acls", Whole(ChangeAcls)),
    ("DELETE", "acls", Whole(ChangeAcls)),
    ("POST", "acls:batch", Whole(ChangeAcls)),
    ("GET", "broker-configs", Whole(Settings)),
    ("GET", "broker-configs/{config}", Whole(Settings)),
    ("PUT", "broker-configs/{config}", Whole(ChangeSettings)),
    ("DELETE", "broker-configs/{config}", Whole(ChangeSettings)),
    ("POST", "broker-configs:alter", Whole(ChangeSettings)),
    ("GET", "brokers", Any),
    ("GET", "brokers/{broker}", Any),
    ("GET", "brokers/-/configs", Whole(Settings)),
    ("GET", "brokers/{broker}/configs", Whole(Settings)),
    ("GET", "brokers/{broker}/configs/{config}", Whole(Settings)),
    ("PUT", "brokers/{broker}/configs/{config}", Whole(ChangeSettings)),
    ("DELETE", "brokers/{broker}/configs/{config}", Whole(ChangeSettings)),
    ("POST", "brokers/{broker}/configs:alter", Whole(ChangeSettings)),
    ("GET", "brokers/{broker}/partition-replicas", Any),
    ("GET", "consumer-groups", Any),
    ("GET", "consumer-groups/{group}", Group(Watch)),
    ("GET", "consumer-groups/{group}/consumers", Group(Watch)),
    ("GET", "consumer-groups/{group}/consumers/{consumer}", Group(Watch)),
    ("GET", "consumer-groups/{group}/consumers/{consumer}/assignments", Group(Watch)),
    ("GET", "consumer-groups/{group}/consumers/{consumer}/assignments/{topic}/partitions/{partition}", GroupOfTopic(Watch, Describe)),
    ("GET", "consumer-groups/{group}/lags", Group(Watch)),
    ("GET", "consumer-groups/{group}/lags/{topic}/partitions/{partition}", GroupOfTopic(Watch, Describe)),
    ("GET", "consumer-groups/{group}/lag-summary", Group(Watch)),
    ("GET", "topics", Any),
    ("POST", "topics", Any),
    ("GET", "topics/{topic}", Topic(Describe)),
    ("PATCH", "topics/{topic}", Topic(Alter)),
    ("DELETE", "topics/{topic}", Topic(Delete)),
    ("GET", "topics/{topic}/configs", Topic(Describe)),
    ("GET", "topics/{topic}/configs/{config}", Topic(Describe)),
    ("PUT", "topics/{topic}/configs/{config}", Topic(Alter)),
    ("DELETE", "topics/{topic}/configs/{config}", Topic(Alter)),
    ("POST", "topics/{topic}/configs:alter", Topic(Alter)),
    ("GET", "topics/-/configs", Any),
    ("POST", "topics/-/configs:alter", Any),
    ("GET", "topics/{topic}/partitions", Topic(Describe)),
    ("GET", "topics/{topic}/partitions/{partition}", Topic(Describe)),
    ("GET", "topics/{topic}/partitions/{partition}/offset", Topic(Describe)),
    ("GET", "topics/{topic}/partitions/{partition}/replicas", Topic(Describe)),
    ("GET", "topics/{topic}/partitions/{partition}/replicas/{broker}", Topic(Describe)),
    ("GET", "topics/-/partitions/-/reassignment", Any),
    ("GET", "topics/{topic}/partitions/-/reassignment", Topic(Describe)),
    ("GET", "topics/{topic}/partitions/{partition}/reassignment", Topic(Describe)),
    ("GET", "topics/-/partitions/-/reassignments", Any),
    ("GET", "topics/{topic}/partitions/-/reassignments", Topic(Describe)),
    ("GET", "topics/{topic}/partitions/{partition}/reassignments", Topic(Describe)),
    ("GET", "topics/{topic}/records", Topic(Consume)),
    ("GET", "topics/{topic}/partitions/{partition}/records", Topic(Consume)),
    ("POST", "topics/{topic}/records", Topic(Produce)),
    ("POST", "topics/{topic}/records:batch", Topic(Produce)),
    // Administration.
    ("DELETE", "/admin/v1/clusters/{cluster}/consumer-groups/{group}", Group(Join)),
    ("POST", "/admin/v1/clusters/{cluster}/consumer-groups/{group}/offsets:reset", Group(Join)),
    ("POST", "/admin/v1/clusters/{cluster}/consumer-groups/{group}/offsets:delete", Group(Join)),
    ("POST", "/admin/v1/clusters/{cluster}/topics/{topic}/records:delete", Topic(Delete)),
    ("POST", "/admin/v1/clusters/{cluster}/topics:create", Any),
    ("GET", "/admin/v1/clusters/{cluster}/log-dirs", Whole(Settings)),
    ("POST", "/admin/v1/clusters/{cluster}/reassignments:alter", Whole(ChangeSettings)),
    ("POST", "/admin/v1/clusters/{cluster}/leaders:elect", Whole(ChangeSettings)),
    ("GET", "/admin/v1/clusters/{cluster}/scram-users", Whole(Acls)),
    ("PUT", "/admin/v1/clusters/{cluster}/scram-users/{user}/credentials/{mechanism}", Whole(ChangeAcls)),
    ("DELETE", "/admin/v1/clusters/{cluster}/scram-users/{user}/credentials/{mechanism}", Whole(ChangeAcls)),
    // The registry, also below a context.
    ("GET", "/schemas", Any),
    ("GET", "/schemas/types", Any),
    ("GET", "/schemas/ids/{id}", Any),
    ("GET", "/schemas/ids/{id}/schema", Any),
    ("GET", "/schemas/ids/{id}/subjects", Any),
    ("GET", "/schemas/ids/{id}/versions", Any),
    ("GET", "/schemas/guids/{guid}", Any),
    ("GET", "/schemas/guids/{guid}/ids", Any),
    ("GET", "/subjects", Any),
    ("POST", "/subjects/{subject}", Subject(Read)),
    ("DELETE", "/subjects/{subject}", Subject(Remove)),
    ("GET", "/subjects/{subject}/metadata", Subject(Read)),
    ("GET", "/subjects/{subject}/versions", Subject(Read)),
    ("POST", "/subjects/{subject}/versions", Subject(Register)),
    ("GET", "/subjects/{subject}/versions/{version}", Subject(Read)),
    ("DELETE", "/subjects/{subject}/versions/{version}", Subject(Remove)),
    ("GET", "/subjects/{subject}/versions/{version}/schema", Subject(Read)),
    ("GET", "/subjects/{subject}/versions/{version}/referencedby", Subject(Read)),
    ("POST", "/subjects/{subject}/versions/{version}/tags", Subject(Register)),
    ("POST", "/compatibility/subjects/{subject}/versions", Subject(Read)),
    ("POST", "/compatibility/subjects/{subject}/versions/{version}", Subject(Read)),
    ("GET", "/config", Scope(Read, None)),
    ("PUT", "/config", Scope(Configure, Some(Govern))),
    ("DELETE", "/config", Scope(Configure, Some(Govern))),
    ("GET", "/config/{subject}", Scope(Read, None)),
    ("PUT", "/config/{subject}", Scope(Configure, Some(Govern))),
    ("DELETE", "/config/{subject}", Scope(Configure, Some(Govern))),
    ("GET", "/mode", Scope(Read, None)),
    ("PUT", "/mode", Scope(Configure, Some(Govern))),
    ("DELETE", "/mode", Scope(Configure, Some(Govern))),
    ("GET", "/mode/{subject}", Scope(Read, None)),
    ("PUT", "/mode/{subject}", Scope(Configure, Some(Govern))),
    ("DELETE", "/mode/{subject}", Scope(Configure, Some(Govern))),
    // There are no associations yet: lists are empty, changes are not built.
    ("POST", "/associations", Whole(Govern)),
    ("GET", "/associations/subjects/{subject}", Subject(Read)),
    ("GET", "/associations/resources/{resource}", Any),
    ("GET", "/associations/resources/{namespace}/{resource}", Any),
    ("PUT", "/associations/resources/{resource}", Whole(Govern)),
    ("DELETE", "/associations/resources/{resource}", Whole(Govern)),
    ("POST", "/associations:batchMutate", Whole(Govern)),
    ("GET", "/contexts", Any),
    ("DELETE", "/contexts/{context}", Whole(Govern)),
    ("GET", "/v1/metadata/id", Any),
    ("GET", "/v1/metadata/version", Any),
    ("GET", "/v1/metadata/deployment", Any),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A new route that writes has to be looked at: whether it belongs into the audit.
    #[test]
    fn what_alters_is_audited_and_what_only_asks_or_writes_records_is_not() {
        let not_audited: Vec<String> = NEEDS
            .iter()
            .filter(|(method, path, need)| *method != "GET" && !alters(method, path, *need))
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        let expected = [
            "POST /",
            "POST /topics/{topic}",
            "POST /topics/{topic}/partitions/{partition}",
            "POST /consumers/{group}",
            "DELETE /consumers/{group}/instances/{instance}",
            "POST /consumers/{group}/instances/{instance}/subscription",
            "DELETE /consumers/{group}/instances/{instance}/subscription",
            "POST /consumers/{group}/instances/{instance}/assignments",
            "POST /consumers/{group}/instances/{instance}/offsets",
            "POST /consumers/{group}/instances/{instance}/positions",
            "POST /consumers/{group}/instances/{instance}/positions/beginning",
            "POST /consumers/{group}/instances/{instance}/positions/end",
            "POST topics/{topic}/records",
            "POST topics/{topic}/records:batch",
            "POST /subjects/{subject}",
            "POST /compatibility/subjects/{subject}/versions",
            "POST /compatibility/subjects/{subject}/versions/{version}",
        ];
        assert_eq!(not_audited, expected);
    }
}
