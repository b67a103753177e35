//! Content codings (RFC 9110 §8.4): request bodies in gzip, deflate or zstd, answers in gzip or zstd.
//!
//! A body is unpacked step by step while it comes, and each step makes a bounded number of bytes, so that a small body which would become a
//! huge one is refused when it has passed the bound, not when it is in memory. Answers are packed as a whole; those that come piece by piece
//! are sent as they are.

mod gzip;
mod inflate;
mod unpack;

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, VARY};
use hyper::{Response, StatusCode};
use postern_proxy::run_large;

use crate::negotiate::quality;
use crate::problem::Problem;
use crate::reply::ReplyBody;

pub(crate) use unpack::Unpacker;

/// Answers of fewer bytes are sent as they are: they fit into one packet, and packing costs more than it saves.
const WORTH_PACKING: usize = 1024;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

impl Coding {
    /// That of a request body; `None`: it is as it is.
    ///
    /// # Errors
    /// 415: another one, or several.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(value), more) = (values.next(), values.next()) else { return Ok(None) };
        let text = value.to_str().unwrap_or("?").trim();
        let known = match text.to_ascii_lowercase().as_str() {
            "" | "identity" => Some(None),
            "gzip" | "x-gzip" => Some(Some(Coding::Gzip)),
            "deflate" => Some(Some(Coding::Deflate)),
            "zstd" => Some(Some(Coding::Zstd)),
            _ => None,
        };
        match known {
            Some(coding) if more.is_none() => Ok(coding),
            Some(_) | None => {
                let found = if more.is_some() { "several" } else { text };
                let message = format!(
                    "HTTP 415 Unsupported Media Type: Content-Encoding is {found}; expected one of gzip, deflate, zstd, or the body as it is. Nothing was done."
                );
                Err(Problem::generic(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
            }
        }
    }

    /// Its name in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Zstd => "zstd",
        }
    }

    /// The one that a client prefers for the answer, of gzip and zstd; zstd where it has no preference.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Option<Coding> {
        let (mut gzip, mut zstd, mut any) = (None, None, None);
        for value in headers.get_all(ACCEPT_ENCODING) {
            for part in value.to_str().unwrap_or_default().split(',') {
                let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
                let weight = weight(parameters);
                match name.trim().to_ascii_lowercase().as_str() {
                    "gzip" | "x-gzip" => gzip = Some(weight),
                    "zstd" => zstd = Some(weight),
                    "*" => any = Some(weight),
                    _ => {}
                }
            }
        }
        // `*` stands for what is not named; we take it for gzip only, which every client has.
        let (gzip, zstd) = (gzip.or(any).unwrap_or(0), zstd.unwrap_or(0));
        match gzip.max(zstd) {
            0 => None,
            _ if zstd >= gzip => Some(Coding::Zstd),
            _ => Some(Coding::Gzip),
        }
    }

    /// `bytes` in this coding.
    fn pack(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Coding::Zstd => zstd::bulk::compress(bytes, 1),
            Coding::Gzip | Coding::Deflate => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Thousandths: `q=0.5` is 500. Without one it is 1000, and one that cannot be read is none.
fn weight(parameters: &str) -> u32 {
    let weight: f64 = parameters.split(';').find_map(quality).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    (weight.clamp(0.0, 1.0) * 1000.0) as u32
}

/// The same answer in `coding`, if it is one that is worth packing: a success that is complete and not small. Other answers to the same
/// request may be packed for other clients, which caches have to know.
pub(crate) async fn packed(mut response: Response<ReplyBody>, coding: Option<Coding>) -> Response<ReplyBody> {
    let bytes = match response.body() {
        ReplyBody::Bytes(bytes) if bytes.len() >= WORTH_PACKING && response.status().is_success() => bytes.clone(),
        ReplyBody::Bytes(_) | ReplyBody::Stream(_) => return response,
    };
    let vary = HeaderValue::from_static("Accept-Encoding");
    if !response.headers().get_all(VARY).iter().any(|named| named == vary) {
        response.headers_mut().append(VARY, vary);
    }
    let Some(coding) = coding else { return response };
    match run_large(bytes.len(), || coding.pack(&bytes)).await {
        Ok(smaller) if smaller.len() < bytes.len() => {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            *response.body_mut() = ReplyBody::Bytes(Bytes::from(smaller));
        }
        Ok(_) | Err(_) => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_answer(accepted: &'static str) -> Option<Coding> {
        Coding::of_answer(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
    }

    #[test]
    fn an_answer_has_the_coding_that_the_client_prefers() {
        assert_eq!(of_answer("gzip, deflate"), Some(Coding::Gzip));
        assert_eq!(of_answer("gzip, deflate, br, zstd"), Some(Coding::Zstd));
        assert_eq!(of_answer("gzip;q=1.0, zstd;q=0.5"), Some(Coding::Gzip));
        assert_eq!(of_answer("zstd;q=0, gzip;q=0"), None);
        assert_eq!(of_answer("*"), Some(Coding::Gzip));
        assert_eq!(of_answer("zstd; Q=0, gzip ;q=0"), None);
        assert_eq!(of_answer("gzip;q=0, *"), None);
        assert_eq!(of_answer("identity"), None);
    }

    #[test]
    fn a_coding_that_is_not_taken_is_refused_by_name() {
        let of = |text: &'static str| {
            Coding::of_request(&HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(text))]))
        };
        assert_eq!(of(" GZIP").expect("known"), Some(Coding::Gzip));
        assert_eq!(of("identity").expect("known"), None);
        for unknown in ["br", "gzip, gzip"] {
            let problem = of(unknown).expect_err("unknown");
            assert_eq!(problem.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            assert!(problem.message.contains(unknown) && problem.message.contains("gzip, deflate, zstd"));
        }
    }
}
