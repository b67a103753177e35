//! DescribeAcls (29), CreateAcls (30), DeleteAcls (31), versions 1 to 3: refused with SECURITY_DISABLED, as by an Apache
//! Kafka without an authorizer.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{CallContext, Disconnect};
use crate::code;
use crate::node::Node;

const DISABLED: i16 = code(ResponseError::SecurityDisabled);

fn message(text: &'static str) -> Option<StrBytes> {
    Some(StrBytes::from_static_str(text))
}

pub(super) async fn describe(
    _: &Arc<Node>,
    _: &CallContext<'_>,
    _: DescribeAclsRequest,
) -> Result<DescribeAclsResponse, Disconnect> {
    Ok(DescribeAclsResponse::default()
        .with_error_code(DISABLED)
        .with_error_message(message("No Authorizer is configured on the broker")))
}

pub(super) async fn create(
    _: &Arc<Node>,
    _: &CallContext<'_>,
    request: CreateAclsRequest,
) -> Result<CreateAclsResponse, Disconnect> {
    let result = AclCreationResult::default()
        .with_error_code(DISABLED)
        .with_error_message(message("No Authorizer is configured."));
    Ok(CreateAclsResponse::default().with_results(vec![result; request.creations.len()]))
}

pub(super) async fn delete(
    _: &Arc<Node>,
    _: &CallContext<'_>,
    request: DeleteAclsRequest,
) -> Result<DeleteAclsResponse, Disconnect> {
    let result = DeleteAclsFilterResult::default()
        .with_error_code(DISABLED)
        .with_error_message(message("No Authorizer is configured."));
    Ok(DeleteAclsResponse::default().with_filter_results(vec![result; request.filters.len()]))
}
