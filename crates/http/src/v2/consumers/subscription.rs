//! `POST`, `GET`, `DELETE /consumers/{group}/instances/{instance}/subscription` — topics by name or pattern
//! (docs/reference/rest-v2.md §7.3).

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::{Proxy, SubscriptionRequest};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::bodies::SubscriptionRequest as SubscriptionBody;
use super::super::problem;
use super::request::{BODY_MAX, Refused, instance_name, object, said};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
struct Subscription {
    topics: Vec<String>,
}

pub(in crate::v2) const SET: Operation =
    operation("subscribe", "Subscribes an instance to topics, whose partitions the group divides")
        .takes::<SubscriptionBody>(&[r#"{"topics":["lab"]}"#]);
pub(in crate::v2) const SHOW: Operation =
    operation("getSubscription", "The topics of the subscription").returns::<Subscription>();
pub(in crate::v2) const DELETE: Operation = operation("unsubscribe", "Ends the subscription");

pub(in crate::v2) async fn set(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let at = instance_name(&params);
    let subscription = said(&proxy, &at, subscription(&body)).await?;
    match &subscription {
        Some(SubscriptionRequest::Topics(topics)) => {
            params.check_all(Right::Consume, topics.iter().map(String::as_str))?;
        }
        // What a pattern will match is not known yet: whoever may read everything that there may be can use one.
        Some(SubscriptionRequest::Pattern(_)) => params.check_whole_kind(Right::Consume, "topic_pattern")?,
        None => {}
    }
    match subscription {
        Some(subscription) => proxy.subscribe(&at, subscription).await.map_err(problem)?,
        None => drop(proxy.subscription(&at).await.map_err(problem)?),
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::v2) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let topics = proxy.subscription(&instance_name(&request.params)).await.map_err(problem)?;
    Ok(Reply::ok(&Subscription { topics }))
}

pub(in crate::v2) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    proxy.unsubscribe(&instance_name(&request.params)).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// What a body asks for: topics go before a pattern, and neither is nothing.
fn subscription(body: &[u8]) -> Result<Option<SubscriptionRequest>, Refused> {
    let mut body = object(body, "an object with topics or topic_pattern")?;
    let (topics, pattern) = (body.texts_or_nulls("topics")?, body.text("topic_pattern")?);
    body.end()?;
    let Some(topics) = topics else { return Ok(pattern.map(SubscriptionRequest::Pattern)) };
    let topic = |(n, topic): (usize, Option<String>)| match topic {
        Some(topic) if !topic.trim().is_empty() => Ok(topic),
        Some(_) | None => {
            let found = if topic.is_some() { "a blank one" } else { "null" };
            Err(Refused::meaningless(format!("topics[{n}]: expected the name of a topic, found {found}.")))
        }
    };
    topics.into_iter().enumerate().map(topic).collect::<Result<_, _>>().map(SubscriptionRequest::Topics).map(Some)
}
