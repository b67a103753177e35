//! The `OTEL_*` variables of OpenTelemetry, as far as they are about traces (its specification, "Environment Variable Specification" and "OTLP
//! Exporter Configuration").
//!
//! They are the way in which OpenTelemetry is configured everywhere, so there are no settings of ours beside them. The library reads some
//! of them by itself (headers, compression, resource attributes, sampler): those are only checked here, because it ignores what it does not
//! understand.

use std::{collections::BTreeMap, time::Duration};

use hyper::{
    Uri,
    header::{HeaderName, HeaderValue},
};

use super::{ConfigErrors, Env, raw::RawConfig, setting};

/// Where spans are sent, and in what batches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Collector {
    /// The URL that they are posted to.
    pub(crate) endpoint: String,
    /// The name of this service.
    pub(crate) service: String,
    /// How long sending a batch may take, together with what is tried again.
    pub(crate) timeout: Duration,
    /// Spans that may wait for being sent; further ones are dropped.
    pub(crate) queue: usize,
    /// Spans of one batch.
    pub(crate) batch: usize,
    /// How long the first of them waits for others.
    pub(crate) delay: Duration,
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
const SERVICE: &str = "postern";
const SAMPLERS: [&str; 6] = [
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "always_on",
    "always_off",
    "traceidratio",
];
/// Those that mean something here, besides those of endpoints.
const KNOWN: &[&str] = &[
    ENDPOINT,
    TRACES_ENDPOINT,
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_PROPAGATORS",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];

/// Where spans are sent; `None`: no collector is named, or traces are switched off.
pub(super) fn read(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Option<Collector> {
    let variables = env.variables().into_iter().filter(|(name, value)| name.starts_with("OTEL_") && !value.is_empty());
    let variables = Variables(variables.collect());
    let is_named = variables.get(ENDPOINT).or(variables.get(TRACES_ENDPOINT)).is_some();
    let exporter = variables.get("OTEL_TRACES_EXPORTER");
    if variables.is_disabled(raw) || exporter == Some("none") || (exporter.is_none() && !is_named) {
        return None;
    }
    if exporter.is_some_and(|exporter| exporter != "otlp") {
        variables.refuse("OTEL_TRACES_EXPORTER", "otlp or none", errors);
    }
    variables.check(errors);
    variables.note_others(raw);
    let timeout = variables.number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, errors);
    let timeout = variables.number("OTEL_BSP_EXPORT_TIMEOUT", timeout, errors);
    let queue = usize::try_from(variables.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, errors)).unwrap_or(usize::MAX);
    let batch = usize::try_from(variables.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, errors)).unwrap_or(usize::MAX);
    let collector = Collector {
        endpoint: variables.endpoint(errors)?,
        service: variables.service(),
        timeout: Duration::from_millis(variables.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", timeout, errors)),
        queue: queue.min(QUEUE_MAX),
        batch: batch.min(queue).min(QUEUE_MAX),
        delay: Duration::from_millis(variables.number("OTEL_BSP_SCHEDULE_DELAY", 5_000, errors)),
    };
    let sampler = variables.get("OTEL_TRACES_SAMPLER").unwrap_or(SAMPLERS[0]);
    raw.note(format!("spans are sent to {}, as {}, sampled by {sampler}", collector.endpoint, collector.service));
    Some(collector)
}

/// Spans that may wait at most: half a kilobyte each.
const QUEUE_MAX: usize = 1 << 16;

