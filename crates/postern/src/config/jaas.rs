//! JAAS lines, as `sasl.jaas.config` holds them: `module flag key=value …;`.
//!
//! Tokens are those of Java's `ConfigFile`: quotes hold blanks and signs, `/` begins a comment outside of them. Messages name a position,
//! never the text, which holds a password.

use std::collections::BTreeMap;

/// One login module and its options. `Debug` is not derived: options hold secrets.
#[derive(PartialEq, Eq)]
pub(super) struct Login {
    /// The class, without its package.
    pub(super) module: String,
    pub(super) options: BTreeMap<String, String>,
}

enum Token {
    Word(String),
    Equals,
    End,
}

/// Parses a line with exactly one login module.
///
/// # Errors
/// What was expected, and at which character.
pub(super) fn parse(text: &str) -> Result<Login, String> {
    let mut tokens = tokens(text)?.into_iter().peekable();
    let mut word = |expected: &str| match tokens.next() {
        Some((_, Token::Word(word))) => Ok(word),
        Some((at, _)) => Err(format!("{expected} at character {at}")),
        None => Err(format!("{expected} at its end")),
    };
    let class = word("the class of a login module")?;
    let flag = word("`required` after the class")?;
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_ascii_lowercase().as_str()) {
        return Err("`required` after the class".to_owned());
    }
    let mut options = BTreeMap::new();
    loop {
        match tokens.next() {
            // Java demands the semicolon; nothing else could be meant without.
            Some((_, Token::End)) | None => break,
            Some((at, Token::Word(name))) => {
                let value = match (tokens.next(), tokens.next()) {
                    (Some((_, Token::Equals)), Some((_, Token::Word(value)))) => value,
                    _ => {
                        return Err(format!(
                            "name=value at character {at}: values with signs other than letters, digits, `.`, `-` and `_` in quotes"
                        ));
                    }
                };
                options.insert(name, value);
            }
            Some((at, Token::Equals)) => return Err(format!("the name of an option before `=` at character {at}")),
        }
    }
    if tokens.peek().is_some() {
        return Err("one login module, not several".to_owned());
    }
    let module = class.rsplit('.').next().unwrap_or_default().to_owned();
    Ok(Login { module, options })
}

/// Each token with the number of its first character, from 1.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().zip(1..).peekable();
    while let Some((next, at)) = rest.next() {
        match next {
            _ if next.is_whitespace() => {}
            '=' => tokens.push((at, Token::Equals)),
            ';' => tokens.push((at, Token::End)),
            '"' | '\'' => {
                let mut word = String::new();
                loop {
                    match rest.next() {
                        Some((quote, _)) if quote == next => break,
                        Some(('\\', _)) => match rest.next() {
                            Some(('n', _)) => word.push('\n'),
                            Some(('t', _)) => word.push('\t'),
                            Some((other, _)) => word.push(other),
                            None => return Err(format!("the end of the quotes from character {at}")),
                        },
                        Some(('\n', _)) | None => return Err(format!("the end of the quotes from character {at}")),
                        Some((other, _)) => word.push(other),
                    }
                }
                tokens.push((at, Token::Word(word)));
            }
            '/' => return Err(format!("quotes around what holds the `/` at character {at}")),
            _ => {
                let mut word = String::from(next);
                let is_word = |next: char| next.is_alphanumeric() || matches!(next, '.' | '_' | '-' | '$');
                if !is_word(next) {
                    return Err(format!("quotes around what holds the sign at character {at}"));
                }
                while let Some((next, _)) = rest.next_if(|(next, _)| is_word(*next)) {
                    word.push(next);
                }
                tokens.push((at, Token::Word(word)));
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).err().unwrap_or_else(|| panic!("{text} is taken"))
    }

    #[test]
    fn a_line_has_a_module_a_flag_and_options() {
        let line =
            "org.apache.kafka.common.security.scram.ScramLoginModule Required\n username=\"an a\" password='p\\'=;$/';";
        let Ok(login) = parse(line) else { panic!("refused") };
        assert_eq!(login.module, "ScramLoginModule");
        assert_eq!(login.options["username"], "an a");
        assert_eq!(login.options["password"], "p'=;$/");
        let Ok(login) = parse("a.PlainLoginModule required username=u password=p") else { panic!("refused") };
        assert_eq!((login.module.as_str(), login.options.len()), ("PlainLoginModule", 2));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_and_not_by_its_text() {
        for text in [
            "",
            "M",
            "M mandatory a=b;",
            "M required password=canary/x;",
            "M required password=canary+x;",
            "M required password=\"canary",
            "M required password;",
            "M required =canary;",
            "M required a=b; N required;",
            "M required password=\"canary\n\";",
        ] {
            assert!(!refused(text).contains("canary"), "{text}");
        }
        assert!(refused("M required password=se/cret;").contains("character 23"), "{}", refused("M required p=se/c;"));
    }
}
