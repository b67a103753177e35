//! What one caller may do: the rules, asked.

use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::caller::Caller;
use crate::right::{Kind, Right};
use crate::rules::{Limits, Rule, Rules};

/// Patterns that a denial lists.
const SHOWN_MAX: usize = 10;

/// What one caller may do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Permissions {
    caller: Arc<Caller>,
    /// `None`: nobody is told what they may.
    rules: Option<Arc<Rules>>,
}

/// What is missing, as a sentence that says what the caller may do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    message: String,
    is_anonymous: bool,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Denied {
    /// Whether the caller has not said who it is: that might help.
    pub fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }
}

/// A topic that somebody wants to create.
#[derive(Clone, Debug, Default)]
pub struct TopicRequest<'a> {
    /// `None`: as the rule or the cluster has it.
    pub partitions: Option<i32>,
    /// Likewise.
    pub replicas: Option<i16>,
    /// Whether the brokers of each replica are named.
    pub has_assignments: bool,
    /// Names of configs.
    pub configs: Vec<&'a str>,
}

/// How a topic is created where the request leaves it open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// `None`: as the cluster has it.
    pub partitions: Option<i32>,
    /// Likewise.
    pub replicas: Option<i16>,
    /// Configs beside those of the request.
    pub configs: Vec<(String, String)>,
}

impl Creation {
    /// What `limits` say where a request leaves it open.
    fn open(limits: &Limits, request: &TopicRequest<'_>) -> Creation {
        let configs = limits.default_configs.iter().filter(|(name, _)| !request.configs.contains(&name.as_str()));
        Creation {
            partitions: request.partitions.or(limits.default_partitions),
            replicas: request.replicas.or(limits.default_replicas),
            configs: configs.cloned().collect(),
        }
    }
}

impl Permissions {
    /// Those of `caller` under `rules`; without rules everything.
    pub fn new(caller: Arc<Caller>, rules: Option<Arc<Rules>>) -> Permissions {
        Permissions { caller, rules: rules.filter(|rules| !rules.allow_all) }
    }

    /// Those of somebody of whom nothing is asked.
    pub fn unlimited() -> Permissions {
        Permissions::anonymous(None)
    }

    /// Those of somebody who presents nothing.
    pub fn anonymous(rules: Option<Arc<Rules>>) -> Permissions {
        static ANONYMOUS: LazyLock<Arc<Caller>> = LazyLock::new(|| Arc::new(Caller::anonymous()));
        Permissions::new(ANONYMOUS.clone(), rules)
    }

    /// Whose they are.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether everything is allowed.
    pub fn is_unlimited(&self) -> bool {
        self.rules.is_none()
    }

    fn matching(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().flat_map(|rules| rules.of(&self.caller))
    }

    fn allowing(&self, right: Right, name: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().flat_map(move |rules| rules.allowing(&self.caller, right, name))
    }

    /// Whether `name` may be treated so; `name` is empty for rights on the whole.
    pub fn may(&self, right: Right, name: &str) -> bool {
        self.is_unlimited() || self.allowing(right, name).next().is_some()
    }

    /// Whether every name may be treated so, but for the topics that only their whole name means.
    pub fn may_all(&self, right: Right) -> bool {
        let has = |rule: &Rule| rule.may.iter().any(|given| given.includes(right)) && rule.means_all(right.kind());
        self.is_unlimited() || self.matching().any(has)
    }

    /// # Errors
    /// The right is missing.
    pub fn check(&self, right: Right, name: &str) -> Result<(), Denied> {
        if self.may(right, name) { Ok(()) } else { Err(self.denied(right, name)) }
    }

    /// # Errors
    /// No rule names the caller.
    pub fn check_named(&self) -> Result<(), Denied> {
        match self.is_unlimited() || self.matching().next().is_some() {
            true => Ok(()),
            false => Err(self.refusal(format!("{} is named by no access rule and may do nothing.", self.shown()))),
        }
    }

    /// The schemas of a topic's own subjects may be registered by whoever produces to it.
    ///
    /// # Errors
    /// The right is missing.
    pub fn check_schema_of(&self, topic: &str, subject: &str, right: Right) -> Result<(), Denied> {
        let is_own = subject.strip_prefix(topic).is_some_and(|side| side == "-key" || side == "-value");
        let by_producing = || self.allowing(Right::Produce, topic).any(|rule| right == Right::Read || rule.registers);
        match is_own && (self.is_unlimited() || by_producing()) {
            true => Ok(()),
            false => self.check(right, subject),
        }
    }

