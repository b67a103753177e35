//! Files of users: `htpasswd`, and the property file of Jetty's realm.

use std::collections::HashMap;

use crate::caller::{Caller, Way};
use crate::password::Password;

/// Users and their passwords. `Debug` is not derived: passwords are secrets.
pub struct Users {
    by_name: HashMap<String, Entry>,
    /// Verified for users that do not exist, so that the time does not tell.
    decoy: Option<Password>,
    roles: Roles,
}

struct Entry {
    password: Password,
    roles: Vec<String>,
}

/// One entry of a realm.
pub struct User<'a> {
    /// The name.
    pub name: &'a str,
    /// `password[,role…]`
    pub value: &'a str,
}

/// Which users may come in at all (`authentication.roles`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roles {
    /// Every user.
    Any,
    /// Those with one of these roles.
    OneOf(Vec<String>),
}

impl Users {
    /// Parses an `htpasswd` file: lines of `user:hash`.
    ///
    /// # Errors
    /// All faults: line, user, what was expected; never a hash.
    pub fn htpasswd(text: &str) -> Result<Users, String> {
        let mut users = Users { by_name: HashMap::new(), decoy: None, roles: Roles::Any };
        let mut faults = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, hash)) = line.split_once(':') else {
                faults.push(format!("line {number}: expected user:hash"));
                continue;
            };
            let entry = Password::hashed(hash.trim()).map(|password| Entry { password, roles: Vec::new() });
            if let Err(fault) = entry.and_then(|entry| users.insert(name, entry)) {
                faults.push(format!("line {number}: user {name:?}: expected {fault}"));
            }
        }
        users.finish(faults)
    }

    /// The users of a Jetty property file, and what is weak about it.
    ///
    /// # Errors
    /// All faults: user, what was expected; never a password.
    pub fn realm<'a>(
        entries: impl IntoIterator<Item = User<'a>>,
        roles: Roles,
    ) -> Result<(Users, Vec<String>), String> {
        let mut users = Users { by_name: HashMap::new(), decoy: None, roles };
        let (mut faults, mut weaknesses) = (Vec::new(), Vec::new());
        for User { name, value } in entries {
            let mut parts = value.split(',').map(str::trim);
            let password = parts.next().unwrap_or_default();
            let roles = parts.filter(|role| !role.is_empty()).map(str::to_owned).collect();
            let entry = Password::of_realm(password).map(|(password, weakness)| {
                weaknesses.extend(weakness.map(|weakness| format!("the password of {name:?} {weakness}")));
                Entry { password, roles }
            });
            if let Err(fault) = entry.and_then(|entry| users.insert(name, entry)) {
                faults.push(format!("user {name:?}: expected {fault}"));
            }
        }
        Ok((users.finish(faults)?, weaknesses))
    }

    fn insert(&mut self, name: &str, entry: Entry) -> Result<(), String> {
        if let Err(invalid) = Caller::new(Way::Basic, name, entry.roles.clone()) {
            return Err(invalid.to_string());
        }
        match self.by_name.insert(name.to_owned(), entry) {
            None => Ok(()),
            Some(_) => Err("one line for each user, found a second one".to_owned()),
        }
    }

    fn finish(mut self, mut faults: Vec<String>) -> Result<Users, String> {
        if faults.is_empty() && self.by_name.is_empty() {
            faults.push("expected at least one user".to_owned());
        }
        self.decoy = self.by_name.values().map(|entry| &entry.password).max_by_key(|hash| hash.cost()).cloned();
        match faults.is_empty() {
            true => Ok(self),
            false => Err(faults.join("; ")),
        }
    }

    /// The caller with this name and password; `None`: there is none. Takes as long as hashing does: up to a second.
    pub fn verify(&self, name: &str, password: &str) -> Option<Caller> {
        let Some(entry) = self.by_name.get(name) else {
            if let Some(decoy) = &self.decoy {
                std::hint::black_box(decoy.verify(password));
            }
            return None;
        };
        let is_right = entry.password.verify(password);
        let is_let_in = match &self.roles {
            Roles::Any => true,
            Roles::OneOf(names) => entry.roles.iter().any(|role| names.contains(role)),
        };
        (is_right && is_let_in).then(|| Caller::new(Way::Basic, name, entry.roles.clone()).ok()).flatten()
    }

    /// Whether verifying a password may take more than a millisecond.
    pub fn is_costly(&self) -> bool {
        self.decoy.as_ref().is_some_and(|password| password.cost() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";

    #[test]
    fn a_file_of_users_is_read_whole_and_its_faults_are_named_at_once() {
        let users = Users::htpasswd(&format!("# telescope\nana:{HASH}\n\nben:{HASH}\n"));
        let users = users.unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(users.verify("ana", "password").map(|caller| caller.name().to_owned()), Some("ana".to_owned()));
        assert_eq!(users.verify("ana", "wrong"), None);
        assert_eq!(users.verify("eve", "password"), None);
        let faults = Users::htpasswd(&format!("ana:{HASH}\nben:canary\nnobody\nana:{HASH}\n")).err();
        let faults = faults.expect("refused");
        for expected in ["line 2: user \"ben\"", "line 3", "line 4: user \"ana\""] {
            assert!(faults.contains(expected), "{faults}");
        }
        assert!(!faults.contains("canary"));
        assert!(Users::htpasswd("").is_err());
    }

    #[test]
    fn roles_decide_who_comes_in() {
        let entries = [User { name: "ana", value: "a,admin,user" }, User { name: "ben", value: "b" }];
        let one_of = Roles::OneOf(vec!["user".to_owned()]);
        let Ok((users, weaknesses)) = Users::realm(entries, one_of) else { panic!("refused") };
        let ana = users.verify("ana", "a").expect("let in");
        assert_eq!(ana.groups(), ["admin", "user"]);
        assert_eq!(users.verify("ben", "b"), None);
        assert_eq!(weaknesses.len(), 2);
        assert!(!users.is_costly());
    }
}
