//! Users that prove themselves by SCRAM.

use std::num::NonZeroU32;

use postern_kafka::{Cluster, ErrorKind, Sasl, ScramHash, ScramUser, Settings, Source};

use crate::target::{Target, fresh_name};

/// The user as the cluster has it, once `is_expected` holds: the broker that is asked hears of a change a moment later.
async fn user(cluster: &Cluster, name: &str, is_expected: impl Fn(Option<&ScramUser>) -> bool) -> Option<ScramUser> {
    loop {
        let users = cluster.scram_users().await.expect("described");
        let found = users.into_iter().find(|user| user.name == name);
        if is_expected(found.as_ref()) {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

/// The embedded broker knows no users.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_a_password_for_each_mechanism() {
    let target = Target::start().await;
    let (cluster, name) = (&target.cluster, fresh_name().to_string());
    let iterations = |count: u32| NonZeroU32::new(count).expect("positive");
    if let Err(error) = cluster.scram_users().await {
        assert_eq!((error.kind, &*error.name), (ErrorKind::InvalidRequest, "UNSUPPORTED_VERSION"));
        return;
    }
    let few = cluster.set_scram_password(&name, ScramHash::Sha256, iterations(5), "secret".to_owned()).await;
    assert_eq!(few.expect_err("too few iterations").kind, ErrorKind::InvalidRequest);
    for (hash, count) in [(ScramHash::Sha256, 4096), (ScramHash::Sha512, 8192)] {
        cluster.set_scram_password(&name, hash, iterations(count), "secret".to_owned()).await.expect("set");
    }
    let found = user(cluster, &name, |user| user.is_some_and(|user| user.credentials.len() == 2)).await;
    let credentials: Vec<_> =
        found.iter().flat_map(|user| &user.credentials).map(|one| (one.hash, one.iterations)).collect();
    assert_eq!(credentials, [(Some(ScramHash::Sha256), 4096), (Some(ScramHash::Sha512), 8192)]);

    // Where the cluster asks for SCRAM, the password is one.
    let mut settings: Settings = target.settings();
    if let Some(sasl @ Sasl::Scram { .. }) = &mut settings.security.sasl {
        let password = Source::inline("secret");
        *sasl = Sasl::Scram { hash: ScramHash::Sha512, user: name.clone(), password };
        let as_the_user = Cluster::connect(settings).expect("the settings are sound");
        as_the_user.describe_cluster().await.expect("it is let in");
    }

    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        cluster.delete_scram_password(&name, hash).await.expect("deleted");
    }
    assert_eq!(user(cluster, &name, |user| user.is_none()).await, None);
    let again = cluster.delete_scram_password(&name, ScramHash::Sha512).await.expect_err("it is gone");
    assert_eq!((again.kind, &*again.name), (ErrorKind::UnknownResource, "RESOURCE_NOT_FOUND"));
}
