//! The recipes on hand-made traces: a desk that refunds late orders, written down in `agent/steps.toml`.

mod searched;

use super::*;
use crate::candidate::Ground;
use crate::cluster::ClusterBook;
use crate::config;
use crate::mine;
use crate::trace::{Effect, Expected, ExpectedAction, Role, Step, Termination, ToolCall, ToolSpec};
use serde_json::{Value, json};

const STEPS: &str = r#"rounds = 1

[[look]]
tool = "order"

[[step]]
name = "Say goodbye"
say = "Goodbye."
"#;

const APPEND: &str = r#"
[[recipe]]
name = "add the missing step"
mechanisms = ["missing_action", "unmet_communication"]
file = "agent/steps.toml"
op = "append"
at = "step"
positions = ["before_last", "end"]
reference = "{{tool}.{field}}"
call = { tool = "{tool}", args = "{arguments}" }
entry = { name = "{title}", when = "{conditions}", do = "{calls}", say = "{say}" }

[recipe.condition]
line = { tool = "{tool}", has = "{line}" }
field = { tool = "{tool}", field = "{field}", is = "{value}" }

[recipe.observe]
at = "look"
entry = { tool = "{tool}", args = "{arguments}" }
"#;

const SET: &str = r#"
[[recipe]]
name = "play the steps twice"
mechanisms = ["missing_action"]
file = "agent/steps.toml"
op = "set"
at = "rounds"
values = [2, 3]
"#;

/// One run: what was called with what answer, in order, and what should have been done.
struct Run {
    task: TaskId,
    trace: Trace,
}

impl Run {
    fn new(task: &str, calls: &[(&str, &str)], expected: &[(&str, Value)]) -> Self {
        let text = |role, content: &str| Step {
            role,
            content: content.to_owned(),
            ..Step::default()
        };
        let mut steps = vec![text(Role::User, "please look at my order")];
        for (tool, answer) in calls {
            let call = ToolCall {
                name: (*tool).to_owned(),
                ..ToolCall::default()
            };
            steps.push(Step {
                tool_calls: vec![call],
                ..text(Role::Assistant, "")
            });
            steps.push(text(Role::Tool, answer));
        }
        steps.push(text(Role::Assistant, "Goodbye."));
        let action = |(name, arguments): &(&str, Value)| ExpectedAction {
            name: (*name).to_owned(),
            arguments: arguments.as_object().cloned().unwrap(),
            ..ExpectedAction::default()
        };
        let tool = |name: &str, effect, required: &[&str]| ToolSpec {
            name: name.to_owned(),
            effect,
            required: required.iter().map(|&name| name.to_owned()).collect(),
        };
        let trace = Trace {
            impact: None,
            steps,
            termination: Termination::AgentStop,
            tools: vec![
                tool("order", Effect::Read, &[]),
                tool("stock", Effect::Read, &[]),
                tool("refund", Effect::Write, &["order_id"]),
                tool("notify", Effect::Write, &[]),
            ],
            expected: Some(Expected {
                actions: expected.iter().map(action).collect(),
                communicate: Vec::new(),
            }),
            checks: Vec::new(),
        };
        Self {
            task: TaskId::new(task),
            trace,
        }
    }

    fn should_say(mut self, text: &str) -> Self {
        self.trace.expected.as_mut().unwrap().communicate.push(text.to_owned());
        self
    }
}

/// What the brief is made of.
struct Desk {
    runs: Vec<Run>,
    looks: BTreeMap<Look, Vec<Run>>,
    recipes: String,
    policy: PathPolicy,
    tried: BTreeSet<CandidateId>,
    past: Vec<Experiment>,
    batch: u32,
    drafts: Vec<Candidate>,
    dropped: Vec<Dropped>,
    shown: Vec<Run>,
    harness: Harness,
    guarded: Guarded,
}