/// Those that are set.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    /// The value of the one for traces, or of the one for everything; and its name.
    fn either(&self, rest: &str) -> Option<(String, &str)> {
        let of = |name: String| self.get(&name).map(|value| (name.clone(), value));
        of(format!("OTEL_EXPORTER_OTLP_TRACES_{rest}")).or_else(|| of(format!("OTEL_EXPORTER_OTLP_{rest}")))
    }

    /// Whether everything of OpenTelemetry is switched off; another value than these two means that it is not.
    fn is_disabled(&self, raw: &mut RawConfig) -> bool {
        match self.get("OTEL_SDK_DISABLED") {
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            None => false,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(value) => {
                raw.warn(format!("OTEL_SDK_DISABLED is {value:?}, which means false: expected true or false"));
                false
            }
        }
    }

    fn refuse(&self, name: &str, expected: &str, errors: &mut ConfigErrors) {
        let found = self.get(name).unwrap_or_default();
        errors.add(format!("{name}: found {found:?}: expected {expected}"));
    }

    /// What the library reads by itself. Values of headers are not shown.
    fn check(&self, errors: &mut ConfigErrors) {
        if let Some((name, protocol)) = self.either("PROTOCOL")
            && protocol != "http/protobuf"
        {
            self.refuse(&name, "http/protobuf, which collectors take at port 4318: nothing else is spoken", errors);
        }
        if let Some((name, compression)) = self.either("COMPRESSION")
            && !["gzip", "none"].contains(&compression)
        {
            self.refuse(&name, "gzip or none", errors);
        }
        if let Some((name, headers)) = self.either("HEADERS")
            && !pairs(headers).all(|pair| pair.is_some_and(is_header))
        {
            errors.add(format!("{name}: expected NAME=VALUE,… with names of headers and percent-encoded values"));
        }
        if self.get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|list| !pairs(list).all(|pair| pair.is_some())) {
            self.refuse("OTEL_RESOURCE_ATTRIBUTES", "NAME=VALUE,…", errors);
        }
        if self.get("OTEL_TRACES_SAMPLER").is_some_and(|sampler| !SAMPLERS.contains(&sampler)) {
            self.refuse("OTEL_TRACES_SAMPLER", &format!("one of {}", SAMPLERS.join(", ")), errors);
        }
        let is_share = |text: &str| text.parse().is_ok_and(|share: f64| (0.0..=1.0).contains(&share));
        if self.get("OTEL_TRACES_SAMPLER_ARG").is_some_and(|share| !is_share(share)) {
            self.refuse("OTEL_TRACES_SAMPLER_ARG", "the share of traces that is sampled, from 0 to 1", errors);
        }
        for rest in ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            if let Some((name, _)) = self.either(rest) {
                errors.add(format!(
                    "{name}: is not known here: the authorities of the system are trusted, or those of the file that SSL_CERT_FILE names"
                ));
            }
        }
    }

    /// What has no effect.
    fn note_others(&self, raw: &mut RawConfig) {
        if let Some(list) = self.get("OTEL_PROPAGATORS")
            && !list.split(',').any(|name| name.trim() == "tracecontext")
        {
            raw.warn(format!(
                "OTEL_PROPAGATORS is {list:?}: the context of a trace is taken from traceparent and tracestate only"
            ));
        }
        let is_known = |name: &str| KNOWN.contains(&name);
        for name in self.0.keys().filter(|name| !is_known(name)) {
            let near = setting::nearest(name, KNOWN.iter().map(|known| (*known).to_owned()));
            match near {
                Some(near) if !is_known(name) && !self.0.contains_key(&near) => {
                    raw.warn(format!("{name} is ignored: expected {near}, perhaps"));
                }
                Some(_) | None => raw.note(format!("{name} is ignored: it has no meaning here")),
            }
        }
    }

    /// A whole number above 0.
    fn number(&self, name: &str, default: u64, errors: &mut ConfigErrors) -> u64 {
        match self.get(name).map(str::parse::<u64>) {
            None => default,
            Some(Ok(number)) if number > 0 => number,
            Some(_) => {
                self.refuse(name, "a whole number above 0", errors);
                default
            }
        }
    }

    /// The URL that spans are posted to.
    fn endpoint(&self, errors: &mut ConfigErrors) -> Option<String> {
        let (name, url) = match (self.get(TRACES_ENDPOINT), self.get(ENDPOINT)) {
            (Some(url), _) => (TRACES_ENDPOINT, url.to_owned()),
            (None, base) => {
                let base = base.unwrap_or(DEFAULT_ENDPOINT);
                (ENDPOINT, format!("{}/v1/traces", base.trim_end_matches('/')))
            }
        };
        let uri = url.parse::<Uri>().ok().filter(|uri| {
            let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
            is_known && uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'))
        });
        if uri.is_none() {
            // It may hold a password, so it is not shown.
            errors.add(format!(
                "{name}: expected the URL of a collector, such as {DEFAULT_ENDPOINT}, without a user (OTEL_EXPORTER_OTLP_HEADERS has                  credentials) and without a query"
            ));
        }
        uri.map(|_| url)
    }

    fn service(&self) -> String {
        let attributes = self.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let named = pairs(attributes).flatten().find(|(name, _)| *name == "service.name");
        let named = self.get("OTEL_SERVICE_NAME").or(named.map(|(_, value)| value));
        named.unwrap_or(SERVICE).to_owned()
    }
}

