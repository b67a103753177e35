//! Avro binary to JSON text. The plan says what comes next, and the text goes straight to the output: no tree, and nothing is
//! allocated but room in the output.
//!
//! Bytes may come from anybody: lengths and counts are held against what is left of the payload, nesting and the length of the JSON have a
//! bound. Numbers are printed as Java prints them, a float as the double that it is; of a repeated key of a map the last value counts.
//!
//! Sources: Avro specification, "Binary Encoding" and "JSON Encoding"; for what is at the top, and for texts of numbers,
//! `docs/reference/rest-v2.md §6.5` and `docs/reference/serialization.md §5.1`.

#[cfg(test)]
mod tests;

use super::model::NodeId;
use super::path::{element, key, member};
use super::plan::{Plan, PlanNode, Record, Union};
use postern_json_text::{Members, write_f64, write_i64, write_latin1, write_utf8};
use postern_schema_core::{DecodeError, json_len_max};

/// Arrays, maps, records and union wrappers within one another.
const MAX_DEPTH: usize = 500;

type Result<T = ()> = std::result::Result<T, DecodeError>;

/// Appends the JSON text of the value in `payload`.
pub(crate) fn decode(plan: &Plan, payload: &[u8], out: &mut Vec<u8>) -> Result {
    let start = out.len();
    let end_max = start + json_len_max(payload.len());
    let mut decoder = Decoder { plan, payload, rest: payload, out, end_max, depth: 0, members: Members::default() };
    let decoded = decoder.top();
    if decoded.is_err() {
        out.truncate(start);
    }
    decoded
}

struct Decoder<'d> {
    plan: &'d Plan,
    payload: &'d [u8],
    /// What of the payload has not been read.
    rest: &'d [u8],
    out: &'d mut Vec<u8>,
    /// The length at which the output is too long.
    end_max: usize,
    depth: usize,
    /// The entries of the maps that are being written.
    members: Members,
}

impl<'d> Decoder<'d> {
    fn top(&mut self) -> Result {
        match self.plan.node(self.plan.root) {
            // As Confluent reads it, a union at the top is the value of its branch.
            PlanNode::Union(union) => {
                let position = self.branch(union)?;
                self.value(union.branches[position])
            }
            _ => self.value(self.plan.root),
        }
    }

