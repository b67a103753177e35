//! Encodes by comparing what the plan expects with what the reader finds.

mod record;

use std::borrow::Cow;

use super::block::{self, Block};
use crate::model::NodeId;
use crate::names;
use crate::plan::{Plan, PlanNode, Union};
use postern_json_text::{Number, Reader, Token, quote};
use postern_schema_core::EncodeError;

/// A range of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

/// The state of encoding one value.
pub(super) struct Encoder<'w> {
    pub(super) plan: &'w Plan,
    pub(super) json: Reader<'w>,
    pub(super) out: &'w mut Vec<u8>,
    /// A stack of the fields of the records, and the keys of the maps, that are being written.
    pub(super) spans: Vec<Span>,
}

type Result = std::result::Result<(), EncodeError>;

impl<'w> Encoder<'w> {
    /// Encodes the next value of the text as the type `node`.
    pub(super) fn value(&mut self, node: NodeId) -> Result {
        let token = self.json.next_token()?;
        match (self.plan.node(node), token) {
            (PlanNode::Record(record), Token::Object) => self.record(record),
            (PlanNode::String, Token::String(text)) => {
                let text = text.unescaped()?;
                block::long(text.len() as i64, self.out);
                self.out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            (PlanNode::Int | PlanNode::Long, Token::Number(number)) => self.whole(node, number),
            (PlanNode::Float | PlanNode::Double, Token::Number(number)) => self.float(node, number),
            (PlanNode::Boolean, Token::Bool(value)) => {
                self.out.push(u8::from(value));
                Ok(())
            }
            (PlanNode::Null, Token::Null) => Ok(()),
            // A record without fields may be null, as with Confluent: there is nothing to read.
            (PlanNode::Record(record), Token::Null) if record.fields.is_empty() => Ok(()),
            (PlanNode::Union(Union { null: Some(branch), .. }), Token::Null) => {
                block::long(*branch as i64, self.out);
                Ok(())
            }
            (PlanNode::Union(union), Token::Object) => self.wrapped(node, union),
            (PlanNode::Array(items), Token::Array) => self.items(*items),
            (PlanNode::Map(values), Token::Object) => self.map(*values),
            (PlanNode::Enum { symbols, .. }, Token::String(text)) => {
                let text = text.unescaped()?;
                let Some(symbol) = symbols.position(&text) else { return Err(self.mismatch(node, quoted(&text))) };
                block::long(symbol as i64, self.out);
                Ok(())
            }
            (PlanNode::Bytes { bare }, Token::String(text)) => {
                let text = text.unescaped()?;
                if !bare {
                    block::long(characters(&text) as i64, self.out);
                }
                self.latin1(node, &text)
            }
            (PlanNode::Fixed { size, .. }, Token::String(text)) => {
                let text = text.unescaped()?;
                match characters(&text) {
                    length if length == *size => self.latin1(node, &text),
                    length => Err(self.mismatch(node, format!("a string of {length} characters"))),
                }
            }
            (_, token) => Err(self.mismatch(node, describe_token(token))),
        }
    }

    #[cold]
    fn mismatch(&self, node: NodeId, found: impl Into<String>) -> EncodeError {
        EncodeError::new(String::new(), self.plan.describe(node), found)
    }

    #[inline]
    fn whole(&mut self, node: NodeId, number: Number<'_>) -> Result {
        let is_int = matches!(self.plan.node(node), PlanNode::Int);
        match number.as_i64() {
            Some(value) if !is_int || i32::try_from(value).is_ok() => {
                block::long(value, self.out);
                Ok(())
            }
            _ => {
                let expected = match is_int {
                    true => "int (a whole number from -2147483648 to 2147483647)",
                    false => "long (a whole number from -9223372036854775808 to 9223372036854775807)",
                };
                Err(EncodeError::new(String::new(), expected, truncated(number.digits)))
            }
        }
    }

    #[inline]
    fn float(&mut self, node: NodeId, number: Number<'_>) -> Result {
        // A long is rounded once, not first to a double.
        let long = number.is_whole.then(|| number.as_i64()).flatten();
        let double = long.map_or_else(|| number.as_f64(), |long| long as f64);
        if let PlanNode::Double = self.plan.node(node) {
            if double.is_infinite() {
                return Err(EncodeError::new(
                    String::new(),
                    "double (a number up to 1.8e308)",
                    truncated(number.digits),
                ));
            }
            self.out.extend_from_slice(&double.to_le_bytes());
        } else {
            let float = long.map_or(double as f32, |long| long as f32);
            if float.is_infinite() {
                return Err(EncodeError::new(String::new(), "float (a number up to 3.4e38)", truncated(number.digits)));
            }
            self.out.extend_from_slice(&float.to_le_bytes());
        }
        Ok(())
    }

    /// Appends one byte per character.
    fn latin1(&mut self, node: NodeId, text: &str) -> Result {
        if text.is_ascii() {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for character in text.chars() {
            match u8::try_from(character) {
                Ok(byte) => self.out.push(byte),
                Err(_) => return Err(self.mismatch(node, format!("the character U+{:04X}", character as u32))),
            }
        }
        Ok(())
    }

    fn items(&mut self, items: NodeId) -> Result {
        let block = Block::open(self.out);
        let mut count = 0;
        while self.json.next_element().map_err(|error| EncodeError::from(error).within(&item(count)))? {
            self.value(items).map_err(|error| error.within(&item(count)))?;
            count += 1;
        }
        block.close(count, self.out);
        Ok(())
    }

    /// `{"branch": value}`, and nothing else in it.
    fn wrapped(&mut self, node: NodeId, union: &Union) -> Result {
        let Some(label) = self.json.next_member()? else { return Err(self.mismatch(node, "an empty object")) };
        let label = label.unescaped()?;
        let Some(position) = union.labels.position(&label) else {
            return Err(self.mismatch(node, format!("the branch {}", quoted(&label))));
        };
        block::long(position as i64, self.out);
        self.value(union.branches[position]).map_err(|error| error.within(&member(&label)))?;
        if self.json.next_member()?.is_some() {
            return Err(self.mismatch(node, "an object with more than one member"));
        }
        Ok(())
    }
}

fn characters(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// A field or a union's branch as a step of a path: `name`, or `["x.y.Name"]` because of the dots.
#[cold]
fn member(name: &str) -> String {
    if names::is_valid(name, false) { name.to_owned() } else { key(name) }
}

/// A key of a map as a step of a path: `["a b"]`.
#[cold]
fn key(name: &str) -> String {
    let mut step = "[".to_owned();
    quote(name, &mut step);
    step + "]"
}

/// An element of an array as a step of a path: `[2]`.
#[cold]
fn item(position: usize) -> String {
    format!("[{position}]")
}

/// A token in words.
#[cold]
fn describe_token(token: Token<'_>) -> String {
    match token {
        Token::Null => "null".to_owned(),
        Token::Bool(value) => value.to_string(),
        Token::Number(number) => truncated(number.digits),
        Token::String(text) => format!("string {}", quoted(&text.unescaped().unwrap_or(Cow::Borrowed("…")))),
        Token::Array => "a list".to_owned(),
        Token::Object => "an object".to_owned(),
    }
}

/// A string in quotes, shortened for a message.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(&text.chars().take(61).collect::<String>(), &mut out);
    if out.chars().count() <= 62 {
        return out;
    }
    out.chars().take(60).chain("…\"".chars()).collect()
}

/// Digits, shortened for a message.
fn truncated(digits: &str) -> String {
    if digits.len() <= 62 { digits.to_owned() } else { format!("{}…", &digits[..60]) }
}
