//! Users that the cluster knows by SCRAM.

use std::num::NonZeroU32;

use postern_kafka::{ScramHash, ScramUser};

use crate::{Error, Proxy};

impl Proxy {
    /// All users that have a password for SCRAM, by name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn scram_users(&self) -> Result<Vec<ScramUser>, Error> {
        Ok(self.cluster().scram_users().await?)
    }

    /// Gives `user` a password for one mechanism, and makes the user where there is none of this name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn set_scram_password(
        &self,
        user: &str,
        hash: ScramHash,
        iterations: NonZeroU32,
        password: String,
    ) -> Result<(), Error> {
        Ok(self.cluster().set_scram_password(user, hash, iterations, password).await?)
    }

    /// Removes the password of `user` for one mechanism.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn delete_scram_password(&self, user: &str, hash: ScramHash) -> Result<(), Error> {
        Ok(self.cluster().delete_scram_password(user, hash).await?)
    }
}
