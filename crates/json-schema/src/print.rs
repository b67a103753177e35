//! The text of a schema as it is stored: compact, keys in the order given or sorted, numbers as Java prints them.

use serde_json::Value;

use super::decimal::Decimal;
use postern_json_text::quote;

/// Where the members of objects stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Where they were written.
    AsWritten,
    /// Sorted as Java sorts strings: by UTF-16 code units.
    Sorted,
}

/// Appends `value`. Numbers that are too long for [`Decimal`] stay as they are; documents with such are refused.
pub(super) fn print(value: &Value, keys: Keys, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => match Decimal::read(number.as_str()) {
            Some(decimal) => out.push_str(&decimal.java_text()),
            None => out.push_str(number.as_str()),
        },
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                out.extend((position > 0).then_some(','));
                print(item, keys, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            if keys == Keys::Sorted {
                members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            }
            out.push('{');
            for (position, (name, member)) in members.into_iter().enumerate() {
                out.extend((position > 0).then_some(','));
                quote(name, out);
                out.push(':');
                print(member, keys, out);
            }
            out.push('}');
        }
    }
}

/// The text of `value`.
pub(super) fn printed(value: &Value, keys: Keys) -> String {
    let mut out = String::new();
    print(value, keys, &mut out);
    out
}
