//! SCRAM as Kafka speaks it: no channel binding, and user and password as their UTF-8 bytes, without SASLprep.
//!
//! Source: RFC 5802, RFC 7677 (SHA-256); SHA-512 differs in the hash alone.

use std::{collections::HashMap, fmt::Write, num::NonZeroU32};

use base64::{Engine, prelude::BASE64_STANDARD};
use parking_lot::Mutex;
use ring::{
    digest::{SHA256, SHA512, digest},
    hmac, pbkdf2,
    rand::{SecureRandom, SystemRandom},
};

use crate::{Error, settings::ScramHash};

/// Fewer iterations are refused, as by Java: they would make the password cheap to guess.
const MIN_ITERATIONS: u32 = 4096;
/// More would keep this machine busy for seconds at the word of a broker. Kafka stores at most 16,384.
const MAX_ITERATIONS: u32 = 1_000_000;

/// The first message of the client.
pub(super) struct ClientFirst {
    hash: ScramHash,
    nonce: String,
    bare: String,
}

impl ClientFirst {
    pub(super) fn new(hash: ScramHash, user: &str) -> ClientFirst {
        let mut random = [0; 24];
        SystemRandom::new().fill(&mut random).expect("the system has random bytes");
        ClientFirst::with_nonce(hash, user, &BASE64_STANDARD.encode(random))
    }

    fn with_nonce(hash: ScramHash, user: &str, nonce: &str) -> ClientFirst {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        ClientFirst { hash, nonce: nonce.to_owned(), bare: format!("n={user},r={nonce}") }
    }

    pub(super) fn message(&self) -> Vec<u8> {
        format!("n,,{}", self.bare).into_bytes()
    }

    /// # Errors
    /// What is wrong with the first message of the server.
    pub(super) fn challenged(self, server_first: &[u8]) -> Result<Challenge, String> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| "it is not UTF-8")?;
        let mut nonce = None;
        let mut salt = None;
        let mut iterations = None;
        for attribute in server_first.split(',') {
            match attribute.split_once('=') {
                Some(("r", value)) => nonce = Some(value),
                Some(("s", value)) => salt = BASE64_STANDARD.decode(value).ok(),
                Some(("i", value)) => iterations = value.parse::<u32>().ok(),
                Some(("m", _)) => return Err("it wants an extension that is not known".to_owned()),
                _ => {} // extensions may be ignored
            }
        }
        let (Some(nonce), Some(salt), Some(iterations)) = (nonce, salt, iterations) else {
            return Err("nonce, salt or iterations are missing".to_owned());
        };
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err("its nonce does not continue ours".to_owned());
        }
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(format!("{iterations} iterations: expected {MIN_ITERATIONS} to {MAX_ITERATIONS}"));
        }
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.bare);
        Ok(Challenge { hash: self.hash, salt, iterations, without_proof, signed })
    }
}

/// What the server wants to see proved.
pub(super) struct Challenge {
    hash: ScramHash,
    salt: Vec<u8>,
    iterations: u32,
    without_proof: String,
    /// RFC 5802's AuthMessage.
    signed: String,
}

impl Challenge {
    /// The last message of the client, and what the server has to prove in turn.
    pub(super) fn response(&self, salted_password: &[u8]) -> (Vec<u8>, ServerSignature) {
        let hmac = |key: &[u8], data: &[u8]| hmac::sign(&hmac::Key::new(self.hash.hmac(), key), data);
        let client_key = hmac(salted_password, b"Client Key");
        let stored_key = match self.hash {
            ScramHash::Sha256 => digest(&SHA256, client_key.as_ref()),
            ScramHash::Sha512 => digest(&SHA512, client_key.as_ref()),
        };
        let signature = hmac(stored_key.as_ref(), self.signed.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, mask)| key ^ mask).collect();
        let mut message = self.without_proof.clone();
        let _ = write!(message, ",p={}", BASE64_STANDARD.encode(proof));
        let server_key = hmac(salted_password, b"Server Key");
        let key = hmac::Key::new(self.hash.hmac(), server_key.as_ref());
        (message.into_bytes(), ServerSignature { key, signed: self.signed.clone() })
    }
}

/// The proof that the server knows the password, too.
pub(super) struct ServerSignature {
    key: hmac::Key,
    signed: String,
}

impl ServerSignature {
    /// # Errors
    /// The server does not know the password, or says that something is wrong.
    pub(super) fn check(&self, server_final: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(server_final).map_err(|_| "it is not UTF-8")?;
        let first = text.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(format!("it says '{error}'"));
        }
        let signature = first.strip_prefix("v=").and_then(|signature| BASE64_STANDARD.decode(signature).ok());
        let signature = signature.ok_or("it has no signature")?;
        hmac::verify(&self.key, self.signed.as_bytes(), &signature)
            .map_err(|_| "its signature is wrong: it does not know the password".to_owned())
    }
}

