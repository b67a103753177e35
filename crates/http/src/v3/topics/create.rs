//! The request to create a topic (docs/reference/rest-v3.md §6.2).

use std::collections::{BTreeMap, BTreeSet};

use postern_access::{Permissions, TopicRequest};
use postern_proxy::{NewTopic, TopicName};

use crate::lenient_object::LenientObject;
use crate::observe::name_in_audit;
use crate::problem::Problem;

/// The members of the body.
#[derive(Debug)]
pub(crate) struct Creation {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i16>,
    assignments: Option<BTreeMap<i32, Vec<i32>>>,
    configs: Vec<(String, Option<String>)>,
    validate_only: bool,
}

impl Creation {
    pub(super) fn read(body: &[u8]) -> Result<Creation, Problem> {
        let mut object = LenientObject::read(body, "an object with topic_name")?;
        let mut creation = Creation::members(&mut object)?;
        creation.validate_only = object.flag("validate_only")?.unwrap_or(false);
        object.end()?;
        Ok(creation)
    }

    /// One of several topics, for all of which it is said once whether they are only validated.
    pub(crate) fn of_several(mut object: LenientObject<'_>, validate_only: bool) -> Result<Creation, Problem> {
        let creation = Creation { validate_only, ..Creation::members(&mut object)? };
        object.end()?;
        Ok(creation)
    }

    fn members(object: &mut LenientObject<'_>) -> Result<Creation, Problem> {
        let name = object.text("topic_name")?;
        let partitions = object.int32("partitions_count")?;
        let replication_factor = object.int16("replication_factor")?;
        let assignments = object.numbered_lists("replicas_assignments")?;
        let configs = object.objects("configs")?.unwrap_or_default();
        Ok(Creation {
            name: object.required("topic_name", name)?,
            partitions,
            replication_factor,
            assignments: assignments.filter(|assignments| !assignments.is_empty()),
            configs: configs.into_iter().map(config).collect::<Result<_, _>>()?,
            validate_only: false,
        })
    }

    /// The same within what the caller may create; what the request leaves open is as the rule has it.
    pub(crate) fn within(mut self, permissions: &Permissions) -> Result<Creation, Problem> {
        name_in_audit(format_args!("topic {}", self.name));
        // To Kafka -1 is a number that is left out.
        let request = TopicRequest {
            partitions: self.partitions.filter(|partitions| *partitions != -1),
            replicas: self.replication_factor.filter(|replicas| *replicas != -1),
            has_assignments: self.assignments.is_some(),
            configs: self.configs.iter().map(|(name, _)| name.as_str()).collect(),
        };
        let created = permissions.creation(&self.name, &request).map_err(|denied| Problem::denied(&denied))?;
        if self.assignments.is_none() {
            (self.partitions, self.replication_factor) = (created.partitions, created.replicas);
        }
        self.configs.extend(created.configs.into_iter().map(|(name, value)| (name, Some(value))));
        Ok(self)
    }

    /// The request to the cluster; refuses what no cluster would accept.
    pub(crate) fn into_topic(self) -> Result<NewTopic, Problem> {
        let illegal =
            |error| Problem::payload(format!("'{}' is no legal name of a topic: {error}.", shown(&self.name)));
        let name = TopicName::parse(&self.name).map_err(illegal)?;
        let mut seen = BTreeSet::new();
        for (config, value) in &self.configs {
            if value.is_none() {
                return Err(Problem::invalid_request(format!(
                    "configs: {config} has no value; leave it out to have the default."
                )));
            }
            if !seen.insert(config) {
                return Err(Problem::invalid_request(format!("configs: {config} stands there twice.")));
            }
        }
        Ok(NewTopic {
            name,
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            assignments: self.assignments.map(in_order).transpose()?,
            configs: self.configs,
            validate_only: self.validate_only,
        })
    }
}

fn config(mut object: LenientObject) -> Result<(String, Option<String>), Problem> {
    let name = object.kafka_text("name")?;
    let name = object.required("name", name)?;
    let value = object.kafka_text("value")?;
    object.end()?;
    Ok((name, value))
}

/// The lists alone, if their numbers are 0, 1, 2 and so on.
fn in_order(assignments: BTreeMap<i32, Vec<i32>>) -> Result<Vec<Vec<i32>>, Problem> {
    match assignments.keys().zip(0..).find(|(number, expected)| *number != expected) {
        None => Ok(assignments.into_values().collect()),
        Some((number, expected)) => Err(Problem::invalid_request(format!(
            "replicas_assignments: partitions are numbered from 0 without gaps; found {number} in the place of {expected}."
        ))),
    }
}

/// The beginning of a name that may be very long.
fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(body: &str) -> Result<NewTopic, (u32, String)> {
        Creation::read(body.as_bytes())
            .and_then(Creation::into_topic)
            .map_err(|problem| (problem.code, problem.message))
    }

    #[test]
    fn requests_are_read_leniently() {
        let new = topic(
            r#"{"topic_name":"t","partitions_count":"6","replication_factor":3.0,"validate_only":1,
                "configs":[{"name":"retention.ms","value":60000}],"replicas_assignments":{}}"#,
        );
        let expected = NewTopic {
            name: TopicName::parse("t").expect("legal"),
            partitions: Some(6),
            replication_factor: Some(3),
            assignments: None,
            configs: vec![("retention.ms".to_owned(), Some("60000".to_owned()))],
            validate_only: true,
        };
        assert_eq!(new, Ok(expected));
        let assigned = topic(r#"{"topic_name":"t","replicas_assignments":{"1":[2,3],"0":[1,2]}}"#).expect("good");
        assert_eq!(assigned.assignments, Some(vec![vec![1, 2], vec![2, 3]]));
    }

    #[test]
    fn requests_that_no_cluster_accepts_are_refused() {
        for (body, code, message) in [
            (
                r#"{"topic_name":"a b"}"#,
                42206,
                "'a b' is no legal name of a topic: a topic name has 1 to 249 characters out of letters, digits, '.', '_' and '-', and is neither \".\" nor \"..\".",
            ),
            (r#"{"partitions":3}"#, 400, "topic_name is missing: it is required, and must not be null."),
            (
                r#"{"topic_name":"t","partitions":3}"#,
                422,
                "Unrecognized field: partitions. There may be topic_name, partitions_count, replication_factor, replicas_assignments, configs, validate_only.",
            ),
            (
                r#"{"topic_name":"t","configs":[{"name":"a","value":"1","operation":"SET"}]}"#,
                422,
                "Unrecognized field: configs[0].operation. There may be name, value.",
            ),
            (
                r#"{"topic_name":"t","configs":[{"name":"a"}]}"#,
                40002,
                "configs: a has no value; leave it out to have the default.",
            ),
            (
                r#"{"topic_name":"t","configs":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}"#,
                40002,
                "configs: a stands there twice.",
            ),
            (
                r#"{"topic_name":"t","replicas_assignments":{"1":[1]}}"#,
                40002,
                "replicas_assignments: partitions are numbered from 0 without gaps; found 1 in the place of 0.",
            ),
        ] {
            assert_eq!(topic(body), Err((code, message.to_owned())), "{body}");
        }
    }
}