/// The pairs of a list such as `a=1,b=2`; `None` for what is none.
fn pairs(list: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| {
        part.split_once('=').map(|(name, value)| (name.trim(), value.trim())).filter(|(name, _)| !name.is_empty())
    })
}

fn is_header((name, value): (&str, &str)) -> bool {
    HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io};

    use super::*;

    struct Map(BTreeMap<&'static str, &'static str>);

    impl Env for Map {
        fn variables(&self) -> Vec<(String, String)> {
            self.0.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        }

        fn file(&self, _: &str) -> io::Result<String> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn collector(variables: &[(&'static str, &'static str)]) -> (Option<Collector>, String) {
        let (mut raw, mut errors) = (RawConfig::default(), ConfigErrors::default());
        let found = read(&Map(variables.iter().copied().collect()), &mut raw, &mut errors);
        let notes = raw.notes().iter().map(|note| note.text.clone()).collect::<Vec<_>>().join("\n");
        let errors = if errors.is_empty() { String::new() } else { errors.to_string() };
        (found, format!("{notes}\n{errors}"))
    }

    #[test]
    fn a_collector_is_one_that_is_named_and_not_switched_off() {
        assert_eq!(collector(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER", "wrong")]).0, None);
        let named = (ENDPOINT, "http://c:4318/");
        for off in [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(collector(&[named, off]).0, None);
        }
        let found = collector(&[
            named,
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=edge"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "9"),
        ]);
        let expected = Collector {
            endpoint: "http://c:4318/v1/traces".to_owned(),
            service: "edge".to_owned(),
            timeout: Duration::from_secs(10),
            queue: 9,
            batch: 9,
            delay: Duration::from_secs(5),
        };
        assert_eq!(found.0, Some(expected));
        let own = collector(&[named, (TRACES_ENDPOINT, "https://t/x"), ("OTEL_SERVICE_NAME", "n")]).0.expect("one");
        assert_eq!((own.endpoint.as_str(), own.service.as_str()), ("https://t/x", "n"));
        let default = collector(&[("OTEL_TRACES_EXPORTER", "otlp")]).0.expect("one");
        assert_eq!(default.endpoint, "http://localhost:4318/v1/traces");
    }

    #[test]
    fn what_is_not_understood_is_refused_or_named_and_no_secret_is_shown() {
        for (name, value, expected) in [
            ("OTEL_TRACES_EXPORTER", "zipkin", "expected otlp or none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd", "expected gzip or none"),
            ("OTEL_TRACES_SAMPLER", "xray", "expected one of parentbased_always_on"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5", "from 0 to 1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "expected a whole number above 0"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "canary value", "expected NAME=VALUE"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca", "SSL_CERT_FILE"),
            (TRACES_ENDPOINT, "http://u:canary@c", "without a user"),
            ("OTEL_PROPAGATORS", "b3", "traceparent and tracestate only"),
            ("OTEL_SERVICE_NAMES", "x", "expected OTEL_SERVICE_NAME, perhaps"),
            ("OTEL_METRICS_EXPORTER", "otlp", "it has no meaning here"),
            ("OTEL_SDK_DISABLED", "yes", "expected true or false"),
        ] {
            let (_, said) = collector(&[(ENDPOINT, "http://c"), (name, value)]);
            assert!(said.contains(name) && said.contains(expected), "{name}: {said}");
            assert!(!said.contains("canary"), "{said}");
        }
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary, x-a = b");
        let (found, said) = collector(&[(ENDPOINT, "http://c"), headers]);
        assert!(found.is_some() && !said.contains("canary"), "{said}");
    }
}
