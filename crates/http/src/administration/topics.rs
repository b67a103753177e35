//! Several topics created with one request.

use hyper::StatusCode;
use postern_proxy::Proxy;
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::CreateTopicsRequest;
use super::{Refusal, check_cluster, problem, status_of};
use crate::lenient_object::{BODY_MAX, LenientObject};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::v3::topics::create::Creation;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedTopics")]
struct Created {
    data: Vec<CreatedTopic>,
}

#[derive(Serialize, JsonSchema)]
struct CreatedTopic {
    topic_name: String,
    /// Null where it was not created.
    partitions_count: Option<i32>,
    replication_factor: Option<i32>,
    #[serde(flatten)]
    refusal: Refusal,
}

pub(super) const CREATE: Operation = operation(
    "createTopics",
    "Creates several topics: each that can be created, or with validate_only none",
)
.takes::<CreateTopicsRequest>(&[
    r#"{"topics":[{"topic_name":"lamps","partitions_count":3},{"topic_name":"lanterns"}],"validate_only":true}"#,
])
.answers_with::<Created>(201)
.or::<Created>(200)
.or::<Created>(207);

pub(super) async fn create(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let mut object = LenientObject::read(&body, "an object with topics")?;
    let (topics, validate_only) = (object.objects("topics")?, object.flag("validate_only")?.unwrap_or(false));
    let topics = object.required("topics", topics)?;
    object.end()?;
    if topics.is_empty() {
        return Err(Problem::unprocessable("topics must not be empty: expected a list of at least one topic."));
    }
    let topics = topics
        .into_iter()
        .map(|topic| Creation::of_several(topic, validate_only)?.within(params.permissions())?.into_topic());
    let topics = topics.collect::<Result<Vec<_>, _>>()?;
    check_cluster(&proxy, &params).await?;
    let results = proxy.create_topics(&topics, validate_only).await.map_err(problem)?;
    let status = status_of(results.iter().map(Result::is_ok));
    let data = topics.iter().zip(results).map(|(topic, result)| CreatedTopic {
        topic_name: topic.name.to_string(),
        partitions_count: result.as_ref().ok().map(|created| created.partitions),
        replication_factor: result.as_ref().ok().map(|created| created.replication_factor),
        refusal: Refusal::of(result.err()),
    });
    let status = if status == StatusCode::OK && !validate_only { StatusCode::CREATED } else { status };
    Ok(Reply::json(status, &Created { data: data.collect() }))
}
