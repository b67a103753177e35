//! `GET /docs`: the description of the API for readers.
//!
//! A page of our own, without scripts: the renderers that are kept (Swagger UI, Redoc, RapiDoc) weigh more than a megabyte, or are fetched from
//! elsewhere by the browser, and programs that draw a description find it at `/openapi.json`. So nothing runs in the reader's browser, which
//! the Content-Security-Policy says as well.

use std::fmt::Write as _;

use serde_json::Value;

/// Nothing but the style in the page itself, whose SHA-256 this is.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'sha256-mVykveXgMgaX67SSeYWmcGsvPXMv73GXpw7RgPHuENk='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
    code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;border:1px solid #8886}\
    summary{cursor:pointer}summary b{display:inline-block;min-width:4.5rem}details{border-top:1px solid #8884;padding:.3rem 0}\
    td,th{text-align:left;vertical-align:top;padding-right:1rem}";

/// The page of a description.
pub(super) fn page(document: &Value) -> String {
    let title = escaped(document["info"]["title"].as_str().unwrap_or_default());
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1>\
         <p>The same for programs, in OpenAPI 3.1: <a href=\"/openapi.json\">/openapi.json</a>.</p>"
    );
    let mut tags: Vec<&str> = operations(document).map(|(.., operation)| tag(operation)).collect();
    tags.dedup();
    for tag_shown in tags {
        let _ = write!(page, "<h2>{}</h2>", escaped(tag_shown));
        for (path, method, operation) in operations(document).filter(|(.., operation)| tag(operation) == tag_shown) {
            push_operation(&mut page, path, method, operation);
        }
    }
    page.push_str("<h2>Shapes</h2>");
    for (name, shape) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let (id, name) = (escaped(name), escaped(name));
        let _ = write!(page, "<details id=\"{id}\"><summary><code>{name}</code></summary>{}</details>", pretty(shape));
    }
    page
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn tag(operation: &Value) -> &str {
    operation["tags"][0].as_str().unwrap_or_default()
}

fn push_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let summary = operation["summary"].as_str().unwrap_or_default();
    let _ = write!(
        page,
        "<details><summary><b>{}</b> <code>{}</code><br>{}</summary>",
        escaped(&method.to_uppercase()),
        escaped(path),
        escaped(summary)
    );
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter<th>In<th>Meaning");
        for parameter in parameters {
            let text = |name: &str| escaped(parameter[name].as_str().unwrap_or_default());
            let _ = write!(page, "<tr><td><code>{}</code><td>{}<td>{}", text("name"), text("in"), text("description"));
        }
        page.push_str("</table>");
    }
    for (media_type, body) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(
            page,
            "<p>Takes <code>{}</code>{}{}",
            escaped(media_type),
            of(&body["schema"]),
            pretty(&body["example"])
        );
    }
    page.push_str("<ul>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let description = escaped(response["description"].as_str().unwrap_or_default());
        let _ = write!(page, "<li>{}: {description}", escaped(status));
        let mut content = response["content"].as_object().into_iter().flatten().peekable();
        if let Some((_, first)) = content.peek() {
            page.push_str(&of(&first["schema"]));
        }
        for (n, (media_type, _)) in content.enumerate() {
            let _ = write!(page, "{}<code>{}</code>", if n == 0 { ", as " } else { ", " }, escaped(media_type));
        }
    }
    page.push_str("</ul></details>");
}

/// The name of a shape, or what it is.
fn of(shape: &Value) -> String {
    let named = |shape: &Value| {
        let name = escaped(shape["$ref"].as_str()?.rsplit('/').next()?);
        Some(format!("<a href=\"#{name}\">{name}</a>"))
    };
    match (named(shape), named(&shape["items"])) {
        (Some(name), _) => format!(" ({name})"),
        (None, Some(name)) => format!(" (a list of {name})"),
        (None, None) => String::new(),
    }
}

fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("<pre>{}</pre>", escaped(&text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
