//! ApiVersions (18), versions 0 to 4: what is served.
//!
//! The one request that may come in a version we do not know: the answer is then version 0 with the error, and lists
//! all the same what is served. Not done: features (there is nothing to negotiate).

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{Call, Cut, SERVED};
use crate::code;
use crate::node::Node;

/// Stands for the version of a request that is newer than we know.
pub(super) const UNSUPPORTED: i16 = -1;

pub(super) async fn answer(_: &Arc<Node>, call: &Call<'_>, _: ApiVersionsRequest) -> Result<ApiVersionsResponse, Cut> {
    let mut response = ApiVersionsResponse::default().with_finalized_features_epoch(-1);
    if call.version == UNSUPPORTED {
        response.error_code = code(ResponseError::UnsupportedVersion);
    }
    response.api_keys = SERVED
        .iter()
        .map(|served| {
            ApiVersion::default()
                .with_api_key(served.api as i16)
                .with_min_version(served.oldest)
                .with_max_version(served.newest)
        })
        .collect();
    Ok(response)
}
