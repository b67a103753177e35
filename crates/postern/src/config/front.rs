//! What stands in front of the APIs, from the texts of the settings.

use std::num::NonZeroU32;

use postern_http::front::{
    AddedHeader, AddedHeaders, AllowedOrigins, CorsSettings, FrontSettings, PublicUrl, RateLimits,
};

use super::{
    ConfigErrors,
    front_settings::{
        CLIENT_RATE_LIMIT, CLIENT_RATE_LIMIT_REQUESTS, CORS, CorsTable, HSTS, NOSNIFF, PUBLIC_URL, RATE_LIMIT,
        RATE_LIMIT_REQUESTS, REGISTRY_CORS, RESPONSE_HEADERS, TRUSTED_PROXIES,
    },
    raw::RawConfig,
    setting::Setting,
    value,
};

/// In front of the REST proxy, and of the registry.
pub(super) fn both(raw: &mut RawConfig, errors: &mut ConfigErrors) -> (FrontSettings, FrontSettings) {
    let headers = AddedHeaders {
        nosniff: raw.take(NOSNIFF, value::switch, errors),
        hsts: raw.take(HSTS, value::switch, errors),
        others: raw.find(RESPONSE_HEADERS, AddedHeader::parse_list, errors).unwrap_or_default(),
    };
    let rest = FrontSettings {
        cors: cors(&CORS, raw, errors),
        headers,
        trusted_proxies: raw.find(TRUSTED_PROXIES, value::networks, errors).unwrap_or_default(),
        public_url: raw.find(PUBLIC_URL, PublicUrl::parse, errors),
        limits: RateLimits {
            requests: limit(RATE_LIMIT, RATE_LIMIT_REQUESTS, raw, errors),
            client_requests: limit(CLIENT_RATE_LIMIT, CLIENT_RATE_LIMIT_REQUESTS, raw, errors),
        },
    };
    let cors = match raw.has(REGISTRY_CORS.origins) {
        true => cors(&REGISTRY_CORS, raw, errors),
        false => rest.cors.clone(),
    };
    for setting in [REGISTRY_CORS.methods, REGISTRY_CORS.headers, REGISTRY_CORS.exposed] {
        without(setting, REGISTRY_CORS.origins, raw);
    }
    let registry = FrontSettings { cors, public_url: None, ..rest.clone() };
    (rest, registry)
}

fn limit(switch: Setting, count: Setting, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Option<NonZeroU32> {
    let limit = raw.take(count, value::count, errors);
    if raw.take(switch, value::switch, errors) {
        return NonZeroU32::new(limit.into());
    }
    if raw.has(count) {
        raw.warn(format!("{} has no effect without {}", count.name, switch.name));
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
