//! Bodies of produce requests.

use postern_http::fuzzing;

pub(crate) fn read_envelope(input: &[u8]) -> usize {
    fuzzing::envelope(input)
}

pub(crate) fn good_envelopes() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"records":[{"value":{"a":[1,2.5e3,null,true,"x\u00e9\n"]}},{"key":"k","value":null,"partition":0}]}"#,
        r#"{"value_schema":"{\"type\":\"int\"}","records":[{"value":7},{"value":{"int":7}},{"partition":"1","value":[]}]}"#,
        r#"{"key_schema_id":3,"key_schema":null,"value_schema_id":"4","records":[{"value":"eA==","key":"eQ=="}]}"#,
        r#"{"records":[{"value":[[[[{}]]]]}],"value_schema":" \"string\" "}"#,
    ];
    bodies.map(|body| body.as_bytes().to_vec()).to_vec()
}
