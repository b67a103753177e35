//! Passwords as files of users hold them: hashed by bcrypt or argon2, or in the forms of Jetty's property file.
//!
//! Source: the formats of `htpasswd`, PHC strings, and of Jetty's `Password` and `Credential` classes.

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use bcrypt::HashParts;
use md5::{Digest, Md5};
use ring::digest::{Algorithm, SHA256, SHA512, digest};
use subtle::ConstantTimeEq;

/// A file must not be able to stall the process: bcrypt of this cost takes about a second.
const BCRYPT_COST_MAX: u32 = 14;
/// KiB.
const ARGON2_MEMORY_MAX: u32 = 256 << 10;
const ARGON2_ROUNDS_MAX: u32 = 16;

/// One stored password. `Debug` is not derived: it is a secret.
#[derive(Clone)]
pub(crate) enum Password {
    Bcrypt(String),
    Argon2(String),
    Plain(String),
    /// MD5 of the Latin-1 password.
    Md5(Vec<u8>),
    /// Of the UTF-8 password.
    Digest(&'static Algorithm, Vec<u8>),
}

impl Password {
    /// A hash of an `htpasswd` file.
    ///
    /// # Errors
    /// What was expected; never the hash.
    pub(crate) fn hashed(text: &str) -> Result<Password, String> {
        if ["$2y$", "$2a$", "$2b$"].iter().any(|prefix| text.starts_with(prefix)) {
            // Only parsed: a hash of the greatest cost would take days.
            let hash: HashParts = text.parse().map_err(|_| "a whole bcrypt hash, of 60 characters".to_owned())?;
            return match hash.get_cost() {
                cost if cost > BCRYPT_COST_MAX => {
                    Err(format!("a bcrypt hash of at most cost {BCRYPT_COST_MAX}, found cost {cost}"))
                }
                _ => Ok(Password::Bcrypt(text.to_owned())),
            };
        }
        if text.starts_with("$argon2") {
            let hash = PasswordHash::new(text).map_err(|_| "an argon2 hash, found a damaged one".to_owned())?;
            let parameter = |name: &str| hash.params.get_decimal(name).unwrap_or(u32::MAX);
            if parameter("m") > ARGON2_MEMORY_MAX || parameter("t") > ARGON2_ROUNDS_MAX || parameter("p") > 16 {
                return Err(format!("an argon2 hash of at most m={ARGON2_MEMORY_MAX}, t={ARGON2_ROUNDS_MAX}, p=16"));
            }
            return Ok(Password::Argon2(text.to_owned()));
        }
        let found = match text {
            _ if text.starts_with("$apr1$") => ", found $apr1$ (MD5)",
            _ if text.starts_with("{SHA}") => ", found {SHA}, which has no salt",
            _ if text.starts_with("$5$") || text.starts_with("$6$") => ", found crypt of SHA-2",
            _ => "",
        };
        Err(format!("a hash by bcrypt ($2y$, as from htpasswd -B) or argon2 ($argon2id$){found}"))
    }

    /// A password of a Jetty property file. Also returns what is weak about it.
    ///
    /// # Errors
    /// What was expected; never the text.
    pub(crate) fn of_realm(text: &str) -> Result<(Password, Option<&'static str>), String> {
        let hexadecimal = |text: &str| hex(text).ok_or_else(|| "hexadecimal digits after the kind".to_owned());
        if let Some(text) = text.strip_prefix("OBF:") {
            let plain = deobfuscate(text).ok_or_else(|| "groups of four after OBF:".to_owned())?;
            return Ok((Password::Plain(plain), Some("is only obfuscated")));
        }
        if let Some(text) = text.strip_prefix("MD5:") {
            return Ok((Password::Md5(hexadecimal(text)?), Some("is MD5 without salt")));
        }
        if let Some((name, text)) = text.strip_prefix("MD:").and_then(|rest| rest.split_once(':')) {
            let (algorithm, length) = match name.to_ascii_uppercase().as_str() {
                "SHA-256" => (&SHA256, 32),
                "SHA-512" => (&SHA512, 64),
                _ => return Err("MD:SHA-256:… or MD:SHA-512:…".to_owned()),
            };
            let hash = hexadecimal(text)?;
            return match hash.len() == length {
                true => Ok((Password::Digest(algorithm, hash), Some("has no salt"))),
                false => Err(format!("{} hexadecimal digits after the kind", 2 * length)),
            };
        }
        if text.starts_with("CRYPT:") {
            return Err("another kind than CRYPT: DES tells eight characters apart and no more".to_owned());
        }
        match Password::hashed(text) {
            Ok(hashed) => Ok((hashed, None)),
            Err(_) if text.is_empty() => Err("a password".to_owned()),
            Err(_) => Ok((Password::Plain(text.to_owned()), Some("stands there in clear"))),
        }
    }

