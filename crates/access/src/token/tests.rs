//! Tokens signed in the test, and what is wrong with others.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;

struct Issuer {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    fn new() -> Issuer {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).expect("random bytes");
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("random bytes");
        Issuer {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect("its own key"),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).expect("its own key"),
        }
    }

    fn keys(&self) -> KeySet {
        let point = self.ec.public_key().as_ref();
        let document = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": base64(self.ed.public_key())},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": base64(&point[1..33]), "y": base64(&point[33..])},
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
            {"kty": "new", "kid": "unknown"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "encrypts", "use": "enc", "x": base64(self.ed.public_key())},
        ]});
        KeySet::parse(&document.to_string()).expect("a set")
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let message = format!("{}.{}", base64(header.to_string()), base64(claims));
        let signature = match header["alg"].as_str() {
            Some("ES256") => self.ec.sign(&SystemRandom::new(), message.as_bytes()).expect("signed").as_ref().to_vec(),
            _ => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", base64(signature))
    }
}

fn rules() -> TokenRules {
    TokenRules {
        issuer: "https://issuer".to_owned(),
        audience: vec!["postern".to_owned()],
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256],
        name_claim: "sub".to_owned(),
        groups_claim: Some("realm.roles".to_owned()),
        skew: Duration::from_secs(60),
    }
}

fn claims() -> Value {
    json!({"iss": "https://issuer", "aud": ["other", "postern"], "sub": "ana", "exp": NOW + 600, "iat": NOW,
           "realm": {"roles": ["lsst"]}})
}

fn verify(issuer: &Issuer, token: &str) -> Result<VerifiedToken, TokenFault> {
    rules().verify(token, &issuer.keys(), UNIX_EPOCH + Duration::from_secs(NOW))
}

fn ed() -> Value {
    json!({"alg": "EdDSA", "kid": "ed"})
}

#[test]
fn a_token_names_its_caller() {
    let issuer = Issuer::new();
    for header in [ed(), json!({"alg": "ES256", "kid": "ec", "typ": "at+jwt"}), json!({"alg": "EdDSA"})] {
        let verified = verify(&issuer, &issuer.sign(&header, &claims().to_string())).expect("valid");
        assert_eq!((verified.caller.name(), verified.caller.groups()), ("ana", &["lsst".to_owned()][..]));
        assert_eq!(verified.expires, UNIX_EPOCH + Duration::from_secs(NOW + 660));
    }
    // Blanks between groups, a single audience, and times with fractions are the same.
    let mut other = claims();
    other["aud"] = json!("postern");
    other["realm"] = json!({"roles": "lsst verify"});
    other["exp"] = json!(NOW as f64 - 59.5);
    let verified = verify(&issuer, &issuer.sign(&ed(), &other.to_string())).expect("valid");
    assert_eq!(verified.caller.groups(), ["lsst", "verify"]);
}

#[test]
fn claims_that_are_wrong_or_unreadable_refuse() {
    let issuer = Issuer::new();
    for (name, value, expected) in [
        ("exp", json!(NOW - 60), TokenFault::Expired),
        ("exp", json!(NOW as f64 - 60.5), TokenFault::Expired),
        ("exp", json!("1900000000"), TokenFault::Claim("exp".to_owned())),
        ("exp", Value::Null, TokenFault::Claim("exp".to_owned())),
        ("nbf", json!(NOW + 61), TokenFault::NotYetValid),
        ("nbf", json!("soon"), TokenFault::Claim("nbf".to_owned())),
        ("iat", json!(NOW + 61), TokenFault::NotYetValid),
        ("iss", json!("https://issuer/"), TokenFault::Issuer),
        ("iss", json!(["https://issuer"]), TokenFault::Claim("iss".to_owned())),
        ("aud", json!("other"), TokenFault::Audience),
        ("aud", json!([]), TokenFault::Audience),
        ("aud", json!({"postern": 1}), TokenFault::Claim("aud".to_owned())),
        ("sub", json!(7), TokenFault::Claim("sub".to_owned())),
        ("sub", json!("a\nb"), TokenFault::Claim("sub".to_owned())),
        ("cnf", json!({"jkt": "x"}), TokenFault::Malformed("it is bound to a key of its owner")),
    ] {
        let mut changed = claims();
        changed[name] = value.clone();
        let refused = verify(&issuer, &issuer.sign(&ed(), &changed.to_string()));
        assert_eq!(refused, Err(expected), "{name} = {value}");
    }
    for name in ["exp", "iss", "aud", "sub"] {
        let mut without = claims();
        without.as_object_mut().expect("an object").remove(name);
        let refused = verify(&issuer, &issuer.sign(&ed(), &without.to_string()));
        assert_eq!(refused, Err(TokenFault::Claim(name.to_owned())));
    }
    let twice = claims().to_string().replacen('{', "{\"sub\":\"eve\",", 1);
    assert!(verify(&issuer, &issuer.sign(&ed(), &twice)).is_err());
}

#[test]
fn the_token_does_not_choose_how_it_is_verified() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let claims = claims().to_string();
    for (header, expected) in [
        (json!({"alg": "none"}), TokenFault::Algorithm),
        (json!({"alg": "HS256", "kid": "shared"}), TokenFault::Algorithm),
        (json!({"alg": "PS256", "kid": "ed"}), TokenFault::Algorithm),
        (json!({"kid": "ed"}), TokenFault::Algorithm),
        (json!({"alg": "RS256", "kid": "ed"}), TokenFault::UnknownKey),
        (json!({"alg": "EdDSA", "kid": "forged"}), TokenFault::UnknownKey),
        (json!({"alg": "EdDSA", "kid": "encrypts"}), TokenFault::UnknownKey),
        (json!({"alg": "EdDSA", "kid": 7}), TokenFault::Malformed("its kid is no string")),
        (json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"]}), TokenFault::Malformed("it has critical extensions")),
        (json!({"alg": "EdDSA", "kid": "ed", "typ": "dpop+jwt"}), TokenFault::Malformed("it is of another type")),
    ] {
        assert_eq!(verify(&issuer, &issuer.sign(&header, &claims)), Err(expected), "{header}");
    }
    assert_eq!(verify(&issuer, &other.sign(&ed(), &claims)), Err(TokenFault::Signature));
    let signed = issuer.sign(&ed(), &claims);
    let (message, _) = signed.rsplit_once('.').expect("three parts");
    assert_eq!(verify(&issuer, &format!("{message}.")), Err(TokenFault::Signature));
    for text in ["", "a", "a.b", "..", "a.b.c.d", "e30.e30.e30"] {
        assert!(verify(&issuer, text).is_err(), "{text}");
    }
    assert!(matches!(verify(&issuer, &"a".repeat(17 << 10)), Err(TokenFault::Malformed(_))));
}

#[test]
fn a_set_without_keys_is_none() {
    for text in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#] {
        assert!(KeySet::parse(text).is_err(), "{text}");
    }
    let short = format!(r#"{{"keys":[{{"kty":"RSA","n":"{}","e":"AQAB"}}]}}"#, base64([255; 128]));
    assert!(KeySet::parse(&short).is_err(), "RSA of 1024 bits");
}
