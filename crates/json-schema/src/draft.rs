//! Drafts of JSON Schema, and which one a document is written in.

use serde_json::Value;

/// The drafts that are distinguished. 2019-09 is read by the rules of 2020-12, as in Confluent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Modern,
}

impl Draft {
    /// The draft that `$schema` names; draft-07 where it is absent or unknown.
    pub(super) fn of(document: &Value) -> Draft {
        Draft::declared(document).unwrap_or(Draft::Seven)
    }

    /// The draft that `$schema` names, if it is a known one.
    pub(super) fn declared(document: &Value) -> Option<Draft> {
        let written = document.get("$schema")?.as_str()?;
        let written = written.strip_suffix('#').unwrap_or(written);
        let name = written.strip_prefix("http://").or_else(|| written.strip_prefix("https://"))?;
        match name.strip_prefix("json-schema.org/")? {
            "draft-04/schema" => Some(Draft::Four),
            "draft-06/schema" => Some(Draft::Six),
            "draft-07/schema" => Some(Draft::Seven),
            "draft/2019-09/schema" | "draft/2020-12/schema" => Some(Draft::Modern),
            _ => None,
        }
    }

    /// The keyword that gives a schema its URI.
    pub(super) fn id_keyword(self) -> &'static str {
        match self {
            Draft::Four => "id",
            Draft::Six | Draft::Seven | Draft::Modern => "$id",
        }
    }

    /// In these drafts nothing beside a `$ref` counts, values are checked for their `format`, and defaults are filled in.
    pub(super) fn is_classic(self) -> bool {
        self < Draft::Modern
    }

    /// Whether values are held to a format. Since 2019-09 a format is a remark.
    pub(super) fn checks(self, format: &str) -> bool {
        match format {
            "date-time" | "uri" | "email" | "ipv4" | "ipv6" | "hostname" => self.is_classic(),
            "json-pointer" | "uri-reference" | "uri-template" => matches!(self, Draft::Six | Draft::Seven),
            "date" | "time" | "regex" | "relative-json-pointer" => self == Draft::Seven,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Draft;

    #[test]
    fn schema_names_the_draft() {
        for (written, draft) in [
            ("http://json-schema.org/draft-04/schema#", Draft::Four),
            ("http://json-schema.org/draft-06/schema", Draft::Six),
            ("https://json-schema.org/draft-07/schema#", Draft::Seven),
            ("https://json-schema.org/draft/2019-09/schema", Draft::Modern),
            ("https://json-schema.org/draft/2020-12/schema#", Draft::Modern),
            ("http://json-schema.org/schema#", Draft::Seven),
            ("urn:mine", Draft::Seven),
        ] {
            assert_eq!(Draft::of(&serde_json::json!({ "$schema": written })), draft, "{written}");
        }
        assert_eq!(Draft::of(&serde_json::json!(true)), Draft::Seven);
    }
}
