//! Exchanges with brokers that accept, refuse, or answer what is not true.

use super::*;
use crate::settings::ScramHash;

fn plain(password: Source) -> Arc<Authenticator> {
    Arc::new(Authenticator::new(Sasl::Plain { user: "ana".to_owned(), password }).expect("sound"))
}

fn token(text: &str) -> Arc<Authenticator> {
    let token = TokenSource::Given(Source::inline(text));
    Arc::new(Authenticator::new(Sasl::OAuthBearer { token, extensions: Vec::new() }).expect("sound"))
}

/// Carries one exchange to a broker that answers in turn; returns what it was asked, and the outcome.
async fn exchange(
    authenticator: &Arc<Authenticator>,
    answers: Vec<SaslAnswer>,
) -> (Vec<String>, Result<SessionLifetime, Error>) {
    let (conversation, mut calls) = Conversation::new();
    let broker = async move {
        let mut asked = Vec::new();
        let mut answers = answers.into_iter();
        while let Some((request, reply)) = calls.recv().await {
            asked.push(match request {
                SaslRequest::Handshake(mechanism) => mechanism.to_owned(),
                SaslRequest::Authenticate(data) => String::from_utf8_lossy(&data).into_owned(),
            });
            if let Some(answer) = answers.next() {
                let _ = reply.send(answer);
            }
        }
        asked
    };
    let client = authenticator.clone().authenticate("kafka:9093".to_owned(), conversation);
    tokio::join!(broker, client)
}

fn accepted() -> SaslAnswer {
    SaslAnswer::default()
}

fn refused(sentence: &str) -> SaslAnswer {
    SaslAnswer { code: 58, message: Some(sentence.to_owned()), ..SaslAnswer::default() }
}

#[tokio::test]
async fn plain_sends_user_and_password() {
    let ana = plain(Source::inline("pässword"));
    let lifetime = SaslAnswer { session_lifetime_ms: 3000, ..SaslAnswer::default() };
    let (asked, outcome) = exchange(&ana, vec![accepted(), lifetime]).await;
    assert_eq!(asked, ["PLAIN", "\0ana\0pässword"]);
    assert_eq!(outcome, Ok(Some(Duration::from_secs(3))));
    let (_, outcome) = exchange(&ana, vec![accepted(), accepted()]).await;
    assert_eq!(outcome, Ok(None));
}

/// However many connections want to be opened: the broker is asked again after pauses of 1 s to 60 s.
#[tokio::test(start_paused = true)]
async fn refused_credentials_are_tried_again_after_growing_pauses() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("password");
    std::fs::write(&path, "canary-secret\n").expect("written");
    let ana = plain(Source::File(path.clone()));
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        let (asked, outcome) = exchange(&ana, vec![accepted(), refused("Invalid username or password")]).await;
        assert_eq!(asked.len(), 2);
        let error = outcome.expect_err("refused");
        assert_eq!((error.kind, error.name.as_str()), (ErrorKind::Authentication, "SASL_AUTHENTICATION_FAILED"));
        for part in ["kafka:9093", "PLAIN", "'ana'", "Invalid username or password"] {
            assert!(error.message.contains(part), "{error}");
        }
        assert!(!format!("{error} {error:?} {ana:?}").contains("canary"), "{error}");
        for _ in 0..3 {
            let (asked, outcome) = exchange(&ana, vec![]).await;
            assert!(asked.is_empty(), "{asked:?}");
            assert_eq!(outcome, Err(error.clone()));
        }
        tokio::time::advance(Duration::from_secs(pause)).await;
    }
    let (_, outcome) = exchange(&ana, vec![accepted(), refused("no")]).await;
    outcome.expect_err("refused");
    // Another password is tried at once.
    std::fs::write(&path, "another").expect("written");
    let (asked, outcome) = exchange(&ana, vec![accepted(), accepted()]).await;
    assert_eq!((asked[1].as_str(), outcome), ("\0ana\0another", Ok(None)));
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_named() {
    let offered = vec!["GSSAPI".to_owned(), "SCRAM-SHA-512".to_owned()];
    let answer = SaslAnswer { code: 33, mechanisms: offered, ..SaslAnswer::default() };
    let error = exchange(&plain(Source::inline("x")), vec![answer]).await.1.expect_err("refused");
    assert_eq!((error.kind, error.name.as_str()), (ErrorKind::Authentication, "UNSUPPORTED_SASL_MECHANISM"));
    assert!(error.message.contains("GSSAPI, SCRAM-SHA-512"), "{error}");
    let answer = SaslAnswer { code: 34, ..SaslAnswer::default() };
    let error = exchange(&plain(Source::inline("x")), vec![answer]).await.1.expect_err("refused");
    assert!(error.message.contains("does not want SASL"), "{error}");
}

