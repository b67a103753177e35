//! The layout of requests: the order and types of their fields, no more than a walk over untrusted bytes needs.
//!
//! The generated decoders allocate for as many elements as a request announces before they read the first; sixteen bytes
//! could ask for gigabytes. This walk runs before them and rejects arrays that are longer than the bytes that follow.

/// One field, and the versions that have it.
#[derive(Debug)]
pub(crate) struct Field {
    from: i16,
    to: i16,
    kind: FieldType,
}

#[derive(Debug)]
enum FieldType {
    /// A number of bytes that is always the same.
    Fixed(usize),
    /// A nullable string.
    String,
    /// Nullable bytes with a four-byte (or compact) length.
    Bytes,
    /// A nullable array of structures, each with tagged fields of its own.
    Structs(&'static [Field]),
    /// One such structure, or -1 for null.
    NullableStruct(&'static [Field]),
    /// An array of elements of so many bytes each.
    FixedArray(usize),
    Strings,
}

const ALWAYS: (i16, i16) = (0, i16::MAX);

const fn field(kind: FieldType, (from, to): (i16, i16)) -> Field {
    Field { from, to, kind }
}
const fn fixed(bytes: usize) -> Field {
    field(FieldType::Fixed(bytes), ALWAYS)
}
const fn string() -> Field {
    field(FieldType::String, ALWAYS)
}
const fn bytes() -> Field {
    field(FieldType::Bytes, ALWAYS)
}
const fn structs(fields: &'static [Field]) -> Field {
    field(FieldType::Structs(fields), ALWAYS)
}
const fn nullable_struct(fields: &'static [Field]) -> Field {
    field(FieldType::NullableStruct(fields), ALWAYS)
}
const fn fixed_array(bytes: usize) -> Field {
    field(FieldType::FixedArray(bytes), ALWAYS)
}
const fn strings() -> Field {
    field(FieldType::Strings, ALWAYS)
}

impl Field {
    const fn from(self, version: i16) -> Field {
        Field { from: version, ..self }
    }
    const fn to(self, version: i16) -> Field {
        Field { to: version, ..self }
    }
}

/// Elements of all arrays of a request: more than any client sends, few enough to be decoded.
const MAX_ELEMENTS: usize = 125_000;

/// Checks that `body` has this layout. Returns the number of elements of all its arrays, nested ones included. More bytes
/// may follow: librdkafka appends three to a Metadata request for all topics, and Apache Kafka accepts that.
pub(crate) fn count_elements(body: &[u8], fields: &'static [Field], version: i16, flexible: bool) -> Option<usize> {
    let mut walk = Walk { rest: body, version, flexible, elements: 0 };
    walk.fields(fields)?;
    Some(walk.elements)
}

/// Length of the tagged fields at the beginning of `bytes`.
pub(crate) fn tagged_fields_len(bytes: &[u8]) -> Option<usize> {
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
                self.kind(&field.kind)?;
            }
        }
        if self.flexible { self.tagged() } else { Some(()) }
    }

    fn kind(&mut self, kind: &'static FieldType) -> Option<()> {
        match kind {
            FieldType::Fixed(bytes) => self.skip(*bytes),
            FieldType::String => {
                let length = if self.flexible { self.compact()? } else { i64::from(i16::from_be_bytes(self.take()?)) };
                self.skip_counted(length, 1)
            }
            FieldType::Bytes => {
                let length = self.count()?;
                self.skip_counted(length, 1)
            }
            FieldType::Structs(fields) => {
                for _ in 0..self.elements()? {
                    self.fields(fields)?;
                }
                Some(())
            }
            FieldType::NullableStruct(fields) => match self.take()? {
                [1] => self.fields(fields),
                [_] => Some(()),
            },
            FieldType::FixedArray(bytes) => {
                let count = self.elements()? as i64;
                self.skip_counted(count, *bytes)
            }
            FieldType::Strings => {
                for _ in 0..self.elements()? {
                    self.kind(&FieldType::String)?;
                }
                Some(())
            }
        }
    }

    /// The number of elements that follow; each takes at least a byte.
    fn elements(&mut self) -> Option<usize> {
        let count = usize::try_from(self.count()?.max(0)).ok().filter(|count| *count <= self.rest.len())?;
        self.elements += count;
        (self.elements <= MAX_ELEMENTS).then_some(count)
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

// === The supported requests ===

pub(crate) const PRODUCE: &[Field] =
    &[string(), fixed(2 + 4), structs(&[string().to(12), fixed(16).from(13), structs(&[fixed(4), bytes()])])];
pub(crate) const FETCH: &[Field] = &[
    fixed(4).to(14),
    fixed(4 + 4 + 4 + 1),
    fixed(4 + 4).from(7),
    structs(&[
        string().to(12),
        fixed(16).from(13),
        structs(&[fixed(4), fixed(4).from(9), fixed(8), fixed(4).from(12), fixed(8).from(5), fixed(4)]),
    ]),
    structs(&[string().to(12), fixed(16).from(13), fixed_array(4)]).from(7),
    string().from(11),
];
pub(crate) const LIST_OFFSETS: &[Field] = &[
    fixed(4),
    fixed(1).from(2),
    structs(&[string(), structs(&[fixed(4), fixed(4).from(4), fixed(8)])]),
    fixed(4).from(10),
];
pub(crate) const METADATA: &[Field] =
    &[structs(&[fixed(16).from(10), string()]), fixed(1).from(4), fixed(1).from(8).to(10), fixed(1).from(8)];
pub(crate) const OFFSET_COMMIT: &[Field] = &[
    string(),
    fixed(4),
    string(),
    string().from(7),
    fixed(8).to(4),
    structs(&[string(), structs(&[fixed(4 + 8), fixed(4).from(6), string()])]),
];
pub(crate) const OFFSET_FETCH: &[Field] = &[
    string().to(7),
    structs(&[string(), fixed_array(4)]).to(7),
    structs(&[string(), string().from(9), fixed(4).from(9), structs(&[string(), fixed_array(4)])]).from(8),
    fixed(1).from(7),
];
pub(crate) const FIND_COORDINATOR: &[Field] = &[string().to(3), fixed(1).from(1), strings().from(4)];
pub(crate) const JOIN_GROUP: &[Field] = &[
    string(),
    fixed(4),
    fixed(4).from(1),
    string(),
    string().from(5),
    string(),
    structs(&[string(), bytes()]),
    string().from(8),
];
pub(crate) const HEARTBEAT: &[Field] = &[string(), fixed(4), string(), string().from(3)];
pub(crate) const LEAVE_GROUP: &[Field] =
    &[string(), string().to(2), structs(&[string(), string(), string().from(5)]).from(3)];
pub(crate) const SYNC_GROUP: &[Field] = &[
    string(),
    fixed(4),
    string(),
    string().from(3),
    string().from(5),
    string().from(5),
    structs(&[string(), bytes()]),
];
pub(crate) const DESCRIBE_GROUPS: &[Field] = &[strings(), fixed(1).from(3)];
pub(crate) const LIST_GROUPS: &[Field] = &[strings().from(4), strings().from(5)];
pub(crate) const API_VERSIONS: &[Field] = &[string().from(3), string().from(3)];
pub(crate) const CREATE_TOPICS: &[Field] = &[
    structs(&[string(), fixed(4 + 2), structs(&[fixed(4), fixed_array(4)]), structs(&[string(), string()])]),
    fixed(4 + 1),
];
pub(crate) const DELETE_TOPICS: &[Field] = &[structs(&[string(), fixed(16)]).from(6), strings().to(5), fixed(4)];
pub(crate) const DELETE_RECORDS: &[Field] = &[structs(&[string(), structs(&[fixed(4 + 8)])]), fixed(4)];
pub(crate) const INIT_PRODUCER_ID: &[Field] = &[string(), fixed(4), fixed(8 + 2).from(3)];
pub(crate) const OFFSET_FOR_LEADER_EPOCH: &[Field] =
    &[fixed(4).from(3), structs(&[string(), structs(&[fixed(4 + 4 + 4)])])];
pub(crate) const DESCRIBE_ACLS: &[Field] = &[fixed(1), string(), fixed(1), string(), string(), fixed(1 + 1)];
pub(crate) const CREATE_ACLS: &[Field] = &[structs(DESCRIBE_ACLS)];
pub(crate) const DELETE_ACLS: &[Field] = &[structs(DESCRIBE_ACLS)];
pub(crate) const DESCRIBE_LOG_DIRS: &[Field] = &[structs(&[string(), fixed_array(4)])];
pub(crate) const LIST_PARTITION_REASSIGNMENTS: &[Field] = &[fixed(4), structs(&[string(), fixed_array(4)])];
pub(crate) const DESCRIBE_CONFIGS: &[Field] = &[structs(&[fixed(1), string(), strings()]), fixed(1), fixed(1).from(3)];
pub(crate) const ALTER_CONFIGS: &[Field] = &[structs(&[fixed(1), string(), structs(&[string(), string()])]), fixed(1)];
pub(crate) const INCREMENTAL_ALTER_CONFIGS: &[Field] =
    &[structs(&[fixed(1), string(), structs(&[string(), fixed(1), string()])]), fixed(1)];
pub(crate) const CREATE_PARTITIONS: &[Field] =
    &[structs(&[string(), fixed(4), structs(&[fixed_array(4)])]), fixed(4 + 1)];
pub(crate) const DELETE_GROUPS: &[Field] = &[strings()];
pub(crate) const OFFSET_DELETE: &[Field] = &[string(), structs(&[string(), structs(&[fixed(4)])])];
pub(crate) const DESCRIBE_TOPIC_PARTITIONS: &[Field] =
    &[structs(&[string()]), fixed(4), nullable_struct(&[string(), fixed(4)])];
pub(crate) const DESCRIBE_CLUSTER: &[Field] = &[fixed(1), fixed(1).from(1), fixed(1).from(2)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_too_many_elements_is_rejected() {
        // Topics of DescribeLogDirs, each without a name and without partitions; nested elements count as well.
        let topics = |count: usize| {
            let mut body = (count as u32).to_be_bytes().to_vec();
            body.resize(4 + 6 * count, 0);
            body
        };
        assert_eq!(count_elements(&topics(MAX_ELEMENTS), DESCRIBE_LOG_DIRS, 1, false), Some(MAX_ELEMENTS));
        assert_eq!(count_elements(&topics(MAX_ELEMENTS + 1), DESCRIBE_LOG_DIRS, 1, false), None);
        let mut nested = topics(1);
        nested[6..].copy_from_slice(&(MAX_ELEMENTS as u32 - 1).to_be_bytes());
        nested.resize(nested.len() + 4 * MAX_ELEMENTS, 0);
        assert_eq!(count_elements(&nested, DESCRIBE_LOG_DIRS, 1, false), Some(MAX_ELEMENTS));
        nested[6..10].copy_from_slice(&(MAX_ELEMENTS as u32).to_be_bytes());
        assert_eq!(count_elements(&nested, DESCRIBE_LOG_DIRS, 1, false), None);
    }
}
