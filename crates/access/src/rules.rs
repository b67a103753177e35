//! The file of rules: who may do what. What no rule allows is denied.
//!
//! Rules only allow, so their order does not matter. The file is read as a whole: it is taken with all that it expects of itself, or not at
//! all. Described in `docs/security.md`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::caller::Caller;
use crate::callers::{Callers, Teams};
use crate::expectation::{self, Expectation};
use crate::pattern::Pattern;
use crate::right::{Kind, Right};
use crate::toml_fault::toml_fault;

/// Bytes of a file, and rules in it.
const FILE_MAX: usize = 1 << 20;
const RULES_MAX: usize = 1000;

/// All rules.
#[derive(Debug)]
pub struct Rules {
    /// Everybody who is recognized may do everything.
    pub(crate) allow_all: bool,
    pub(crate) rules: Vec<Rule>,
    /// Topics that only their whole name means.
    pub(crate) internal: Vec<String>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// From 1, in the order of the file.
    pub(crate) number: usize,
    who: Callers,
    pub(crate) topics: Vec<Pattern>,
    pub(crate) groups: Vec<Pattern>,
    pub(crate) subjects: Vec<Pattern>,
    except: Vec<Pattern>,
    pub(crate) may: Vec<Right>,
    pub(crate) limits: Limits,
    /// Whether producing also registers schemas under the subjects of the topic.
    pub(crate) registers: bool,
    /// Whether topics are made when the first record comes for them.
    pub(crate) on_first_produce: bool,
}

/// What may be created and altered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) partitions: Option<i32>,
    pub(crate) replicas: Option<i16>,
    /// `None`: all.
    pub(crate) configs: Option<Vec<String>>,
    pub(crate) default_partitions: Option<i32>,
    pub(crate) default_replicas: Option<i16>,
    pub(crate) default_configs: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    allow_all: bool,
    #[serde(default)]
    team: Teams,
    #[serde(default)]
    rule: Vec<RawRule>,
    #[serde(default)]
    expect: Vec<Expectation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawRule {
    who: Vec<String>,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    may: Vec<String>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default = "yes")]
    register: bool,
    #[serde(default)]
    on_first_produce: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawLimits {
    partitions: Option<i32>,
    replicas: Option<i16>,
    configs: Option<Vec<String>>,
    default_partitions: Option<i32>,
    default_replicas: Option<i16>,
    #[serde(default)]
    default_configs: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

impl Rules {
    /// Parses a file. `internal` are the topics of Kafka and of the registry, which no `*` means; also returns what may be more than was
    /// meant.
    ///
    /// # Errors
    /// All faults, as sentences.
    pub fn parse(text: &str, internal: &[&str]) -> Result<(Rules, Vec<String>), Vec<String>> {
        if text.len() > FILE_MAX {
            return Err(vec![format!("expected at most {FILE_MAX} bytes, found {}", text.len())]);
        }
        let document: Document = toml::from_str(text).map_err(|error| vec![toml_fault(text, &error)])?;
        let (mut faults, mut doubts) = (Vec::new(), Vec::new());
        let internal = internal.iter().map(|name| (*name).to_owned()).collect();
        if document.rule.len() > RULES_MAX {
            faults.push(format!("expected at most {RULES_MAX} rules, found {}", document.rule.len()));
        }
        match (document.rule.is_empty(), document.allow_all) {
            (true, false) => faults.push(
                "there is no rule, so nobody could do anything: expected [[rule]], or allow-all = true for everybody who is recognized"
                    .to_owned(),
            ),
            (false, true) => faults.push("allow-all: makes all rules pointless: expected either".to_owned()),
            _ => {}
        }
        let teams = &document.team;
        let rules: Vec<Rule> = (1..)
            .zip(document.rule)
            .map(|(number, raw)| {
                let mut fault =
                    |place: &str, expected: String| faults.push(format!("rule {number}, {place}: expected {expected}"));
                rule(number, raw, teams, &mut fault, &mut doubts)
            })
            .collect();
        let rules = Rules { allow_all: document.allow_all, rules, internal };
        if faults.is_empty() {
            let allows = |caller: &Caller, right, name: &str| {
                rules.allow_all || rules.allowing(caller, right, name).next().is_some()
            };
            faults = document.expect.iter().zip(1..).flat_map(|(one, n)| expectation::check(one, n, &allows)).collect();
        }
        match faults.is_empty() {
            true => Ok((rules, doubts)),
            false => Err(faults),
        }
    }

    /// Those that are for `caller`.
    pub(crate) fn of(&self, caller: &Caller) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.is_for(caller))
    }

    /// Those that allow `caller` this.
    pub(crate) fn allowing(&self, caller: &Caller, right: Right, name: &str) -> impl Iterator<Item = &Rule> {
        self.of(caller).filter(move |rule| {
            let has = rule.may.iter().any(|given| given.includes(right));
            has && (right.kind() == Kind::Whole || rule.means(right.kind(), name, caller, &self.internal))
        })
    }

    /// Whether somebody who presents nothing may do anything at all.
    pub fn names_anonymous(&self) -> bool {
        let anonymous = Caller::anonymous();
        self.rules.iter().any(|rule| rule.is_for(&anonymous))
    }
}

