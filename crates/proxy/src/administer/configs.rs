//! Configs of topics, of brokers, and of all brokers at once.
//!
//! A change of a config that does not exist is refused before anything is asked of the cluster, because brokers accept to reset
//! what they do not know. Among those of all brokers anything may be set: there are configs of plug-ins.

use postern_kafka::{
    ConfigAlteration, ConfigChange, ConfigEntry, ConfigResource, Error as ClusterError, ErrorKind, NodeId, TopicName,
};

use crate::{Error, Proxy};

impl Proxy {
    /// The configs of `resource`, sorted by name.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `UnknownTopic` or `UnknownBroker` where there is none.
    pub async fn configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, Error> {
        Ok(sorted(self.cluster().configs(resource).await?))
    }

    /// The config `name` of `resource`.
    ///
    /// # Errors
    /// [`Error::UnknownConfig`]; see [`Proxy::configs`].
    pub async fn config(&self, resource: &ConfigResource, name: &str) -> Result<ConfigEntry, Error> {
        let configs = self.cluster().configs(resource).await?;
        configs.into_iter().find(|config| config.name == name).ok_or_else(|| unknown(resource, name))
    }

    /// The configs of `names`, in their order, sorted by name; of those that are still there.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn configs_of_topics(&self, names: &[TopicName]) -> Result<Vec<(TopicName, Vec<ConfigEntry>)>, Error> {
        let all = self.cluster().topics_configs(names).await?;
        let mut configs = Vec::with_capacity(names.len());
        for (name, entries) in names.iter().zip(all) {
            match entries {
                Ok(entries) => configs.push((name.clone(), sorted(entries))),
                // Deleted since it was listed.
                Err(error) if error.kind == ErrorKind::UnknownTopic => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(configs)
    }

    /// The configs of every broker, sorted by broker and name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn configs_of_brokers(&self) -> Result<Vec<(NodeId, Vec<ConfigEntry>)>, Error> {
        let mut brokers: Vec<_> = self.cluster().describe_cluster().await?.brokers.iter().map(|b| b.id).collect();
        brokers.sort_unstable();
        let mut configs = Vec::with_capacity(brokers.len());
        for broker in brokers {
            configs.push((broker, self.configs(&ConfigResource::Broker(broker)).await?));
        }
        Ok(configs)
    }

    /// Changes configs of one resource, all or none.
    ///
    /// # Errors
    /// [`Error::UnknownConfig`], [`Error::RegistryTopic`], [`Error::InternalTopic`]; [`Error::Cluster`], of kind `InvalidRequest` where the cluster does not
    /// accept a value.
    pub async fn alter_configs(
        &self,
        resource: ConfigResource,
        alterations: Vec<ConfigAlteration>,
        validate_only: bool,
    ) -> Result<(), Error> {
        self.check_alterable(&resource)?;
        match &resource {
            ConfigResource::Topic(_) | ConfigResource::Broker(_) => {
                check_known(&resource, &self.cluster().configs(&resource).await?, &alterations)?;
            }
            ConfigResource::AllBrokers => {}
        }
        let results = self.cluster().alter_configs(&[(resource, alterations)], validate_only).await;
        results.into_iter().collect::<Result<(), ClusterError>>().map_err(Error::from)
    }

    /// Takes away the value that `name` has on `resource`; for all brokers there must be one.
    ///
    /// # Errors
    /// See [`Proxy::alter_configs`].
    pub async fn reset_config(&self, resource: ConfigResource, name: &str) -> Result<(), Error> {
        if resource == ConfigResource::AllBrokers {
            self.config(&resource, name).await?;
        }
        let alteration = ConfigAlteration { name: name.to_owned(), change: ConfigChange::Delete };
        self.alter_configs(resource, vec![alteration], false).await
    }

    /// Changes configs of several topics, of each all or none. Where a topic or a config does not exist, nothing is changed at all.
    /// The results are in the order of `topics`.
    ///
    /// # Errors
    /// [`Error::UnknownConfig`], [`Error::RegistryTopic`], [`Error::InternalTopic`]; [`Error::Cluster`], of kind `UnknownTopic` where one does not exist.
    pub async fn alter_configs_of_topics(
        &self,
        topics: Vec<(TopicName, Vec<ConfigAlteration>)>,
        validate_only: bool,
    ) -> Result<Vec<Result<(), ClusterError>>, Error> {
        let names: Vec<_> = topics.iter().map(|(topic, _)| topic.clone()).collect();
        let known = self.cluster().topics_configs(&names).await?;
        let mut resources = Vec::with_capacity(topics.len());
        for ((topic, alterations), known) in topics.into_iter().zip(known) {
            let resource = ConfigResource::Topic(topic);
            self.check_alterable(&resource)?;
            check_known(&resource, &known?, &alterations)?;
            resources.push((resource, alterations));
        }
        Ok(self.cluster().alter_configs(&resources, validate_only).await)
    }

    fn check_alterable(&self, resource: &ConfigResource) -> Result<(), Error> {
        match resource {
            ConfigResource::Topic(topic) => self.check_not_internal(topic),
            ConfigResource::Broker(_) | ConfigResource::AllBrokers => Ok(()),
        }
    }
}

fn sorted(mut configs: Vec<ConfigEntry>) -> Vec<ConfigEntry> {
    configs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    configs
}

/// Refuses alterations of configs that are not among the `known` ones.
fn check_known(
    resource: &ConfigResource,
    known: &[ConfigEntry],
    alterations: &[ConfigAlteration],
) -> Result<(), Error> {
    match alterations.iter().find(|alteration| !known.iter().any(|config| config.name == alteration.name)) {
        None => Ok(()),
        Some(alteration) => Err(unknown(resource, &alteration.name)),
    }
}

fn unknown(resource: &ConfigResource, name: &str) -> Error {
    let resource = match resource {
        ConfigResource::Topic(topic) => format!("TOPIC {topic}: Kafka has no config of this name"),
        ConfigResource::Broker(broker) => format!("BROKER {broker}: Kafka has no config of this name"),
        ConfigResource::AllBrokers => "all brokers: it is not set for all of them".to_owned(),
    };
    Error::UnknownConfig { config: name.to_owned(), resource }
}
