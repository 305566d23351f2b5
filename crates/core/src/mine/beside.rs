//! A failed run beside runs that passed: what they did that it did not, and which findings they show just as often.

use super::{
    BESIDE, RULES, calls, compare, extra_write, failed_check, gave_up, kind, missing_action, missing_handover,
    policy_violated, premature_handover, termination, unexplained_answer, unexplained_write, unwarranted_write,
    wrong_answer, wrong_argument, wrong_order, wrong_tool,
};
use crate::failure::{FailureKind, FailureRecord, RootCause};
use crate::id::TaskId;
use crate::similar::{Rarity, Sparse};
use crate::trace::{Exchange, Expected, ExpectedAction, Role, Trace};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a passing run did is a way that works and not the only one: its differences count for less than those from ground truth.
const TRUST: f64 = 0.8;
/// Two runs with the name of one task that share no argument are the same task only if the person says much the same.
const SAME_REQUEST: f64 = 0.3;
/// How many similar passing runs say what such a request needs.
const NEIGHBOURS: usize = 5;
/// So many of the latest passing and of the latest failed runs are looked at, so that mining one failure takes a bounded time.
const MOST: usize = 2_000;
/// A value of an argument that is longer than so many bytes, such as a whole file, is not kept and not compared.
const LONGEST_VALUE: usize = 2_000;
/// So many bytes of what the person said are kept of a judged run.
const LONGEST_REQUEST: usize = 20_000;
/// With fewer passing runs nobody knows how often a finding stands in them.
const ENOUGH: usize = 5;
/// A finding of which less than this share is due to the failure is more often than not no reason for it.
const LIKELY: f64 = 0.5;

/// Runs of the agent whose verdict is known, which a failed run is seen beside. None of their ground truth is used.
#[derive(Debug, Default)]
pub struct Judged {
    passed: Vec<Seen>,
    /// What passing and what failed runs show, for each set of tools that a run called: families are made of these.
    shown: BTreeMap<BTreeSet<String>, [Shown; 2]>,
    rarity: Rarity,
}

/// What runs show.
#[derive(Debug, Default)]
struct Shown {
    runs: usize,
    /// How many of them show each finding.
    found: BTreeMap<String, usize>,
}

/// What is kept of a judged run.
#[derive(Debug)]
struct Seen {
    task: TaskId,
    /// The tools the agent called, but for those that hand over, which every kind of agent has.
    tools: BTreeSet<String>,
    /// What was changed, in order; what was done twice is there once.
    actions: Vec<ExpectedAction>,
    /// The values of arguments that are long enough to name something.
    named: BTreeSet<String>,
    /// What the person said.
    request: Sparse,
    /// The rules that find something, and the tools that changed something.
    found: BTreeSet<String>,
}

/// Takes judged runs one by one, so that each trace can be dropped when it was added.
#[derive(Debug, Default)]
pub struct JudgedBuilder {
    passed: VecDeque<(Seen, String)>,
    failed: VecDeque<(Seen, String)>,
}

impl JudgedBuilder {
    /// Adds a run, a later one than those before, and whether it passed. What is kept of it is bounded, and so is how many are kept:
    /// the last 2,000 of each kind. A run that never began is none.
    pub fn add(&mut self, task: &TaskId, trace: &Trace, passed: bool) {
        if trace.steps.is_empty() {
            return;
        }
        let kept = if passed { &mut self.passed } else { &mut self.failed };
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back((Seen::new(task, trace, Sparse::default()), request(trace)));
    }

    /// What was added, ready to be looked at. How rare a word is can only be said when all requests are known.
    pub fn build(self) -> Judged {
        let requests = self
            .passed
            .iter()
            .chain(&self.failed)
            .map(|(_, request)| request.as_str());
        let rarity = Rarity::of(requests);
        let ready = |runs: VecDeque<(Seen, String)>| -> Vec<Seen> {
            let with_request = |(seen, request): (Seen, String)| Seen {
                request: rarity.vector(&request),
                ..seen
            };
            runs.into_iter().map(with_request).collect()
        };
        let mut shown: BTreeMap<BTreeSet<String>, [Shown; 2]> = BTreeMap::new();
        for (side, runs) in [&self.passed, &self.failed].into_iter().enumerate() {
            for (seen, _) in runs {
                shown.entry(seen.tools.clone()).or_default()[side].add(seen);
            }
        }
        let passed = ready(self.passed);
        Judged { passed, shown, rarity }
    }
}

