//! InitProducerId (22), versions 0 to 5: a new producer id for an idempotent producer.
//!
//! A producer that sends the id it has (KIP-360) gets a new id instead of a new epoch: its sequences start anew either
//! way. Not done: transactional ids.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, InitProducerIdRequest, InitProducerIdResponse};

use super::{CallContext, Disconnect};
use crate::blocking::run_blocking;
use crate::code;
use crate::node::Node;

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Disconnect> {
    let failed = |error| {
        InitProducerIdResponse::default().with_error_code(error).with_producer_id((-1).into()).with_producer_epoch(-1)
    };
    if let Some(error) = context.injected_fault(node, ApiKey::InitProducerId, None).await? {
        return Ok(failed(error));
    }
    if let Some(id) = &request.transactional_id {
        node.notices.transactions(id);
    }
    let is_incomplete = (request.producer_id.0 == -1) != (request.producer_epoch == -1);
    if request.transactional_id.is_some() || is_incomplete {
        return Ok(failed(code(ResponseError::InvalidRequest)));
    }
    let producer_ids_of = node.clone();
    match run_blocking(move || producer_ids_of.producer_ids.allot()).await {
        Ok(id) => Ok(InitProducerIdResponse::default().with_producer_id(id.into()).with_producer_epoch(0)),
        Err(error) => {
            tracing::error!(%error, "producer ids could not be reserved");
            Ok(failed(code(ResponseError::CoordinatorNotAvailable)))
        }
    }
}
