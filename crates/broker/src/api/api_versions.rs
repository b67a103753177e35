//! ApiVersions (18), versions 0 to 4: what is served.
//!
//! The one request that may come in a version we do not know: the answer is then version 0 with the error, and says only in
//! which versions to ask again (KIP-511). Not done: features (there is nothing to negotiate).

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::{Call, Cut, SERVED, Served};
use crate::code;
use crate::node::Node;

/// Stands for the version of a request that is newer than we know.
pub(super) const UNSUPPORTED: i16 = -1;

pub(super) async fn answer(
    _: &Arc<Node>,
    call: &Call<'_>,
    request: ApiVersionsRequest,
) -> Result<ApiVersionsResponse, Cut> {
    let response = ApiVersionsResponse::default().with_finalized_features_epoch(-1);
    let announced = |served: &Served| {
        ApiVersion::default()
            .with_api_key(served.api as i16)
            .with_min_version(served.oldest)
            .with_max_version(served.newest)
    };
    if call.version == UNSUPPORTED {
        let itself = SERVED.iter().filter(|served| served.api == ApiKey::ApiVersions).map(announced);
        return Ok(response.with_error_code(code(ResponseError::UnsupportedVersion)).with_api_keys(itself.collect()));
    }
    if call.version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version)) {
        return Ok(response.with_error_code(code(ResponseError::InvalidRequest)));
    }
    Ok(response.with_api_keys(SERVED.iter().map(announced).collect()))
}

/// Whether a client may call its software so: letters, digits, and within them `-` and `.`.
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