impl Desk {
    fn new(runs: Vec<Run>) -> Self {
        Self {
            runs,
            looks: BTreeMap::new(),
            recipes: APPEND.to_owned(),
            policy: PathPolicy::new(&["agent/**".to_owned()], &[], &[]).unwrap(),
            tried: BTreeSet::new(),
            past: Vec::new(),
            batch: 1,
            drafts: Vec::new(),
            dropped: Vec::new(),
            shown: Vec::new(),
            harness: Harness::new([("agent/steps.toml".to_owned(), STEPS.to_owned())]),
            guarded: Guarded::default(),
        }
    }

    fn looking(mut self, look: Look, runs: Vec<Run>) -> Self {
        self.looks.insert(look, runs);
        self
    }

    /// Asks about the cluster of a mechanism, which the miner must find in the runs.
    fn ask(&self, mechanism: &str) -> Proposal {
        let config = format!("[runner]\ncommand = [\"desk\"]\n{}", self.recipes);
        let recipes = config::parse(&config).unwrap().recipes;
        let mut book = ClusterBook::default();
        for run in self.runs.iter().filter(|run| !passed(run)) {
            book.join(&mine::mine(run.task.as_str(), &run.task, &run.trace), 1);
        }
        let cluster = book
            .clusters
            .values()
            .find(|cluster| cluster.mechanism.to_string() == mechanism);
        let cluster = cluster.unwrap_or_else(|| panic!("the miner finds {:?}", book.clusters));
        let base = examples(&self.runs);
        propose(&Brief {
            cause: None,
            cluster,
            watched: watched(&base),
            base,
            looks: self.looks.iter().map(|(look, runs)| (*look, examples(runs))).collect(),
            harness: &self.harness,
            recipes: &recipes,
            policy: &self.policy,
            tried: &self.tried,
            past: &self.past,
            batch: self.batch,
            drafts: &self.drafts,
            dropped: &self.dropped,
            shown: examples(&self.shown),
            guarded: &self.guarded,
            seed: 1,
        })
    }

    fn candidate(&self, mechanism: &str) -> Candidate {
        match self.ask(mechanism) {
            Proposal::Candidate(candidate) => *candidate,
            other => panic!("{other:?}"),
        }
    }

    /// Everything that is proposed one after the other, each one having failed, and why it ends.
    fn all(&mut self, mechanism: &str) -> (Vec<Candidate>, String) {
        let mut all = Vec::new();
        loop {
            match self.ask(mechanism) {
                Proposal::Candidate(candidate) => {
                    assert!(
                        self.tried.insert(candidate.id.clone()),
                        "{} was tried before",
                        candidate.title
                    );
                    all.push(*candidate);
                }
                Proposal::Nothing(reason) => return (all, reason),
                Proposal::Explore { look, .. } => panic!("{look:?}"),
            }
        }
    }
}

/// Nothing was ever expected of the runs that pass here.
fn passed(run: &Run) -> bool {
    let expected = run.trace.expected.as_ref().unwrap();
    expected.actions.is_empty() && expected.communicate.is_empty()
}

fn examples(runs: &[Run]) -> Vec<Example<'_>> {
    let example = |run| -> Example<'_> {
        let run: &Run = run;
        Example {
            task: &run.task,
            passed: passed(run),
            trace: &run.trace,
        }
    };
    runs.iter().map(example).collect()
}