impl Judged {
    /// Begins with no runs.
    pub fn builder() -> JudgedBuilder {
        JudgedBuilder::default()
    }

    /// Takes runs with whether they passed, the oldest first. Of many, the last 2,000 of each kind are kept.
    pub fn new<'a>(runs: impl IntoIterator<Item = (&'a TaskId, &'a Trace, bool)>) -> Self {
        let mut builder = Self::builder();
        runs.into_iter()
            .for_each(|(task, trace, passed)| builder.add(task, trace, passed));
        builder.build()
    }

    /// The passing runs of the same task. That two runs call their task the same is not enough: the ids of another benchmark may be the same too.
    fn peers<'a>(&'a self, run: &'a Seen) -> impl Iterator<Item = &'a Seen> {
        self.passed.iter().filter(|peer| {
            peer.task == run.task
                && (!peer.named.is_disjoint(&run.named) || peer.request.cosine(&run.request) >= SAME_REQUEST)
        })
    }

    /// How much of a rule's finding is due to the failure: `(f - p) / f`, where `f` and `p` are how often failed and passing runs of the
    /// family show it (the attributable share). 0 for what stands in passing runs as often; 1 where too few are known.
    fn weights(&self, run: &Seen) -> BTreeMap<String, f64> {
        let family = self.shown.iter().filter(|(tools, _)| run.is_family_of(tools));
        let family: Vec<&[Shown; 2]> = family.map(|(_, shown)| shown).collect();
        let [passed, failed] = [0, 1].map(|side: usize| family.iter().map(|shown| shown[side].runs).sum::<usize>());
        if passed < ENOUGH || failed < ENOUGH {
            return BTreeMap::new();
        }
        // Half a run more on each side keeps a share that was never seen from being 0.
        let share = |side: usize, found: &str, of| {
            let counts = family.iter().filter_map(|shown| shown[side].found.get(found));
            crate::agreement::share(2 * counts.sum::<usize>() + 1, 2 * of + 2)
        };
        let weight = |found: &str| 1.0 - share(0, found, passed) / share(1, found, failed);
        run.found
            .iter()
            .map(|found| (found.clone(), weight(found).max(0.0)))
            .collect()
    }

    /// The tool that most of the similar passing runs changed something with and this run did not.
    fn needed(&self, run: &Seen) -> Option<&str> {
        let family = self.passed.iter().filter(|seen| run.is_family_of(&seen.tools));
        let mut near: Vec<(f64, &Seen)> = family.map(|seen| (seen.request.cosine(&run.request), seen)).collect();
        near.sort_by(|left, right| right.0.total_cmp(&left.0));
        near.truncate(NEIGHBOURS);
        let whole: f64 = near.iter().map(|(cosine, _)| cosine).sum();
        let mut votes: BTreeMap<&str, f64> = BTreeMap::new();
        for (cosine, seen) in near {
            let tools: BTreeSet<&str> = seen
                .actions
                .iter()
                .filter(|action| action.requestor.is_none())
                .map(|action| action.name.as_str())
                .collect();
            tools
                .into_iter()
                .for_each(|tool| *votes.entry(tool).or_default() += cosine);
        }
        votes.retain(|tool, votes| !run.tools.contains(*tool) && !calls::hands_over(tool) && *votes * 2.0 > whole);
        votes
            .into_iter()
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .map(|(tool, _)| tool)
    }
}