    fn value(&mut self, node: NodeId) -> Result {
        match self.plan.node(node) {
            PlanNode::Null => self.out.extend_from_slice(b"null"),
            PlanNode::Boolean => match self.bytes::<1>(node)? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                [other] => return Err(self.error("boolean (a byte 0 or 1)", format!("the byte {other}"))),
            },
            PlanNode::Int(_) => {
                let value = self.long("int")?;
                if i32::try_from(value).is_err() {
                    return Err(self.error("int (of 32 bits)", format!("the number {value}")));
                }
                write_i64(value, self.out);
            }
            PlanNode::Long(_) => {
                let value = self.long("long")?;
                write_i64(value, self.out);
            }
            PlanNode::Float => {
                let value = f32::from_le_bytes(self.bytes(node)?);
                write_f64(value.into(), self.out);
            }
            PlanNode::Double => {
                let value = f64::from_le_bytes(self.bytes(node)?);
                write_f64(value, self.out);
            }
            PlanNode::Bytes { bare: true, .. } => {
                write_latin1(std::mem::take(&mut self.rest), self.out);
                self.check_length()?;
            }
            PlanNode::Bytes { bare: false, .. } => {
                let bytes = self.sized("bytes")?;
                write_latin1(bytes, self.out);
            }
            PlanNode::String => {
                let text = self.sized("string")?;
                write_utf8(text, self.out);
            }
            PlanNode::Fixed { size, .. } => match self.rest.split_at_checked(*size) {
                Some((bytes, rest)) => {
                    self.rest = rest;
                    write_latin1(bytes, self.out);
                }
                None => return Err(self.too_short(&self.plan.describe(node))),
            },
            PlanNode::Enum { texts, .. } => {
                let position = self.long("the position of an enum's symbol")?;
                match usize::try_from(position).ok().and_then(|position| texts.get(position)) {
                    Some(text) => self.out.extend_from_slice(text),
                    None => return Err(self.error(self.plan.describe(node), format!("the symbol at {position}"))),
                }
            }
            PlanNode::Record(record) => return self.record(record),
            PlanNode::Union(union) => return self.union(union),
            PlanNode::Array(items) => return self.array(*items),
            PlanNode::Map(values) => return self.map(*values),
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result {
        self.enter()?;
        if record.fields.is_empty() {
            self.out.push(b'{');
        }
        for field in &record.fields {
            self.out.extend_from_slice(&field.opening);
            if let Err(error) = self.value(field.node) {
                return Err(error.within(&member(&field.name)));
            }
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn union(&mut self, union: &Union) -> Result {
        let position = self.branch(union)?;
        let wrapper = &union.wrappers[position];
        let branch = union.branches[position];
        if wrapper.is_empty() {
            return self.value(branch);
        }
        self.enter()?;
        self.out.extend_from_slice(wrapper);
        if let Err(error) = self.value(branch) {
            let label = union.labels.name_at(position).unwrap_or_default();
            return Err(error.within(&member(label)));
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn branch(&mut self, union: &Union) -> Result<usize> {
        let position = self.long("the position of a union's branch")?;
        match usize::try_from(position) {
            Ok(position) if position < union.branches.len() => Ok(position),
            _ => {
                let expected = format!("a union of {} branches", union.branches.len());
                Err(self.error(expected, format!("the branch at {position}")))
            }
        }
    }

    fn array(&mut self, items: NodeId) -> Result {
        self.enter()?;
        self.out.push(b'[');
        let mut position = 0;
        loop {
            let count = self.block("array")?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if position > 0 {
                    self.out.push(b',');
                }
                self.check_length()?;
                self.value(items).map_err(|error| error.within(&element(position)))?;
                position += 1;
            }
        }
        self.out.push(b']');
        self.depth -= 1;
        Ok(())
    }

    fn map(&mut self, values: NodeId) -> Result {
        self.enter()?;
        self.out.push(b'{');
        let base = self.members.open();
        let start = self.out.len();
        loop {
            let count = self.block("map")?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if self.out.len() > start {
                    self.out.push(b',');
                }
                self.check_length()?;
                let name = self.sized("the key of a map")?;
                let from = self.out.len();
                write_utf8(name, self.out);
                let written = from..self.out.len();
                self.out.push(b':');
                self.value(values).map_err(|error| error.within(&key(&String::from_utf8_lossy(name))))?;
                self.members.push(written, self.out);
            }
        }
        self.members.close(base, self.out);
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    /// The number of items in the next block; zero ends the array or map. A negative count is followed by the block's size.
    fn block(&mut self, kind: &str) -> Result<u64> {
        let count = self.long("the number of items of a block")?;
        if count < 0 {
            let size = self.long("the size of a block")?;
            if usize::try_from(size).is_err() {
                return Err(self.error(format!("{kind} (a block of 0 or more bytes)"), format!("the size {size}")));
            }
        }
        Ok(count.unsigned_abs())
    }

    /// Goes one level deeper.
    #[inline]
    fn enter(&mut self) -> Result {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("at most {MAX_DEPTH} levels of nesting"), "a deeper value"));
        }
        self.check_length()
    }

    /// Ends what becomes much longer than its bytes.
    #[inline]
    fn check_length(&self) -> Result {
        if self.out.len() > self.end_max { Err(self.too_long()) } else { Ok(()) }
    }

    #[inline]
    fn long(&mut self, expected: &str) -> Result<i64> {
        let zigzag = match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                u64::from(*byte)
            }
            _ => self.varint(expected)?,
        };
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn varint(&mut self, expected: &str) -> Result<u64> {
        const BYTES_MAX: usize = 10;
        let mut value = 0;
        for (position, byte) in self.rest.iter().take(BYTES_MAX).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if position == BYTES_MAX - 1 && bits > 1 {
                break; // more than 64 bits
            }
            value |= bits << (7 * position);
            if *byte < 0x80 {
                self.rest = &self.rest[position + 1..];
                return Ok(value);
            }
        }
        match self.rest.len() < BYTES_MAX {
            true => Err(self.too_short(expected)),
            false => Err(self.error(expected, "a number of more than 64 bits")),
        }
    }

    #[inline]
    fn bytes<const N: usize>(&mut self, node: NodeId) -> Result<[u8; N]> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.too_short(&self.plan.describe(node))),
        }
    }

    /// Bytes with their length in front.
    #[inline]
    fn sized(&mut self, expected: &str) -> Result<&'d [u8]> {
        let length = self.long(expected)?;
        match usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length)) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.wrong_length(expected, length)),
        }
    }

    #[cold]
    fn error(&self, expected: impl Into<String>, found: impl Into<String>) -> DecodeError {
        DecodeError::new(expected, found).at(self.payload.len() - self.rest.len())
    }

    #[cold]
    fn too_short(&self, expected: &str) -> DecodeError {
        let found = match self.rest.len() {
            0 => "the end of the payload".to_owned(),
            rest => format!("only {rest} more bytes"),
        };
        self.error(expected, found)
    }

    #[cold]
    fn wrong_length(&self, expected: &str, length: i64) -> DecodeError {
        self.error(format!("{expected} of {length} bytes"), format!("{} more bytes", self.rest.len()))
    }

    #[cold]
    fn too_long(&self) -> DecodeError {
        let payload = self.payload.len();
        let expected = format!("at most {} bytes of JSON of a payload of {payload} bytes", json_len_max(payload));
        self.error(expected, "more")
    }
}
