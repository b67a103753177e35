//! Headers that are added to every answer.

use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};

/// Those that tell where an answer ends and how its bytes are to be read, or that belong to a connection: they are set for each answer, and
/// another value breaks it (RFC 9110 §7.6.1, RFC 9112 §6).
const RESERVED: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Headers of every answer. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddedHeaders {
    /// `X-Content-Type-Options: nosniff`.
    pub nosniff: bool,
    /// `Strict-Transport-Security`, over TLS only (RFC 6797 §7.2).
    pub hsts: bool,
    /// Others.
    pub others: Vec<AddedHeader>,
}

/// A header to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedHeader {
    /// Whether it takes the place of those of the same name.
    replaces: bool,
    name: HeaderName,
    value: HeaderValue,
}

impl AddedHeader {
    /// A list of `set NAME: VALUE` and `add NAME: VALUE` with commas between, as in Confluent's `response.http.headers.config`. An entry with
    /// commas stands in quotation marks.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse_list(text: &str) -> Result<Vec<AddedHeader>, &'static str> {
        const EXPECTED: &str = "set NAME: VALUE or add NAME: VALUE, several with commas between, such as \
                                set X-Frame-Options: DENY, \"add Cache-Control: no-cache, no-store\"";
        const NOT_RESERVED: &str = "no header that says where an answer ends, how it is packed, or whether the connection stays open \
                                    (Content-Length, Transfer-Encoding, Content-Encoding, Connection, Keep-Alive, Upgrade, Trailer, TE)";
        let mut added = Vec::new();
        let mut is_quoted = false;
        let split = text.split(|c: char| {
            is_quoted ^= c == '"';
            c == ',' && !is_quoted
        });
        for entry in split.map(|entry| entry.trim().trim_matches('"').trim()).filter(|entry| !entry.is_empty()) {
            let (action, header) = entry.split_once(' ').ok_or(EXPECTED)?;
            let (name, value) = header.split_once(':').ok_or(EXPECTED)?;
            let replaces = match action.to_ascii_lowercase().as_str() {
                "set" => true,
                "add" => false,
                _ => return Err(EXPECTED),
            };
            let name = HeaderName::try_from(name.trim()).map_err(|_| EXPECTED)?;
            if RESERVED.contains(&name) {
                return Err(NOT_RESERVED);
            }
            let value = HeaderValue::try_from(value.trim()).map_err(|_| EXPECTED)?;
            added.push(AddedHeader { replaces, name, value });
        }
        Ok(added)
    }
}

impl AddedHeaders {
    pub(crate) fn add(&self, is_tls: bool, answer: &mut HeaderMap) {
        if self.nosniff {
            answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        if self.hsts && is_tls {
            answer.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
        }
        for AddedHeader { replaces, name, value } in &self.others {
            match replaces {
                true => drop(answer.insert(name, value.clone())),
                false => drop(answer.append(name, value.clone())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_set_and_added_in_their_order() {
        let list = "set X-Frame-Options: DENY, \"add Cache-Control: no-cache, no-store\",ADD Vary: Cookie";
        let others = AddedHeader::parse_list(list).expect("a list");
        let mut answer = HeaderMap::new();
        answer.insert("vary", HeaderValue::from_static("Origin"));
        answer.insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        AddedHeaders { nosniff: true, hsts: true, others }.add(false, &mut answer);
        assert_eq!(answer.get_all("vary").iter().collect::<Vec<_>>(), ["Origin", "Cookie"]);
        assert_eq!(answer["x-frame-options"], "DENY");
        assert_eq!(answer["cache-control"], "no-cache, no-store");
        assert_eq!(answer["x-content-type-options"], "nosniff");
        assert!(!answer.contains_key("strict-transport-security"));
        for reserved in ["set Content-Length: 5", "add transfer-encoding: chunked", "set X-A: b, add Connection: close"]
        {
            let refused = AddedHeader::parse_list(reserved).expect_err(reserved);
            assert!(refused.contains("Transfer-Encoding"), "{refused}");
        }
        for wrong in ["X-Frame-Options: DENY", "setDate Expires: 31540000000", "set X Y: a", "set X", "set : a"] {
            assert!(AddedHeader::parse_list(wrong).is_err(), "{wrong}");
        }
    }
}