    /// Whether `password` is it. Hashes take tens of milliseconds to a second.
    pub(crate) fn verify(&self, password: &str) -> bool {
        match self {
            Password::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Password::Argon2(hash) => PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()),
            // Of digests, because the time of a comparison may show a length.
            Password::Plain(plain) => {
                let (ours, theirs) = (digest(&SHA256, plain.as_bytes()), digest(&SHA256, password.as_bytes()));
                ours.as_ref().ct_eq(theirs.as_ref()).into()
            }
            Password::Md5(hash) => {
                let latin: Vec<u8> = password.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
                Md5::digest(latin).as_slice().ct_eq(hash).into()
            }
            Password::Digest(algorithm, hash) => digest(algorithm, password.as_bytes()).as_ref().ct_eq(hash).into(),
        }
    }

    /// How long it takes to verify, to compare kinds with.
    pub(crate) fn cost(&self) -> u64 {
        match self {
            Password::Bcrypt(hash) => 1 << hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok()).unwrap_or(10),
            Password::Argon2(hash) => PasswordHash::new(hash).map_or(0, |hash| {
                let parameter = |name: &str| u64::from(hash.params.get_decimal(name).unwrap_or(1));
                parameter("m") * parameter("t") / 64
            }),
            Password::Plain(_) | Password::Md5(_) | Password::Digest(..) => 0,
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let is_hex =
        !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| (0..text.len()).step_by(2).filter_map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect())
}

/// Jetty's `OBF:`: groups of four digits in base 36 that stand for a pair of characters from both ends; after `U` as they are.
fn deobfuscate(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let is_plain = rest.starts_with('U');
        let from = usize::from(is_plain);
        let number = i64::from_str_radix(rest.get(from..from + 4)?, 36).ok()?;
        rest = rest.get(from + 4..)?;
        let byte = if is_plain { number / 256 } else { (number / 256 + number % 256 - 254) / 2 };
        bytes.push(u8::try_from(byte).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(text: &str) -> Result<Password, String> {
        Password::hashed(text)
    }

    #[test]
    fn hashes_of_htpasswd_are_verified() {
        // From `htpasswd -nbB -C 5` and the reference implementation of argon2.
        for (hash, password) in [
            ("$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", "password"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"),
        ] {
            let Ok(stored) = hashed(hash) else { panic!("{hash} is refused") };
            assert!(stored.verify(password), "{hash}");
            assert!(!stored.verify("Password"), "{hash}");
            assert!(stored.cost() > 0);
        }
    }

    #[test]
    fn weak_and_damaged_hashes_are_refused_without_being_shown() {
        for (hash, expected) in [
            ("$apr1$canary$canary", "$apr1$"),
            ("{SHA}canary", "{SHA}"),
            ("canary", "bcrypt"),
            ("$2y$05$canary", "whole bcrypt hash"),
            ("$argon2id$canary", "argon2"),
            ("$2y$31$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", "at most cost 14"),
        ] {
            let refused = hashed(hash).err().unwrap_or_else(|| panic!("{hash} is taken"));
            assert!(refused.contains(expected), "{refused}");
            assert!(!refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn the_forms_of_a_property_file_are_verified() {
        for (text, password) in [
            ("secret", "secret"),
            // That of the key store in Jetty's distribution.
            ("OBF:1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4", "storepwd"),
            ("MD5:5f4dcc3b5aa765d61d8327deb882cf99", "password"),
            ("MD:SHA-256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", "password"),
        ] {
            let Ok((stored, weakness)) = Password::of_realm(text) else { panic!("{text} is refused") };
            assert!(stored.verify(password), "{text}");
            assert!(!stored.verify("other"), "{text}");
            assert!(weakness.is_some());
        }
        assert!(Password::of_realm("CRYPT:canary").err().is_some_and(|refused| !refused.contains("canary")));
    }
}
