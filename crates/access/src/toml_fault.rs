//! What is wrong with a TOML file, without the text that stands there: it may be a password.

/// The line, and what is wrong with it.
pub(crate) fn toml_fault(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
    let message = error.message();
    // As in `invalid type: string "…", expected a boolean`.
    match message.split_once(": string \"").and_then(|(what, rest)| Some((what, rest.rsplit_once('"')?.1))) {
        Some((what, rest)) => format!("line {line}: {what}: a string{rest}"),
        None => format!("line {line}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::KafkaIdentityTable;

    #[test]
    fn a_fault_of_a_file_names_its_line_and_shows_no_text() {
        for (fault, told) in [
            ("sasl-password = \"hush\"", "line 4: unknown field `sasl-password`"),
            ("as-server = \"hush\"", "line 4: invalid type: a string, expected a boolean"),
            ("sasl-username = hush", "line 4: "),
            ("sasl-username = \"hush", "line 4: "),
        ] {
            let text = format!("[[identity]]\nname = \"a\"\nwho = [\"*\"]\n{fault}\n");
            let faults = KafkaIdentityTable::parse(&text).expect_err(fault);
            assert!(faults[0].starts_with(told) && !faults[0].contains("hush"), "{faults:?}");
        }
    }
}
