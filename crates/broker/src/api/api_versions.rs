//! ApiVersions (18), versions 0 to 4: the supported APIs.
//!
//! The only request that may have a version we do not support: the response is then of version 0 with the error, and names
//! only the versions of ApiVersions (KIP-511). Not done: features.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::{CallContext, Disconnect, SUPPORTED_APIS, SupportedApi};
use crate::code;
use crate::node::Node;

/// Stands for the version of a request that we do not support.
pub(super) const UNSUPPORTED: i16 = -1;

pub(super) async fn handle(
    _: &Arc<Node>,
    context: &CallContext<'_>,
    request: ApiVersionsRequest,
) -> Result<ApiVersionsResponse, Disconnect> {
    let response = ApiVersionsResponse::default().with_finalized_features_epoch(-1);
    let announced = |served: &SupportedApi| {
        ApiVersion::default()
            .with_api_key(served.api as i16)
            .with_min_version(served.min_version)
            .with_max_version(served.max_version)
    };
    if context.version == UNSUPPORTED {
        let itself = SUPPORTED_APIS.iter().filter(|served| served.api == ApiKey::ApiVersions).map(announced);
        return Ok(response.with_error_code(code(ResponseError::UnsupportedVersion)).with_api_keys(itself.collect()));
    }
    if context.version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version)) {
        return Ok(response.with_error_code(code(ResponseError::InvalidRequest)));
    }
    Ok(response.with_api_keys(SUPPORTED_APIS.iter().map(announced).collect()))
}

/// Whether this is a valid name or version of client software: letters and digits, and between them `-` and `.`.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric();
    match text.as_bytes() {
        [] => false,
        [one] => is_plain(one),
        [first, within @ .., last] => {
            is_plain(first) && is_plain(last) && within.iter().all(|byte| is_plain(byte) || matches!(byte, b'-' | b'.'))
        }
    }
}
