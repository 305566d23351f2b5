//! What is in a brief, and what never is.

use super::*;
use crate::candidate::Candidate;
use crate::failure::{Evidence, FailureKind, Mechanism, RootCause};
use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId};
use crate::trace::{Role, Step, Termination, ToolCall, Trace};

fn record() -> FailureRecord {
    FailureRecord {
        id: RecordId::new("r"),
        task: TaskId::new("t1"),
        kind: FailureKind::Agent,
        context: "Where is my money?".to_owned(),
        behaviour: "said sorry".to_owned(),
        termination: Termination::Unknown,
        causes: vec![RootCause {
            mechanism: Mechanism {
                rule: "missing_action".to_owned(),
                subject: "refund".to_owned(),
            },
            finding: "refund was never called".to_owned(),
            evidence: vec![Evidence {
                step: Some(2),
                quote: "status: settled".to_owned(),
            }],
            confidence: 1.0,
            should: "call refund".to_owned(),
            action: None,
        }],
        impact: None,
        draft: None,
    }
}

fn experiment(cluster: &ClusterId, verdict: Verdict, reason: &str) -> Experiment {
    let candidate = Candidate {
        removes: None,
        id: CandidateId::new("x"),
        cluster: cluster.clone(),
        parent: HarnessId::new("h"),
        title: "Refund at once".to_owned(),
        hypothesis: "It waits.".to_owned(),
        changes: Vec::new(),
        diff: "--- a/agent/a.md\n+++ b/agent/a.md\n@@\n-wait\n+refund\n".to_owned(),
        predicted: ["t1", "t4"].map(TaskId::new).into(),
        origin: String::new(),
    };
    Experiment {
        cluster_cases: Some(Scorecard {
            fixed_tasks: vec!["t1".to_owned()],
            ..Scorecard::default()
        }),
        regression: Some(Scorecard {
            broken_tasks: vec!["t5".to_owned()],
            ..Scorecard::default()
        }),
        best_before: 0.8125,
        verdict: Some((verdict, reason.to_owned())),
        ..Experiment::new(ExperimentId::new("E001"), 1, candidate)
    }
}

fn trace(tool: &str, said: &str) -> Trace {
    let step = |role, content: &str| Step {
        role,
        content: content.to_owned(),
        ..Step::default()
    };
    let mut called = step(Role::Assistant, "");
    called.tool_calls.push(ToolCall {
        name: tool.to_owned(),
        ..ToolCall::default()
    });
    Trace {
        steps: vec![step(Role::User, said), called],
        ..Trace::default()
    }
}

fn told(experiments: &[Experiment], files: usize, bytes: usize) -> String {
    let mut book = crate::cluster::ClusterBook::default();
    book.join(&record(), 1);
    let cluster = book.clusters.values().next().unwrap();
    let (failing, like, unlike) = (
        trace("get_order", "mine"),
        trace("get_order", "like mine"),
        trace("ping", "else"),
    );
    let tasks = ["t1", "t2", "t3"].map(TaskId::new);
    let base: Vec<Example<'_>> = [
        (&tasks[0], false, &failing),
        (&tasks[2], true, &unlike),
        (&tasks[1], true, &like),
    ]
    .map(|(task, passed, trace)| Example { task, passed, trace })
    .into();
    let paths = (0..files).map(|n| {
        (
            format!("agent/{n}.md"),
            format!("\n# File {n}\n{}", "text ".repeat(500)),
        )
    });
    let globs = (["agent/**".to_owned()], ["agent/judge.py".to_owned()]);
    let material = Material {
        cluster,
        records: &BTreeMap::from([(RecordId::new("r"), record())]),
        base: &base,
        harness: &Harness::new(paths),
        globs: (&globs.0, &globs.1),
        experiments,
        lessons: &["- pull request 4: people did not want it: too long".to_owned()],
        start: None,
    };
    brief(&material, bytes)
}

fn id() -> ClusterId {
    let mut book = crate::cluster::ClusterBook::default();
    book.join(&record(), 1).remove(0)
}

#[test]
fn all_that_helps_is_told() {
    let tried = experiment(&id(), Verdict::Rejected, "regression: 1 of 2 cases pass");
    let text = told(&[tried], 2, 20_000);
    for expected in [
        "missing_action:refund",
        "task t1: Where is my money?",
        "finding: refund was never called",
        "step 2: status: settled",
        "instead: call refund",
        "Refund at once",
        "rejected: regression: 1 of 2 cases pass",
        "fixed t1",
        "broke t5",
        "\n  1 of 2 predicted fixes came true, and 1 of 1 fixed tasks had been predicted",
        "all changes together: 1 of 2 predicted fixes",
        "+refund",
        "too long",
        "agent/0.md (2510 bytes): # File 0",
        "but not agent/judge.py",
        "task t1 fails",
        "task t2 passes",
        "Write no task id",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    let (like, unlike) = (text.find("task t2 passes"), text.find("task t3 passes"));
    assert!(like < unlike, "runs of its kind come first");
}

#[test]
fn nothing_of_the_validation_set_is_told() {
    let mut fell = experiment(
        &id(),
        Verdict::Rejected,
        "validation 0.777 is below the best seen, 0.812",
    );
    fell.validation = Some(Scorecard {
        passed: 7,
        failed: 2,
        ..Scorecard::default()
    });
    let mut kept = experiment(&id(), Verdict::Accepted, "validation 0.900, best seen before 0.812");
    kept.validation = fell.validation.clone();
    let named = experiment(&id(), Verdict::Invalid, "names a held-out task");
    let text = told(&[fell, kept, named], 1, 20_000);
    for secret in ["0.777", "0.812", "0.9", "held-out"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(
        text.contains("it does harm on tasks that you cannot see") && text.contains("invalid: it breaks the rules")
    );
}

#[test]
fn it_is_bounded_and_the_rules_are_always_whole() {
    let many: Vec<Experiment> = (0..40)
        .map(|_| experiment(&id(), Verdict::Rejected, &"because ".repeat(200)))
        .collect();
    for bytes in [4_000, 9_000, 40_000] {
        let text = told(&many, 500, bytes);
        assert!(text.len() <= bytes + 600, "{} of {bytes}", text.len());
        assert!(text.ends_with(RULES), "{bytes}");
    }
}
