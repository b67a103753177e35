//! The callers whom an entry of a file is for: by name, by group, or everybody.

use std::collections::BTreeMap;

use crate::caller::Caller;
use crate::pattern::Pattern;

/// The members of each team of a file.
pub(crate) type Teams = BTreeMap<String, Vec<String>>;

/// The callers whom an entry is for.
#[derive(Debug)]
pub(crate) struct Callers(Vec<Who>);

#[derive(Debug)]
enum Who {
    Anonymous,
    /// Whoever is recognized.
    Anybody,
    Named(Pattern),
    /// A group of the caller.
    Claim(Pattern),
}

impl Callers {
    /// Reads a list of names, `@team` standing for the members of a team. What was expected in place of each that cannot be read is told to
    /// `fault`.
    pub(crate) fn parse(texts: &[String], teams: &Teams, mut fault: impl FnMut(String)) -> Callers {
        let (mut names, mut is_sound) = (Vec::new(), true);
        for text in texts {
            match text.strip_prefix('@').map(|team| teams.get(team)) {
                None => names.push(text),
                Some(Some(members)) => names.extend(members),
                Some(None) => {
                    is_sound = false;
                    fault(format!("a team of this file, found {text:?}"));
                }
            }
        }
        if names.is_empty() && is_sound {
            fault("at least one name".to_owned());
        }
        let callers = names.into_iter().filter_map(|name| who(name).map_err(&mut fault).ok()).collect();
        Callers(callers)
    }

    /// Whether `caller` is one of them.
    pub(crate) fn include(&self, caller: &Caller) -> bool {
        self.0.iter().any(|who| match who {
            Who::Anonymous => caller.is_anonymous(),
            _ if caller.is_anonymous() => false,
            Who::Anybody => true,
            Who::Named(pattern) => pattern.matches(caller.name(), ""),
            Who::Claim(pattern) => caller.groups().iter().any(|group| pattern.matches(group, "")),
        })
    }

    /// Whether everybody who is recognized is.
    pub(crate) fn are_everybody(&self) -> bool {
        self.0.iter().any(|who| matches!(who, Who::Anybody))
    }

    /// Whether somebody who is recognized could be.
    pub(crate) fn name_anybody(&self) -> bool {
        self.0.iter().any(|who| !matches!(who, Who::Anonymous))
    }
}

fn who(text: &str) -> Result<Who, String> {
    match text {
        "anonymous" => Ok(Who::Anonymous),
        "*" => Ok(Who::Anybody),
        _ if text.starts_with('@') => Err(format!("names in a team, not another team, found {text:?}")),
        _ => match text.strip_prefix("claim:") {
            Some(group) => Pattern::parse(group).map(Who::Claim),
            None => Pattern::parse(text).map(Who::Named),
        },
    }
}
