//! Java's own key store format, JKS, versions 1 and 2: what `keytool` made before Java 9, and `-storetype JKS` makes today.
//!
//! ```text
//! FEEDFEED, version u32, entries u32, then for each entry
//!   tag u32 (1 key, 2 trusted certificate), alias, created u64
//!   key:         encrypted key (length u32, bytes), chain length u32, certificates
//!   certificate: type ("X.509", version 2 only), length u32, DER
//! SHA-1 over (password in UTF-16, "Mighty Aphrodite", everything above)
//! ```
//!
//! Read here because the crates for it fail on passwords beyond ASCII. Source: the documentation of
//! `sun.security.provider.JavaKeyStore` and `KeyProtector` in OpenJDK.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What stands in a store.
pub(super) struct Jks {
    pub(super) trusted: Vec<Vec<u8>>,
    pub(super) keys: Vec<KeyEntry>,
}

/// A private key and the certificates for it.
pub(super) struct KeyEntry {
    pub(super) encrypted_key: Vec<u8>,
    pub(super) chain: Vec<Vec<u8>>,
}

const TRUNCATED: &str = "JKS: it is damaged: it ends too early";
const SHA1_LENGTH: usize = 20;

/// Reads a store. Without a password its integrity is not checked, as Java does it for trust stores.
///
/// # Errors
/// It is damaged, or the password is not that of the store.
pub(super) fn read(store: &[u8], password: Option<&str>) -> Result<Jks, String> {
    let (body, checksum) = store.split_at_checked(store.len().saturating_sub(SHA1_LENGTH)).ok_or(TRUNCATED)?;
    if let Some(password) = password {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&utf16(password));
        context.update(b"Mighty Aphrodite");
        context.update(body);
        if context.finish().as_ref() != checksum {
            return Err("JKS: the password is wrong, or the store is damaged".to_owned());
        }
    }
    let mut rest = body.get(4..).ok_or(TRUNCATED)?;
    let version = number(&mut rest)?;
    if !(1..=2).contains(&version) {
        return Err(format!("JKS: version {version} is not supported: expected 1 or 2"));
    }
    let mut found = Jks { trusted: Vec::new(), keys: Vec::new() };
    for _ in 0..number(&mut rest)? {
        let tag = number(&mut rest)?;
        text(&mut rest)?; // alias
        take(&mut rest, 8)?; // created
        match tag {
            1 => {
                let encrypted_key = counted(&mut rest)?.to_vec();
                let mut chain = Vec::new();
                for _ in 0..number(&mut rest)? {
                    chain.push(certificate(&mut rest, version)?);
                }
                found.keys.push(KeyEntry { encrypted_key, chain });
            }
            2 => found.trusted.push(certificate(&mut rest, version)?),
            _ => return Err(format!("JKS: it is damaged: an entry of kind {tag}")),
        }
    }
    Ok(found)
}

/// The key in PKCS#8. It is encrypted with a stream of SHA-1 over password and salt.
///
/// # Errors
/// The password is not that of the key, or the entry is damaged.
pub(super) fn decrypt_key(encrypted_key: &[u8], password: &str) -> Result<Vec<u8>, String> {
    /// 1.3.6.1.4.1.42.2.17.1.1, the key protector of Sun.
    const ALGORITHM: &[u8] = &[0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x2A, 0x02, 0x11, 0x01, 0x01];
    const DAMAGED: &str = "JKS: the private key is damaged";
    let mut rest = encrypted_key;
    let mut sequence = element(&mut rest, 0x30).ok_or(DAMAGED)?;
    let algorithm = element(&mut sequence, 0x30).ok_or(DAMAGED)?;
    if !algorithm.starts_with(ALGORITHM) {
        return Err("JKS: the private key is encrypted in a way that is not supported".to_owned());
    }
    let mut protected = element(&mut sequence, 0x04).ok_or(DAMAGED)?;
    let salt = take(&mut protected, SHA1_LENGTH).map_err(|_| DAMAGED)?;
    let (ciphertext, checksum) =
        protected.split_at_checked(protected.len().saturating_sub(SHA1_LENGTH)).ok_or(DAMAGED)?;
    let password = utf16(password);
    let hash = |part: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password.as_slice(), part].concat());
    let mut key = Vec::with_capacity(ciphertext.len());
    let mut stream = hash(salt);
    for (n, block) in ciphertext.chunks(SHA1_LENGTH).enumerate() {
        if n > 0 {
            stream = hash(stream.as_ref());
        }
        key.extend(block.iter().zip(stream.as_ref()).map(|(byte, mask)| byte ^ mask));
    }
    if hash(&key).as_ref() != checksum {
        return Err("JKS: the password of the private key is wrong".to_owned());
    }
    Ok(key)
}

/// Java hashes the characters of a password as two bytes each.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, after) = rest.split_at_checked(length).ok_or(TRUNCATED)?;
    *rest = after;
    Ok(taken)
}

fn number(rest: &mut &[u8]) -> Result<u32, String> {
    let bytes = take(rest, 4)?.try_into().map_err(|_| TRUNCATED)?;
    Ok(u32::from_be_bytes(bytes))
}

fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = number(rest)? as usize;
    take(rest, length)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = take(rest, 2)?.try_into().map_err(|_| TRUNCATED)?;
    take(rest, usize::from(u16::from_be_bytes(length)))
}

fn certificate(rest: &mut &[u8], version: u32) -> Result<Vec<u8>, String> {
    if version == 2 && text(rest)? != b"X.509" {
        return Err("JKS: a certificate that is not X.509".to_owned());
    }
    Ok(counted(rest)?.to_vec())
}

/// The content of a DER element of this tag.
fn element<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&found, after) = rest.split_first()?;
    let (&first, mut after) = after.split_first()?;
    let length = match first {
        0..=0x7F => usize::from(first),
        0x81..=0x83 => {
            let (digits, behind) = after.split_at_checked(usize::from(first & 0x7F))?;
            after = behind;
            digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    (found == tag).then_some(content)
}
