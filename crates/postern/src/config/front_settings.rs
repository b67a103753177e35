//! The settings of what stands in front of the APIs: pages of other origins, proxies, headers of every answer, limits.

use super::declaration::{Secret, Setting};

const HEADING: &str = "Pages, proxies and limits in front";

const fn setting(name: &'static str, operand: &'static str, about: &'static str) -> Setting {
    Setting { name, heading: HEADING, operand: Some(operand), default: "", secret: Secret::Nothing, about }
}

/// What pages of other origins may do at one server.
#[derive(Clone, Copy)]
pub(crate) struct CorsTable {
    pub(crate) origins: Setting,
    pub(crate) methods: Setting,
    pub(crate) headers: Setting,
    pub(crate) exposed: Setting,
}

impl CorsTable {
    const fn all(&self) -> [Setting; 4] {
        [self.origins, self.methods, self.headers, self.exposed]
    }
}

macro_rules! cors {
    ($prefix:literal, $begin:literal) => {
        CorsTable {
            origins: setting(
                concat!($prefix, "cors-allowed-origins"),
                "ORIGIN,…",
                concat!(
                    $begin,
                    "Whose pages may read answers and write: https://app.example.org, https://*.example.org (any label before it), or * for \
                     all, which get no credentials. Without it pages of other origins may neither read nor write."
                ),
            ),
            methods: Setting {
                default: "GET,POST,HEAD",
                ..setting(concat!($prefix, "cors-allowed-methods"), "METHOD,…", concat!($begin, "The methods that they may use."))
            },
            headers: Setting {
                default: "X-Requested-With,Content-Type,Accept,Origin",
                ..setting(
                    concat!($prefix, "cors-allowed-headers"),
                    "NAME,…",
                    concat!($begin, "The headers that they may send; * for any."),
                )
            },
            exposed: setting(
                concat!($prefix, "cors-exposed-headers"),
                "NAME,…",
                concat!(
                    $begin,
                    "The headers of answers that they may read, besides X-Request-ID, Location, Retry-After and WWW-Authenticate."
                ),
            ),
        }
    };
}

/// Of all servers, where nothing else is said of the registry.
pub(crate) const CORS: CorsTable = cors!("", "");

/// Of the registry, where it differs.
pub(crate) const REGISTRY_CORS: CorsTable = cors!("registry-", "For the Schema Registry, where it differs. ");

pub(crate) const TRUSTED_PROXIES: Setting = setting(
    "trusted-proxies",
    "NETWORK,…",
    "Addresses (10.0.0.7) and networks (10.0.0.0/8) of proxies in front, which are believed what the headers of proxy-headers say. From \
     anybody else these headers are ignored.",
);

pub(crate) const PROXY_HEADERS: Setting = Setting {
    default: "x-forwarded",
    ..setting(
        "proxy-headers",
        "KIND",
        "The headers that trusted-proxies write: x-forwarded (X-Forwarded-For, -Proto, -Host, -Port and -Prefix) or forwarded (Forwarded, \
         RFC 7239). Those of the other kind are ignored, because a proxy that does not write them hands on what its clients send.",
    )
};

pub(crate) const PROXY_PROTOCOL: Setting = setting(
    "proxy-protocol",
    "NETWORK,…",
    "Addresses and networks of load balancers whose connections begin with a header of the PROXY protocol (1 or 2), which names the \
     client. From these it is required; not on the management listener.",
);

pub(crate) const TLS_SERVER_NAME_CHECK: Setting = Setting {
    operand: None,
    default: "false",
    ..setting(
        "tls-server-name-check",
        "",
        "Requests over HTTPS whose Host is not the server name that their connection has asked for are refused with 421. Connections \
         that have asked for none, as those to an address, are not checked.",
    )
};

pub(crate) const PUBLIC_URL: Setting = setting(
    "public-url",
    "URL",
    "Where clients find the REST proxy, such as https://example.org/kafka: what its links begin with. Without it they begin as the \
     request was addressed.",
);

pub(crate) const RESPONSE_HEADERS: Setting = setting(
    "response-headers",
    "HEADERS",
    "Headers of every answer: set NAME: VALUE or add NAME: VALUE with commas between; an entry with commas in quotation marks.",
);

pub(crate) const NOSNIFF: Setting = Setting {
    operand: None,
    default: "false",
    ..setting("nosniff", "", "Every answer has X-Content-Type-Options: nosniff.")
};

pub(crate) const HSTS: Setting = Setting {
    operand: None,
    default: "false",
    ..setting("hsts", "", "Every answer over HTTPS has Strict-Transport-Security: max-age=31536000; includeSubDomains.")
};

pub(crate) const RATE_LIMIT: Setting = Setting {
    operand: None,
    default: "false",
    ..setting("rate-limit", "", "Requests beyond rate-limit-requests in a second are refused with 429 and Retry-After.")
};

