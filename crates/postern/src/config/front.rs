//! What stands in front of the APIs, from the texts of the settings.

use std::num::NonZeroU32;

use ipnet::IpNet;
use postern_http::ProduceBounds;
use postern_http::front::{
    AddedHeader, AddedHeaders, AllowedOrigins, CorsSettings, FrontSettings, OperationCosts, OperationNames,
    OperationSettings, ProxyHeaders, PublicUrl, RateLimits,
};

use super::{
    ConfigErrors,
    front_settings::{
        ALLOWED_OPERATIONS, API_V2, API_V3, BLOCKED_OPERATIONS, BYTE_RATE_LIMIT, BYTE_RATE_LIMIT_BYTES,
        CLIENT_RATE_LIMIT, CLIENT_RATE_LIMIT_REQUESTS, CORS, CorsTable, HSTS, NOSNIFF, PRODUCE_RATE_LIMIT,
        PRODUCE_RATE_LIMIT_BYTES, PRODUCE_RATE_LIMIT_RECORDS, PROXY_HEADERS, PROXY_PROTOCOL, PUBLIC_URL, RATE_LIMIT,
        RATE_LIMIT_COST, RATE_LIMIT_COSTS, RATE_LIMIT_REQUESTS, REGISTRY_CORS, RESPONSE_HEADERS, TLS_SERVER_NAME_CHECK,
        TRUSTED_PROXIES,
    },
    raw::RawConfig,
    setting::Setting,
    value,
};

/// In front of the REST proxy, and of the registry. Where records are limited by themselves in `produce`, their requests are not.
pub(super) fn both(
    produce: &ProduceBounds,
    raw: &mut RawConfig,
    errors: &mut ConfigErrors,
) -> (FrontSettings, FrontSettings) {
    let headers = AddedHeaders {
        nosniff: raw.take(NOSNIFF, value::switch, errors),
        hsts: raw.take(HSTS, value::switch, errors),
        others: raw.find(RESPONSE_HEADERS, AddedHeader::parse_list, errors).unwrap_or_default(),
    };
    let rest = FrontSettings {
        cors: cors(&CORS, raw, errors),
        headers,
        trusted_proxies: trusted_proxies(raw, errors),
        proxy_headers: raw.take(PROXY_HEADERS, proxy_headers, errors),
        check_server_name: raw.take(TLS_SERVER_NAME_CHECK, value::switch, errors),
        public_url: raw.find(PUBLIC_URL, PublicUrl::parse, errors),
        limits: RateLimits {
            requests: limit(RATE_LIMIT, RATE_LIMIT_REQUESTS, value::amount, raw, errors),
            client_requests: limit(CLIENT_RATE_LIMIT, CLIENT_RATE_LIMIT_REQUESTS, value::amount, raw, errors),
            bytes: limit(BYTE_RATE_LIMIT, BYTE_RATE_LIMIT_BYTES, value::bytes_per_second, raw, errors),
        },
        operations: operations(produce, raw, errors),
    };
    let cors = match raw.has(REGISTRY_CORS.origins) {
        true => cors(&REGISTRY_CORS, raw, errors),
        false => rest.cors.clone(),
    };
    for setting in [REGISTRY_CORS.methods, REGISTRY_CORS.headers, REGISTRY_CORS.exposed] {
        without(setting, REGISTRY_CORS.origins, raw);
    }
    let operations = OperationSettings::default();
    let registry = FrontSettings { cors, public_url: None, operations, ..rest.clone() };
    (rest, registry)
}

/// The bounds in a second of producing through API v3.
pub(super) fn produce(bounds: &mut ProduceBounds, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let is_on = raw.take(PRODUCE_RATE_LIMIT, value::switch, errors);
    let (records, bytes) = (PRODUCE_RATE_LIMIT_RECORDS, PRODUCE_RATE_LIMIT_BYTES);
    let (records_per_second, bytes_per_second) =
        (raw.take(records, value::amount, errors), raw.take(bytes, value::bytes_per_second, errors));
    if is_on {
        (bounds.records_per_second, bounds.bytes_per_second) = (Some(records_per_second), Some(bytes_per_second));
        return;
    }
    for setting in [records, bytes] {
        if raw.has(setting) {
            raw.warn(format!("{} has no effect without {}", setting.name, PRODUCE_RATE_LIMIT.name));
        }
    }
}

fn trusted_proxies(raw: &mut RawConfig, errors: &mut ConfigErrors) -> Vec<IpNet> {
    without(PROXY_HEADERS, TRUSTED_PROXIES, raw);
    let networks = raw.find(TRUSTED_PROXIES, value::networks, errors).unwrap_or_default();
    warn_of_everybody(TRUSTED_PROXIES, &networks, raw);
    networks
}

