//! The text of `--help`, from the table of settings.

use std::fmt::Write;

use super::setting;

/// Maximum line length.
const WIDTH: usize = 96;
const INDENT: &str = "        ";

/// The whole text, with a final line break.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "Postern: a REST proxy for Kafka and a Schema Registry in one process, with a Kafka broker\n\
         inside if no cluster is named.\n\n\
         Usage: postern [SETTINGS]\n\n\
         Each setting is an argument, a variable (--rest-listen is POSTERN_REST_LISTEN) and a key of the\n\
         file that --config names. Arguments override variables, variables override the file. An empty\n\
         variable is one that is not set.\n\n",
    );
    for setting in setting::ALL {
        let operand = setting.operand.map(|operand| format!(" {operand}")).unwrap_or_default();
        let default = match setting.default {
            "" => String::new(),
            "false" => " (default: off)".to_owned(),
            default => format!(" (default: {default})"),
        };
        let _ = writeln!(text, "    --{}{operand}{default}", setting.name);
        wrap(setting.about, &mut text);
    }
    text.push_str("    -h, --help\n        Print this text.\n    -V, --version\n        Print the version.\n");
    text
}

/// Appends a sentence in lines of at most `WIDTH`.
fn wrap(sentence: &str, text: &mut String) {
    let mut line = String::from(INDENT);
    for word in sentence.split_whitespace() {
        if line.len() + word.len() > WIDTH && line.len() > INDENT.len() {
            let _ = writeln!(text, "{}", line.trim_end());
            line.replace_range(INDENT.len().., "");
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{}", line.trim_end());
}