fn rule(
    number: usize,
    raw: RawRule,
    teams: &Teams,
    fault: &mut impl FnMut(&str, String),
    doubts: &mut Vec<String>,
) -> Rule {
    let mut patterns = |place: &str, texts: &[String]| -> Vec<Pattern> {
        texts.iter().filter_map(|text| Pattern::parse(text).map_err(|expected| fault(place, expected)).ok()).collect()
    };
    let (topics, groups) = (patterns("topics", &raw.topics), patterns("groups", &raw.groups));
    let (subjects, except) = (patterns("subjects", &raw.subjects), patterns("except", &raw.except));
    for text in raw.topics.iter().chain(&raw.groups).chain(&raw.subjects) {
        let begin = text.strip_suffix('*').unwrap_or(".");
        if !begin.is_empty() && !begin.ends_with(['.', '-', '_', ':']) {
            doubts.push(format!("rule {number}: {text} also means names in which its begin goes on, such as {begin}x"));
        }
    }
    let who = Callers::parse(&raw.who, teams, |expected| fault("who", expected));
    let right = |name: &String| {
        Right::parse(name).ok_or_else(|| {
            let known: Vec<_> = Right::ALL.iter().map(|right| right.name()).collect();
            format!("one of {}, found {name:?}", known.join(", "))
        })
    };
    let may: Vec<Right> =
        raw.may.iter().filter_map(|name| right(name).map_err(|expected| fault("may", expected)).ok()).collect();
    for (kind, list) in [(Kind::Topic, &raw.topics), (Kind::Group, &raw.groups), (Kind::Subject, &raw.subjects)] {
        let rights: Vec<_> = may.iter().filter(|right| right.kind() == kind).map(|right| right.name()).collect();
        match (list.is_empty(), rights.is_empty()) {
            (true, false) => fault(kind.list(), format!("a list beside {}, found none", rights.join(", "))),
            // What is misspelt in `may` is a fault already.
            (false, true) if may.len() == raw.may.len() => {
                fault("may", format!("a right on {} beside the list of them", kind.list()));
            }
            _ => {}
        }
    }
    if raw.on_first_produce && ![Right::Produce, Right::Create].iter().all(|right| may.contains(right)) {
        fault("on-first-produce", "produce and create beside it in may".to_owned());
    }
    let RawLimits { partitions, replicas, configs, default_partitions, default_replicas, default_configs } = raw.limits;
    let default_configs = default_configs.into_iter().collect();
    let numbers = [partitions, default_partitions, replicas.map(i32::from), default_replicas.map(i32::from)];
    if numbers.into_iter().flatten().any(|number| number < 1) {
        fault("limits", "numbers of at least 1".to_owned());
    }
    Rule {
        number,
        who,
        topics,
        groups,
        subjects,
        except,
        limits: Limits { partitions, replicas, configs, default_partitions, default_replicas, default_configs },
        on_first_produce: raw.on_first_produce,
        registers: raw.register,
        may,
    }
}

impl Rule {
    /// Whether it is for this caller.
    pub(crate) fn is_for(&self, caller: &Caller) -> bool {
        self.who.include(caller)
    }

    pub(crate) fn patterns(&self, kind: Kind) -> &[Pattern] {
        match kind {
            Kind::Topic => &self.topics,
            Kind::Group => &self.groups,
            Kind::Subject => &self.subjects,
            Kind::Whole => &[],
        }
    }

    /// Whether its list of this kind means everything.
    pub(crate) fn means_all(&self, kind: Kind) -> bool {
        self.except.is_empty() && self.patterns(kind).iter().any(|pattern| pattern.shown() == "*")
    }

    /// Whether its list of this kind means `name`, exceptions left out.
    pub(crate) fn means(&self, kind: Kind, name: &str, caller: &Caller, internal: &[String]) -> bool {
        // The topics of Kafka and of the registry are meant by nobody who does not write their whole name.
        let only_exact = kind == Kind::Topic && internal.iter().any(|known| known == name);
        let user = caller.name();
        let means = |pattern: &Pattern| (pattern.is_exact() || !only_exact) && pattern.matches(name, user);
        self.patterns(kind).iter().any(means) && !self.except.iter().any(|pattern| pattern.matches(name, user))
    }
}
