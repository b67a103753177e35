//! Certificates and keys from PEM, PKCS#12 and JKS, told apart by their content as Java does, whatever the file is called.

use p12_keystore::{KeyStore, Pkcs12Archive, Pkcs12ImportPolicy};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

use super::jks;

type Chain = Vec<CertificateDer<'static>>;

/// What a client certificate is made from.
pub(super) struct KeyMaterial {
    pub(super) store: Vec<u8>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) password: Option<String>,
    pub(super) key_password: Option<String>,
}

impl KeyMaterial {
    /// The certificate of the client and those that signed it, and its key.
    ///
    /// # Errors
    /// What cannot be read, and why.
    pub(super) fn chain_and_key(&self) -> Result<(Chain, PrivateKeyDer<'static>), String> {
        let password = self.password.as_deref();
        let key_password = self.key_password.as_deref().or(password);
        match Format::of(&self.store)? {
            Format::Pem => {
                let chain = pem_certificates(&self.store)?;
                let key = pem_key(self.key.as_ref().unwrap_or(&self.store), key_password)?;
                Ok((chain, key))
            }
            Format::Pkcs12 => {
                let opened = KeyStore::from_pkcs12(&self.store, password.unwrap_or(""), Pkcs12ImportPolicy::Strict);
                let store = opened.map_err(|error| pkcs12_error(&error, password))?;
                let (_, entry) =
                    store.private_key_chain().ok_or("PKCS#12: it has no private key with a certificate")?;
                let chain = entry.certs().iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect();
                Ok((chain, PrivatePkcs8KeyDer::from(entry.key().as_der().to_vec()).into()))
            }
            Format::Jks => {
                let store = jks::read(&self.store, password)?;
                let entry = store.keys.into_iter().next().ok_or("JKS: it has no private key")?;
                let key = jks::decrypt_key(&entry.encrypted_key, key_password.unwrap_or(""))?;
                Ok((entry.chain.into_iter().map(CertificateDer::from).collect(), PrivatePkcs8KeyDer::from(key).into()))
            }
        }
    }
}

/// The certificates to trust in a store.
///
/// # Errors
/// What cannot be read, and why; a store without certificates.
pub(super) fn certificates(store: &[u8], password: Option<&str>) -> Result<Chain, String> {
    let found: Chain = match Format::of(store)? {
        Format::Pem => return pem_certificates(store),
        Format::Pkcs12 => {
            let opened = Pkcs12Archive::from_pkcs12(store, password.unwrap_or(""));
            let archive = opened.map_err(|error| pkcs12_error(&error, password))?;
            // Java marks what is to be trusted, others do not.
            let is_marked = archive.certs.iter().any(|bag| bag.trusted);
            let trusted = archive.certs.iter().filter(|bag| bag.trusted || !is_marked);
            trusted.map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect()
        }
        Format::Jks => jks::read(store, password)?.trusted.into_iter().map(CertificateDer::from).collect(),
    };
    if found.is_empty() { Err("it has no certificates to trust".to_owned()) } else { Ok(found) }
}

enum Format {
    Pem,
    Pkcs12,
    Jks,
}

impl Format {
    fn of(bytes: &[u8]) -> Result<Format, String> {
        match bytes {
            [0xFE, 0xED, 0xFE, 0xED, ..] => Ok(Format::Jks),
            [0xCE, 0xCE, 0xCE, 0xCE, ..] => {
                Err("a key store of type JCEKS, which is not supported: convert it with `keytool \
                -importkeystore -srckeystore FILE -destkeystore NEW -deststoretype PKCS12`"
                    .to_owned())
            }
            [0x30, ..] => Ok(Format::Pkcs12),
            _ if find(bytes, "-----BEGIN ").is_some() => Ok(Format::Pem),
            [] => Err("it is empty: expected PEM, PKCS#12 or JKS".to_owned()),
            _ => Err("expected PEM (-----BEGIN …), PKCS#12 or JKS".to_owned()),
        }
    }
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text.as_bytes())
}

/// A wrong password shows as a wrong checksum, which is also what damage looks like.
fn pkcs12_error(error: &p12_keystore::error::Error, password: Option<&str>) -> String {
    use p12_keystore::error::Error::{MacError, Pkcs5Error, UnpadError};
    match (error, password) {
        (MacError(_) | Pkcs5Error(_) | UnpadError, None) => "PKCS#12: it wants a password, and none is set".to_owned(),
        (MacError(_) | Pkcs5Error(_) | UnpadError, Some(_)) => {
            "PKCS#12: the password is wrong, or the store is damaged".to_owned()
        }
        (error, _) => format!("PKCS#12: {error}"),
    }
}

/// Line ends that a variable or a property file has as `\n`.
fn with_line_ends(pem: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(pem).replace("\\n", "\n").into_bytes()
}

fn pem_certificates(pem: &[u8]) -> Result<Chain, String> {
    let pem = with_line_ends(pem);
    let found: Result<Chain, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("PEM: it has no certificate (-----BEGIN CERTIFICATE-----)".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("PEM: a certificate cannot be read: {error}")),
    }
}

fn pem_key(pem: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>, String> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    const CONVERT: &str = "convert it with `openssl pkcs8 -topk8 -in KEY -out NEW`";
    let pem = with_line_ends(pem);
    if let Some(begin) = find(&pem, BEGIN) {
        let text = String::from_utf8_lossy(&pem[begin..]);
        let end = text.find(END).ok_or("PEM: the encrypted private key has no end")? + END.len();
        let (_, document) = SecretDocument::from_pem(&text[..end])
            .map_err(|error| format!("PEM: the private key cannot be read: {error}"))?;
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
            .map_err(|_| format!("PEM: the private key is encrypted in a way that is not supported: {CONVERT}"))?;
        let Some(password) = password else {
            return Err("PEM: the private key is encrypted, and no password is set".to_owned());
        };
        if encrypted.encryption_algorithm.pbes2().is_none() {
            return Err(format!("PEM: the private key is encrypted by PBES1, which is not supported: {CONVERT}"));
        }
        let key = encrypted.decrypt(password).map_err(|_| "PEM: the password of the private key is wrong")?;
        return Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into());
    }
    if find(&pem, "Proc-Type: 4,ENCRYPTED").is_some() {
        return Err(format!("PEM: the private key is encrypted in the old way of OpenSSL: {CONVERT}"));
    }
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| "PEM: it has no private key (-----BEGIN PRIVATE KEY-----, or RSA or EC)".to_owned())
}
