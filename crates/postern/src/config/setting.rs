//! The table of settings, from which arguments, variables, file keys and `--help` are derived.
//!
//! A setting has one name everywhere: `rest-listen` is the argument `--rest-listen`, the variable `POSTERN_REST_LISTEN` and
//! the key `rest-listen` of the file.

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// As an argument (after `--`) and as a key of the file.
    pub(crate) name: &'static str,
    /// Placeholder of its value in `--help`; `None`: a switch that takes no value.
    pub(crate) operand: Option<&'static str>,
    /// The default, as text; empty: none.
    pub(crate) default: &'static str,
    /// One or two sentences for `--help`.
    pub(crate) about: &'static str,
}

impl Setting {
    /// The name of its variable.
    pub(crate) fn variable(&self) -> String {
        format!("POSTERN_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// Whether it takes several values, with commas between them; in the file also as a list.
    pub(crate) fn is_list(&self) -> bool {
        self.operand.is_some_and(|operand| operand.ends_with(",…"))
    }
}

pub(crate) const BOOTSTRAP_SERVERS: Setting = Setting {
    name: "bootstrap-servers",
    operand: Some("HOST:PORT,…"),
    default: "",
    about: "The Kafka cluster to use. Without it a broker for one node is started inside this process.",
};

pub(crate) const REST_LISTEN: Setting = Setting {
    name: "rest-listen",
    operand: Some("IP:PORT"),
    default: "127.0.0.1:8082",
    about: "Where the REST proxy listens. Port 0: any free one.",
};

pub(crate) const REGISTRY_LISTEN: Setting = Setting {
    name: "registry-listen",
    operand: Some("IP:PORT"),
    default: "127.0.0.1:8081",
    about: "Where the Schema Registry listens.",
};

pub(crate) const REGISTRY_TOPIC: Setting = Setting {
    name: "registry-topic",
    operand: Some("TOPIC"),
    default: "_schemas",
    about: "The topic that stores the schemas of the Schema Registry.",
};

pub(crate) const REGISTRY_GROUP: Setting = Setting {
    name: "registry-group",
    operand: Some("GROUP"),
    default: "schema-registry",
    about: "The group of a Confluent Schema Registry on the same topic (its schema.registry.group.id). While it has \
            members, nothing is written here.",
};

pub(crate) const REGISTRY_COMPATIBILITY: Setting = Setting {
    name: "registry-compatibility",
    operand: Some("LEVEL"),
    default: "BACKWARD",
    about: "The compatibility level where neither the subject, its context nor the registry has one.",
};

pub(crate) const REGISTRY_FOLLOWER: Setting = Setting {
    name: "registry-follower",
    operand: None,
    default: "false",
    about: "The Schema Registry is read-only: another process, such as a mirror, writes its topic.",
};

pub(crate) const SCHEMA_REGISTRY_URL: Setting = Setting {
    name: "schema-registry-url",
    operand: Some("URL,…"),
    default: "",
    about: "Another Schema Registry, whose schemas the REST proxy uses instead of its own, which is not started then. \
            Several are tried in turn. A user and a password may stand in the URL.",
};

pub(crate) const SCHEMA_REGISTRY_CREDENTIALS: Setting = Setting {
    name: "schema-registry-credentials",
    operand: Some("USER:PASSWORD"),
    default: "",
    about: "Basic authentication at that registry. Better given as a variable: other users can see arguments.",
};

pub(crate) const SCHEMA_REGISTRY_TOKEN: Setting = Setting {
    name: "schema-registry-token",
    operand: Some("TOKEN"),
    default: "",
    about: "A bearer token for that registry, instead of basic authentication.",
};

pub(crate) const SCHEMA_REGISTRY_CA: Setting = Setting {
    name: "schema-registry-ca",
    operand: Some("FILE"),
    default: "",
    about: "Certificate authorities (PEM) to trust for that registry over https, instead of those of the system.",
};

pub(crate) const BROKER_LISTEN: Setting = Setting {
    name: "broker-listen",
    operand: Some("IP:PORT"),
    default: "127.0.0.1:9092",
    about: "Where the embedded broker listens.",
};

pub(crate) const DATA_DIR: Setting = Setting {
    name: "data-dir",
    operand: Some("DIR"),
    default: "./postern-data",
    about: "The data directory of the embedded broker. Created if it does not exist.",
};

pub(crate) const BROKER_AUTO_CREATE_TOPICS: Setting = Setting {
    name: "broker-auto-create-topics",
    operand: None,
    default: "false",
    about: "The embedded broker creates an unknown topic when a client produces to it.",
};

pub(crate) const BROKER_STRICT_REPLICATION: Setting = Setting {
    name: "broker-strict-replication",
    operand: None,
    default: "false",
    about: "The embedded broker refuses topics with more than one replica, as Apache Kafka would on one node. \
            Without it such topics get one replica, and the answer says so.",
};

pub(crate) const BROKER_FLUSH: Setting = Setting {
    name: "broker-flush",
    operand: Some("WHEN"),
    default: "system",
    about: "When the disk has what the embedded broker acknowledges: \"every-append\", before it is acknowledged; a time \
            such as 200ms or 5s, at the latest so long after; \"system\", when the operating system sees fit. A killed \
            process loses nothing in any case; this is about the power.",
};

pub(crate) const LOG: Setting = Setting {
    name: "log",
    operand: Some("FILTER"),
    default: "info",
    about: "What is logged to standard error: a level (error, warn, info, debug, trace), or levels by part, \
            such as info,postern_registry=debug.",
};

pub(crate) const CONFIG: Setting = Setting {
    name: "config",
    operand: Some("FILE"),
    default: "",
    about: "A TOML file with these settings, each under its own name, such as \
            log = \"debug\".",
};

/// All settings, in the order of `--help`.
pub(crate) const ALL: [Setting; 18] = [
    BOOTSTRAP_SERVERS,
    REST_LISTEN,
    REGISTRY_LISTEN,
    REGISTRY_TOPIC,
    REGISTRY_GROUP,
    REGISTRY_COMPATIBILITY,
    REGISTRY_FOLLOWER,
    SCHEMA_REGISTRY_URL,
    SCHEMA_REGISTRY_CREDENTIALS,
    SCHEMA_REGISTRY_TOKEN,
    SCHEMA_REGISTRY_CA,
    BROKER_LISTEN,
    DATA_DIR,
    BROKER_AUTO_CREATE_TOPICS,
    BROKER_STRICT_REPLICATION,
    BROKER_FLUSH,
    LOG,
    CONFIG,
];

/// The setting of this name.
pub(crate) fn named(name: &str) -> Option<Setting> {
    ALL.into_iter().find(|setting| setting.name == name)
}

/// The name among `names` that is most similar to `name`, if any is similar.
pub(crate) fn nearest(name: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let (distance, near) = names.into_iter().map(|known| (edits(name, &known), known)).min()?;
    (distance <= 3).then_some(near)
}

/// The Levenshtein distance.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