impl Seen {
    fn new(task: &TaskId, trace: &Trace, request: Sparse) -> Self {
        let exchanges = trace.exchanges();
        let own = exchanges.iter().filter(|call| !calls::by_person(trace, call));
        let mut actions: Vec<ExpectedAction> = Vec::new();
        for call in exchanges
            .iter()
            .filter(|call| call.succeeded() && calls::writes(trace, &call.call.name))
        {
            let short = |value: &Value| value.to_string().len() <= LONGEST_VALUE;
            let arguments = call.call.arguments.iter().filter(|(_, value)| short(value));
            let arguments: Map<String, Value> = arguments.map(|(name, value)| (name.clone(), value.clone())).collect();
            let action = ExpectedAction {
                name: call.call.name.clone(),
                compare: (arguments.len() < call.call.arguments.len()).then(|| arguments.keys().cloned().collect()),
                arguments,
                requestor: calls::by_person(trace, call).then(|| "user".to_owned()),
            };
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
        let values = exchanges.iter().flat_map(|call| call.call.arguments.values());
        let names_something = |value: &&str| (4..40).contains(&value.len());
        Self {
            task: task.clone(),
            tools: own
                .map(|call| call.call.name.clone())
                .filter(|tool| !calls::hands_over(tool))
                .collect(),
            actions,
            named: values
                .filter_map(|value| value.as_str())
                .filter(names_something)
                .map(str::to_lowercase)
                .collect(),
            request,
            found: alone(trace).into_iter().chain(actions_of(&exchanges, trace)).collect(),
        }
    }

    /// What this run did, with the arguments that all passing runs of the task which use the tool have in common: in the others one may differ.
    fn agreed(&self, peers: &[&Self]) -> Vec<ExpectedAction> {
        let mut actions = self.actions.clone();
        for action in &mut actions {
            let common = |name: &String| {
                peers.iter().all(|peer| {
                    let mut same = peer.actions.iter().filter(|other| other.name == action.name).peekable();
                    same.peek().is_none() || same.any(|other| other.arguments.get(name) == action.arguments.get(name))
                })
            };
            let names: Vec<String> = action.arguments.keys().filter(|name| common(name)).cloned().collect();
            if action.compare.is_some() || names.len() < action.arguments.len() {
                action.compare = Some(names);
            }
        }
        actions
    }

    /// Whether runs that called these tools work with the same ones: they have more than half of this run's.
    fn is_family_of(&self, tools: &BTreeSet<String>) -> bool {
        let shared = self.tools.iter().filter(|tool| tools.contains(*tool)).count();
        shared * 2 > self.tools.len() || self.tools.is_empty()
    }
}

impl Shown {
    fn add(&mut self, seen: &Seen) {
        self.runs += 1;
        for found in &seen.found {
            *self.found.entry(found.clone()).or_default() += 1;
        }
    }
}

/// Triages a failed trace like [`super::mine`], and where the trace has no ground truth of its own, beside runs that were judged.
///
/// Passing runs of the same task say what should have been done. Without any, what the rules find weighs only as far as passing runs of the
/// family do not show it too, and similar passing runs say which tool such a request needs.
pub fn mine_beside(source: &str, task: &TaskId, trace: &Trace, judged: &Judged) -> FailureRecord {
    let mut record = super::mine(source, task, trace);
    if kind::not_the_agent(trace).is_some() {
        return record;
    }
    if trace.expected.is_some() {
        let refined = told(trace);
        record
            .causes
            .retain(|cause| !TOLD.iter().any(|rule| rule.ident == cause.mechanism.rule));
        record.causes.extend(refined);
        if record.causes.is_empty() {
            record.causes = (wrong_answer::RULE.find)(trace);
        }
        return ordered(record);
    }
    let run = Seen::new(task, trace, judged.rarity.vector(&request(trace)));
    let weights = judged.weights(&run);
    record.causes.extend(BESIDE.iter().flat_map(|rule| (rule.find)(trace)));
    // A last resort only says where to look; nothing is claimed that passing runs could contradict.
    let claims = |cause: &RootCause| {
        !RULES
            .iter()
            .chain(BESIDE)
            .any(|rule| rule.last_resort && rule.ident == cause.mechanism.rule)
    };
    let weight = |cause: &RootCause| {
        let by_subject = weights.get(&cause.mechanism.to_string());
        by_subject
            .or_else(|| weights.get(cause.mechanism.rule.as_str()))
            .copied()
            .filter(|_| claims(cause))
            .unwrap_or(1.0)
    };
    record.causes.retain(|cause| weight(cause) >= LIKELY);
    by_suspicion(&mut record.causes, &weights);
    record.causes.extend(premature_handover::suspected(trace).filter(|_| {
        !record
            .causes
            .iter()
            .any(|cause| cause.mechanism.rule == premature_handover::RULE.ident)
    }));
    for cause in &mut record.causes {
        cause.confidence *= weight(cause);
    }
    let peers: Vec<&Seen> = judged.peers(&run).collect();
    let guesses = peers.iter().map(|peer| guess(trace, peer.agreed(&peers)));
    let nearest = guesses.min_by_key(difference);
    match nearest {
        Some(guess) => record.causes.extend(unlike(&guess)),
        None => name_what_was_needed(&mut record.causes, judged.needed(&run)),
    }
    let mut record = ordered(record);
    if record.causes.first().is_some_and(|cause| !is_vague(cause)) {
        record.causes.retain(|cause| !is_vague(cause));
    }
    record
}

/// Whether a cause only says where to look. Beside one that says more, it would put the failure among those that nobody can explain, too.
fn is_vague(cause: &RootCause) -> bool {
    VAGUE.iter().any(|rule| rule.ident == cause.mechanism.rule)
}

/// The surest cause first, and the agent to blame if there is one.
fn ordered(mut record: FailureRecord) -> FailureRecord {
    record
        .causes
        .sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
    record.kind = if record.causes.is_empty() {
        FailureKind::Unknown
    } else {
        FailureKind::Agent
    };
    record
}

/// Of several changes that nothing explains, the first suspect is the one that goes most with failures.
fn by_suspicion(causes: &mut [RootCause], weights: &BTreeMap<String, f64>) {
    let suspect = |cause: &RootCause| cause.mechanism.rule == unexplained_write::RULE.ident;
    let weight = |cause: &RootCause| weights.get(&changed(&cause.mechanism.subject)).copied().unwrap_or(0.0);
    let mut suspects: Vec<RootCause> = causes.iter().filter(|cause| suspect(cause)).cloned().collect();
    suspects.sort_by(|left, right| weight(right).total_cmp(&weight(left)));
    let confidences: Vec<f64> = causes
        .iter()
        .filter(|cause| suspect(cause))
        .map(|cause| cause.confidence)
        .collect();
    for ((place, found), confidence) in causes
        .iter_mut()
        .filter(|cause| suspect(cause))
        .zip(suspects)
        .zip(confidences)
    {
        *place = RootCause { confidence, ..found };
    }
}

/// The name under which it is counted that a tool changed something.
fn changed(tool: &str) -> String {
    format!("changed by {tool}")
}

/// The run as if what a passing run did had been expected.
fn guess(trace: &Trace, actions: Vec<ExpectedAction>) -> Trace {
    Trace {
        expected: Some(Expected {
            actions,
            communicate: Vec::new(),
        }),
        checks: Vec::new(),
        ..trace.clone()
    }
}

fn difference(guess: &Trace) -> usize {
    compare::compare(guess).map_or(0, |found| {
        found.missing.len() + found.wrong.len() + found.replaced.len() + found.refused.len() + found.extra.len()
    })
}

/// What a run lacks beside a passing run.
fn unlike(guess: &Trace) -> Vec<RootCause> {
    let mut causes = told(guess);
    if causes.is_empty() && !termination::is_limit(guess.termination) {
        causes = (wrong_answer::RULE.find)(guess);
    }
    for cause in &mut causes {
        cause.confidence *= TRUST;
        cause.should = format!("{}, as a run of the same task did that passed", cause.should);
    }
    causes
}

/// The rules that say that the run failed, and not why.
const VAGUE: [super::Rule; 4] = [
    failed_check::RULE,
    unexplained_write::RULE,
    unexplained_answer::RULE,
    wrong_answer::RULE,
];

/// The rules that compare what was expected with what was done.
const TOLD: [super::Rule; 8] = [
    missing_action::RULE,
    premature_handover::RULE,
    wrong_argument::RULE,
    wrong_tool::RULE,
    unwarranted_write::RULE,
    missing_handover::RULE,
    extra_write::RULE,
    wrong_order::RULE,
];

/// What these rules say of a run. What is missing is told by what the agent did instead, since another instruction helps an agent that hands
/// over than one that only forgets; and so is a change too many, where none was to be made at all.
fn told(run: &Trace) -> Vec<RootCause> {
    let exchanges = run.exchanges();
    let own = || exchanges.iter().filter(|call| !calls::by_person(run, call));
    let handover = own().find(|call| calls::hands_over(&call.call.name));
    let wrote = own()
        .any(|call| call.succeeded() && calls::writes(run, &call.call.name) && !calls::hands_over(&call.call.name));
    let mut causes = Vec::new();
    for rule in TOLD.iter().filter(|rule| rule.ident != premature_handover::RULE.ident) {
        for cause in (rule.find)(run) {
            let missing = cause.mechanism.rule == missing_action::RULE.ident;
            let unwarranted = |known: &RootCause| known.mechanism.rule == unwarranted_write::RULE.ident;
            match handover {
                // The rules for handovers tell of those.
                _ if missing && calls::hands_over(&cause.mechanism.subject) => {}
                Some(handover) if missing => causes.push(premature_handover::instead_of(&cause, handover)),
                None if missing && !wrote => causes.push(gave_up::instead_of(&cause)),
                _ if cause.mechanism.rule == extra_write::RULE.ident && causes.iter().any(unwarranted) => {}
                _ => causes.push(cause),
            }
        }
    }
    causes
}

/// Where nothing but the lack of an action is known, the tool that similar passing runs used says more than that something lacks.
fn name_what_was_needed(causes: &mut [RootCause], needed: Option<&str>) {
    let Some(needed) = needed else { return };
    let vague = [gave_up::RULE.ident, premature_handover::RULE.ident];
    for cause in causes
        .iter_mut()
        .filter(|cause| vague.contains(&cause.mechanism.rule.as_str()))
    {
        cause.mechanism.subject = needed.to_owned();
        cause.confidence = cause.confidence.max(gave_up::CONFIDENCE);
        cause.finding = format!(
            "{} Most runs with such a request that passed called `{needed}`.",
            cause.finding
        );
        cause.should = format!("call `{needed}` if the request needs it, or say why it cannot be done");
    }
}

/// What the person said, or the beginning of it.
fn request(trace: &Trace) -> String {
    let said = trace.steps.iter().filter(|step| step.role == Role::User);
    let mut request = said.map(|step| step.content.as_str()).collect::<Vec<_>>().join("\n");
    request.truncate(request.floor_char_boundary(LONGEST_REQUEST));
    request
}

fn actions_of(exchanges: &[Exchange<'_>], trace: &Trace) -> Vec<String> {
    let own = exchanges
        .iter()
        .filter(|call| call.succeeded() && !calls::by_person(trace, call) && calls::writes(trace, &call.call.name));
    own.map(|call| changed(&call.call.name)).collect()
}

/// What is found in a run alone, whatever came with it.
fn alone(trace: &Trace) -> Vec<String> {
    let bare = Trace {
        expected: None,
        checks: Vec::new(),
        ..trace.clone()
    };
    let mut found = BTreeSet::new();
    for rule in RULES.iter().chain(BESIDE) {
        for cause in (rule.find)(&bare) {
            // One sentence of a policy may be kept by all that pass, and another by nobody.
            if rule.ident == policy_violated::RULE.ident {
                found.insert(cause.mechanism.to_string());
            }
            found.insert(cause.mechanism.rule);
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests;