/// A broker that closes the connection has not refused anything.
#[tokio::test]
async fn a_connection_that_ends_is_no_refusal() {
    let ana = plain(Source::inline("x"));
    let error = exchange(&ana, vec![accepted()]).await.1.expect_err("it ended");
    assert_eq!(error.kind, ErrorKind::BrokerUnavailable);
    assert_eq!(exchange(&ana, vec![accepted(), accepted()]).await.1, Ok(None));
}

#[tokio::test]
async fn a_server_that_does_not_know_the_password_is_not_believed() {
    let scram = Sasl::Scram { hash: ScramHash::Sha512, user: "ana".to_owned(), password: Source::inline("x") };
    let scram = Arc::new(Authenticator::new(scram).expect("sound"));
    // It cannot continue our nonce because it has to be known first: any answer is refused before the proof is sent.
    let data = Bytes::from_static(b"r=made-up,s=AAAA,i=4096");
    let (asked, outcome) = exchange(&scram, vec![accepted(), SaslAnswer { data, ..SaslAnswer::default() }]).await;
    assert_eq!(asked.len(), 2, "no proof was sent");
    let error = outcome.expect_err("refused");
    assert!(error.kind == ErrorKind::Authentication && error.message.contains("does not continue ours"), "{error}");
}

#[tokio::test]
async fn a_token_that_is_refused_ends_the_exchange() {
    let bearer = token("e30.e30.x\n");
    let (asked, outcome) = exchange(&bearer, vec![accepted(), accepted()]).await;
    assert_eq!(asked, ["OAUTHBEARER", "n,,\u{1}auth=Bearer e30.e30.x\u{1}\u{1}"]);
    assert_eq!(outcome, Ok(None));
    let data = Bytes::from_static(br#"{"status":"invalid_token"}"#);
    let invalid = SaslAnswer { data, ..SaslAnswer::default() };
    let (asked, outcome) =
        exchange(&bearer, vec![accepted(), invalid, refused("{\"status\":\"invalid_token\"}")]).await;
    assert_eq!(asked[2], "\u{1}");
    let error = outcome.expect_err("refused");
    assert!(error.kind == ErrorKind::Authentication && error.message.contains("invalid_token"), "{error}");
    assert!(!error.message.contains("e30"), "{error}");
    let (asked, outcome) = exchange(&token("with blank"), vec![accepted()]).await;
    assert_eq!(asked, ["OAUTHBEARER"], "what is no token is not sent");
    assert!(outcome.expect_err("no token").message.contains("visible ASCII"));
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let missing = || Source::File("/nonexistent/password".into());
    let user = || "ana".to_owned();
    let client = |endpoint: &str| crate::ClientCredentials {
        endpoint: endpoint.to_owned(),
        client_id: "postern".to_owned(),
        client_secret: Source::inline("x"),
        scope: None,
        audience: None,
        trust: None,
    };
    let bearer = |token: TokenSource| Sasl::OAuthBearer { token, extensions: Vec::new() };
    for (sasl, expected) in [
        (Sasl::Plain { user: user(), password: missing() }, "/nonexistent/password"),
        (Sasl::Plain { user: String::new(), password: Source::inline("x") }, "expected a user name"),
        (bearer(TokenSource::Given(missing())), "/nonexistent/password"),
        (bearer(TokenSource::ClientCredentials(client("issuer/token"))), "expected a URL"),
        (bearer(TokenSource::ClientCredentials(client("ftp://issuer/token"))), "expected a URL"),
    ] {
        let error = Authenticator::new(sasl).expect_err("refused");
        assert!(error.kind == ErrorKind::InvalidRequest && error.message.contains(expected), "{error}");
    }
}
