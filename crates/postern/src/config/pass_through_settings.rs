//! The settings of callers who are known to Kafka, as themselves or as one of a few users.

use super::declaration::{Secret, Setting};

const HEADING: &str = "Callers as users of Kafka";

const fn setting(name: &'static str, operand: &'static str, about: &'static str) -> Setting {
    Setting { name, heading: HEADING, operand: Some(operand), default: "", secret: Secret::Nothing, about }
}

pub(crate) const BASIC: Setting = setting(
    "pass-through-basic",
    "MECHANISM",
    "With authentication = pass-through: callers with user and password log in to Kafka with them, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. \
     Without it user and password are not taken.",
);
pub(crate) const BEARER: Setting = Setting {
    operand: None,
    default: "false",
    ..setting(
        "pass-through-bearer",
        "",
        "With authentication = pass-through: callers with a token (Authorization: Bearer) log in to Kafka with it, by OAUTHBEARER.",
    )
};
pub(crate) const NAME_CLAIM: Setting = Setting {
    default: "sub",
    ..setting(
        "pass-through-name-claim",
        "CLAIM",
        "The claim of such a token that Kafka takes for the user's name (sasl.oauthbearer.sub.claim.name of the brokers).",
    )
};
pub(crate) const SERVERS: Setting = setting(
    "pass-through-bootstrap-servers",
    "HOST:PORT,…",
    "Where callers log in, if it is another listener of the same cluster than bootstrap-servers. It wants SASL, and speaks TLS if \
     kafka-security-protocol is SSL or SASL_SSL, with the same trust.",
);
pub(crate) const IDENTITIES: Setting = Setting {
    default: "1000",
    ..setting(
        "pass-through-identities",
        "COUNT",
        "Users who may be known to Kafka at a time: each has connections of its own. Those that nobody uses make room; where all are in use, others \
         are refused with 503.",
    )
};
pub(crate) const IDLE: Setting = Setting {
    default: "5m",
    ..setting(
        "pass-through-idle-timeout",
        "TIME",
        "The connections of a user who has sent nothing for so long are closed.",
    )
};
pub(crate) const INSECURE: Setting = Setting {
    operand: None,
    default: "false",
    ..setting(
        "pass-through-insecure",
        "",
        "Passwords by PLAIN and tokens may go to Kafka without TLS, where whoever listens on the way can read them.",
    )
};

/// Of callers who are recognized in another way.
pub(crate) const KAFKA_IDENTITIES: Setting = setting(
    "kafka-identities",
    "FILE",
    "Who is who for Kafka, where callers are recognized in another way: a TOML file that gives callers and groups one of a few logins there \
     (docs/security.md), read again when it changes. Without it Kafka is asked as this server, whoever asks.",
);

pub(crate) const ALL: [Setting; 8] = [BASIC, BEARER, NAME_CLAIM, SERVERS, IDENTITIES, IDLE, INSECURE, KAFKA_IDENTITIES];
