//! Headers of every response of the registry: the request id, echoed or generated, and `Vary` (docs/reference/schema-registry.md §1).

use hyper::header::{HeaderMap, HeaderName, HeaderValue, VARY};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds them to a response, given the headers of its request.
pub(crate) fn add_response_headers(request: &HeaderMap, answer: &mut HeaderMap) {
    let mut given = request.get_all(&REQUEST_ID).iter().filter(|id| !id.as_bytes().trim_ascii().is_empty());
    let id = match (given.next(), given.next()) {
        (Some(only), None) => only.clone(),
        (Some(_), Some(_)) | (None, _) => HeaderValue::try_from(Uuid::new_v4().to_string())
            .expect("hexadecimal digits and dashes are a valid header value"),
    };
    answer.insert(REQUEST_ID, id);
    answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_id_that_is_not_blank_is_echoed() {
        let response_id = |ids: &[&'static str]| {
            let mut request = HeaderMap::new();
            for id in ids {
                request.append(REQUEST_ID, HeaderValue::from_static(id));
            }
            let mut answer = HeaderMap::new();
            add_response_headers(&request, &mut answer);
            answer[REQUEST_ID].to_str().expect("text").to_owned()
        };
        assert_eq!(response_id(&["with space"]), "with space");
        assert_eq!(response_id(&[" ", "b"]), "b");
        for ids in [&[][..], &[" "], &["a", "b"]] {
            assert_eq!(Uuid::parse_str(&response_id(ids)).map(|id| id.get_version_num()), Ok(4), "{ids:?}");
        }
    }
}
