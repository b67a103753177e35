//! Media types: which one a body has, which one the response gets (RFC 9110 §8.3, §12.5.1; docs/reference/rest-v2.md §2.3).

pub(crate) const JSON: &str = "application/json";
/// Records as the events of an `EventSource` (the HTML standard, "Server-sent events").
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
/// Records as lines, each a JSON text.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// A media type that an operation can answer in, and its weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaType {
    pub(crate) name: &'static str,
    /// The server's own weight, in thousandths: decides among types of equal client weight.
    pub(crate) weight: u16,
}

/// The offer that `accept` prefers; `None`: no offer is acceptable, or the header cannot be parsed.
///
/// Highest client weight first, then the server's weight, then the more specific range. Without the header, or with an empty one, it is the
/// first offer. A weight of 0 is the last resort, as Confluent reads it (docs/reference/rest-v3.md §1), but for a stream, which would never
/// end for a client that has refused it.
pub(crate) fn negotiate(accept: Option<&str>, offers: &'static [MediaType]) -> Option<&'static str> {
    let first = offers.first().map(|offer| offer.name);
    let Some(accept) = accept.map(str::trim).filter(|accept| !accept.is_empty()) else { return first };
    if first.is_some_and(|first| first == accept) || accept == "*/*" {
        return first;
    }
    let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
    let rank = |offer: &&'static MediaType| {
        let range = ranges.iter().filter(|range| range.covers(offer.name)).max_by_key(|range| range.specificity())?;
        let is_refused = range.weight == 0 && matches!(offer.name, EVENT_STREAM | NDJSON);
        (!is_refused).then_some((range.weight, offer.weight, range.specificity()))
    };
    // `max_by_key` returns the last of equals, and the first offer should win.
    offers
        .iter()
        .rev()
        .filter_map(|offer| Some((rank(&offer)?, offer.name)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, found)| found)
}

/// Which of `known` a `Content-Type` names; parameters and letter case do not count. `None`: none of them.
pub(crate) fn media_type_of(content_type: &str, known: &[&'static str]) -> Option<&'static str> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    known.iter().find(|media_type| media_type.eq_ignore_ascii_case(essence)).copied()
}

/// The text of a weight, where a parameter is one (RFC 9110 §12.4.2).
pub(crate) fn quality(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
}

/// One item of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(item: &'a str) -> Option<Range<'a>> {
        let mut parts = item.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let weight = match parts.find_map(quality).map(str::parse::<f32>) {
            None => 1000,
            Some(Ok(quality)) if (0.0..=1.0).contains(&quality) => (quality * 1000.0) as u16,
            Some(_) => return None,
        };
        (!kind.is_empty() && !subtype.is_empty()).then_some(Range { kind, subtype, weight })
    }

    fn covers(&self, media_type: &str) -> bool {
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn specificity(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: &[MediaType] = &[
        MediaType { name: "application/vnd.kafka.v2+json", weight: 900 },
        MediaType { name: "application/vnd.kafka.binary.v2+json", weight: 100 },
    ];

    #[test]
    fn client_weight_comes_before_server_weight() {
        let v2 = Some("application/vnd.kafka.v2+json");
        let binary = Some("application/vnd.kafka.binary.v2+json");
        for (accept, expected) in [
            (None, v2),
            (Some(""), v2),
            (Some("*/*"), v2),
            (Some("application/*"), v2),
            (Some("APPLICATION/VND.KAFKA.V2+JSON"), v2),
            (Some("application/vnd.kafka.binary.v2+json"), binary),
            (Some("application/vnd.kafka.binary.v2+json, application/vnd.kafka.v2+json"), v2),
            (Some("application/vnd.kafka.binary.v2+json, application/vnd.kafka.v2+json;q=0.5"), binary),
            (Some("text/html, image/gif, image/jpeg, */*; q=0.2"), v2),
            (Some("application/vnd.kafka.v2+json;q=0, */*"), binary),
            (Some("application/vnd.kafka.v2+json;q=0"), v2),
            (Some("application/vnd.kafka.v2+json; Q=0.000, application/*;q=0"), v2),
            (Some("*/*;q=0, application/vnd.kafka.v2+json"), v2),
            (Some("*/vnd.kafka.v2+json"), v2),
            (Some("application/json"), None),
            (Some("nonsense"), None),
            (Some("application/vnd.kafka.v2+json;q=2"), None),
            (Some(",;"), None),
        ] {
            assert_eq!(negotiate(accept, OFFERS), expected, "{accept:?}");
        }
    }

    #[test]
    fn parameters_and_case_of_a_content_type_are_ignored() {
        let known = &["application/vnd.kafka.v2+json"];
        assert!(media_type_of("Application/vnd.Kafka.v2+json; charset=utf-8", known).is_some());
        assert!(media_type_of("*/*", known).is_none());
        assert!(media_type_of("application/json", known).is_none());
    }
}
