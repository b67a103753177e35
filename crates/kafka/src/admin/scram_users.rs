//! Users that prove themselves by SCRAM: listed, given a password, removed. Source: KIP-554.
//!
//! A password does not leave this process: it is salted here, as Kafka's own tools do, and brokers get the result.

use std::num::NonZeroU32;

use bytes::Bytes;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
    alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
};
use ring::rand::{SecureRandom, SystemRandom};

use super::{Admin, changed, checked, not_answered, text};
use crate::{Error, ScramHash};

/// A user, and how it can prove itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramUser {
    /// The name.
    pub name: String,
    /// One for each mechanism.
    pub credentials: Vec<ScramCredential>,
}

/// That there is a password for a mechanism; brokers do not say more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScramCredential {
    /// The mechanism; `None`: a broker may be newer than we are.
    pub hash: Option<ScramHash>,
    /// How often the password was hashed.
    pub iterations: i32,
}

impl Admin {
    /// All users that have a password, by name.
    pub(crate) async fn scram_users(&self) -> Result<Vec<ScramUser>, Error> {
        let build = |_| DescribeUserScramCredentialsRequest::default().with_users(None);
        let asked = self.ask_controller(true, build, |response| Some(response.error_code)).await;
        let response = asked.map_err(|failed| failed.error)?;
        checked(response.error_code, response.error_message.as_ref())?;
        let mut users = Vec::with_capacity(response.results.len());
        for user in response.results {
            checked(user.error_code, user.error_message.as_ref())?;
            let credential = |mechanism: i8, iterations: i32| ScramCredential { hash: numbered(mechanism), iterations };
            let mut credentials: Vec<_> =
                user.credential_infos.iter().map(|info| credential(info.mechanism, info.iterations)).collect();
            credentials.sort_unstable_by_key(|credential| credential.hash.map(number));
            users.push(ScramUser { name: user.user.to_string(), credentials });
        }
        users.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    /// Gives `user` a password for one mechanism; a new user where there is none of this name.
    pub(crate) async fn set_scram_password(
        &self,
        user: &str,
        hash: ScramHash,
        iterations: NonZeroU32,
        password: String,
    ) -> Result<(), Error> {
        let mut salt = [0; 24];
        SystemRandom::new().fill(&mut salt).expect("the system has random bytes");
        let salted = hash.salted_elsewhere(password, salt.to_vec(), iterations).await?;
        let upsertion = ScramCredentialUpsertion::default()
            .with_name(text(user))
            .with_mechanism(number(hash))
            .with_iterations(i32::try_from(iterations.get()).unwrap_or(i32::MAX))
            .with_salt(Bytes::copy_from_slice(&salt))
            .with_salted_password(salted.into());
        self.alter_scram(AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion])).await
    }

    /// Removes the password of `user` for one mechanism.
    pub(crate) async fn delete_scram_password(&self, user: &str, hash: ScramHash) -> Result<(), Error> {
        let deletion = ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(number(hash));
        self.alter_scram(AlterUserScramCredentialsRequest::default().with_deletions(vec![deletion])).await
    }

    async fn alter_scram(&self, request: AlterUserScramCredentialsRequest) -> Result<(), Error> {
        let code =
            |response: &AlterUserScramCredentialsResponse| response.results.first().map(|result| result.error_code);
        let response = self.change(move |_| request.clone(), code).await?;
        let result = response.results.into_iter().next().ok_or_else(not_answered)?;
        changed(result.error_code, result.error_message.as_ref())
    }
}

/// The mechanisms, as the protocol numbers them.
fn number(hash: ScramHash) -> i8 {
    match hash {
        ScramHash::Sha256 => 1,
        ScramHash::Sha512 => 2,
    }
}

fn numbered(mechanism: i8) -> Option<ScramHash> {
    [ScramHash::Sha256, ScramHash::Sha512].into_iter().find(|hash| number(*hash) == mechanism)
}
