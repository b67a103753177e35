//! The walk itself: the plan is asked what should stand in the text, the reader what does.

mod record;

use std::borrow::Cow;

use super::block::{self, Block};
use crate::model::NodeId;
use crate::names;
use crate::plan::{Plan, Step, Union};
use postern_json_text::{Number, Reader, Token, quote};
use postern_schema_core::EncodeError;

/// Where in the output something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

/// State of one value's encoding.
pub(super) struct Walk<'w> {
    pub(super) plan: &'w Plan,
    pub(super) json: Reader<'w>,
    pub(super) out: &'w mut Vec<u8>,
    /// A stack: the fields of the records, and the keys of the maps, that are being written.
    pub(super) spans: Vec<Span>,
}

type Written = Result<(), EncodeError>;

impl<'w> Walk<'w> {
    /// Writes the next value of the text as `node` wants it.
    pub(super) fn value(&mut self, node: NodeId) -> Written {
        let token = self.json.token()?;
        match (self.plan.step(node), token) {
            (Step::Record(record), Token::Object) => self.record(record),
            (Step::String, Token::String(text)) => {
                let text = text.unescaped()?;
                block::long(text.len() as i64, self.out);
                self.out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            (Step::Int | Step::Long, Token::Number(number)) => self.whole(node, number),
            (Step::Float | Step::Double, Token::Number(number)) => self.float(node, number),
            (Step::Boolean, Token::Bool(value)) => {
                self.out.push(u8::from(value));
                Ok(())
            }
            (Step::Null, Token::Null) => Ok(()),
            // Without fields there is nothing to be read, so that null says as much as an object: so the servers in use have it.
            (Step::Record(record), Token::Null) if record.fields.is_empty() => Ok(()),
            (Step::Union(Union { null: Some(branch), .. }), Token::Null) => {
                block::long(*branch as i64, self.out);
                Ok(())
            }
            (Step::Union(union), Token::Object) => self.wrapped(node, union),
            (Step::Array(items), Token::List) => self.items(*items),
            (Step::Map(values), Token::Object) => self.map(*values),
            (Step::Enum { symbols, .. }, Token::String(text)) => {
                let text = text.unescaped()?;
                let Some(symbol) = symbols.position(&text) else { return Err(self.misfit(node, quoted(&text))) };
                block::long(symbol as i64, self.out);
                Ok(())
            }
            (Step::Bytes { bare }, Token::String(text)) => {
                let text = text.unescaped()?;
                if !bare {
                    block::long(characters(&text) as i64, self.out);
                }
                self.latin1(node, &text)
            }
            (Step::Fixed { size, .. }, Token::String(text)) => {
                let text = text.unescaped()?;
                match characters(&text) {
                    length if length == *size => self.latin1(node, &text),
                    length => Err(self.misfit(node, format!("a string of {length} characters"))),
                }
            }
            (_, token) => Err(self.misfit(node, shown(token))),
        }
    }

    #[cold]
    fn misfit(&self, node: NodeId, found: impl Into<String>) -> EncodeError {
        EncodeError::new(String::new(), self.plan.expects(node), found)
    }

    #[inline]
    fn whole(&mut self, node: NodeId, number: Number<'_>) -> Written {
        let is_int = matches!(self.plan.step(node), Step::Int);
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
                Err(EncodeError::new(String::new(), expected, cut(number.digits)))
            }
        }
    }

    #[inline]
    fn float(&mut self, node: NodeId, number: Number<'_>) -> Written {
        // A long is rounded once, not first to a double.
        let long = number.is_whole.then(|| number.as_i64()).flatten();
        let double = long.map_or_else(|| number.as_f64(), |long| long as f64);
        if let Step::Double = self.plan.step(node) {
            if double.is_infinite() {
                return Err(EncodeError::new(String::new(), "double (a number up to 1.8e308)", cut(number.digits)));
            }
            self.out.extend_from_slice(&double.to_le_bytes());
        } else {
            let float = long.map_or(double as f32, |long| long as f32);
            if float.is_infinite() {
                return Err(EncodeError::new(String::new(), "float (a number up to 3.4e38)", cut(number.digits)));
            }
            self.out.extend_from_slice(&float.to_le_bytes());
        }
        Ok(())
    }

    /// One byte per character.
    fn latin1(&mut self, node: NodeId, text: &str) -> Written {
        if text.is_ascii() {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for character in text.chars() {
            match u8::try_from(character) {
                Ok(byte) => self.out.push(byte),
                Err(_) => return Err(self.misfit(node, format!("the character U+{:04X}", character as u32))),
            }
        }
        Ok(())
    }

    fn items(&mut self, items: NodeId) -> Written {
        let block = Block::open(self.out);
        let mut count = 0;
        while self.json.item().map_err(|error| EncodeError::from(error).within(&item(count)))? {
            self.value(items).map_err(|error| error.within(&item(count)))?;
            count += 1;
        }
        block.close(count, self.out);
        Ok(())
    }

    /// `{"branch": value}`, and nothing else in it.
    fn wrapped(&mut self, node: NodeId, union: &Union) -> Written {
        let Some(label) = self.json.member()? else { return Err(self.misfit(node, "an empty object")) };
        let label = label.unescaped()?;
        let Some(position) = union.labels.position(&label) else {
            return Err(self.misfit(node, format!("the branch {}", quoted(&label))));
        };
        block::long(position as i64, self.out);
        self.value(union.branches[position]).map_err(|error| error.within(&member(&label)))?;
        if self.json.member()?.is_some() {
            return Err(self.misfit(node, "an object with more than one member"));
        }
        Ok(())
    }
}

fn characters(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// A field or a union's branch as a step of a path: `name`, or `["x.y.Name"]` where dots would mislead.
#[cold]
fn member(name: &str) -> String {
    if names::lawful(name, false) { name.to_owned() } else { key(name) }
}

/// A key of a map as a step of a path: `["a b"]`.
#[cold]
fn key(name: &str) -> String {
    let mut step = "[".to_owned();
    quote(name, &mut step);
    step + "]"
}

/// An item of a list as a step of a path: `[2]`.
#[cold]
fn item(position: usize) -> String {
    format!("[{position}]")
}

/// What stands in the text, in words.
#[cold]
fn shown(token: Token<'_>) -> String {
    match token {
        Token::Null => "null".to_owned(),
        Token::Bool(value) => value.to_string(),
        Token::Number(number) => cut(number.digits),
        Token::String(text) => format!("string {}", quoted(&text.unescaped().unwrap_or(Cow::Borrowed("…")))),
        Token::List => "a list".to_owned(),
        Token::Object => "an object".to_owned(),
    }
}

/// A text as JSON has it, so far as it is of use in a message.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(&text.chars().take(61).collect::<String>(), &mut out);
    if out.chars().count() <= 62 {
        return out;
    }
    out.chars().take(60).chain("…\"".chars()).collect()
}

/// Digits, so far as they are of use in a message.
fn cut(digits: &str) -> String {
    if digits.len() <= 62 { digits.to_owned() } else { format!("{}…", &digits[..60]) }
}
