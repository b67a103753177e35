//! API v3: ACLs. The embedded broker has no authorizer; what a cluster with one answers is in `conformance/v3-acls.json`.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn without_an_authorizer_the_cluster_refuses_in_its_own_words() {
    let app = TestApp::start().await;
    let acl = json!({"resource_type": "TOPIC", "resource_name": "t", "pattern_type": "LITERAL", "principal": "User:a",
        "host": "*", "operation": "READ", "permission": "ALLOW"});
    for reply in [
        app.get(&app.v3("acls")).await,
        app.get(&app.v3("acls?resource_type=topic&operation=Read&principal=User:a")).await,
        app.post(&app.v3("acls"), acl.clone()).await,
        app.post(&app.v3("acls:batch"), json!({"data": [acl, acl]})).await,
        app.delete(&app.v3("acls?resource_type=any&pattern_type=any&operation=any&permission=any")).await,
    ] {
        assert_eq!(reply.refusal(), (400, 40002), "{reply:?}");
        assert!(
            reply.message().contains("Authorizer") && reply.message().ends_with("(SECURITY_DISABLED)"),
            "{reply:?}"
        );
    }
    assert_eq!(app.post(&app.v3("acls:batch"), json!({"data": []})).await.status, 204);
}

#[tokio::test]
async fn what_is_no_search_or_acl_is_refused_before_the_cluster_is_asked() {
    let app = TestApp::start().await;
    for (query, expected) in [
        ("resource_type=TABLE", (404, 404)),
        ("pattern_type=GLOB", (404, 404)),
        ("operation=TWO_PHASE_COMMIT", (404, 404)),
        ("permission=", (404, 404)),
        ("resource_type=UNKNOWN", (400, 400)),
        ("permission=unknown", (400, 400)),
    ] {
        assert_eq!(app.get(&app.v3(&format!("acls?{query}"))).await.refusal(), expected, "{query}");
    }
    for (query, expected) in [
        ("", (400, 400)),
        ("resource_type=TOPIC&pattern_type=LITERAL&operation=READ", (400, 400)),
        ("resource_type=UNKNOWN&pattern_type=LITERAL&operation=READ&permission=ALLOW", (400, 400)),
        ("resource_type=TABLE&pattern_type=LITERAL&operation=READ&permission=ALLOW", (404, 404)),
    ] {
        let reply = app.delete(&app.v3(&format!("acls?{query}"))).await;
        assert_eq!(reply.refusal(), expected, "{query}");
    }
    let missing = app.post(&app.v3("acls"), json!({"resource_type": "TOPIC"})).await;
    assert_eq!(missing.refusal(), (400, 400));
    assert_eq!(missing.message(), "resource_name is missing: it is required, and must not be null.");
    assert_eq!(app.post(&app.v3("acls"), json!(null)).await.refusal(), (422, 42206));
}
