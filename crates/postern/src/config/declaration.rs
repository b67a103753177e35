//! What a setting is. The settings themselves are declared in `setting`.

use std::borrow::Cow;

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// As an argument (after `--`) and as a key of the file.
    pub(crate) name: &'static str,
    /// Under which heading it stands in `--help` and `docs/configuration.md`.
    pub(crate) heading: &'static str,
    /// What kind of value it takes, with its unit, as it stands in `--help`; `None`: a switch that takes no value.
    pub(crate) operand: Option<&'static str>,
    /// The default, as text; empty: none.
    pub(crate) default: &'static str,
    /// What of its value may not be shown.
    pub(crate) secret: Secret,
    /// One or two sentences for `--help`.
    pub(crate) about: &'static str,
}

/// What of a value may not be shown in messages and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// Everything may.
    Nothing,
    /// It is a list of URLs, of which user and password may not.
    UserInfo,
    /// The path of a file may, PEM in its place may not.
    Pem,
    /// Nothing may.
    Whole,
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

    /// A value of it as it may be shown.
    pub(crate) fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.secret {
            Secret::Whole => "…".into(),
            Secret::Pem if text.contains("-----BEGIN") => "…".into(),
            Secret::UserInfo if text.contains('@') => {
                let hosts = text.split(',').map(|url| url.rsplit_once('@').map_or(url, |(_, host)| host));
                format!("…@{}", hosts.collect::<Vec<_>>().join(",")).into()
            }
            Secret::UserInfo | Secret::Pem | Secret::Nothing => text.into(),
        }
    }
}
