//! `…/acls`, `…/acls:batch` — ACLs searched, created and deleted (docs/reference/rest-v3.md §9).

mod request;

use std::fmt::Display;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postern_proxy::{Acl, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use self::request::{Search, read_acl, read_batch};
use super::bodies::{CreateAclRequest, CreateAclsRequest};
use super::links::{ClusterPath, Links};
use super::page::whole_list;
use super::problem;
use super::resource::Collection;
use crate::lenient_object::BODY_MAX;
use crate::observe::name_in_audit;
use crate::operation::{Operation, one_of, operation, text};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaAcl")]
struct Resource<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    resource_type: &'static str,
    resource_name: &'a str,
    pattern_type: &'static str,
    principal: &'a str,
    host: &'a str,
    operation: &'static str,
    permission: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeletedAcls")]
struct Deleted<'a> {
    data: Vec<Resource<'a>>,
}

/// ACLs have no name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AclMetadata")]
struct Metadata {
    #[serde(rename = "self")]
    url: String,
}

pub(super) const SEARCH: Operation = operation("listAcls", "The ACLs that match")
    .with_query(&[
        one_of("resource_type", "UNKNOWN is refused", RESOURCE_TYPES),
        text("resource_name", "The name of the resource"),
        one_of("pattern_type", "How the name is meant", PATTERN_TYPES),
        text("principal", "Such as User:ana"),
        text("host", "An address, or *"),
        one_of("operation", "What is allowed or denied", OPERATIONS),
        one_of("permission", "Whether it is allowed or denied", PERMISSIONS),
    ])
    .returns::<Collection<Resource>>();
pub(super) const CREATE: Operation = operation("createAcl", "Creates an ACL").takes::<CreateAclRequest>(&[r#"{"resource_type":"TOPIC","resource_name":"lab","pattern_type":"LITERAL","principal":"User:ana","host":"*","operation":"READ","permission":"ALLOW"}"#]).answers_empty(201);
pub(super) const CREATE_BATCH: Operation = operation("createAcls", "Creates several ACLs").takes::<CreateAclsRequest>(&[r#"{"data":[{"resource_type":"TOPIC","resource_name":"lab","pattern_type":"LITERAL","principal":"User:ana","host":"*","operation":"READ","permission":"ALLOW"}]}"#]);
pub(super) const DELETE: Operation =
    operation("deleteAcls", "Deletes the ACLs that match, and answers which they were")
        .with_query(&[
            one_of("resource_type", "Its kind", RESOURCE_TYPES).required("TOPIC"),
            text("resource_name", "The name of the resource"),
            one_of("pattern_type", "How the name is meant", PATTERN_TYPES).required("ANY"),
            text("principal", "Such as User:ana"),
            text("host", "An address, or *"),
            one_of("operation", "What is allowed or denied", OPERATIONS).required("READ"),
            one_of("permission", "Whether it is allowed or denied", PERMISSIONS).required("ALLOW"),
        ])
        .returns::<Deleted>();

const RESOURCE_TYPES: &[&str] = &["ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN"];
const PATTERN_TYPES: &[&str] = &["ANY", "MATCH", "LITERAL", "PREFIXED"];
const OPERATIONS: &[&str] = &[
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
];
const PERMISSIONS: &[&str] = &["ANY", "ALLOW", "DENY"];

pub(super) async fn search(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let search = Search::read(&request, false)?;
    let links = Links::of(&proxy, &request).await?;
    let acls = proxy.acls(&search.filter()).await.map_err(problem)?;
    let kind = ("KafkaAclList", path_of(&search.values()).to_string());
    Ok(whole_list(&links, kind, acls.iter(), |acl| resource_of(&links, acl)).await)
}

pub(super) async fn create(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (_, body) = request.read_document(BODY_MAX).await?;
    let acl = read_acl(&body)?;
    name_in_audit(format_args!("{}", in_words(&acl)));
    let links = cluster_path.links(&proxy).await?;
    proxy.create_acls(std::slice::from_ref(&acl)).await.map_err(problem)?;
    let reply = Reply::empty(StatusCode::CREATED);
    Ok(match HeaderValue::try_from(links.url(path_of(&values_of(&acl)))) {
        Ok(url) => reply.header(LOCATION, url),
        // No link if the `Host` of the request cannot stand in one.
        Err(_) => reply,
    })
}

/// All are created where the cluster accepts all; otherwise the error says which were.
pub(super) async fn create_batch(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (_, body) = request.read_document(BODY_MAX).await?;
    let acls = read_batch(&body)?;
    acls.iter().for_each(|acl| name_in_audit(format_args!("{}", in_words(acl))));
    cluster_path.links(&proxy).await?;
    proxy.create_acls(&acls).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let search = Search::read(&request, true)?;
    let links = Links::of(&proxy, &request).await?;
    let acls = proxy.delete_acls(&search.filter()).await.map_err(problem)?;
    acls.iter().for_each(|acl| name_in_audit(format_args!("{}", in_words(acl))));
    Ok(Reply::ok(&Deleted { data: acls.iter().map(|acl| resource_of(&links, acl)).collect() }))
}

/// An ACL for the audit.
fn in_words(acl: &Acl) -> String {
    let Acl { resource_name, principal, host, .. } = acl;
    let (permission, operation) = (acl.permission.name(), acl.operation.name());
    let (kind, pattern) = (acl.resource_type.name(), acl.pattern_type.name());
    format!("{permission} {principal} from {host} {operation} {kind} {pattern} {resource_name}")
}

fn resource_of<'a>(links: &'a Links, acl: &'a Acl) -> Resource<'a> {
    Resource {
        kind: "KafkaAcl",
        metadata: Metadata { url: links.url(path_of(&values_of(acl))) },
        cluster_id: links.cluster_id(),
        resource_type: acl.resource_type.name(),
        resource_name: &acl.resource_name,
        pattern_type: acl.pattern_type.name(),
        principal: &acl.principal,
        host: &acl.host,
        operation: acl.operation.name(),
        permission: acl.permission.name(),
    }
}

/// The names of the parameters, in the order of links.
const PARAMETERS: [&str; 7] =
    ["resource_type", "resource_name", "pattern_type", "principal", "host", "operation", "permission"];

fn values_of(acl: &Acl) -> [&str; 7] {
    [
        acl.resource_type.name(),
        &acl.resource_name,
        acl.pattern_type.name(),
        &acl.principal,
        &acl.host,
        acl.operation.name(),
        acl.permission.name(),
    ]
}

/// Where the ACLs with these values of all parameters are found, below the cluster.
fn path_of(values: &[&str; 7]) -> impl Display {
    /// As HTML forms are encoded, but for the space.
    const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');
    let encoded = |value| utf8_percent_encode(value, FORM).to_string().replace("%20", "+");
    let pairs = PARAMETERS.iter().zip(values).map(|(name, value)| format!("{name}={}", encoded(value)));
    format!("acls?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_every_parameter() {
        let path = path_of(&["TOPIC", "a b", "LITERAL", "User:ü", "*", "READ", "ALLOW"]).to_string();
        let expected = "acls?resource_type=TOPIC&resource_name=a+b&pattern_type=LITERAL&principal=User%3A%C3%BC&host=*&operation=READ&permission=ALLOW";
        assert_eq!(path, expected);
    }
}
