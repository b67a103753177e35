//! Changing configs, one by one: what is not named stays. Source: KIP-339.

use kafka_protocol::messages::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
};

use super::{Admin, ConfigResource, changed, not_answered, text};
use crate::{Error, error::ErrorCode};

/// The operations, as the protocol numbers them.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// A change of one config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigAlteration {
    /// The name of the config.
    pub name: String,
    /// What is to become of it.
    pub change: ConfigChange,
}

/// What is to become of a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// It gets this value; brokers refuse null.
    Set(Option<String>),
    /// It has no value of its own any more.
    Delete,
}

impl Admin {
    /// Each resource by itself: all of its changes or none. The results are in the order of the resources.
    pub(crate) async fn alter_configs(
        &self,
        resources: &[(ConfigResource, Vec<ConfigAlteration>)],
        validate_only: bool,
    ) -> Vec<Result<(), Error>> {
        let mut results: Vec<Result<(), Error>> = resources.iter().map(|_| Err(not_answered())).collect();
        // A broker changes its own configs, anyone those of topics and of the whole cluster.
        let is_shared = |resource: &ConfigResource| !matches!(resource, ConfigResource::Broker(_));
        let shared: Vec<_> = (0..resources.len()).filter(|at| is_shared(&resources[*at].0)).collect();
        let own = (0..resources.len()).filter(|at| !is_shared(&resources[*at].0)).map(|at| vec![at]);
        for group in own.chain([shared]).filter(|group| !group.is_empty()) {
            let asked: Vec<_> = group.iter().map(|at| alteration(&resources[*at])).collect();
            let build = move |_| {
                IncrementalAlterConfigsRequest::default()
                    .with_resources(asked.clone())
                    .with_validate_only(validate_only)
            };
            let answered = match resources[group[0]].0 {
                ConfigResource::Broker(broker) => match self.check_broker(broker).await {
                    Ok(()) => self.change_at(broker, build).await,
                    Err(error) => Err(error),
                },
                ConfigResource::Topic(_) | ConfigResource::AllBrokers => self.change(build, first_code).await,
            };
            for at in group {
                results[at] = match &answered {
                    Ok(response) => result_of(response, &resources[at].0),
                    Err(error) => Err(error.clone()),
                };
            }
        }
        results
    }
}

fn alteration((resource, alterations): &(ConfigResource, Vec<ConfigAlteration>)) -> AlterConfigsResource {
    let configs = alterations.iter().map(|alteration| {
        let config = AlterableConfig::default().with_name(text(&alteration.name));
        match &alteration.change {
            ConfigChange::Set(value) => config.with_config_operation(SET).with_value(value.as_deref().map(text)),
            ConfigChange::Delete => config.with_config_operation(DELETE).with_value(None),
        }
    });
    AlterConfigsResource::default()
        .with_resource_type(resource.kind())
        .with_resource_name(text(&resource.name()))
        .with_configs(configs.collect())
}

fn first_code(response: &IncrementalAlterConfigsResponse) -> Option<i16> {
    response.responses.first().map(|resource| resource.error_code)
}

fn result_of(response: &IncrementalAlterConfigsResponse, resource: &ConfigResource) -> Result<(), Error> {
    let (kind, name) = (resource.kind(), resource.name());
    let answer =
        response.responses.iter().find(|answer| answer.resource_type == kind && *answer.resource_name == *name);
    let answer = answer.ok_or_else(not_answered)?;
    changed(answer.error_code, answer.error_message.as_ref()).map_err(|error| match resource {
        ConfigResource::Topic(topic) if ErrorCode(answer.error_code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            error.about(topic)
        }
        ConfigResource::Topic(_) | ConfigResource::Broker(_) | ConfigResource::AllBrokers => error,
    })
}
