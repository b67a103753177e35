//! The records of the topic of schemas, as any writer may have left them: lines, each a key and, after a tab, a value.

use postern_registry::fuzzing;

pub(crate) fn read_records(input: &[u8]) -> usize {
    let lines = input.split(|byte| *byte == b'\n');
    let records = lines.map(|line| {
        let mut parts = line.splitn(2, |byte| *byte == b'\t');
        (parts.next().unwrap_or_default(), parts.next())
    });
    fuzzing::fold(&records.collect::<Vec<_>>())
}

/// Histories with every kind of key. They share subjects, so that records of one make sense in another.
pub(crate) fn good_records() -> Vec<Vec<u8>> {
    let schema = |subject: &str, version: i32, id: i32, rest: &str| {
        format!(
            "{{\"keytype\":\"SCHEMA\",\"subject\":\"{subject}\",\"version\":{version},\"magic\":1}}\t{{\"subject\":\"{subject}\",\"version\":{version},\"id\":{id},{rest}}}"
        )
    };
    let avro = |subject, version, id| {
        schema(subject, version, id, r#""schemaType":"AVRO","schema":"\"int\"","deleted":false"#)
    };
    let key = |rest: &str| format!("{{\"keytype\":{rest},\"magic\":0}}");
    let histories = [
        vec![
            avro("a", 1, 1),
            avro("a", 2, 1),
            avro("b", 1, 1),
            schema("a", 1, 1, r#""schema":"\"int\"","deleted":true"#),
        ],
        vec![
            avro("a", 1, 1),
            r#"{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}"#.to_owned(),
            avro("a", 1, 2),
        ],
        vec![
            avro(":.c:a", 1, 7),
            schema(
                "b",
                1,
                2,
                r#""schemaType":"PROTOBUF","references":[{"name":"n","subject":"a","version":1}],"schema":"x","deleted":false"#,
            ),
            schema(
                "b",
                2,
                2,
                r#""schemaType":"JSON","metadata":{"tags":{"p":["t"]},"properties":{"k":"v"},"sensitive":["k"]},"ruleSet":{"domainRules":[]},"schema":"x""#,
            ),
            schema(
                "b",
                3,
                3,
                r#""md5":"AAAAAAAAAAAAAAAAAAAAAA==","metadata":{"properties":{"__enc__":"true"}},"schema":"y","offset":1,"ts":2,"new":[1]"#,
            ),
        ],
        vec![
            avro("a", 1, 1),
            key(r#""DELETE_SUBJECT","subject":"a""#) + "\t" + r#"{"subject":"a","version":1}"#,
            key(r#""CLEAR_SUBJECT","subject":"a""#) + "\t" + r#"{"subject":"a"}"#,
            key(r#""CLEAR_SUBJECT","subject":":.c:""#) + "\t" + r#"{"subject":":.c:"}"#,
        ],
        vec![
            key(r#""CONFIG","subject":"a""#)
                + "\t"
                + r#"{"subject":"a","compatibilityLevel":"FULL","normalize":true,"compatibilityGroup":"g","defaultMetadata":{"properties":{"k":"v"}}}"#,
            key(r#""CONFIG","subject":null"#)
                + "\t"
                + r#"{"compatibilityLevel":"NONE","alias":"b","validateFields":true}"#,
            key(r#""CONFIG""#),
            key(r#""MODE","subject":"a""#) + "\t" + r#"{"subject":"a","mode":"IMPORT"}"#,
            key(r#""MODE""#) + "\t" + r#"{"mode":"READONLY_OVERRIDE"}"#,
        ],
        vec![
            key(r#""CONTEXT","tenant":"default","context":".c""#) + "\t" + r#"{"tenant":"default","context":".c"}"#,
            key(r#""CONTEXT","tenant":"default","context":".c""#),
            key(r#""NOOP""#),
        ],
    ];
    histories.into_iter().map(|lines| lines.join("\n").into_bytes()).collect()
}
