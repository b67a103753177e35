//! The outline of requests: which fields follow each other, no more than a walk over untrusted bytes needs.
//!
//! The generated decoders reserve room for as many elements as a request announces before they read one; sixteen bytes
//! could ask for gigabytes. This walk comes first and lets nothing pass whose arrays are longer than the bytes behind.

/// One field, and the versions in which it is there.
#[derive(Debug)]
pub(crate) struct Field {
    from: i16,
    to: i16,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// So many bytes.
    Fixed(usize),
    /// A string, perhaps null.
    Text,
    /// Bytes with a four-byte (or compact) length, perhaps null.
    Data,
    /// Elements, perhaps null, each a structure with tagged fields of its own.
    Each(&'static [Field]),
    /// One such structure, or -1 for none.
    Maybe(&'static [Field]),
    /// Elements of one kind.
    Numbers(usize),
    Texts,
}

const ALWAYS: (i16, i16) = (0, i16::MAX);

const fn field(form: Form, (from, to): (i16, i16)) -> Field {
    Field { from, to, form }
}
const fn fixed(bytes: usize) -> Field {
    field(Form::Fixed(bytes), ALWAYS)
}
const fn text() -> Field {
    field(Form::Text, ALWAYS)
}
const fn data() -> Field {
    field(Form::Data, ALWAYS)
}
const fn each(fields: &'static [Field]) -> Field {
    field(Form::Each(fields), ALWAYS)
}
const fn maybe(fields: &'static [Field]) -> Field {
    field(Form::Maybe(fields), ALWAYS)
}
const fn numbers(bytes: usize) -> Field {
    field(Form::Numbers(bytes), ALWAYS)
}
const fn texts() -> Field {
    field(Form::Texts, ALWAYS)
}

impl Field {
    const fn from(self, version: i16) -> Field {
        Field { from: version, ..self }
    }
    const fn to(self, version: i16) -> Field {
        Field { to: version, ..self }
    }
}

/// Elements a request may have in all: far more than any client sends, few enough to be decoded.
const MOST_ELEMENTS: usize = 1_000_000;

/// Whether `body` has this form. More may follow: librdkafka leaves three stray bytes behind a Metadata request for all
/// topics, and Apache Kafka does not mind.
pub(crate) fn holds(body: &[u8], fields: &'static [Field], version: i16, flexible: bool) -> bool {
    let mut walk = Walk { rest: body, version, flexible, elements: 0 };
    walk.fields(fields).is_some()
}

/// Length of the tagged fields at the beginning of `bytes`.
pub(crate) fn tagged_bytes(bytes: &[u8]) -> Option<usize> {
    let mut walk = Walk { rest: bytes, version: 0, flexible: true, elements: 0 };
    walk.tagged()?;
    Some(bytes.len() - walk.rest.len())
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &'static [Field]) -> Option<()> {
        for field in fields {
            if (field.from..=field.to).contains(&self.version) {
                self.form(&field.form)?;
            }
        }
        if self.flexible { self.tagged() } else { Some(()) }
    }

    fn form(&mut self, form: &'static Form) -> Option<()> {
        match form {
            Form::Fixed(bytes) => self.skip(*bytes),
            Form::Text => {
                let length = if self.flexible { self.compact()? } else { i64::from(i16::from_be_bytes(self.take()?)) };
                self.skip_counted(length, 1)
            }
            Form::Data => {
                let length = self.count()?;
                self.skip_counted(length, 1)
            }
            Form::Each(fields) => {
                for _ in 0..self.elements()? {
                    self.fields(fields)?;
                }
                Some(())
            }
            Form::Maybe(fields) => match self.take()? {
                [1] => self.fields(fields),
                [_] => Some(()),
            },
            Form::Numbers(bytes) => {
                let count = self.elements()? as i64;
                self.skip_counted(count, *bytes)
            }
            Form::Texts => {
                for _ in 0..self.elements()? {
                    self.form(&Form::Text)?;
                }
                Some(())
            }
        }
    }

    /// How many elements follow; each takes at least a byte.
    fn elements(&mut self) -> Option<usize> {
        let count = usize::try_from(self.count()?.max(0)).ok().filter(|count| *count <= self.rest.len())?;
        self.elements += count;
        (self.elements <= MOST_ELEMENTS).then_some(count)
    }

    /// The length of an array or of bytes; -1 is null.
    fn count(&mut self) -> Option<i64> {
        if self.flexible { self.compact() } else { Some(i64::from(i32::from_be_bytes(self.take()?))) }
    }

    fn compact(&mut self) -> Option<i64> {
        Some(i64::from(self.varint()?) - 1)
    }

    fn tagged(&mut self) -> Option<()> {
        let count = self.varint()?;
        if count as usize > self.rest.len() {
            return None;
        }
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length as usize)?;
        }
        Some(())
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for at in 0..5 {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << (at * 7);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn skip_counted(&mut self, count: i64, bytes: usize) -> Option<()> {
        match count {
            -1 | 0 => Some(()),
            count => self.skip(usize::try_from(count).ok()?.checked_mul(bytes)?),
        }
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }
}

// === The requests served ===

pub(crate) const PRODUCE: &[Field] =
    &[text(), fixed(2 + 4), each(&[text().to(12), fixed(16).from(13), each(&[fixed(4), data()])])];
pub(crate) const FETCH: &[Field] = &[
    fixed(4).to(14),
    fixed(4 + 4 + 4 + 1),
    fixed(4 + 4).from(7),
    each(&[
        text().to(12),
        fixed(16).from(13),
        each(&[fixed(4), fixed(4).from(9), fixed(8), fixed(4).from(12), fixed(8).from(5), fixed(4)]),
    ]),
    each(&[text().to(12), fixed(16).from(13), numbers(4)]).from(7),
    text().from(11),
];
pub(crate) const LIST_OFFSETS: &[Field] =
    &[fixed(4), fixed(1).from(2), each(&[text(), each(&[fixed(4), fixed(4).from(4), fixed(8)])]), fixed(4).from(10)];
pub(crate) const METADATA: &[Field] =
    &[each(&[fixed(16).from(10), text()]), fixed(1).from(4), fixed(1).from(8).to(10), fixed(1).from(8)];
pub(crate) const OFFSET_COMMIT: &[Field] = &[
    text(),
    fixed(4),
    text(),
    text().from(7),
    fixed(8).to(4),
    each(&[text(), each(&[fixed(4 + 8), fixed(4).from(6), text()])]),
];
pub(crate) const OFFSET_FETCH: &[Field] = &[
    text().to(7),
    each(&[text(), numbers(4)]).to(7),
    each(&[text(), text().from(9), fixed(4).from(9), each(&[text(), numbers(4)])]).from(8),
    fixed(1).from(7),
];
pub(crate) const FIND_COORDINATOR: &[Field] = &[text().to(3), fixed(1).from(1), texts().from(4)];
pub(crate) const JOIN_GROUP: &[Field] =
    &[text(), fixed(4), fixed(4).from(1), text(), text().from(5), text(), each(&[text(), data()]), text().from(8)];
pub(crate) const HEARTBEAT: &[Field] = &[text(), fixed(4), text(), text().from(3)];
pub(crate) const LEAVE_GROUP: &[Field] = &[text(), text().to(2), each(&[text(), text(), text().from(5)]).from(3)];
pub(crate) const SYNC_GROUP: &[Field] =
    &[text(), fixed(4), text(), text().from(3), text().from(5), text().from(5), each(&[text(), data()])];
pub(crate) const DESCRIBE_GROUPS: &[Field] = &[texts(), fixed(1).from(3)];
pub(crate) const LIST_GROUPS: &[Field] = &[texts().from(4), texts().from(5)];
pub(crate) const API_VERSIONS: &[Field] = &[text().from(3), text().from(3)];
pub(crate) const CREATE_TOPICS: &[Field] =
    &[each(&[text(), fixed(4 + 2), each(&[fixed(4), numbers(4)]), each(&[text(), text()])]), fixed(4 + 1)];
pub(crate) const DELETE_TOPICS: &[Field] = &[each(&[text(), fixed(16)]).from(6), texts().to(5), fixed(4)];
pub(crate) const DELETE_RECORDS: &[Field] = &[each(&[text(), each(&[fixed(4 + 8)])]), fixed(4)];
pub(crate) const INIT_PRODUCER_ID: &[Field] = &[text(), fixed(4), fixed(8 + 2).from(3)];
pub(crate) const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[fixed(4).from(3), each(&[text(), each(&[fixed(4 + 4 + 4)])])];
pub(crate) const DESCRIBE_ACLS: &[Field] = &[fixed(1), text(), fixed(1), text(), text(), fixed(1 + 1)];
pub(crate) const CREATE_ACLS: &[Field] = &[each(DESCRIBE_ACLS)];
pub(crate) const DELETE_ACLS: &[Field] = &[each(DESCRIBE_ACLS)];
pub(crate) const DESCRIBE_LOG_DIRS: &[Field] = &[each(&[text(), numbers(4)])];
pub(crate) const LIST_PARTITION_REASSIGNMENTS: &[Field] = &[fixed(4), each(&[text(), numbers(4)])];
pub(crate) const DESCRIBE_CONFIGS: &[Field] = &[each(&[fixed(1), text(), texts()]), fixed(1), fixed(1).from(3)];
pub(crate) const ALTER_CONFIGS: &[Field] = &[each(&[fixed(1), text(), each(&[text(), text()])]), fixed(1)];
pub(crate) const INCREMENTAL_ALTER_CONFIGS: &[Field] =
    &[each(&[fixed(1), text(), each(&[text(), fixed(1), text()])]), fixed(1)];
pub(crate) const CREATE_PARTITIONS: &[Field] = &[each(&[text(), fixed(4), each(&[numbers(4)])]), fixed(4 + 1)];
pub(crate) const DELETE_GROUPS: &[Field] = &[texts()];
pub(crate) const OFFSET_DELETE: &[Field] = &[text(), each(&[text(), each(&[fixed(4)])])];
pub(crate) const DESCRIBE_TOPIC_PARTITIONS: &[Field] = &[each(&[text()]), fixed(4), maybe(&[text(), fixed(4)])];
pub(crate) const DESCRIBE_CLUSTER: &[Field] = &[fixed(1), fixed(1).from(1), fixed(1).from(2)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_at_most_so_many_elements() {
        // Topics of DescribeLogDirs, each without a name and without partitions; those within topics count as well.
        let topics = |count: usize| {
            let mut body = (count as u32).to_be_bytes().to_vec();
            body.resize(4 + 6 * count, 0);
            body
        };
        assert!(holds(&topics(MOST_ELEMENTS), DESCRIBE_LOG_DIRS, 1, false));
        assert!(!holds(&topics(MOST_ELEMENTS + 1), DESCRIBE_LOG_DIRS, 1, false));
        let mut nested = topics(1);
        nested[6..].copy_from_slice(&(MOST_ELEMENTS as u32 - 1).to_be_bytes());
        nested.resize(nested.len() + 4 * MOST_ELEMENTS, 0);
        assert!(holds(&nested, DESCRIBE_LOG_DIRS, 1, false));
        nested[6..10].copy_from_slice(&(MOST_ELEMENTS as u32).to_be_bytes());
        assert!(!holds(&nested, DESCRIBE_LOG_DIRS, 1, false));
    }
}
