//! Rule sets: what shape they must have, and which rules are refused.
//!
//! Rules are not executed here and, as in the community edition of Confluent's registry, not kept when they are submitted; those in
//! the topic are served as they are. Source: docs/reference/schema-registry.md §4.7.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// The longest name of a rule, in characters.
const NAME_MAX: usize = 256;

/// Why a rule set is refused, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleSetError {
    /// Its JSON does not have the shape of a rule set.
    #[error("{0}")]
    Malformed(String),
    /// A rule breaks a rule for rules.
    #[error("{0}")]
    Invalid(String),
}

/// One of the lists of a rule set.
struct List {
    member: &'static str,
    what: &'static str,
    modes: [&'static str; 3],
}

const LISTS: [List; 3] = [
    List { member: "migrationRules", what: "Migration", modes: ["UPGRADE", "DOWNGRADE", "UPDOWN"] },
    List { member: "domainRules", what: "Domain", modes: ["WRITE", "READ", "WRITEREAD"] },
    List { member: "encodingRules", what: "Encoding", modes: ["WRITE", "READ", "WRITEREAD"] },
];

/// Checks that `rule_set` has the shape of one; what it says may still be refused by [`check_rule_set`].
///
/// # Errors
/// `Malformed`, with the place.
pub fn check_rule_set_shape(rule_set: &Value) -> Result<(), RuleSetError> {
    let Value::Object(members) = rule_set else {
        return Err(malformed("ruleSet", "an object", rule_set));
    };
    for list in &LISTS {
        for (at, rule) in rules(members, list)?.iter().enumerate() {
            let place = format!("{}[{at}]", list.member);
            let Value::Object(rule) = rule else {
                return Err(malformed(&place, "an object", rule));
            };
            one_of(rule, "kind", &["TRANSFORM", "CONDITION"], &place)?;
            one_of(rule, "mode", &["UPGRADE", "DOWNGRADE", "UPDOWN", "WRITE", "READ", "WRITEREAD"], &place)?;
        }
    }
    one_of(members, "enableAt", &["ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"], "ruleSet")
}

/// Checks names, types and modes of all rules.
///
/// # Errors
/// `Invalid`, with the rule; `Malformed` as [`check_rule_set_shape`].
pub fn check_rule_set(rule_set: &Value) -> Result<(), RuleSetError> {
    check_rule_set_shape(rule_set)?;
    let mut names = HashSet::new();
    let Value::Object(members) = rule_set else { return Ok(()) };
    for list in &LISTS {
        for rule in rules(members, list)? {
            check_rule(rule, list).map_err(RuleSetError::Invalid)?;
            let name = rule["name"].as_str().unwrap_or_default();
            if !names.insert(name) {
                return Err(RuleSetError::Invalid(format!("LookupMatch rule with duplicate name '{name}'.")));
            }
        }
    }
    Ok(())
}

/// Whether any rule is of this type.
pub(crate) fn has_rule_of_type(rule_set: &Value, kind: &str) -> bool {
    LISTS.iter().any(|list| {
        rule_set[list.member].as_array().into_iter().flatten().any(|rule| rule["type"].as_str() == Some(kind))
    })
}

fn check_rule(rule: &Value, list: &List) -> Result<(), String> {
    let name = rule["name"].as_str().ok_or("Missing rule name.")?;
    let mut letters = name.chars();
    let first = letters.next().ok_or("Empty rule name.")?;
    if name.chars().count() > NAME_MAX {
        return Err(format!("Rule name too long: {NAME_MAX} characters are the most."));
    }
    if !first.is_alphabetic() && first != '_' {
        return Err(format!("Illegal initial character in rule name: {name}."));
    }
    if !letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-')) {
        return Err(format!("Illegal character in rule name: {name}."));
    }
    if rule["type"].as_str().is_none() {
        return Err(format!("Missing rule type in rule {name}."));
    }
    // The default is WRITEREAD, also where that is no mode of the list.
    let mode = rule["mode"].as_str().unwrap_or("WRITEREAD");
    if !list.modes.contains(&mode) {
        let modes = list.modes.join(", ");
        return Err(format!("{} rules can only be {modes}; rule {name} is {mode}.", list.what));
    }
    let is_both = matches!(mode, "WRITEREAD" | "UPDOWN");
    let has_two = |member: &str| rule[member].as_str().is_some_and(|actions| actions.contains(','));
    if !is_both && (has_two("onSuccess") || has_two("onFailure")) {
        return Err(format!("Multiple actions only valid with WRITEREAD and UPDOWN, in rule {name}."));
    }
    Ok(())
}

