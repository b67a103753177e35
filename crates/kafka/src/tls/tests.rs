//! Stores made by openssl 3 and keytool 17 (`tests/stores/README.md` says how), and what is said of those that cannot be used.

use std::{fs, path::Path};

use super::*;

fn stored(name: &str) -> Source {
    Source::File(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name))
}

fn password(text: &str) -> Option<Source> {
    (!text.is_empty()).then(|| Source::inline(text))
}

fn load(settings: &Tls) -> Result<Loaded, String> {
    Material::read(settings).and_then(|material| material.load(settings))
}

fn with_trust(store: Source, text: &str) -> Tls {
    Tls { trust: Some(TrustStore { store, password: password(text) }), ..Tls::default() }
}

fn with_key(store: Source, key: Option<Source>, store_password: &str, key_password: &str) -> Tls {
    let key = KeyStore { store, key, password: password(store_password), key_password: password(key_password) };
    Tls { key: Some(key), ..with_trust(stored("ca.pem"), "") }
}

#[test]
fn trust_stores_are_told_apart_by_content() {
    for (name, text) in [
        ("ca.pem", ""),
        ("chain.pem", ""),
        ("trust.p12", "changeit"),
        ("trust-openssl.p12", "changeit"),
        ("trust.jks", "changeit"),
        ("trust.jks", ""),
    ] {
        load(&with_trust(stored(name), text)).map(|_| ()).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    }
    let in_one_line = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/ca.pem"));
    let in_one_line = in_one_line.expect("there").replace('\n', "\\n");
    load(&with_trust(Source::inline(in_one_line), "")).map(|_| ()).expect("PEM of a variable");
}

#[test]
fn key_stores_are_told_apart_by_content() {
    for (name, key, store_password, key_password) in [
        ("chain.pem", "client.key", "", ""),
        ("chain.pem", "client-ec.key", "", ""),
        ("chain.pem", "client-encrypted.key", "", "changeit"),
        ("client.p12", "", "changeit", ""),
        ("client-legacy.p12", "", "changeit", ""),
        ("keytool.p12", "", "changeit", ""),
        ("client.jks", "", "changeit", "keypass"),
    ] {
        let settings = with_key(stored(name), (!key.is_empty()).then(|| stored(key)), store_password, key_password);
        load(&settings).map(|_| ()).unwrap_or_else(|reason| panic!("{name} {key}: {reason}"));
    }
}

/// A client certificate goes out with those that signed it.
#[test]
fn chains_are_complete() {
    for (name, store_password, key_password) in [
        ("chain.pem", "", "changeit"),
        ("client.p12", "changeit", ""),
        ("keytool.p12", "changeit", ""),
        ("client.jks", "changeit", "keypass"),
    ] {
        let key = (name == "chain.pem").then(|| stored("client.key"));
        let settings = with_key(stored(name), key, store_password, key_password);
        let material = Material::read(&settings).expect("read").key.expect("set");
        assert_eq!(material.chain_and_key().expect("sound").0.len(), 2, "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_store_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |content: &[u8]| {
        let path = folder.path().join(format!("{}", fastrand::u64(..)));
        fs::write(&path, content).expect("written");
        Source::File(path)
    };
    let bytes = |name: &str| stored(name).read().expect("there");
    let damaged = |name: &str| {
        let mut content = bytes(name);
        let middle = content.len() / 2;
        content[middle] ^= 1;
        file(&content)
    };
    let truncated = |name: &str| file(&bytes(name)[..100]);
    for (settings, expected) in [
        (with_trust(stored("trust.p12"), "wrong"), "password is wrong"),
        (with_trust(stored("trust.p12"), ""), "wants a password"),
        (with_trust(stored("trust.jks"), "wrong"), "password is wrong"),
        (with_trust(damaged("trust.jks"), "changeit"), "damaged"),
        (with_trust(truncated("trust.jks"), ""), "damaged"),
        (with_trust(truncated("trust.p12"), "changeit"), "PKCS#12"),
        (with_trust(stored("client.jks"), "changeit"), "no certificates to trust"),
        (with_trust(stored("client.key"), ""), "no certificate"),
        (with_trust(file(b""), ""), "empty"),
        (with_trust(file(b"hello"), ""), "expected PEM"),
        (with_trust(file(&[0xCE, 0xCE, 0xCE, 0xCE]), ""), "JCEKS"),
        (with_trust(stored("missing"), ""), "No such file"),
        (with_key(stored("client.jks"), None, "changeit", ""), "password of the private key is wrong"),
        (with_key(stored("trust.jks"), None, "changeit", ""), "no private key"),
        (with_key(stored("trust.p12"), None, "changeit", ""), "no private key"),
        (with_key(stored("client.p12"), None, "wrong", ""), "password is wrong"),
        (
            with_key(stored("chain.pem"), Some(stored("client-encrypted.key")), "", "wrong"),
            "password of the private key is wrong",
        ),
        (with_key(stored("chain.pem"), Some(stored("client-encrypted.key")), "", ""), "no password is set"),
        (with_key(stored("chain.pem"), Some(stored("client-old.key")), "", "changeit"), "openssl pkcs8"),
        (with_key(stored("chain.pem"), None, "", ""), "no private key"),
        (with_key(stored("ca.pem"), Some(stored("client.key")), "", ""), "cannot be used"),
    ] {
        let reason = load(&settings).err().unwrap_or_else(|| panic!("{settings:?} was taken"));
        assert!(reason.contains(expected), "{reason}: expected {expected}");
        assert!(reason.contains("store"), "{reason}: which store");
    }
}

/// No content of a store may panic, and none takes memory that the store does not have.
#[test]
fn damaged_stores_are_refused_or_read() {
    for name in ["client.jks", "trust.jks", "client.p12"] {
        let content = stored(name).read().expect("there");
        for at in (0..content.len()).step_by(7) {
            let mut damaged = content.clone();
            damaged[at] ^= 0xFF;
            let _ = stores::certificates(&damaged, None);
            let _ = stores::certificates(&content[..at], None);
        }
    }
}

#[tokio::test]
async fn changed_certificates_are_used_and_unreadable_ones_are_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("trust.pem");
    let copy = |name: &str| fs::write(&path, stored(name).read().expect("there")).expect("written");
    copy("ca.pem");
    let tls = Arc::new(ClientTls::new(with_trust(Source::File(path.clone()), "")).expect("sound"));
    let first = tls.config().await;
    assert!(Arc::ptr_eq(&first, &tls.config().await), "nothing has changed");
    fs::write(&path, "half of a").expect("written");
    assert!(Arc::ptr_eq(&first, &tls.config().await), "it is being written");
    copy("chain.pem");
    let second = tls.config().await;
    assert!(!Arc::ptr_eq(&first, &second), "it has changed");
    fs::remove_file(&path).expect("removed");
    assert!(Arc::ptr_eq(&second, &tls.config().await), "it is away");
}

#[test]
fn the_name_to_check_is_the_host() {
    for (address, name) in [
        ("kafka-1.example.org:9093", "kafka-1.example.org"),
        ("kafka-1.example.org.:9093", "kafka-1.example.org"),
        ("127.0.0.1:9093", "127.0.0.1"),
        ("[::1]:9093", "::1"),
    ] {
        assert_eq!(server_name(address).expect("a name").to_str(), name);
    }
    assert!(server_name("not a host:1").expect_err("a blank").message.contains("neither a DNS name"));
}