impl ScramHash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            ScramHash::Sha256 => hmac::HMAC_SHA256,
            ScramHash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// The same as [`ScramHash::salted`], away from the threads that answer.
    ///
    /// # Errors
    /// The runtime ends.
    pub(crate) async fn salted_elsewhere(
        self,
        password: String,
        salt: Vec<u8>,
        iterations: NonZeroU32,
    ) -> Result<Vec<u8>, Error> {
        let derived = tokio::task::spawn_blocking(move || self.salted(&password, &salt, iterations)).await;
        derived.map_err(|_| Error::unavailable("the client is shutting down"))
    }

    /// PBKDF2: milliseconds at 4,096 iterations.
    fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let (algorithm, length) = match self {
            ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            ScramHash::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted
    }
}

/// Salted passwords that were derived before: every broker of a cluster sends the same salt, and a session that is renewed, too.
#[derive(Default)]
pub(super) struct SaltedPasswords(Mutex<HashMap<SaltedBy, Vec<u8>>>);

#[derive(PartialEq, Eq, Hash)]
struct SaltedBy {
    password_digest: Vec<u8>,
    salt: Vec<u8>,
    iterations: u32,
}

impl SaltedPasswords {
    /// As many as a cluster has at once while a password is changed.
    const MAX: usize = 4;

    /// Derived away from the threads that answer.
    ///
    /// # Errors
    /// The runtime ends.
    pub(super) async fn derive(&self, challenge: &Challenge, password: &str) -> Result<Vec<u8>, Error> {
        let password_digest = digest(&SHA256, password.as_bytes()).as_ref().to_vec();
        let Challenge { hash, salt, iterations, .. } = challenge;
        let by = SaltedBy { password_digest, salt: salt.clone(), iterations: *iterations };
        if let Some(known) = self.0.lock().get(&by) {
            return Ok(known.clone());
        }
        let iterations = NonZeroU32::new(*iterations).unwrap_or(NonZeroU32::MIN);
        let derived = hash.salted_elsewhere(password.to_owned(), salt.clone(), iterations).await?;
        let mut known = self.0.lock();
        if known.len() >= SaltedPasswords::MAX {
            known.clear();
        }
        known.insert(by, derived.clone());
        Ok(derived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole exchange of RFC 7677 §3.
    #[test]
    fn the_example_of_rfc_7677() {
        let first = ClientFirst::with_nonce(ScramHash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first.message(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let challenge = first.challenged(server_first.as_bytes()).expect("sound");
        let salted = ScramHash::Sha256.salted("pencil", &challenge.salt, NonZeroU32::new(4096).expect("positive"));
        let (message, expected) = challenge.response(&salted);
        assert_eq!(
            String::from_utf8(message).expect("a text"),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(expected.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        for (wrong, why) in [
            ("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "does not know the password"),
            ("v=", "does not know the password"),
            ("", "no signature"),
            ("e=other-error", "other-error"),
        ] {
            let error = expected.check(wrong.as_bytes()).expect_err(wrong);
            assert!(error.contains(why), "{error}");
        }
    }

    /// Reckoned with Python's `hashlib`, as there is no RFC with an example for SHA-512.
    #[test]
    fn sha_512_and_a_password_beyond_ascii() {
        let first = ClientFirst::with_nonce(ScramHash::Sha512, "ana,=", "fyko+d2lbbFgONRv9qkxdawL");
        let server_first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=8192";
        let challenge = first.challenged(server_first.as_bytes()).expect("sound");
        let salted = ScramHash::Sha512.salted("pässword", &challenge.salt, NonZeroU32::new(8192).expect("positive"));
        let (message, expected) = challenge.response(&salted);
        assert_eq!(
            String::from_utf8(message).expect("a text"),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=RQt2xYsbsuBI/yQ+7XVq0o4kiDNHkm9JhFTL24wlfdB8eFO1H5nvEiPJQ6ABG/\
             Ujk65HZ5OeKxSWp7GUA5uKBg=="
        );
        let server_final = "v=N4oYbTChfcBpWoNiJMVnI2dnYHjSa3eMfvvmtSPzbNGsZInqVIBtEfZ/Jwfx6bbI3PDp+2DTHRddMO4P0HA2LA==";
        assert_eq!(expected.check(server_final.as_bytes()), Ok(()));
    }

    #[test]
    fn what_a_server_sends_is_checked() {
        for (server_first, why) in [
            ("r=abcd,s=AAAA,i=4095", "4095 iterations"),
            ("r=abcd,s=AAAA,i=1000001", "1000001 iterations"),
            ("r=abc,s=AAAA,i=4096", "does not continue"),
            ("r=xabc,s=AAAA,i=4096", "does not continue"),
            ("r=abcd,i=4096", "missing"),
            ("r=abcd,s=?,i=4096", "missing"),
            ("m=x,r=abcd,s=AAAA,i=4096", "extension"),
            ("", "missing"),
        ] {
            let first = ClientFirst::with_nonce(ScramHash::Sha512, "a", "abc");
            let error = first.challenged(server_first.as_bytes()).err().unwrap_or_default();
            assert!(error.contains(why), "{server_first}: {error}");
        }
    }

    #[test]
    fn names_are_escaped_and_nonces_differ() {
        let first = ClientFirst::new(ScramHash::Sha256, "a=b,c");
        assert!(first.bare.starts_with("n=a=3Db=2Cc,r="), "{}", first.bare);
        let second = ClientFirst::new(ScramHash::Sha256, "a=b,c");
        assert_ne!(first.nonce, second.nonce);
        assert!(!first.nonce.contains(','));
    }
}
