//! What is said of values that do not fit, and what to write instead. Valid values never come here.

use std::borrow::Cow;

use postern_json_text::{JsonString, Number, Reader, Token, quote};

use crate::model::NodeId;
use crate::plan::{Plan, PlanNode, Record, Union};

const NO_NAN: &str = "JSON has no such number: send null, under the type [\"null\", \"double\"], where other numbers are \
                      written {\"double\": 1.5}";

/// A token in words.
pub(super) fn describe_token(token: Token<'_>) -> String {
    match token {
        Token::Null => "null".to_owned(),
        Token::Bool(value) => value.to_string(),
        Token::Number(number) => truncated(number.digits),
        Token::String(text) => format!("string {}", quoted(&unescaped(text))),
        Token::Array => "a list".to_owned(),
        Token::Object => "an object".to_owned(),
    }
}

/// What to write in place of `token`; empty where that is not known.
pub(super) fn remedy(plan: &Plan, node: NodeId, token: Token<'_>) -> String {
    match (plan.node(node), token) {
        (PlanNode::Union(union), token) => wrapped(plan, union, token),
        (PlanNode::Float | PlanNode::Double, Token::String(text)) if is_nan(&unescaped(text)) => NO_NAN.to_owned(),
        (PlanNode::Int(_) | PlanNode::Long(_) | PlanNode::Float | PlanNode::Double, Token::String(text)) => {
            let text = unescaped(text);
            if is_number(&text) { format!("write {}", truncated(&text)) } else { String::new() }
        }
        (PlanNode::String, Token::Number(number)) => format!("write {}", quoted(number.digits)),
        _ => String::new(), // there is no one value that is probably meant
    }
}

/// What to write for an absent field; empty where that is not known.
pub(super) fn missing_remedy(plan: &Plan, name: &str, node: NodeId) -> String {
    match plan.node(node) {
        PlanNode::Null | PlanNode::Union(Union { null: Some(_), .. }) => format!("write {}: null", quoted(name)),
        _ => String::new(), // nobody knows its value
    }
}

/// What to write for an object whose only member is no label of the union; empty where that is not known.
pub(super) fn label_remedy(plan: &Plan, union: &Union, label: &str) -> String {
    let in_namespace = union.labels.names().find(|full| full.rsplit('.').next() == Some(label));
    if let Some(full) = in_namespace {
        return format!("write {{{}: …}}", quoted(full));
    }
    let holds = |node: &PlanNode| match node {
        PlanNode::Record(record) => Record::position(record, label, 0).is_some(),
        PlanNode::Map(_) => true,
        _ => false,
    };
    let position = union.branches.iter().position(|branch| holds(plan.node(*branch)));
    position.map_or_else(String::new, |position| format!("write {{{}: {{…}}}}", label_at(union, position)))
}

/// The value in the wrapper of the branch that it fits best.
fn wrapped(plan: &Plan, union: &Union, token: Token<'_>) -> String {
    let ranks = union.branches.iter().map(|branch| rank(plan.node(*branch), token)).enumerate();
    // Of equal ranks the first.
    let best = ranks.rev().max_by_key(|(_, rank)| *rank).filter(|(_, rank)| *rank > 0);
    let Some((position, _)) = best else { return String::new() };
    let value = match token {
        Token::Null => "null".to_owned(),
        Token::Bool(value) => value.to_string(),
        Token::Number(number) => truncated(number.digits),
        Token::String(text) => quoted(&unescaped(text)),
        Token::Array => "[…]".to_owned(),
        Token::Object => "{…}".to_owned(),
    };
    format!("write {{{}: {value}}}", label_at(union, position))
}

/// How well a value fits a branch; zero: not at all.
fn rank(branch: &PlanNode, token: Token<'_>) -> u8 {
    let (fits, rank) = match (branch, token) {
        (PlanNode::Boolean, Token::Bool(_)) | (PlanNode::Array(_), Token::Array) => (true, 4),
        (PlanNode::Enum { symbols, .. }, Token::String(text)) => (symbols.position(&unescaped(text)).is_some(), 4),
        (PlanNode::String, Token::String(_)) | (PlanNode::Double, Token::Number(_)) => (true, 3),
        (PlanNode::Fixed { size, .. }, Token::String(text)) => (unescaped(text).chars().count() == *size, 1),
        (PlanNode::Int(_), Token::Number(number)) => {
            (as_i64(number).is_some_and(|value| i32::try_from(value).is_ok()), 4)
        }
        (PlanNode::Long(_), Token::Number(number)) => (as_i64(number).is_some(), 4),
        (PlanNode::Float, Token::Number(_)) | (PlanNode::Record(_), Token::Object) => (true, 2),
        (PlanNode::Map(_), Token::Object) | (PlanNode::Bytes { .. }, Token::String(_)) => (true, 1),
        _ => (false, 0),
    };
    if fits { rank } else { 0 }
}

fn as_i64(number: Number<'_>) -> Option<i64> {
    number.is_whole.then(|| number.as_i64()).flatten()
}

fn label_at(union: &Union, position: usize) -> String {
    union.labels.name_at(position).map_or_else(|| "…".to_owned(), quoted)
}

fn is_nan(text: &str) -> bool {
    matches!(text, "NaN" | "nan" | "Infinity" | "-Infinity" | "inf" | "-inf")
}

fn is_number(text: &str) -> bool {
    let mut reader = Reader::over(text, 0);
    matches!(reader.next_token(), Ok(Token::Number(_))) && reader.end().is_ok()
}

fn unescaped(text: JsonString<'_>) -> Cow<'_, str> {
    text.unescaped().unwrap_or(Cow::Borrowed("…"))
}

/// A string in quotes, shortened for a message.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(&text.chars().take(61).collect::<String>(), &mut out);
    if out.chars().count() <= 62 {
        return out;
    }
    out.chars().take(60).chain("…\"".chars()).collect()
}

/// Digits, shortened for a message.
pub(super) fn truncated(digits: &str) -> String {
    if digits.len() <= 62 { digits.to_owned() } else { format!("{}…", digits.chars().take(60).collect::<String>()) }
}
