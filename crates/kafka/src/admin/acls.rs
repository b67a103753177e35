//! ACLs: found, created, deleted. Source: KIP-140, KIP-290.

use kafka_protocol::{
    messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, create_acls_request::AclCreation,
        delete_acls_request::DeleteAclsFilter,
    },
    protocol::StrBytes,
};

use super::{Admin, changed, checked, not_answered, text};
use crate::{Error, network::Destination};

/// An enumeration of the protocol: numbers and Kafka's names.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "Kafka's names")]
        pub enum $name { $($variant),* }

        impl $name {
            /// All of them, in Kafka's order.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// Kafka's name of it.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            fn number(self) -> i8 {
                match self { $($name::$variant => $number),* }
            }

            /// By its number; brokers may have more than we know.
            fn numbered(number: i8) -> $name {
                match number { $($number => $name::$variant,)* _ => $name::Unknown }
            }
        }
    };
}

numbered! {
    /// What an ACL is about.
    AclResourceType {
        Unknown = 0, "UNKNOWN";
        Any = 1, "ANY";
        Topic = 2, "TOPIC";
        Group = 3, "GROUP";
        Cluster = 4, "CLUSTER";
        TransactionalId = 5, "TRANSACTIONAL_ID";
        DelegationToken = 6, "DELEGATION_TOKEN";
    }
}

numbered! {
    /// How the name in an ACL is compared.
    AclPatternType {
        Unknown = 0, "UNKNOWN";
        Any = 1, "ANY";
        Match = 2, "MATCH";
        Literal = 3, "LITERAL";
        Prefixed = 4, "PREFIXED";
    }
}

numbered! {
    /// What an ACL permits or forbids.
    AclOperation {
        Unknown = 0, "UNKNOWN";
        Any = 1, "ANY";
        All = 2, "ALL";
        Read = 3, "READ";
        Write = 4, "WRITE";
        Create = 5, "CREATE";
        Delete = 6, "DELETE";
        Alter = 7, "ALTER";
        Describe = 8, "DESCRIBE";
        ClusterAction = 9, "CLUSTER_ACTION";
        DescribeConfigs = 10, "DESCRIBE_CONFIGS";
        AlterConfigs = 11, "ALTER_CONFIGS";
        IdempotentWrite = 12, "IDEMPOTENT_WRITE";
    }
}

numbered! {
    /// Whether an ACL permits or forbids.
    AclPermission {
        Unknown = 0, "UNKNOWN";
        Any = 1, "ANY";
        Deny = 2, "DENY";
        Allow = 3, "ALLOW";
    }
}

/// One ACL. Ordered by its members as they stand here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// The kind of resource.
    pub resource_type: AclResourceType,
    /// The name of the resource, or the beginning of it.
    pub resource_name: String,
    /// Which of both.
    pub pattern_type: AclPatternType,
    /// Who, such as `User:alice`.
    pub principal: String,
    /// From where: an address, or `*`.
    pub host: String,
    /// What.
    pub operation: AclOperation,
    /// Whether it is permitted or forbidden.
    pub permission: AclPermission,
}

/// Which ACLs. `None`, and `Any` of an enumeration: all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "see Acl")]
pub struct AclFilter {
    pub resource_type: AclResourceType,
    pub resource_name: Option<String>,
    pub pattern_type: AclPatternType,
    pub principal: Option<String>,
    pub host: Option<String>,
    pub operation: AclOperation,
    pub permission: AclPermission,
}

impl Admin {
    /// Sorted.
    pub(crate) async fn acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(filter.resource_type.number())
            .with_resource_name_filter(optional(filter.resource_name.as_deref()))
            .with_pattern_type_filter(filter.pattern_type.number())
            .with_principal_filter(optional(filter.principal.as_deref()))
            .with_host_filter(optional(filter.host.as_deref()))
            .with_operation(filter.operation.number())
            .with_permission_type(filter.permission.number());
        let response = self.read(Destination::Any, self.deadline(), move |_| request.clone()).await?;
        checked(response.error_code, response.error_message.as_ref())?;
        let mut acls = Vec::new();
        for resource in &response.resources {
            acls.extend(resource.acls.iter().map(|acl| Acl {
                resource_type: AclResourceType::numbered(resource.resource_type),
                resource_name: resource.resource_name.to_string(),
                pattern_type: AclPatternType::numbered(resource.pattern_type),
                principal: acl.principal.to_string(),
                host: acl.host.to_string(),
                operation: AclOperation::numbered(acl.operation),
                permission: AclPermission::numbered(acl.permission_type),
            }));
        }
        acls.sort_unstable();
        Ok(acls)
    }

    /// Each by itself; the results are in the order of `acls`. To create one that is there already is a success.
    pub(crate) async fn create_acls(&self, acls: &[Acl]) -> Result<Vec<Result<(), Error>>, Error> {
        let creations: Vec<_> = acls
            .iter()
            .map(|acl| {
                AclCreation::default()
                    .with_resource_type(acl.resource_type.number())
                    .with_resource_name(text(&acl.resource_name))
                    .with_resource_pattern_type(acl.pattern_type.number())
                    .with_principal(text(&acl.principal))
                    .with_host(text(&acl.host))
                    .with_operation(acl.operation.number())
                    .with_permission_type(acl.permission.number())
            })
            .collect();
        let build = move |_| CreateAclsRequest::default().with_creations(creations.clone());
        let response = self.change(build, |response| response.results.first().map(|result| result.error_code)).await?;
        if response.results.len() != acls.len() {
            return Err(not_answered());
        }
        Ok(response.results.iter().map(|result| changed(result.error_code, result.error_message.as_ref())).collect())
    }

    /// Returns those that were deleted, sorted.
    pub(crate) async fn delete_acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        let filter = DeleteAclsFilter::default()
            .with_resource_type_filter(filter.resource_type.number())
            .with_resource_name_filter(optional(filter.resource_name.as_deref()))
            .with_pattern_type_filter(filter.pattern_type.number())
            .with_principal_filter(optional(filter.principal.as_deref()))
            .with_host_filter(optional(filter.host.as_deref()))
            .with_operation(filter.operation.number())
            .with_permission_type(filter.permission.number());
        let build = move |_| DeleteAclsRequest::default().with_filters(vec![filter.clone()]);
        let first_code = |response: &kafka_protocol::messages::DeleteAclsResponse| {
            response.filter_results.first().map(|r| r.error_code)
        };
        let response = self.change(build, first_code).await?;
        let result = response.filter_results.into_iter().next().ok_or_else(not_answered)?;
        changed(result.error_code, result.error_message.as_ref())?;
        let mut acls = Vec::with_capacity(result.matching_acls.len());
        for acl in &result.matching_acls {
            changed(acl.error_code, acl.error_message.as_ref())?;
            acls.push(Acl {
                resource_type: AclResourceType::numbered(acl.resource_type),
                resource_name: acl.resource_name.to_string(),
                pattern_type: AclPatternType::numbered(acl.pattern_type),
                principal: acl.principal.to_string(),
                host: acl.host.to_string(),
                operation: AclOperation::numbered(acl.operation),
                permission: AclPermission::numbered(acl.permission_type),
            });
        }
        acls.sort_unstable();
        Ok(acls)
    }
}

fn optional(name: Option<&str>) -> Option<StrBytes> {
    name.map(text)
}
