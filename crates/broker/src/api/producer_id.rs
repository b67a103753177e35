//! InitProducerId (22), versions 0 to 5: a fresh producer id for an idempotent producer.
//!
//! A producer that names an id it had (KIP-360) gets a new one: as good, since its sequences begin anew. Not
//! done: transactional ids.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, InitProducerIdRequest, InitProducerIdResponse};

use super::{Call, Cut, blocking};
use crate::code;
use crate::node::Node;

pub(super) async fn answer(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Cut> {
    let failed = |error| {
        InitProducerIdResponse::default().with_error_code(error).with_producer_id((-1).into()).with_producer_epoch(-1)
    };
    if let Some(error) = call.fault(node, ApiKey::InitProducerId, None).await? {
        return Ok(failed(error));
    }
    let has_half = (request.producer_id.0 == -1) != (request.producer_epoch == -1);
    if request.transactional_id.is_some() || has_half {
        return Ok(failed(code(ResponseError::InvalidRequest)));
    }
    let allotter = node.clone();
    match blocking(move || allotter.producer_ids.allot()).await {
        Ok(id) => Ok(InitProducerIdResponse::default().with_producer_id(id.into()).with_producer_epoch(0)),
        Err(error) => {
            tracing::error!(%error, "producer ids could not be reserved");
            Ok(failed(code(ResponseError::CoordinatorNotAvailable)))
        }
    }
}
