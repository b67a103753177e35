//! Words that the good inputs may lack, by language; blanks part them.

pub(crate) const AVRO: &str = r#"
    "null" "int" "long" "float" "double" "bytes" "string" "record" "enum" "array" "map" "fixed" "error" "size" "default" "aliases" "namespace"
    "logicalType" "decimal" "precision" "scale" "uuid" "duration" "" "." "a.b" "\u0000" "\ud800" "1é" 1e999 -0 0.5 2147483648
    9223372036854775808 [] {} null true "order" "ignore" "symbols" "items" "values" "fields" "type" "name"
"#;

pub(crate) const JSON: &str = r##"
    "$ref" "#" "#/definitions/a" "#a" "$defs" "definitions" "$id" "$anchor" "$dynamicRef" "$recursiveRef" "$schema" "allOf" "anyOf" "oneOf" "not"
    "if" "then" "else" "items" "prefixItems" "contains" "pattern" "patternProperties" "(a+)+$" "(?<!a)\\1" "[" "propertyNames"
    "additionalProperties" "unevaluatedProperties" "dependencies" "dependentSchemas" "dependentRequired" "multipleOf" "minimum"
    "exclusiveMaximum" "const" "enum" "uniqueItems" "format" "date-time" "type" "required" "default" "connect.type" 1e-999 1e999999999 0.1
    true false null {} [] "" "\ud800" 123456789012345678901234567890 -0.0
"##;

pub(crate) const PROTOBUF: &str = r#"
    message enum oneof map<string,int32> map<int64,M> repeated optional required group extend extensions reserved to max option service rpc
    returns stream import public weak package syntax "proto2" "proto3" edition "2023" 0 -1 19000 536870911 536870912 0x7fffffff 1e999 inf nan
    google.protobuf.Any google.protobuf.Value google.protobuf.Duration "google/protobuf/any.proto" .M M [ ] (a.b) (a).b "\x" "\777" "\u0041" ' /*
    // [default=1] [json_name="a"] [packed=true] [deprecated=true] {} <> null = ; : "@type" "seconds" 1e2 "NaN" "-Infinity" "AP8="
"#;

pub(crate) const NUMBERS: &str = r#"
    1e308 1e-400 -0 0.1e1 1E+2 00 1e999999999999 123456789012345678901234567890 "\ud83d\ude00" "\ud800" "a":1, {} [] null
"#;

pub(crate) const TOPIC: &str = r#"
    null 0 -1 1.5 2147483647 2147483648 ":.:" ":.c:" ":*:" ":.:a" "" "a" "b" "deleted":true, "md5" "references" "metadata" "__enc__" {} []
"#;

pub(crate) const ENVELOPE: &str = r#"
    "records" "value" "key" "partition" "value_schema" "value_schema_id" "key_schema" "key_schema_id" null 1.5 1e99 "7" "" NaN {} [] "\ud800"
"#;
