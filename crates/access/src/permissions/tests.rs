//! Rules of a file, and what they allow.

use super::*;
use crate::caller::Way;

const RULES: &str = r#"
team.verify = ["bot-verify", "claim:lsst-verify"]
[[rule]]
who = ["@verify"]
topics = ["lsst.verify.*"]
groups = ["verify-*"]
except = ["lsst.verify.secret"]
may = ["produce", "consume", "create", "join"]
limits = { partitions = 10, replicas = 3, configs = ["retention.ms"], default-partitions = 2 }
[[rule]]
who = ["anonymous", "*"]
subjects = ["*"]
may = ["read"]
[[rule]]
who = ["*"]
topics = ["home.{user}.*"]
may = ["delete", "alter"]
limits = { configs = [] }
[[rule]]
who = ["admin"]
topics = ["*", "_schemas"]
may = ["describe", "settings"]
[[expect]]
who = "bot-verify"
allowed = { produce = "lsst.verify.a" }
denied = { produce = "lsst.prompt.alerts", consume = "lsst.verify.secret" }
"#;

fn parsed(text: &str) -> Result<(Rules, Vec<String>), Vec<String>> {
    Rules::parse(text, &["_schemas", "__consumer_offsets"])
}

fn of(caller: Caller) -> Permissions {
    let (rules, doubts) = parsed(RULES).expect("good rules");
    assert_eq!(doubts, Vec::<String>::new());
    Permissions::new(Arc::new(caller), Some(Arc::new(rules)))
}

fn named(name: &str) -> Permissions {
    of(Caller::new(Way::Basic, name, Vec::new()).expect("a name"))
}

#[test]
fn what_a_rule_names_is_allowed_and_nothing_else() {
    let bot = named("bot-verify");
    for (right, name, expected) in [
        (Right::Produce, "lsst.verify.a", true),
        (Right::Describe, "lsst.verify.a", true),
        (Right::Delete, "lsst.verify.a", false),
        (Right::Produce, "lsst.verify", false),
        (Right::Produce, "lsst.prompt.a", false),
        (Right::Describe, "lsst.verify.secret", false),
        (Right::Join, "verify-1", true),
        (Right::Watch, "verify-1", true),
        (Right::Join, "other", false),
        (Right::Read, "any", true),
        (Right::Register, "any", false),
        (Right::Settings, "", false),
    ] {
        assert_eq!(bot.may(right, name), expected, "{right:?} {name}");
    }
    let group = Caller::new(Way::Bearer, "ana", vec!["lsst-verify".to_owned()]).expect("a name");
    assert!(of(group).may(Right::Produce, "lsst.verify.a"));
    let anonymous = of(Caller::anonymous());
    assert!(anonymous.may(Right::Read, "any") && !anonymous.may(Right::Describe, "home.anonymous.x"));
    // A name is not more than itself.
    assert!(named("ana").may(Right::Delete, "home.ana.x") && !named("ana").may(Right::Delete, "home.ben.x"));
    assert!(!named("a.*").may(Right::Delete, "home.a.*.x"));
    // Who is called so has not presented nothing.
    assert!(named("anonymous").may(Right::Delete, "home.anonymous.x"));
}

#[test]
fn internal_topics_are_meant_by_their_whole_name_only() {
    let admin = named("admin");
    assert!(admin.may(Right::Describe, "lab") && admin.may(Right::Describe, "_schemas"));
    assert!(!admin.may(Right::Describe, "__consumer_offsets"));
    assert!(admin.may(Right::Settings, "") && !admin.may(Right::ChangeSettings, ""));
}

#[test]
fn a_denial_names_the_right_and_what_is_possible() {
    let denied = named("bot-verify").check(Right::Produce, "lsst.dm.x").expect_err("denied");
    assert_eq!(
        denied.to_string(),
        "bot-verify may not produce to topic lsst.dm.x. It may produce to: lsst.verify.* (access rule 1). Nothing was done."
    );
    assert!(!denied.is_anonymous());
    let denied = of(Caller::anonymous()).check(Right::Produce, "t").expect_err("denied");
    assert!(denied.is_anonymous());
    assert!(named("ana").check_named().is_ok());
}

#[test]
fn topics_are_created_within_the_limits_of_one_rule() {
    let bot = named("bot-verify");
    let asked = |partitions, replicas, configs: &[&'static str], has_assignments| TopicRequest {
        partitions,
        replicas,
        has_assignments,
        configs: configs.to_vec(),
    };
    let creation =
        |request: &TopicRequest<'_>| bot.creation("lsst.verify.a", request).map_err(|denied| denied.to_string());
    assert_eq!(
        creation(&asked(None, Some(3), &["retention.ms"], false)),
        Ok(Creation { partitions: Some(2), replicas: Some(3), configs: Vec::new() })
    );
    for (request, expected) in [
        (asked(Some(11), None, &[], false), "at most 10 partitions, found 11 (access rule 1)"),
        (asked(None, Some(4), &[], false), "at most 3 replicas, found 4"),
        (asked(None, None, &["cleanup.policy"], false), "configs retention.ms, found cleanup.policy"),
        (asked(None, None, &[], true), "found replicas_assignments"),
    ] {
        let refused = creation(&request).expect_err("beyond a limit");
        assert!(refused.contains(expected), "{refused}");
    }
    assert!(bot.creation("other", &TopicRequest::default()).is_err());
    let ana = named("ana");
    assert!(ana.check_alteration("home.ana.x", &[], None).is_ok());
    assert!(ana.check_alteration("home.ana.x", &["retention.ms"], None).is_err());
    assert!(ana.check_alteration("home.ben.x", &[], None).is_err());
}