    /// How `topic` is created.
    ///
    /// # Errors
    /// The right is missing, or a limit is exceeded: one rule has to cover all of it.
    pub fn creation(&self, topic: &str, request: &TopicRequest<'_>) -> Result<Creation, Denied> {
        if self.is_unlimited() {
            return Ok(Creation::open(&Limits::default(), request));
        }
        let mut refusal = None;
        for rule in self.allowing(Right::Create, topic) {
            match exceeded(rule, request) {
                None => return Ok(Creation::open(&rule.limits, request)),
                Some(limit) => {
                    refusal.get_or_insert_with(|| format!("{limit} (access rule {})", rule.number));
                }
            }
        }
        Err(match refusal {
            None => self.denied(Right::Create, topic),
            Some(limit) => {
                self.refusal(format!("{} may create topic {topic} only within limits: {limit}.", self.shown()))
            }
        })
    }

    /// How `topic` is made when the first record comes for it; `None`: it is not.
    pub fn on_first_produce(&self, topic: &str) -> Option<Creation> {
        let rule = self.allowing(Right::Produce, topic).find(|rule| rule.on_first_produce)?;
        Some(Creation::open(&rule.limits, &TopicRequest::default()))
    }

    /// # Errors
    /// The right to alter `topic` is missing, or none that has it covers all of `configs` and so many partitions.
    pub fn check_alteration(&self, topic: &str, configs: &[&str], partitions: Option<i32>) -> Result<(), Denied> {
        if self.is_unlimited() {
            return Ok(());
        }
        let request = TopicRequest { partitions, configs: configs.to_vec(), ..TopicRequest::default() };
        let mut refusal = None;
        for rule in self.allowing(Right::Alter, topic) {
            match exceeded(rule, &request) {
                None => return Ok(()),
                Some(limit) => {
                    refusal.get_or_insert_with(|| format!("{limit} (access rule {})", rule.number));
                }
            }
        }
        Err(match refusal {
            None => self.denied(Right::Alter, topic),
            Some(limit) => {
                self.refusal(format!("{} may alter topic {topic} only within limits: {limit}.", self.shown()))
            }
        })
    }

    fn denied(&self, right: Right, name: &str) -> Denied {
        let thing = match right.kind() {
            Kind::Whole => String::new(),
            kind => format!(" {} {name}", kind.name()),
        };
        let mut message = format!("{} may not {}{thing}.", self.shown(), right.phrase());
        let mut shown = Vec::new();
        for rule in self.matching().filter(|rule| rule.may.iter().any(|given| given.includes(right))) {
            for pattern in rule.patterns(right.kind()) {
                shown.push(format!("{} (access rule {})", pattern.shown(), rule.number));
            }
        }
        if right.kind() != Kind::Whole {
            message.push_str(&match shown.is_empty() {
                true => " No access rule allows it this of anything.".to_owned(),
                false => format!(
                    " It may {}: {}{}.",
                    right.phrase(),
                    shown[..shown.len().min(SHOWN_MAX)].join(", "),
                    if shown.len() > SHOWN_MAX { ", …" } else { "" }
                ),
            });
        }
        self.refusal(message)
    }

    fn refusal(&self, message: String) -> Denied {
        Denied { message: format!("{message} Nothing was done."), is_anonymous: self.caller.is_anonymous() }
    }

    fn shown(&self) -> &str {
        if self.caller.is_anonymous() { "Who does not say who it is" } else { self.caller.name() }
    }

    /// Why `right` on `name` is allowed or not, for a person.
    pub fn explain(&self, right: Right, name: &str) -> String {
        if self.is_unlimited() {
            return "allowed: there are no rules".to_owned();
        }
        match self.allowing(right, name).next() {
            Some(rule) => format!("allowed by access rule {}", rule.number),
            None => format!("denied: {}", self.denied(right, name).message.trim_end_matches(" Nothing was done.")),
        }
    }
}

/// The limit of a rule that a request exceeds.
fn exceeded(rule: &Rule, request: &TopicRequest<'_>) -> Option<String> {
    let limits = &rule.limits;
    if let (Some(asked), Some(most)) = (request.partitions, limits.partitions)
        && asked > most
    {
        return Some(format!("at most {most} partitions, found {asked}"));
    }
    if let (Some(asked), Some(most)) = (request.replicas, limits.replicas)
        && asked > most
    {
        return Some(format!("at most {most} replicas, found {asked}"));
    }
    if request.has_assignments && (limits.partitions.is_some() || limits.replicas.is_some()) {
        return Some("the brokers of replicas are chosen by the cluster, found replicas_assignments".to_owned());
    }
    let allowed = limits.configs.as_ref()?;
    let other = request.configs.iter().find(|name| !allowed.iter().any(|known| known == *name))?;
    Some(format!("configs {}, found {other}", if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") }))
}

#[cfg(test)]
mod tests;
