//! What a file of rules expects of itself: tried at every load, so that a slip is found before it has an effect.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::caller::{Caller, Way};
use crate::right::Right;

/// `[[expect]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    who: String,
    #[serde(default)]
    claims: Vec<String>,
    /// Names by right.
    #[serde(default)]
    allowed: BTreeMap<String, String>,
    #[serde(default)]
    denied: BTreeMap<String, String>,
}

/// What does not hold of what `allows` says, as sentences.
pub(crate) fn check(
    expected: &Expectation,
    number: usize,
    allows: &dyn Fn(&Caller, Right, &str) -> bool,
) -> Vec<String> {
    let caller = match expected.who.as_str() {
        "anonymous" => Ok(Caller::anonymous()),
        name => Caller::new(Way::Basic, name, expected.claims.clone()),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(invalid) => return vec![format!("expect {number}, who: {invalid}")],
    };
    let all = expected.allowed.iter().map(|pair| (pair, true)).chain(expected.denied.iter().map(|pair| (pair, false)));
    let mut faults = Vec::new();
    for ((name, thing), wanted) in all {
        let Some(right) = Right::parse(name) else {
            faults.push(format!("expect {number}: there is no right {name:?}"));
            continue;
        };
        let may = allows(&caller, right, thing);
        if may != wanted {
            let (found, wanted) = if may { ("allow", "denied") } else { ("do not allow", "allowed") };
            faults.push(format!(
                "expect {number}: the rules {found} {} to {} {thing}: expected that it is {wanted}",
                expected.who,
                right.name()
            ));
        }
    }
    faults
}
