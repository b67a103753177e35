//! Encodes by comparing what the plan expects with what the reader finds.

mod messages;
mod record;

use super::block::{self, Block};
use crate::model::NodeId;
use crate::path::{element, member};
use crate::plan::{Plan, PlanNode, Union};
use messages::{describe_token, quoted, truncated};
use postern_json_text::{Number, Reader, Token};
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
    /// Encodes the next value of the text as the type `node`. What most values are made of is asked for by its type, which is faster than
    /// a token that may be anything.
    pub(super) fn value(&mut self, node: NodeId) -> Result {
        match self.plan.node(node) {
            PlanNode::String => {
                if let Some(text) = self.json.next_string()? {
                    return self.string(&text.unescaped()?);
                }
            }
            PlanNode::Int(_) | PlanNode::Long(_) => {
                if let Some(number) = self.json.next_number()? {
                    return self.whole(node, number);
                }
            }
            PlanNode::Float | PlanNode::Double => {
                if let Some(number) = self.json.next_number()? {
                    return self.float(node, number);
                }
            }
            PlanNode::Record(record) if self.json.next_object()? => return self.record(record),
            PlanNode::Union(union) if self.json.next_object()? => return self.wrapped(node, union),
            _ => {}
        }
        self.any_token(node)
    }

    /// The next value, whatever it is.
    fn any_token(&mut self, node: NodeId) -> Result {
        let token = self.json.next_token()?;
        match (self.plan.node(node), token) {
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
            (PlanNode::Array(items), Token::Array) => self.items(*items),
            (PlanNode::Map(values), Token::Object) => self.map(*values),
            (PlanNode::Enum { symbols, .. }, Token::String(text)) => {
                let text = text.unescaped()?;
                let Some(symbol) = symbols.position(&text) else { return Err(self.mismatch(node, quoted(&text))) };
                block::long(symbol as i64, self.out);
                Ok(())
            }
            (PlanNode::Bytes { bare, .. }, Token::String(text)) => {
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
            (_, token) => Err(self.unfit(node, token)),
        }
    }

    #[cold]
    fn mismatch(&self, node: NodeId, found: impl Into<String>) -> EncodeError {
        EncodeError::new(String::new(), self.plan.describe(node), found)
    }

    #[cold]
    fn unfit(&self, node: NodeId, token: Token<'_>) -> EncodeError {
        self.mismatch(node, describe_token(token)).with_remedy(messages::remedy(self.plan, node, token))
    }

    #[inline]
    fn string(&mut self, text: &str) -> Result {
        block::long(text.len() as i64, self.out);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    #[inline]
    fn whole(&mut self, node: NodeId, number: Number<'_>) -> Result {
        let is_int = matches!(self.plan.node(node), PlanNode::Int(_));
        match number.as_i64() {
            Some(value) if !is_int || i32::try_from(value).is_ok() => {
                block::long(value, self.out);
                Ok(())
            }
            _ => Err(self.not_whole(node, number)),
        }
    }

    #[cold]
    fn not_whole(&self, node: NodeId, number: Number<'_>) -> EncodeError {
        let expected = match self.plan.node(node) {
            PlanNode::Int(None) => "int (a whole number from -2147483648 to 2147483647)".to_owned(),
            PlanNode::Long(None) => "long (a whole number from -9223372036854775808 to 9223372036854775807)".to_owned(),
            _ => self.plan.describe(node), // says what the number stands for
        };
        EncodeError::new(String::new(), expected, truncated(number.digits))
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
        while self.json.next_element().map_err(|error| EncodeError::from(error).within(&element(count)))? {
            self.value(items).map_err(|error| error.within(&element(count)))?;
            count += 1;
        }
        block.close(count, self.out);
        Ok(())
    }

    /// The branch whose label is the name of the next member.
    fn label(&mut self, node: NodeId, union: &Union) -> std::result::Result<usize, EncodeError> {
        let Some(label) = self.json.next_member()? else { return Err(self.mismatch(node, "an empty object")) };
        let label = label.unescaped()?;
        union.labels.position(&label).ok_or_else(|| {
            let error = self.mismatch(node, format!("the branch {}", quoted(&label)));
            error.with_remedy(messages::label_remedy(self.plan, union, &label))
        })
    }

    /// `{"branch": value}`, and nothing else in it.
    fn wrapped(&mut self, node: NodeId, union: &Union) -> Result {
        let position = match union.next_label(&mut self.json) {
            Some(position) => position,
            None => self.label(node, union)?,
        };
        block::long(position as i64, self.out);
        let label = || union.labels.name_at(position).expect("each branch has a label");
        self.value(union.branches[position]).map_err(|error| error.within(&member(label())))?;
        if self.json.next_member()?.is_some() {
            return Err(self.mismatch(node, "an object with more than one member"));
        }
        Ok(())
    }
}

fn characters(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}
