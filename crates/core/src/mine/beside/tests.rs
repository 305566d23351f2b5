use super::*;
use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};
use crate::trace::Step;

const REQUEST: &str = "please cancel order O-7731, the storm broke the lamp";

/// A run in which the agent looks the order up and then makes these calls.
fn run(calls: &[(&str, &str)]) -> Trace {
    let mut steps: Vec<Step> = vec![user(REQUEST)];
    let look = [("get_order", r#"{"order":"O-7731"}"#)];
    for (at, (tool, arguments)) in look.iter().chain(calls).enumerate() {
        let id = at.to_string();
        steps.extend([agent_calls(&id, tool, arguments), answer(&id, "O-7731: ok", false)]);
    }
    steps.push(said("Done."));
    trace(steps)
}

const CANCEL: (&str, &str) = ("cancel", r#"{"order":"O-7731","reason":"storm"}"#);
const HANDOVER: (&str, &str) = ("transfer_to_human", r#"{"summary":"stuck"}"#);

fn judged(task: &str, runs: &[(Trace, bool)]) -> Judged {
    let task = TaskId::new(task);
    Judged::new(runs.iter().map(|(trace, passed)| (&task, trace, *passed)))
}

fn mechanisms(failed: &Trace, judged: &Judged) -> Vec<String> {
    let record = mine_beside("run", &TaskId::new("t"), failed, judged);
    record.causes.iter().map(|cause| cause.mechanism.to_string()).collect()
}

#[test]
fn a_passing_run_of_the_task_says_what_should_have_been_done() {
    let passed = judged("t", &[(run(&[CANCEL]), true)]);
    for (calls, mechanism) in [
        (vec![], "gave_up:cancel"),
        (vec![HANDOVER], "premature_handover:cancel"),
        (vec![("notify", r#"{"who":"Ann"}"#)], "missing_action:cancel"),
        (
            vec![("cancel", r#"{"order":"O-7731","reason":"late"}"#)],
            "wrong_argument:cancel.reason",
        ),
        (vec![CANCEL, ("refund", "{}")], "extra_write:refund"),
        (vec![CANCEL], "wrong_answer:answer"),
    ] {
        assert_eq!(mechanisms(&run(&calls), &passed)[0], mechanism);
    }
    let nothing = judged("t", &[(run(&[]), true)]);
    assert_eq!(mechanisms(&run(&[CANCEL]), &nothing)[0], "unwarranted_write:cancel");
    let handed = judged("t", &[(run(&[HANDOVER]), true)]);
    assert_eq!(mechanisms(&run(&[]), &handed)[0], "missing_handover:transfer_to_human");
}

#[test]
fn such_a_finding_says_where_it_comes_from_and_counts_for_less() {
    let passed = judged("t", &[(run(&[CANCEL]), true)]);
    let failed = run(&[("notify", "{}")]);
    let record = mine_beside("run", &TaskId::new("t"), &failed, &passed);
    let cause = &record.causes[0];
    assert!(
        cause.should.ends_with(", as a run of the same task did that passed"),
        "{}",
        cause.should
    );
    assert!(cause.confidence < 0.9 && cause.action.is_some());
    assert_eq!(record.decisive_step(), Some(5));
}

#[test]
fn of_several_changes_that_nobody_explains_the_first_decides_and_the_surest_names_the_mechanism() {
    let failed = run(&[("notify", "{}"), ("refund", "{}")]);
    let record = mine_beside("run", &TaskId::new("t"), &failed, &Judged::default());
    let at = |cause: &RootCause| cause.evidence[0].step;
    let (surest, other) = (&record.causes[0], &record.causes[1]);
    assert_eq!(surest.mechanism.to_string(), "unexplained_write:refund");
    assert_eq!(other.mechanism.to_string(), "unexplained_write:notify");
    assert!(at(other) < at(surest));
    assert_eq!(record.decisive_step(), at(other));
}

#[test]
fn the_nearest_of_several_passing_runs_counts() {
    let two = judged(
        "t",
        &[(run(&[HANDOVER]), true), (run(&[CANCEL, ("notify", "{}")]), true)],
    );
    assert_eq!(mechanisms(&run(&[CANCEL]), &two)[0], "missing_action:notify");
}

#[test]
fn what_passing_runs_do_differently_is_free() {
    let with = |reason: &str| run(&[("cancel", &format!(r#"{{"order":"O-7731","reason":"{reason}"}}"#))]);
    let two = judged("t", &[(with("storm"), true), (with("strike"), true)]);
    assert_eq!(mechanisms(&with("late"), &two)[0], "wrong_answer:answer");
    let one = judged("t", &[(with("storm"), true)]);
    assert_eq!(mechanisms(&with("late"), &one)[0], "wrong_argument:cancel.reason");
}

#[test]
fn another_task_of_the_same_name_is_none() {
    let mut other = run(&[CANCEL]);
    other.steps[0] = user("quiero cambiar mi vuelo a Lima");
    for call in other.steps.iter_mut().flat_map(|step| &mut step.tool_calls) {
        call.arguments.clear();
    }
    let found = mechanisms(&run(&[]), &judged("t", &[(other, true)]));
    assert!(!found.contains(&"gave_up:cancel".to_owned()), "{found:?}");
}

#[test]
fn what_passing_runs_show_as_often_explains_nothing() {
    // A made-up value in every run, failed or not; a second one only in failed runs.
    let invented = ("tag", r#"{"label":"zz99"}"#);
    let telling = ("notify", r#"{"who":"qq88"}"#);
    let passed = || (run(&[invented]), true);
    let runs: Vec<_> = (0..6).flat_map(|_| [passed(), (run(&[invented]), false)]).collect();
    let found = mechanisms(&run(&[invented]), &judged("other", &runs));
    assert!(
        !found.iter().any(|found| found.starts_with("invented_argument")),
        "{found:?}"
    );
    let runs: Vec<_> = (0..6)
        .flat_map(|_| [(run(&[]), true), (run(&[telling]), false)])
        .collect();
    let found = mechanisms(&run(&[telling]), &judged("other", &runs));
    assert_eq!(found[0], "invented_argument:notify.who");
}

#[test]
fn similar_passing_runs_of_other_tasks_say_what_such_a_request_needs() {
    let passed: Vec<_> = (0..3).map(|_| (run(&[CANCEL]), true)).collect();
    let other = judged("other", &passed);
    assert_eq!(mechanisms(&run(&[]), &other)[0], "gave_up:cancel");
    assert_eq!(mechanisms(&run(&[HANDOVER]), &other)[0], "premature_handover:cancel");
}

#[test]
fn of_several_changes_the_one_that_goes_with_failures_is_the_first_suspect() {
    let notify = ("notify", r#"{"who":"Ann"}"#);
    let runs: Vec<_> = (0..6)
        .flat_map(|_| [(run(&[notify]), true), (run(&[CANCEL, notify]), false)])
        .collect();
    let found = mechanisms(&run(&[CANCEL, notify]), &judged("other", &runs));
    let suspects: Vec<_> = found.iter().filter(|found| found.starts_with("unexplained")).collect();
    assert_eq!(suspects, ["unexplained_write:cancel", "unexplained_write:notify"]);
}

#[test]
fn ground_truth_needs_no_passing_runs_and_names_the_same_mechanisms() {
    let passed = judged("t", &[(run(&[HANDOVER]), true)]);
    let task = TaskId::new("t");
    for (calls, mechanism) in [
        (vec![], "gave_up:cancel"),
        (vec![HANDOVER], "premature_handover:cancel"),
        (vec![("notify", r#"{"who":"Ann"}"#)], "missing_action:cancel"),
        (vec![CANCEL, ("refund", "{}")], "extra_write:refund"),
        (vec![CANCEL], "wrong_answer:answer"),
    ] {
        let failed = expects(run(&calls), CANCEL.0, CANCEL.1);
        let record = mine_beside("run", &task, &failed, &passed);
        assert_eq!(record.causes[0].mechanism.to_string(), mechanism);
        assert_eq!(record, mine_beside("run", &task, &failed, &Judged::default()));
    }
}

#[test]
fn the_ground_truth_of_judged_runs_is_not_used() {
    let bare = judged("t", &[(run(&[CANCEL]), true), (run(&[]), false)]);
    let told = judged(
        "t",
        &[
            (expects(run(&[CANCEL]), "refund", "{}"), true),
            (expects(run(&[]), "refund", "{}"), false),
        ],
    );
    let task = TaskId::new("t");
    assert_eq!(
        mine_beside("run", &task, &run(&[]), &bare),
        mine_beside("run", &task, &run(&[]), &told)
    );
}

#[test]
fn runs_that_are_added_one_by_one_say_the_same() {
    let task = TaskId::new("t");
    let mut builder = Judged::builder();
    for (calls, passed) in [(vec![CANCEL], true), (vec![], false), (vec![HANDOVER], false)] {
        builder.add(&task, &run(&calls), passed);
    }
    builder.add(&task, &trace(Vec::new()), false);
    let added = builder.build();
    let whole = judged(
        "t",
        &[(run(&[CANCEL]), true), (run(&[]), false), (run(&[HANDOVER]), false)],
    );
    assert_eq!(format!("{added:?}"), format!("{whole:?}"));
    assert_eq!(mechanisms(&run(&[]), &added)[0], "gave_up:cancel");
}

#[test]
fn only_the_latest_runs_are_kept() {
    let task = TaskId::new("t");
    let mut builder = Judged::builder();
    builder.add(&task, &run(&[CANCEL]), true);
    let short = trace(vec![user("hi")]);
    (0..MOST).for_each(|_| builder.add(&task, &short, true));
    assert_eq!(builder.passed.len(), MOST);
    assert!(builder.passed.iter().all(|(seen, _)| seen.actions.is_empty()));
}

#[test]
fn a_long_value_is_neither_kept_nor_compared() {
    let text = "x".repeat(LONGEST_VALUE);
    let passed = judged(
        "t",
        &[(
            run(&[("write", &format!(r#"{{"path":"a.txt","text":"{text}"}}"#))]),
            true,
        )],
    );
    assert_eq!(passed.passed[0].actions[0].arguments.len(), 1);
    let other = |path: &str| run(&[("write", &format!(r#"{{"path":"{path}","text":"y"}}"#))]);
    assert_eq!(mechanisms(&other("a.txt"), &passed)[0], "wrong_answer:answer");
    assert_eq!(mechanisms(&other("b.txt"), &passed)[0], "wrong_argument:write.path");
}

#[test]
fn each_sentence_of_a_policy_is_weighed_by_itself() {
    // All runs make two calls at once, and pass or fail; only failed ones do what is forbidden.
    let policy = "Make one tool call at a time. Never use `wipe_all`.";
    let with = |calls: &[(&str, &str)]| {
        let mut run = run(calls);
        let rules = Step {
            role: Role::System,
            content: policy.to_owned(),
            ..Step::default()
        };
        run.steps.insert(0, rules);
        let second = run.steps[2].tool_calls[0].clone();
        run.steps[2].tool_calls.push(second);
        run
    };
    let (notify, wipe) = (("notify", "{}"), ("wipe_all", "{}"));
    let runs: Vec<_> = (0..6)
        .flat_map(|_| [(with(&[notify]), true), (with(&[notify, wipe]), false)])
        .collect();
    let found = mechanisms(&with(&[notify, wipe]), &judged("other", &runs));
    let broken: Vec<_> = found
        .iter()
        .filter(|found| found.starts_with("policy_violated"))
        .collect();
    assert_eq!(broken, ["policy_violated:wipe_all"]);
}