fn rules<'a>(members: &'a Map<String, Value>, list: &List) -> Result<&'a [Value], RuleSetError> {
    match members.get(list.member) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(rules)) => Ok(rules),
        Some(other) => Err(malformed(list.member, "an array", other)),
    }
}

fn one_of(members: &Map<String, Value>, name: &str, words: &[&str], place: &str) -> Result<(), RuleSetError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
        Some(other) => Err(malformed(&format!("{place}.{name}"), &format!("one of {}", words.join(", ")), other)),
    }
}

fn malformed(place: &str, expected: &str, found: &Value) -> RuleSetError {
    let found: String = found.to_string().chars().take(40).collect();
    RuleSetError::Malformed(format!("{place}: expected {expected}, found {found}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_checked_one_by_one() {
        let faults = [
            (json!({"type": "CEL"}), "Missing rule name."),
            (json!({"name": "", "type": "CEL"}), "Empty rule name."),
            (json!({"name": "a"}), "Missing rule type in rule a."),
            (json!({"name": "1a", "type": "CEL"}), "Illegal initial character in rule name: 1a."),
            (json!({"name": "a b", "type": "CEL"}), "Illegal character in rule name: a b."),
            (
                json!({"name": "a", "type": "CEL", "mode": "UPDOWN"}),
                "Domain rules can only be WRITE, READ, WRITEREAD; rule a is UPDOWN.",
            ),
            (
                json!({"name": "a", "type": "CEL", "mode": "READ", "onFailure": "DLQ,ERROR"}),
                "Multiple actions only valid with WRITEREAD and UPDOWN, in rule a.",
            ),
        ];
        for (rule, fault) in faults {
            assert_eq!(check_rule_set(&json!({"domainRules": [rule]})), Err(RuleSetError::Invalid(fault.to_owned())));
        }
        assert_eq!(
            check_rule_set(&json!({"migrationRules": [{"name": "a", "type": "CEL"}]})),
            Err(RuleSetError::Invalid(
                "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN; rule a is WRITEREAD.".to_owned()
            ))
        );
        let long = json!({"migrationRules": [{"name": "a".repeat(257), "type": "CEL"}]});
        assert!(matches!(check_rule_set(&long), Err(RuleSetError::Invalid(_))));
        let good = json!({"name": "a-1", "type": "CEL", "mode": "WRITEREAD", "onFailure": "DLQ,ERROR"});
        assert_eq!(check_rule_set(&json!({"domainRules": [good.clone()], "migrationRules": null})), Ok(()));
        let twice = json!({"domainRules": [good.clone()], "encodingRules": [good]});
        assert_eq!(
            check_rule_set(&twice),
            Err(RuleSetError::Invalid("LookupMatch rule with duplicate name 'a-1'.".to_owned()))
        );
    }

    #[test]
    fn the_shape_comes_first() {
        for (rules, message) in [
            (json!([]), "ruleSet: expected an object, found []."),
            (json!({"domainRules": {}}), "domainRules: expected an array, found {}."),
            (json!({"domainRules": [1]}), "domainRules[0]: expected an object, found 1."),
            (
                json!({"domainRules": [{"kind": "X"}]}),
                "domainRules[0].kind: expected one of TRANSFORM, CONDITION, found \"X\".",
            ),
        ] {
            assert_eq!(check_rule_set_shape(&rules), Err(RuleSetError::Malformed(message.to_owned())));
        }
        assert!(has_rule_of_type(&json!({"encodingRules": [{"type": "ENCRYPT"}]}), "ENCRYPT"));
        assert!(!has_rule_of_type(&json!({"encodingRules": [{"type": "ENCRYPT"}]}), "CEL"));
    }
}
