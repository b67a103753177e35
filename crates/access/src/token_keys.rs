//! Keys that tokens are signed with: a JSON Web Key Set.
//!
//! Source: RFC 7517, RFC 7518 §6, RFC 8037.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

/// Keys of one set that are looked at; further ones are left out.
const KEYS_MAX: usize = 64;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the names of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// By its name in a header; `None`: unknown, `none`, or one with a shared secret.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "PS256" => Algorithm::Ps256,
            "PS384" => Algorithm::Ps384,
            "PS512" => Algorithm::Ps512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            "EdDSA" => Algorithm::EdDsa,
            _ => return None,
        })
    }
}

/// The keys of an issuer.
#[derive(Debug)]
pub struct KeySet(Vec<Key>);

#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    /// The only algorithm it is for, where the set says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeySet {
    /// Parses a set. Keys of other kinds, and those that are not for signatures, are left out.
    ///
    /// # Errors
    /// What was expected: no set, or one without a key that can be used.
    pub fn parse(text: &str) -> Result<KeySet, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| format!("a JSON Web Key Set: {error}"))?;
        let listed = document["keys"].as_array().ok_or("a JSON object with an array keys")?;
        let keys: Vec<Key> = listed.iter().filter_map(key).take(KEYS_MAX).collect();
        match keys.is_empty() {
            true => Err(format!(
                "at least one key for signatures that can be used (RSA of 2048 bits or more, P-256, P-384, Ed25519), found none among {}",
                listed.len()
            )),
            false => Ok(KeySet(keys)),
        }
    }

    /// The key of a token: by its id, or without one the only one that fits.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.fits(algorithm));
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let by_kind = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        by_kind && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether `signature` is that of `message`.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let parameters = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature).is_ok()
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature).is_ok()
            }
            Material::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
        }
    }
}

/// `None`: not a key for signatures, or of a kind that is not known.
fn key(document: &Value) -> Option<Key> {
    let text = |name: &str| document[name].as_str();
    let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|used| used != "sig") {
        return None;
    }
    if document["key_ops"].as_array().is_some_and(|uses| !uses.iter().any(|used| used == "verify")) {
        return None;
    }
    let algorithm = match text("alg") {
        Some(name) => Some(Algorithm::parse(name)?),
        None => None,
    };
    let point = |length: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
    };
    let material = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let mut modulus = bytes("n")?;
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            modulus.drain(..zeros);
            if modulus.len() < 256 {
                return None;
            }
            Material::Rsa { modulus, exponent: bytes("e")? }
        }
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|key| key.len() == 32)?),
        _ => return None,
    };
    Some(Key { id: text("kid").map(str::to_owned), algorithm, material })
}
