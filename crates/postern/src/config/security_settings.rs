//! The settings of TLS and SASL towards Kafka: one table for the REST proxy and everything else, one for the Schema Registry where it
//! is somebody else there.

use super::declaration::{Secret, Setting};

/// The settings of one identity.
#[derive(Clone, Copy)]
pub(crate) struct SecuritySettings {
    pub(crate) protocol: Setting,
    pub(crate) truststore: Setting,
    pub(crate) truststore_password: SecretSetting,
    pub(crate) keystore: Setting,
    pub(crate) keystore_password: SecretSetting,
    pub(crate) key: Setting,
    pub(crate) key_password: SecretSetting,
    pub(crate) skip_host_name_check: Setting,
    pub(crate) mechanism: Setting,
    pub(crate) username: Setting,
    pub(crate) password: SecretSetting,
    pub(crate) token: SecretSetting,
    pub(crate) extensions: Setting,
    pub(crate) oauth_endpoint: Setting,
    pub(crate) oauth_client_id: Setting,
    pub(crate) oauth_client_secret: SecretSetting,
    pub(crate) oauth_scope: Setting,
    pub(crate) oauth_audience: Setting,
    pub(crate) oauth_truststore: Setting,
}

/// A text that may stand in a file of its own.
#[derive(Clone, Copy)]
pub(crate) struct SecretSetting {
    pub(crate) given: Setting,
    pub(crate) file: Setting,
}

/// How many settings an identity has.
pub(crate) const COUNT: usize = 25;

impl SecuritySettings {
    /// All of them, in the order of `--help`.
    pub(crate) const fn all(&self) -> [Setting; COUNT] {
        [
            self.protocol,
            self.truststore,
            self.truststore_password.given,
            self.truststore_password.file,
            self.keystore,
            self.keystore_password.given,
            self.keystore_password.file,
            self.key,
            self.key_password.given,
            self.key_password.file,
            self.skip_host_name_check,
            self.mechanism,
            self.username,
            self.password.given,
            self.password.file,
            self.token.given,
            self.token.file,
            self.extensions,
            self.oauth_endpoint,
            self.oauth_client_id,
            self.oauth_client_secret.given,
            self.oauth_client_secret.file,
            self.oauth_scope,
            self.oauth_audience,
            self.oauth_truststore,
        ]
    }
}

macro_rules! identity {
    ($prefix:literal, $heading:literal) => {{
        const fn setting(name: &'static str, operand: &'static str, about: &'static str) -> Setting {
            Setting { name, heading: $heading, operand: Some(operand), default: "", secret: Secret::Nothing, about }
        }
        const fn secret(name: &'static str, file: &'static str, operand: &'static str, about: &'static str) -> SecretSetting {
            let given = Setting { secret: Secret::Whole, ..setting(name, operand, about) };
            SecretSetting { given, file: setting(file, "FILE", "The same in a file, which is read again for each new connection.") }
        }
        SecuritySettings {
            protocol: Setting {
                default: "PLAINTEXT",
                ..setting(
                    concat!($prefix, "security-protocol"),
                    "PROTOCOL",
                    "What the brokers' listener speaks: PLAINTEXT, SSL (TLS), SASL_PLAINTEXT or SASL_SSL.",
                )
            },
            truststore: setting(
                concat!($prefix, "ssl-truststore"),
                "FILE",
                "Certificate authorities to trust: PEM, PKCS#12 or JKS, told apart by content; or PEM itself. Without it those of \
                 the system. Read again for each new connection.",
            ),
            truststore_password: secret(
                concat!($prefix, "ssl-truststore-password"),
                concat!($prefix, "ssl-truststore-password-file"),
                "PASSWORD",
                "The password of that store.",
            ),
            keystore: Setting {
                secret: Secret::Pem,
                ..setting(
                    concat!($prefix, "ssl-keystore"),
                    "FILE",
                    "The certificate that this client shows, with its chain and its key: PEM, PKCS#12 or JKS; or PEM itself. \
                     Read again for each new connection.",
                )
            },
            keystore_password: secret(
                concat!($prefix, "ssl-keystore-password"),
                concat!($prefix, "ssl-keystore-password-file"),
                "PASSWORD",
                "The password of that store.",
            ),
            key: Setting {
                secret: Secret::Pem,
                ..setting(
                    concat!($prefix, "ssl-key"),
                    "FILE",
                    "The key of that certificate in PEM, where it does not stand beside it; or PEM itself.",
                )
            },
            key_password: secret(
                concat!($prefix, "ssl-key-password"),
                concat!($prefix, "ssl-key-password-file"),
                "PASSWORD",
                "The password of the key, where it is another than that of the store.",
            ),
            skip_host_name_check: Setting {
                operand: None,
                default: "false",
                ..setting(
                    concat!($prefix, "ssl-skip-host-name-check"),
                    "",
                    "The certificate of a broker may name any host, as with Kafka's empty ssl.endpoint.identification.algorithm. \
                     Who signed it is checked all the same.",
                )
            },
            mechanism: setting(
                concat!($prefix, "sasl-mechanism"),
                "MECHANISM",
                "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
            ),
            username: setting(concat!($prefix, "sasl-username"), "USER", "The user, for PLAIN and SCRAM."),
            password: secret(
                concat!($prefix, "sasl-password"),
                concat!($prefix, "sasl-password-file"),
                "PASSWORD",
                "The password, for PLAIN and SCRAM. Better in a file or a variable: other users can see arguments.",
            ),
            token: secret(
                concat!($prefix, "sasl-token"),
                concat!($prefix, "sasl-token-file"),
                "TOKEN",
                "A token, for OAUTHBEARER.",
            ),
            extensions: setting(
                concat!($prefix, "sasl-extensions"),
                "NAME=VALUE,…",
                "SASL extensions to send with the token.",
            ),
            oauth_endpoint: setting(
                concat!($prefix, "oauth-token-endpoint"),
                "URL",
                "Where tokens are had for OAUTHBEARER, by OAuth 2.0 client credentials. They are renewed before they end.",
            ),
            oauth_client_id: setting(concat!($prefix, "oauth-client-id"), "ID", "The client to name there."),
            oauth_client_secret: secret(
                concat!($prefix, "oauth-client-secret"),
                concat!($prefix, "oauth-client-secret-file"),
                "SECRET",
                "Its secret.",
            ),
            oauth_scope: setting(concat!($prefix, "oauth-scope"), "SCOPE", "The scope to ask for."),
            oauth_audience: setting(
                concat!($prefix, "oauth-audience"),
                "AUDIENCE",
                "The audience to ask for, where the endpoint wants one.",
            ),
            oauth_truststore: setting(
                concat!($prefix, "oauth-truststore"),
                "FILE",
                "Certificate authorities (PEM) to trust for the endpoint, instead of those of the system.",
            ),
        }
    }};
}

/// Who the REST proxy is for Kafka, and the Schema Registry where nothing else is said of it.
pub(crate) const KAFKA: SecuritySettings = identity!("kafka-", "TLS and SASL towards Kafka");

/// Who the Schema Registry is, where it is somebody else.
pub(crate) const REGISTRY_KAFKA: SecuritySettings =
    identity!("registry-kafka-", "TLS and SASL towards Kafka, for the Schema Registry where they differ");