/// What a candidate adds to the harness, without the context of its diff.
fn added(candidate: &Candidate) -> String {
    let lines = candidate
        .diff
        .lines()
        .filter(|line| line.starts_with('+') && !line.starts_with("+++"));
    lines
        .map(|line| line[1..].trim_end())
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn order(status: &str, n: usize) -> String {
    json!({"order_id": format!("O-{n:03}"), "status": status}).to_string()
}

/// Two late orders that wanted a refund, two that did not. The stock is not looked at.
fn late_orders() -> Vec<Run> {
    let run = |n: usize, status: &str| {
        let refund = ("refund", json!({"order_id": format!("O-{n:03}"), "reason": "late"}));
        let expected: &[_] = if status == "late" { &[refund] } else { &[] };
        Run::new(&format!("t{n}"), &[("order", &order(status, n))], expected)
    };
    vec![run(1, "late"), run(2, "late"), run(3, "sent"), run(4, "lost")]
}

/// The same runs with a look at the stock: it says nothing about what was needed.
fn with_stock(runs: Vec<Run>, stock: &dyn Fn(usize) -> &'static str) -> Vec<Run> {
    let mut runs = runs;
    for (n, run) in runs.iter_mut().enumerate() {
        let more = Run::new("", &[("stock", stock(n))], &[]).trace.steps;
        run.trace.steps.splice(3..3, more[1..3].iter().cloned());
    }
    runs
}

#[test]
fn a_field_is_the_condition_a_field_is_the_id_and_a_constant_is_itself() {
    let desk = Desk::new(late_orders()).looking(Look::Wider, with_stock(late_orders(), &|_| "Stock: plenty"));
    let candidate = desk.candidate("missing_action:refund");
    insta::assert_snapshot!(added(&candidate), @r#"
    name = 'do refund when status of order is "late"'
    when = [{ tool = "order", field = "status", is = "late" }]
    do = [{ tool = "refund", args = { order_id = "{order.order_id}", reason = "late" } }]
    [[step]]
    "#);
    insta::assert_snapshot!(format!("{}\n{}\n{}", candidate.title, candidate.hypothesis, candidate.origin), @r#"
    Do `refund` when `status` of `order` is "late"
    The action was needed in 2 of the train runs on record and not in 2. 2 of the former and 0 of the latter show this condition.
    recipes: add the missing step, position=before_last, facts=1
    "#);
    assert_eq!(candidate.predicted, [TaskId::new("t1"), TaskId::new("t2")]);
    assert_eq!(candidate.changes.len(), 1);
    assert_eq!(
        desk.candidate("missing_action:refund"),
        candidate,
        "the same brief, the same proposal"
    );
}

#[test]
fn what_nobody_looks_at_is_looked_at_before_anything_is_proposed() {
    let Proposal::Explore { look, harness } = Desk::new(late_orders()).ask("missing_action:refund") else {
        panic!("the stock was never looked at")
    };
    assert_eq!(look, Look::Wider);
    let steps = harness.get("agent/steps.toml").unwrap();
    assert!(steps.contains("[[look]]\ntool = \"stock\"\n"), "{steps}");
}

/// Four runs that look the same to the incumbent; two of them wanted a notice.
fn sold_out() -> Vec<Run> {
    let run = |n: usize| {
        let notify = ("notify", json!({}));
        let expected: &[_] = if n < 2 { &[notify] } else { &[] };
        Run::new(&format!("t{n}"), &[("order", "Status: sent")], expected)
    };
    (0..4).map(run).collect()
}

#[test]
fn a_condition_that_only_a_wider_look_shows_brings_its_look_along() {
    let stock = |n: usize| if n < 2 { "Stock: none" } else { "Stock: plenty" };
    let desk = Desk::new(sold_out()).looking(Look::Wider, with_stock(sold_out(), &stock));
    insta::assert_snapshot!(added(&desk.candidate("missing_action:notify")), @r#"
    [[look]]
    tool = "stock"
    [[step]]
    name = 'do notify when stock says "none"'
    when = [{ tool = "stock", has = "none" }]
    do = [{ tool = "notify" }]
    "#);
}

#[test]
fn a_condition_that_only_a_second_look_shows_is_tested_at_the_end() {
    let wider = || with_stock(sold_out(), &|_| "Stock: plenty");
    let desk = Desk::new(sold_out()).looking(Look::Wider, wider());
    let Proposal::Explore { look, harness } = desk.ask("missing_action:notify") else {
        panic!("nothing separates so far")
    };
    assert_eq!(look, Look::Again);
    let steps = harness.get("agent/steps.toml").unwrap();
    assert!(
        steps.find("look again: order").unwrap() > steps.find("Say goodbye").unwrap(),
        "{steps}"
    );

    // Something in the run has used the last one up.
    let mut again = wider();
    for (n, run) in again.iter_mut().enumerate() {
        let stock = if n < 2 { "Stock: none" } else { "Stock: plenty" };
        let more = Run::new("", &[("stock", stock)], &[]).trace.steps;
        run.trace.steps.extend(more[1..3].iter().cloned());
    }
    let desk = desk.looking(Look::Again, again);
    let candidate = desk.candidate("missing_action:notify");
    assert!(
        candidate.title.ends_with(", after a second look"),
        "{}",
        candidate.title
    );
    insta::assert_snapshot!(added(&candidate), @r#"
    [[step]]
    name = "look again: stock"
    do = [{ tool = "stock" }]
    [[step]]
    name = 'do notify when stock says "none"'
    when = [{ tool = "stock", has = "none" }]
    do = [{ tool = "notify" }]
    "#);
    let text = candidate.changes[0].text.as_ref().unwrap();
    assert!(
        text.find("notify").unwrap() > text.find("Goodbye.").unwrap(),
        "at the end"
    );
}

#[test]
fn a_fact_that_is_as_frequent_without_need_is_no_condition() {
    let looks = || with_stock(sold_out(), &|_| "Stock: plenty");
    let mut desk = Desk::new(sold_out())
        .looking(Look::Wider, looks())
        .looking(Look::Again, looks());
    let (all, _) = desk.all("missing_action:notify");
    assert!(
        all.iter().all(|candidate| !added(candidate).contains("when =")),
        "{all:#?}"
    );
    assert!(
        all[0].title.contains("always"),
        "what cannot be told apart is done always, and the gates decide"
    );
}

#[test]
fn what_was_tried_is_not_proposed_again_and_the_knobs_come_last() {
    let mut desk = Desk::new(late_orders()).looking(Look::Wider, with_stock(late_orders(), &|_| "Stock: plenty"));
    desk.recipes = format!("{SET}{APPEND}");
    let (all, reason) = desk.all("missing_action:refund");
    assert_eq!(reason, "every edit that the recipes give for this cluster was tried");
    let n_knobs = all
        .iter()
        .filter(|candidate| candidate.origin.contains("twice"))
        .count();
    assert_eq!(n_knobs, 2);
    assert!(
        all.len() > 3
            && all[all.len() - 2..]
                .iter()
                .all(|candidate| candidate.title.starts_with("Set `rounds`"))
    );
    let edits: BTreeSet<&Option<String>> = all.iter().map(|candidate| &candidate.changes[0].text).collect();
    assert_eq!(edits.len(), all.len(), "no two of them are the same edit");
}

#[test]
fn a_file_that_may_not_be_changed_is_not_changed() {
    let looked = || Desk::new(late_orders()).looking(Look::Wider, with_stock(late_orders(), &|_| "Stock: plenty"));
    for (paths, protect) in [("prompts/**", "x"), ("agent/**", "agent/*.toml")] {
        let mut desk = looked();
        desk.policy = PathPolicy::new(&[paths.to_owned()], &[protect.to_owned()], &[]).unwrap();
        assert!(
            matches!(desk.ask("missing_action:refund"), Proposal::Nothing(_)),
            "{paths} {protect}"
        );
    }
    let mut desk = looked();
    desk.policy = PathPolicy::new(&["agent/**".to_owned()], &[], &["agent/steps.toml".to_owned()]).unwrap();
    assert!(
        matches!(desk.ask("missing_action:refund"), Proposal::Nothing(_)),
        "a file that the runner runs"
    );
}

#[test]
fn a_mechanism_that_no_recipe_answers_to_gets_nothing() {
    let mut desk = Desk::new(late_orders());
    desk.recipes = APPEND.replace("\"missing_action\", ", "");
    assert_eq!(
        desk.ask("missing_action:refund"),
        Proposal::Nothing("no recipe answers to `missing_action`".to_owned())
    );
}

#[test]
fn what_should_be_said_is_a_field_where_one_holds_it() {
    let run = |n: usize, late: bool| {
        let status = if late { "late" } else { "sent" };
        let day = format!("day {n}");
        let order = json!({"status": status, "arrives": day, "n": n}).to_string();
        let run = Run::new(&format!("t{n}"), &[("order", &order), ("stock", "Stock: plenty")], &[]);
        if late { run.should_say(&day) } else { run }
    };
    let runs = || vec![run(1, true), run(2, true), run(3, false), run(4, false)];
    let desk = Desk::new(runs());
    insta::assert_snapshot!(added(&desk.candidate("unmet_communication:text")), @r#"
    name = 'tell the customer arrives of order when status of order is "late"'
    when = [{ tool = "order", field = "status", is = "late" }]
    say = "{order.arrives}"
    [[step]]
    "#);
}

/// Three late gifts, two of which wanted a refund; nothing tells them apart.
fn gifts() -> Vec<Run> {
    let run = |n: usize, status: &str, sort: &str| {
        let late = ("refund", json!({"reason": "late"}));
        let expected: &[_] = if n < 2 { &[late] } else { &[] };
        let order = json!({"status": status, "sort": sort, "n": n}).to_string();
        let calls = [("order", order.as_str()), ("stock", "Stock: plenty")];
        Run::new(&format!("t{n}"), &calls, expected)
    };
    vec![
        run(0, "late", "gift"),
        run(1, "late", "gift"),
        run(2, "late", "gift"),
        run(3, "sent", "book"),
        run(4, "lost", "book"),
    ]
}

/// What is proposed at one place after a first change.
fn after(desk: &mut Desk, first: &Candidate) -> Vec<String> {
    desk.tried = BTreeSet::from([first.id.clone()]);
    let (all, _) = desk.all("missing_action:refund");
    let here = |made: &Candidate| made.origin.contains("before_last") && !made.title.ends_with("look");
    all.into_iter().filter(here).map(|made| made.title).collect()
}

#[test]
fn what_a_change_broke_rules_out_its_twins_and_all_that_hold_wherever_it_holds() {
    let mut desk = Desk::new(gifts()).looking(Look::Again, gifts());
    let first = desk.candidate("missing_action:refund");
    let untold = after(&mut desk, &first);
    assert!(
        untold.len() > 1 && untold.iter().any(|title| title.contains("always")),
        "{untold:?}"
    );
    let fell = |ground: Ground| {
        let mut experiment = Experiment::new(crate::id::ExperimentId::new("E001"), 1, first.clone());
        experiment.decide(ground, "", None);
        vec![experiment]
    };
    for ground in [Ground::Harm, Ground::Regression, Ground::Probe] {
        desk.past = fell(ground);
        assert_eq!(after(&mut desk, &first), [""; 0], "{ground}");
    }
    desk.past = fell(Ground::NoGain);
    assert_eq!(
        after(&mut desk, &first),
        untold,
        "too little gained tells nothing of others"
    );
    desk.past = fell(Ground::Harm);
    desk.batch = 2;
    assert_eq!(
        after(&mut desk, &first),
        [""; 0],
        "all of them are said by the same tool"
    );
    // Later, or on another harness, what did nothing may do something.
    desk.past = fell(Ground::Probe);
    assert_eq!(after(&mut desk, &first), untold);
    desk.batch = 1;
    desk.harness = Harness::new([("agent/steps.toml".to_owned(), format!("{STEPS}\n"))]);
    assert!(!after(&mut desk, &first).is_empty());
}

#[test]
fn what_is_drafted_beside_it_is_another_change_and_what_was_screened_out_tells_as_much_as_what_fell() {
    let mut desk = Desk::new(gifts()).looking(Look::Again, gifts());
    let first = desk.candidate("missing_action:refund");
    let untold = after(&mut desk, &first);
    desk.drafts = vec![first.clone()];
    let beside = after(&mut desk, &first);
    assert!(
        beside.len() < untold.len() && beside.iter().any(|title| title.contains("always")),
        "{beside:?}"
    );
    desk.drafts = Vec::new();
    let screened = crate::search::Screened {
        solved: vec![TaskId::new("t0")],
        broken: vec![TaskId::new("t2")],
        ..Default::default()
    };
    desk.dropped = vec![Dropped {
        candidate: first.clone(),
        screened,
        batch: 1,
    }];
    assert_eq!(after(&mut desk, &first), [""; 0]);
}
