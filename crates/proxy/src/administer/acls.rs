//! ACLs. The cluster keeps them, and refuses all of this where it has no authorizer.

use postern_kafka::{Acl, AclFilter};

use crate::{Error, Proxy};

impl Proxy {
    /// The ACLs that fit, sorted.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        Ok(self.cluster().acls(filter).await?)
    }

    /// Creates ACLs; one that is there already counts as created.
    ///
    /// # Errors
    /// [`Error::Cluster`] where none was created, [`Error::AclsNotCreated`] where some were.
    pub async fn create_acls(&self, acls: &[Acl]) -> Result<(), Error> {
        if acls.is_empty() {
            return Ok(());
        }
        let results = self.cluster().create_acls(acls).await?;
        let (count, mut refused) = (results.len(), Vec::new());
        for (at, result) in results.into_iter().enumerate() {
            refused.extend(result.err().map(|error| (at, error)));
        }
        match refused.len() {
            0 => Ok(()),
            all if all == count => Err(refused.swap_remove(0).1.into()),
            some => Err(Error::AclsNotCreated { refused, created: count - some }),
        }
    }

    /// Deletes the ACLs that fit, and returns them, sorted.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn delete_acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        Ok(self.cluster().delete_acls(filter).await?)
    }
}
