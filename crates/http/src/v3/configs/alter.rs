//! The bodies of requests that change configs (docs/reference/rest-v3.md §5.3–5.5).

use postern_proxy::{ConfigAlteration, ConfigChange, TopicName};

use crate::lenient_object::LenientObject;
use crate::problem::Problem;

/// `{"value": …}`. Null is passed on: the cluster refuses it.
pub(super) fn value_of(body: &[u8]) -> Result<Option<String>, Problem> {
    let mut object = LenientObject::read(body, "an object with value")?;
    let value = object.kafka_text("value")?;
    object.end()?;
    Ok(value)
}

/// Changes of one resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alteration {
    pub(super) alterations: Vec<ConfigAlteration>,
    pub(super) validate_only: bool,
}

impl Alteration {
    pub(super) fn read(body: &[u8]) -> Result<Alteration, Problem> {
        let mut object = LenientObject::read(body, "an object with data")?;
        let data = object.objects("data")?;
        let validate_only = object.flag("validate_only")?.unwrap_or(false);
        let data = object.required("data", data)?;
        let alterations = data.into_iter().map(alteration).collect::<Result<_, _>>()?;
        object.end()?;
        Ok(Alteration { alterations, validate_only })
    }
}

/// Changes of several topics. Of a topic that is named twice the last entry counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopicAlterations {
    pub(super) topics: Vec<(TopicName, Vec<ConfigAlteration>)>,
    pub(super) validate_only: bool,
}

impl TopicAlterations {
    pub(super) fn read(body: &[u8]) -> Result<TopicAlterations, Problem> {
        let mut object = LenientObject::read(body, "an object with data")?;
        let data = object.objects("data")?;
        let validate_only = object.flag("validate_only")?.unwrap_or(false);
        let data = object.required("data", data)?;
        let named = data.into_iter().map(topic).collect::<Result<Vec<_>, _>>()?;
        object.end()?;
        let mut topics: Vec<(TopicName, Vec<ConfigAlteration>)> = Vec::with_capacity(named.len());
        for (name, alterations) in named {
            let illegal = |error| Problem::invalid_request(format!("'{name}' is no legal name of a topic: {error}."));
            let topic = TopicName::parse(&name).map_err(illegal)?;
            topics.retain(|(known, _)| *known != topic);
            topics.push((topic, alterations));
        }
        Ok(TopicAlterations { topics, validate_only })
    }
}

fn topic(mut object: LenientObject) -> Result<(String, Vec<ConfigAlteration>), Problem> {
    let name = object.kafka_text("topic_name")?;
    let configs = object.objects("configs")?;
    let name = object.required("topic_name", name)?;
    let configs = object.required("configs", configs)?;
    let alterations = configs.into_iter().map(alteration).collect::<Result<_, _>>()?;
    object.end()?;
    Ok((name, alterations))
}

fn alteration(mut object: LenientObject) -> Result<ConfigAlteration, Problem> {
    let name = object.kafka_text("name")?;
    let value = object.kafka_text("value")?;
    let operation = object.choice("operation", &[("SET", Operation::Set), ("DELETE", Operation::Delete)])?;
    let name = object.required("name", name)?;
    object.end()?;
    let change = match operation.unwrap_or(Operation::Set) {
        Operation::Set => ConfigChange::Set(value),
        Operation::Delete => ConfigChange::Delete,
    };
    Ok(ConfigAlteration { name, change })
}

#[derive(Clone, Copy)]
enum Operation {
    Set,
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(read: Result<T, Problem>) -> (u32, String) {
        let problem = read.expect_err("refused");
        (problem.code, problem.message)
    }

    #[test]
    fn alterations_are_read() {
        let body = br#"{"validate_only":true,"data":[{"name":"a","value":1,"operation":null},{"name":"b","value":"x","operation":"DELETE"},{"name":"c"}]}"#;
        let alteration = |name: &str, change| ConfigAlteration { name: name.to_owned(), change };
        let expected = Alteration {
            alterations: vec![
                alteration("a", ConfigChange::Set(Some("1".to_owned()))),
                alteration("b", ConfigChange::Delete),
                alteration("c", ConfigChange::Set(None)),
            ],
            validate_only: true,
        };
        assert_eq!(Alteration::read(body).ok(), Some(expected));
        for (body, code, message) in [
            (r#"{}"#, 400, "data is missing: it is required, and must not be null."),
            (r#"{"data":[{"value":"1"}]}"#, 400, "data[0].name is missing: it is required, and must not be null."),
            (
                r#"{"data":[{"name":"a","operation":"set"}]}"#,
                400,
                "data[0].operation: expected SET or DELETE, found \"set\".",
            ),
            (r#"{"data":[{"name":"a","operation":1}]}"#, 400, "data[0].operation: expected SET or DELETE, found 1."),
            (r#"{"data":[],"dry_run":true}"#, 422, "Unrecognized field: dry_run. There may be data, validate_only."),
            ("", 42206, "The request body is empty: expected an object with data."),
        ] {
            assert_eq!(refused(Alteration::read(body.as_bytes())), (code, message.to_owned()), "{body}");
        }
    }

    #[test]
    fn of_a_topic_named_twice_the_last_entry_counts() {
        let body =
            br#"{"data":[{"topic_name":"t","configs":[{"name":"a","value":"1"}]},{"topic_name":"t","configs":[]}]}"#;
        let read = TopicAlterations::read(body).expect("good");
        assert_eq!(read.topics, [(TopicName::parse("t").expect("legal"), Vec::new())]);
        let illegal = br#"{"data":[{"topic_name":"a b","configs":[]}]}"#;
        assert_eq!(refused(TopicAlterations::read(illegal)).0, 40002);
    }
}
