//! Attributes of the objects in a schema text: which are reserved, which are custom.

use serde_json::{Map, Number, Value};

/// The kind of object, which decides which attributes are custom properties.
#[derive(Clone, Copy)]
pub(super) enum Reserved {
    /// A type other than an enum. Attributes of other types (`size` on an array) are dropped.
    Type,
    /// An enum, where `default` is reserved as well.
    Enum,
    /// A field, where attributes of types are custom.
    Field,
}

/// The custom properties, in the order in which they were written.
pub(super) fn properties(attributes: &Map<String, Value>, reserved: Reserved) -> Map<String, Value> {
    let custom = |name: &str| match name {
        "type" | "name" | "doc" | "aliases" => false,
        "namespace" | "fields" | "symbols" | "items" | "values" | "size" => matches!(reserved, Reserved::Field),
        "default" => matches!(reserved, Reserved::Type),
        "order" => !matches!(reserved, Reserved::Field),
        _ => true,
    };
    let members = attributes.iter().filter(|(name, _)| custom(name));
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A string attribute; a value of another type is ignored.
pub(super) fn text(attributes: &Map<String, Value>, member: &str) -> Option<String> {
    attributes.get(member).and_then(Value::as_str).map(str::to_owned)
}

/// The default of a float given as a string in Java's notation: `"1.5"`, `"2f"`, `"NaN"`, `"-Infinity"`.
pub(super) fn float(spelt: &str) -> Option<Value> {
    let spelt = spelt.trim();
    let (negative, magnitude) = match spelt.as_bytes().first()? {
        b'-' => (true, &spelt[1..]),
        b'+' => (false, &spelt[1..]),
        _ => (false, spelt),
    };
    match magnitude {
        "NaN" => return Some(Value::String("NaN".to_owned())),
        "Infinity" => return Some(Value::String(if negative { "-Infinity" } else { "Infinity" }.to_owned())),
        _ => {}
    }
    let digits = magnitude.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(magnitude);
    // Rust would read `inf` and `nan` as well.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value = digits.parse::<f64>().ok()?;
    let value = if negative { -value } else { value };
    let mut text = String::new();
    postern_json_text::java_double(value, &mut text);
    if value.is_finite() { text.parse::<Number>().ok().map(Value::Number) } else { Some(Value::String(text)) }
}

/// Whether `word` is the keyword of a type that needs attributes.
pub(super) fn is_complex_type(word: &str) -> bool {
    matches!(word, "record" | "error" | "enum" | "fixed" | "array" | "map")
}

/// What is probably meant by another language's name of a type.
pub(super) fn suggestion(word: &str) -> Option<&'static str> {
    Some(match word {
        "integer" | "int32" | "Integer" | "Int" => "Avro calls it \"int\" (32 bits) or \"long\" (64 bits)",
        "number" | "decimal" | "float64" => "Avro calls it \"double\" (64 bits) or \"float\" (32 bits)",
        "bool" | "Boolean" => "Avro calls it \"boolean\"",
        "str" | "text" | "String" => "Avro calls it \"string\"",
        "int64" | "bigint" | "Long" | "timestamp" => "Avro calls it \"long\"",
        "float32" => "Avro calls it \"float\"",
        "object" | "struct" => "Avro calls it \"record\" (fixed fields) or \"map\" (any keys)",
        "list" => "Avro calls it \"array\"",
        "any" => "Avro has no type for any value; a union lists the types that are possible",
        "record" | "enum" | "fixed" | "array" | "map" => "this type needs an object with its attributes",
        _ => return None,
    })
}
