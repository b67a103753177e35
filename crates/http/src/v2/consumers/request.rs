//! What the bodies of consumer operations have in common: optional objects, lists of partitions (docs/reference/rest-v2.md §3.2, §7).

use postern_proxy::{InstanceName, PartitionName, Proxy};

use super::super::problem;
use crate::lenient_object::{LenientObject, NotAnObject};
use crate::problem::Problem;
use crate::request_context::Params;

/// Bytes of a body.
pub(super) const BODY_MAX: usize = 1 << 20;

/// Why the body of an operation of an instance is refused. The instance is looked for between the two, as in the original.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is not what the operation reads.
    Unreadable(Problem),
    /// It says too little, or what no operation can mean.
    Meaningless(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        Refused::Unreadable(problem)
    }
}

impl Refused {
    /// A body that says what no operation can mean.
    pub(super) fn meaningless(message: String) -> Refused {
        Refused::Meaningless(Problem::unprocessable(message))
    }
}

/// What a body says to the instance `at`. What it lacks is told only where there is such an instance.
///
/// # Errors
/// The body is refused, or there is no such instance.
pub(super) async fn said<T>(proxy: &Proxy, at: &InstanceName, read: Result<T, Refused>) -> Result<T, Problem> {
    match read {
        Ok(said) => Ok(said),
        Err(Refused::Unreadable(refusal)) => Err(refusal),
        Err(Refused::Meaningless(refusal)) => {
            proxy.subscription(at).await.map_err(problem)?;
            Err(refusal)
        }
    }
}

/// The instance of the path.
pub(in crate::v2) fn instance_name(params: &Params) -> InstanceName {
    let (group, name) = (params.get("group").to_owned(), params.get("instance").to_owned());
    InstanceName { group, name, owner: params.owner() }
}

/// The object of a body; `None`: there is no body, or it is null.
pub(super) fn optional_object<'a>(body: &'a [u8], expected: &str) -> Result<Option<LenientObject<'a>>, Problem> {
    match LenientObject::parse(body) {
        Ok(object) => Ok(Some(object)),
        Err(NotAnObject::Empty | NotAnObject::Null) => Ok(None),
        Err(NotAnObject::Syntax(error)) => Err(Problem::bad_request(format!("The request body is not JSON: {error}."))),
        Err(NotAnObject::Other(found)) => {
            Err(Problem::bad_request(format!("The request body: expected {expected}, found {found}.")))
        }
    }
}

/// The object of a body that must be there.
pub(super) fn object<'a>(body: &'a [u8], expected: &str) -> Result<LenientObject<'a>, Problem> {
    optional_object(body, expected)?.ok_or_else(|| {
        Problem::unprocessable(format!("The request body must not be null (was null): expected {expected}."))
    })
}

/// A member that must be there.
pub(super) fn required<T>(object: &LenientObject<'_>, name: &'static str, taken: Option<T>) -> Result<T, Refused> {
    taken.ok_or_else(|| {
        Refused::meaningless(format!("{} is missing: it is required, and must not be null.", object.path(name)))
    })
}

/// The objects of the list `name`, none of which is null; `None`: there is no such list.
pub(super) fn objects<'a>(
    object: &mut LenientObject<'a>,
    name: &'static str,
) -> Result<Option<Vec<LenientObject<'a>>>, Refused> {
    let Some(items) = object.objects_or_nulls(name)? else { return Ok(None) };
    let item = |(n, item): (usize, Option<LenientObject<'a>>)| {
        item.ok_or_else(|| Refused::meaningless(format!("{name}[{n}]: expected an object, found null.")))
    };
    items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
}

/// Topic and partition of an object.
pub(super) fn partition(object: &mut LenientObject<'_>) -> Result<PartitionName, Refused> {
    let (topic, partition) = (object.text("topic")?, object.int32("partition")?);
    let topic = required(object, "topic", topic)?;
    Ok(PartitionName { topic, partition: required(object, "partition", partition)? })
}

/// The list `partitions` of a body, which must be there and may be empty.
pub(super) fn partitions(mut body: LenientObject<'_>) -> Result<Vec<PartitionName>, Refused> {
    let list = objects(&mut body, "partitions")?;
    // An unknown member is most likely the list under another name.
    if list.is_none() && body.unknown().is_some() {
        body.end()?;
        return Ok(Vec::new());
    }
    let list = required(&body, "partitions", list)?;
    body.end()?;
    let item = |mut item: LenientObject<'_>| {
        let partition = partition(&mut item)?;
        item.end()?;
        Ok(partition)
    };
    list.into_iter().map(item).collect()
}