#[test]
fn topics_are_made_by_their_first_record_where_a_rule_says_so() {
    const LIMITS: &str = "limits={default-partitions=3, configs=[], default-configs={\"retention.ms\"=\"60000\"}}";
    let rule =
        |on: &str| format!("[[rule]]\nwho=[\"ana\"]\ntopics=[\"own.*\"]\nmay=[\"produce\",\"create\"]\n{LIMITS}\n{on}");
    let permissions = |text: &str| {
        let (rules, _) = parsed(text).expect("good rules");
        Permissions::new(Arc::new(Caller::new(Way::Basic, "ana", Vec::new()).expect("a name")), Some(Arc::new(rules)))
    };
    let made = permissions(&rule("on-first-produce=true"));
    let configs = vec![("retention.ms".to_owned(), "60000".to_owned())];
    let expected = Creation { partitions: Some(3), replicas: None, configs };
    assert_eq!(made.on_first_produce("own.a"), Some(expected.clone()));
    assert_eq!(made.creation("own.a", &TopicRequest::default()), Ok(expected));
    assert_eq!(made.on_first_produce("other"), None);
    assert_eq!(permissions(&rule("")).on_first_produce("own.a"), None);
    assert_eq!(Permissions::unlimited().on_first_produce("own.a"), None);
    let without_right = rule("on-first-produce=true").replace(",\"create\"", "");
    let faults = parsed(&without_right).expect_err("refused").join("\n");
    assert!(faults.contains("rule 1, on-first-produce: expected produce and create"), "{faults}");
}

#[test]
fn producing_registers_the_schemas_of_its_topic() {
    let bot = named("bot-verify");
    assert!(bot.check_schema_of("lsst.verify.a", "lsst.verify.a-value", Right::Register).is_ok());
    for (topic, subject) in [("lsst.verify.a", "lsst.verify.b-value"), ("lsst.prompt.a", "lsst.prompt.a-value")] {
        assert!(bot.check_schema_of(topic, subject, Right::Register).is_err(), "{subject}");
    }
}

#[test]
fn the_example_that_is_delivered_holds() {
    let (_, doubts) = parsed(include_str!("../../../../deploy/access.toml")).expect("it holds what it expects");
    assert_eq!(doubts, Vec::<String>::new());
}

#[test]
fn everything_that_is_wrong_with_a_file_is_said_at_once() {
    let faults = parsed(
        r#"
        [[rule]]
        who = ["@nobody"]
        topics = ["a*b"]
        may = ["produce", "fly"]
        [[rule]]
        who = ["ana"]
        groups = ["g"]
        may = ["register"]
        [[rule]]
        who = ["ana"]
        topics = ["t"]
        may = ["produce"]
                limits = { partitions = 0 }
        "#,
    )
    .expect_err("refused");
    let text = faults.join("\n");
    for expected in [
        "rule 1, topics: expected a name, or the begin of names with one * at its end, found \"a*b\"",
        "rule 1, who: expected a team of this file, found \"@nobody\"",
        "found \"fly\"",
        "rule 2, subjects: expected a list beside register",
        "rule 2, may: expected a right on groups",
        "rule 3, limits: expected numbers of at least 1",
    ] {
        assert!(text.contains(expected), "{expected} in:\n{text}");
    }
    for (text, expected) in [
        ("", "nobody could do anything"),
        ("rules = 1", "unknown field"),
        ("allow-all = true\n[[rule]]\nwho=[\"a\"]\ntopics=[\"t\"]\nmay=[\"produce\"]", "pointless"),
        (
            "[[rule]]\nwho=[\"a\"]\ntopics=[\"t\"]\nmay=[\"produce\"]\n[[expect]]\nwho=\"b\"\nallowed={produce=\"t\"}",
            "expect 1: the rules do not allow b to produce t",
        ),
    ] {
        let faults = parsed(text).expect_err(text).join("\n");
        assert!(faults.contains(expected), "{faults}");
    }
    let (_, doubts) = parsed("[[rule]]\nwho=[\"a\"]\ntopics=[\"lsst.dm*\"]\nmay=[\"produce\"]").expect("taken");
    assert!(doubts[0].contains("lsst.dmx"), "{doubts:?}");
    let (all, _) = parsed("allow-all = true").expect("said aloud");
    let permissions = Permissions::new(Arc::new(Caller::anonymous()), Some(Arc::new(all)));
    assert!(permissions.may(Right::ChangeAcls, ""));
}