/// Whose connections begin with a header of the PROXY protocol.
pub(super) fn proxy_protocol(raw: &mut RawConfig, errors: &mut ConfigErrors) -> Vec<IpNet> {
    let networks = raw.find(PROXY_PROTOCOL, value::networks, errors).unwrap_or_default();
    warn_of_everybody(PROXY_PROTOCOL, &networks, raw);
    networks
}

/// A network of all addresses is hardly meant: whoever reaches a listener says then who it is.
fn warn_of_everybody(setting: Setting, networks: &[IpNet], raw: &mut RawConfig) {
    if let Some(network) = networks.iter().find(|network| network.prefix_len() == 0) {
        raw.warn(format!(
            "{}: {network} is everybody: any client may choose the address that logs, limits and rules see of it. Name the addresses of the \
             proxies in front",
            setting.name
        ));
    }
}

fn proxy_headers(text: &str) -> Result<ProxyHeaders, &'static str> {
    match text {
        "x-forwarded" => Ok(ProxyHeaders::XForwarded),
        "forwarded" => Ok(ProxyHeaders::Forwarded),
        _ => Err("x-forwarded or forwarded"),
    }
}

fn operations(produce: &ProduceBounds, raw: &mut RawConfig, errors: &mut ConfigErrors) -> OperationSettings {
    let mut costs = raw.find(RATE_LIMIT_COSTS, OperationCosts::parse, errors).unwrap_or_default();
    costs.default = raw.find(RATE_LIMIT_COST, value::cost, errors).filter(|cost| *cost != 1);
    if produce.records_per_second.is_some() {
        costs = costs.with_free_produce();
    }
    for setting in [RATE_LIMIT_COST, RATE_LIMIT_COSTS] {
        if raw.has(setting) && !raw.has(RATE_LIMIT) && !raw.has(CLIENT_RATE_LIMIT) {
            raw.warn(format!("{} has no effect without {}", setting.name, RATE_LIMIT.name));
        }
    }
    OperationSettings {
        is_v2_off: !raw.take(API_V2, value::switch, errors),
        is_v3_off: !raw.take(API_V3, value::switch, errors),
        allowed: raw.find(ALLOWED_OPERATIONS, OperationNames::parse, errors).unwrap_or_default(),
        blocked: raw.find(BLOCKED_OPERATIONS, OperationNames::parse, errors).unwrap_or_default(),
        costs,
    }
}

fn limit(
    switch: Setting,
    limit: Setting,
    parse: fn(&str) -> Result<NonZeroU32, &'static str>,
    raw: &mut RawConfig,
    errors: &mut ConfigErrors,
) -> Option<NonZeroU32> {
    let found = raw.take(limit, parse, errors);
    if raw.take(switch, value::switch, errors) {
        return Some(found);
    }
    if raw.has(limit) {
        raw.warn(format!("{} has no effect without {}", limit.name, switch.name));
    }
    None
}

fn cors(table: &CorsTable, raw: &mut RawConfig, errors: &mut ConfigErrors) -> CorsSettings {
    let (origins, cut) = raw.find(table.origins, AllowedOrigins::parse, errors).unwrap_or_default();
    for entry in cut {
        raw.warn(format!(
            "{}: of {entry} only scheme, host and port count: that is all that browsers say of a page",
            table.origins.name
        ));
    }
    for setting in [table.methods, table.headers, table.exposed] {
        without(setting, table.origins, raw);
    }
    CorsSettings {
        origins,
        methods: raw.take(table.methods, names, errors).iter().map(|method| method.to_ascii_uppercase()).collect(),
        headers: raw.take(table.headers, names, errors),
        exposed: raw.find(table.exposed, names, errors).unwrap_or_default(),
    }
}

/// Tells that `setting` does nothing without `other`.
fn without(setting: Setting, other: Setting, raw: &mut RawConfig) {
    if raw.has(setting) && !raw.has(other) {
        raw.warn(format!("{} has no effect without {}", setting.name, other.name));
    }
}

/// Names of methods or headers: what both may consist of (RFC 9110 §5.6.2).
fn names(text: &str) -> Result<Vec<String>, &'static str> {
    let is_name = |name: &&str| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(is_token)
    };
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    match names.iter().all(is_name) {
        true => Ok(names.into_iter().map(str::to_owned).collect()),
        false => Err("names with commas between, or *"),
    }
}
