//! Trees of `serde_json`: how large they would become, and how large they are.
//!
//! A tree takes up to fifty times the memory of its text, so texts of strangers are measured before they become one.

use std::mem::size_of;

use serde_json::{Map, Value};

/// Whether `json` has more than `max` values: the text itself, and the elements and members of all its arrays and objects, an empty
/// one counted as if it had one. Builds nothing. Comments must be gone.
pub fn has_more_values(json: &str, max: usize) -> bool {
    let bytes = json.as_bytes();
    let (mut at, mut values, mut in_string) = (0, 1_usize, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            // One more than its commas, unless it is empty.
            b',' | b'[' | b'{' if !in_string => {
                values += 1;
                if values > max {
                    return true;
                }
            }
            _ => {}
        }
        at += 1;
    }
    values > max
}

/// The bytes that a value keeps on the heap.
pub fn heap_size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.capacity(),
        Value::Array(items) => {
            items.capacity() * size_of::<Value>() + items.iter().map(heap_size_of_value).sum::<usize>()
        }
        Value::Object(members) => heap_size_of_map(members),
    }
}

/// The bytes that the members of an object keep on the heap.
pub fn heap_size_of_map(members: &Map<String, Value>) -> usize {
    // An entry with its hash, and its index in a table with one slot in eight free.
    let entry = size_of::<(usize, String, Value)>() + (size_of::<usize>() + 1) * 8 / 7;
    members.iter().map(|(name, value)| entry + name.capacity() + heap_size_of_value(value)).sum()
}

#[cfg(test)]
mod tests {
    use super::has_more_values;

    #[test]
    fn values_are_counted_before_they_are_read() {
        for (json, values) in [
            ("1", 1),
            ("[1]", 2),
            ("[1,2,3]", 4),
            (r#"{"a":1,"b":[true,null]}"#, 5),
            (r#"["a,b[{\",",{}]"#, 4),
            (r#""\\","#, 2),
        ] {
            assert!(!has_more_values(json, values), "{json}");
            assert!(has_more_values(json, values - 1), "{json}");
        }
    }
}
