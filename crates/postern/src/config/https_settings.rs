//! The settings of TLS on HTTP listeners: one table for all of them, one for those of the Schema Registry where they differ.

use super::{
    declaration::{Secret, Setting},
    security_settings::SecretSetting,
};

/// The settings of a group of listeners.
#[derive(Clone, Copy)]
pub(crate) struct HttpsSettings {
    pub(crate) keystore: Setting,
    pub(crate) keystore_password: SecretSetting,
    pub(crate) key: Setting,
    pub(crate) key_password: SecretSetting,
    pub(crate) versions: Setting,
    pub(crate) client_authentication: Setting,
    pub(crate) truststore: Setting,
    pub(crate) truststore_password: SecretSetting,
}

/// How many settings a group has.
pub(crate) const COUNT: usize = 11;

impl HttpsSettings {
    /// All of them, in the order of `--help`.
    pub(crate) const fn all(&self) -> [Setting; COUNT] {
        [
            self.keystore,
            self.keystore_password.given,
            self.keystore_password.file,
            self.key,
            self.key_password.given,
            self.key_password.file,
            self.versions,
            self.client_authentication,
            self.truststore,
            self.truststore_password.given,
            self.truststore_password.file,
        ]
    }
}

macro_rules! https {
    ($prefix:literal, $heading:literal) => {{
        const fn setting(name: &'static str, operand: &'static str, about: &'static str) -> Setting {
            Setting { name, heading: $heading, operand: Some(operand), default: "", secret: Secret::Nothing, about }
        }
        const fn secret(name: &'static str, file: &'static str, about: &'static str) -> SecretSetting {
            let given = Setting { secret: Secret::Whole, ..setting(name, "PASSWORD", about) };
            SecretSetting { given, file: setting(file, "FILE", "The same in a file.") }
        }
        HttpsSettings {
            keystore: Setting {
                secret: Secret::Pem,
                ..setting(
                    concat!($prefix, "tls-keystore"),
                    "FILE",
                    "The certificate of https:// listeners with its chain and its key: PEM, PKCS#12 or JKS, told apart by content; or PEM \
                     itself. When files change, and on SIGHUP, they are read again; open connections are not touched.",
                )
            },
            keystore_password: secret(
                concat!($prefix, "tls-keystore-password"),
                concat!($prefix, "tls-keystore-password-file"),
                "The password of that store.",
            ),
            key: Setting {
                secret: Secret::Pem,
                ..setting(
                    concat!($prefix, "tls-key"),
                    "FILE",
                    "The key of that certificate in PEM, where it does not stand beside it; or PEM itself.",
                )
            },
            key_password: secret(
                concat!($prefix, "tls-key-password"),
                concat!($prefix, "tls-key-password-file"),
                "The password of the key, where it is another than that of the store.",
            ),
            versions: Setting {
                default: "1.2,1.3",
                ..setting(concat!($prefix, "tls-versions"), "VERSION,…", "The versions of TLS to speak: 1.2, 1.3 or both.")
            },
            client_authentication: Setting {
                default: "none",
                ..setting(
                    concat!($prefix, "tls-client-authentication"),
                    "WHETHER",
                    "Whether clients show a certificate: \"none\", \"requested\" (who shows one needs a good one) or \"required\". The \
                     management listener never asks.",
                )
            },
            truststore: setting(
                concat!($prefix, "tls-truststore"),
                "FILE",
                "The authorities that sign certificates of clients: PEM, PKCS#12 or JKS; or PEM itself. Read again like the key store.",
            ),
            truststore_password: secret(
                concat!($prefix, "tls-truststore-password"),
                concat!($prefix, "tls-truststore-password-file"),
                "The password of that store.",
            ),
        }
    }};
}

/// Of all listeners, where nothing else is said of the registry's.
pub(crate) const HTTPS: HttpsSettings = https!("", "HTTPS");

/// Of the registry's listeners, where they differ: all of these then, none of those above.
pub(crate) const REGISTRY_HTTPS: HttpsSettings = https!("registry-", "HTTPS of the Schema Registry where it differs");
