//! The variables `POSTERN_*`, and those that Kubernetes sets beside a Service of this name.

use super::{
    ConfigErrors, Env,
    raw::{RawConfig, Source, unknown},
    setting,
};

/// Reads them into `raw`. An empty variable is one that is not set: templates leave them so.
pub(super) fn read(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let mut variables = env.variables();
    variables.sort();
    let mut service_links = Vec::new();
    for (name, value) in variables.into_iter().filter(|(name, _)| name.starts_with("POSTERN_")) {
        match setting::ALL.iter().copied().find(|setting| setting.variable() == name) {
            Some(_) if value.is_empty() => {}
            Some(setting) => raw.put(setting, value, Source::Variable(name)),
            None if is_service_link(&name, &value) => service_links.push(name),
            None => errors.add(unknown("variable", &name, setting::ALL.iter().map(|known| known.variable()))),
        }
    }
    if let Some(first) = service_links.first() {
        raw.note(format!(
            "{} environment variables that Kubernetes sets for services are ignored ({first}, …); `enableServiceLinks: false` \
             in the pod's specification turns them off",
            service_links.len()
        ));
    }
}

/// Whether Kubernetes sets such a variable in every pod beside a Service of that name: `X_SERVICE_HOST`,
/// `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, `X_PORT`, `X_PORT_8082_TCP`, `X_PORT_8082_TCP_ADDR` and the like
/// (Kubernetes documentation, "Service: Environment variables").
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let is_port = |rest: &str| {
        let (number, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = protocol.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].contains(&protocol)
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.match_indices("_PORT_").any(|(at, mark)| is_port(&name[at + mark.len()..]))
}