pub(crate) const RATE_LIMIT_REQUESTS: Setting = Setting {
    default: "50",
    ..setting(
        "rate-limit-requests",
        "COUNT",
        "How many requests each server takes in a second, from all clients together.",
    )
};

pub(crate) const CLIENT_RATE_LIMIT: Setting = Setting {
    operand: None,
    default: "false",
    ..setting("client-rate-limit", "", "The same of each client, told apart by address: client-rate-limit-requests.")
};

pub(crate) const CLIENT_RATE_LIMIT_REQUESTS: Setting = Setting {
    default: "25",
    ..setting("client-rate-limit-requests", "COUNT", "How many requests each server takes from one client in a second.")
};

pub(crate) const RATE_LIMIT_COST: Setting = Setting {
    default: "1",
    ..setting(
        "rate-limit-cost",
        "COUNT",
        "How many requests an operation counts as that rate-limit-costs does not name; 0: none.",
    )
};

pub(crate) const RATE_LIMIT_COSTS: Setting = setting(
    "rate-limit-costs",
    "OPERATION=COUNT,…",
    "How many requests single operations of the REST proxy count as, such as createTopic=5; names as in allowed-operations.",
);

pub(crate) const BYTE_RATE_LIMIT: Setting = Setting {
    operand: None,
    default: "false",
    ..setting(
        "byte-rate-limit",
        "",
        "After more than byte-rate-limit-bytes in a second, requests with a body are refused with 429 and Retry-After.",
    )
};

pub(crate) const BYTE_RATE_LIMIT_BYTES: Setting = Setting {
    default: "20MiB",
    ..setting(
        "byte-rate-limit-bytes",
        "BYTES",
        "How many bytes of request bodies each server takes in a second from all clients together: as they are sent, and of packed ones \
         also what they become.",
    )
};

pub(crate) const PRODUCE_RATE_LIMIT: Setting = Setting {
    operand: None,
    default: "false",
    ..setting(
        "produce-rate-limit",
        "",
        "Records of API v3 beyond produce-rate-limit-records or produce-rate-limit-bytes in a second fail with 429, each by itself. \
         Their requests count for rate-limit only if rate-limit-costs names them.",
    )
};

pub(crate) const PRODUCE_RATE_LIMIT_RECORDS: Setting = Setting {
    default: "10000",
    ..setting("produce-rate-limit-records", "COUNT", "How many records API v3 takes in a second.")
};

pub(crate) const PRODUCE_RATE_LIMIT_BYTES: Setting = Setting {
    default: "10000000",
    ..setting("produce-rate-limit-bytes", "BYTES", "How many bytes of records, as JSON, API v3 takes in a second.")
};

pub(crate) const ALLOWED_OPERATIONS: Setting = setting(
    "allowed-operations",
    "OPERATION,…",
    "Only these operations of the REST proxy exist: ids as in /openapi.json, such as listTopics, or Confluent's names, such as \
     api.v3.topics.list or api.v3.topics.*. Others answer 404, or 405 where they would write.",
);

pub(crate) const BLOCKED_OPERATIONS: Setting =
    setting("blocked-operations", "OPERATION,…", "These operations do not exist, even if they are allowed.");

pub(crate) const API_V2: Setting =
    Setting { default: "true", ..setting("api-v2", "BOOLEAN", "Whether API v2 is served.") };

pub(crate) const API_V3: Setting =
    Setting { default: "true", ..setting("api-v3", "BOOLEAN", "Whether API v3 is served.") };

/// All of them, in the order of `--help`.
pub(crate) const ALL: [Setting; 31] = {
    let [a, b, c, d] = CORS.all();
    let [e, f, g, h] = REGISTRY_CORS.all();
    [
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        TRUSTED_PROXIES,
        PROXY_HEADERS,
        PROXY_PROTOCOL,
        TLS_SERVER_NAME_CHECK,
        PUBLIC_URL,
        RESPONSE_HEADERS,
        NOSNIFF,
        HSTS,
        RATE_LIMIT,
        RATE_LIMIT_REQUESTS,
        RATE_LIMIT_COST,
        RATE_LIMIT_COSTS,
        CLIENT_RATE_LIMIT,
        CLIENT_RATE_LIMIT_REQUESTS,
        BYTE_RATE_LIMIT,
        BYTE_RATE_LIMIT_BYTES,
        PRODUCE_RATE_LIMIT,
        PRODUCE_RATE_LIMIT_RECORDS,
        PRODUCE_RATE_LIMIT_BYTES,
        ALLOWED_OPERATIONS,
        BLOCKED_OPERATIONS,
        API_V2,
        API_V3,
    ]
};
