//! What was expected against what was done. Several rules each tell one kind of difference.

use super::calls;
use crate::trace::{Exchange, ExpectedAction, Trace};

/// The differences between what was expected and what was done; a call stands in at most one of the lists.
pub(super) struct Comparison<'a> {
    /// Expected actions that were done: the index of the expected action and the step that did it.
    pub(super) done: Vec<(usize, usize)>,
    /// Expected actions for which nothing was done.
    pub(super) missing: Vec<&'a ExpectedAction>,
    /// Expected actions whose tool was called with other arguments, and the names of those.
    pub(super) wrong: Vec<(&'a ExpectedAction, Exchange<'a>, Vec<String>)>,
    /// Expected actions in whose place another tool was called.
    pub(super) replaced: Vec<(&'a ExpectedAction, Exchange<'a>)>,
    /// Expected actions that were called as expected, and failed.
    pub(super) refused: Vec<(&'a ExpectedAction, Exchange<'a>)>,
    /// Successful writes of the agent that nobody expected.
    pub(super) extra: Vec<Exchange<'a>>,
}

impl Comparison<'_> {
    /// Whether all that was expected was done.
    pub(super) fn all_done(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty() && self.replaced.is_empty() && self.refused.is_empty()
    }
}

/// Compares; `None` when nobody said what was expected, or when the checks say that the actions are not why the run failed.
pub(super) fn compare(trace: &Trace) -> Option<Comparison<'_>> {
    let expected = trace.expected.as_ref().filter(|_| actions_count(trace))?;
    let counting = |action: &ExpectedAction| calls::writes(trace, &action.name) || demanded(trace, &action.name);
    let mut free = trace.exchanges();
    let mut open: Vec<(usize, &ExpectedAction)> = expected
        .actions
        .iter()
        .enumerate()
        .filter(|(_, action)| counting(action))
        .collect();
    let mut comparison = Comparison {
        done: Vec::new(),
        missing: Vec::new(),
        wrong: Vec::new(),
        replaced: Vec::new(),
        refused: Vec::new(),
        extra: Vec::new(),
    };
    open.retain(|(at, action)| {
        let found = take(&mut free, |call| call.succeeded() && is(action, call));
        comparison.done.extend(found.map(|call| (*at, call.step)));
        found.is_none()
    });
    open.retain(|(_, action)| {
        let found = take(&mut free, |call| is(action, call));
        comparison.refused.extend(found.map(|call| (*action, call)));
        found.is_none()
    });
    open.retain(|(_, action)| {
        let found = take_nearest(&mut free, action);
        comparison
            .wrong
            .extend(found.map(|call| (*action, call, action.differing_arguments(call.call))));
        found.is_none()
    });
    let unexpected = |call: &Exchange<'_>| {
        let own = !calls::by_person(trace, call) && !calls::hands_over(&call.call.name);
        own && call.succeeded() && calls::writes(trace, &call.call.name)
    };
    let foreign = |call: &Exchange<'_>| expected.actions.iter().all(|action| action.name != call.call.name);
    open.retain(|(_, action)| {
        let found = take(&mut free, |call| {
            unexpected(call) && foreign(call) && stands_in(action, call)
        });
        comparison.replaced.extend(found.map(|call| (*action, call)));
        found.is_none()
    });
    comparison.missing = open.into_iter().map(|(_, action)| action).collect();
    comparison.extra = free.into_iter().filter(unexpected).collect();
    Some(comparison)
}

/// Whether what the agent did can be why the run failed: not when its effects were checked and all found right.
fn actions_count(trace: &Trace) -> bool {
    let mut effects = trace
        .checks
        .iter()
        .filter(|check| !matches!(check.kind.as_str(), "communicate" | "judged"))
        .peekable();
    effects.peek().is_none() || effects.any(|check| !check.passed)
}

/// Whether the evaluator itself demanded this call, which makes a call that only looks count.
fn demanded(trace: &Trace, tool: &str) -> bool {
    trace
        .checks
        .iter()
        .any(|check| check.kind == "action" && !check.passed && check.name == tool)
}

/// Whether a call is the action. What is said in a handover is free text: any handover by that tool will do.
fn is(action: &ExpectedAction, call: &Exchange<'_>) -> bool {
    action.matches(call.call) || (action.name == call.call.name && calls::hands_over(&action.name))
}

fn take<'a>(free: &mut Vec<Exchange<'a>>, wanted: impl Fn(&Exchange<'a>) -> bool) -> Option<Exchange<'a>> {
    let at = free.iter().position(wanted)?;
    Some(free.remove(at))
}

/// Takes the call of the action's tool that differs in the fewest arguments: rather one that worked, and rather a late one.
fn take_nearest<'a>(free: &mut Vec<Exchange<'a>>, action: &ExpectedAction) -> Option<Exchange<'a>> {
    let calls = free
        .iter()
        .enumerate()
        .filter(|(_, call)| call.call.name == action.name);
    let distance = |call: &Exchange<'_>| (!call.succeeded(), action.differing_arguments(call.call).len());
    let (at, _) = calls.rev().min_by_key(|(_, call)| distance(call))?;
    Some(free.remove(at))
}

/// Whether a call of another tool stands where the action should: it says the same about the same things.
/// At least half of the action's arguments are there with their values, and none is there with another value.
fn stands_in(action: &ExpectedAction, call: &Exchange<'_>) -> bool {
    let mut shared = 0;
    for (name, value) in &action.arguments {
        match call.call.arguments.get(name) {
            Some(other) if other == value => shared += 1,
            Some(_) => return false,
            None => {}
        }
    }
    shared > 0 && shared * 2 >= action.arguments.len()
}
