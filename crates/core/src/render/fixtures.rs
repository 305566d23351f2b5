//! A made-up run of a helpdesk agent, rich enough to look at, the same every time.

use super::view::{BatchView, CheckView, CommentView, GateView, Provenance, PullView, ReportView, SummaryView};
use crate::candidate::{Candidate, Experiment, Ground, Prediction, Proof, Verdict};
use crate::case::{CaseState, EvalCase, FlakeStatistics};
use crate::cluster::{Cluster, ClusterState, Member};
use crate::config::GateMode;
use crate::failure::{Evidence, FailureKind, FailureRecord, Mechanism, RootCause};
use crate::gate::holdout::Asked;
use crate::harness::{FileChange, Harness};
use crate::id::{CandidateId, CaseId, ClusterId, ExperimentId, HarnessId, RecordId, TaskId};
use crate::score::Scorecard;
use crate::trace::Termination;
use std::collections::BTreeMap;

/// Must never appear in anything rendered: a validation task.
pub(super) const CANARY: &str = "held-out-canary";

pub(super) const GATE: GateView = GateView {
    mode: GateMode::Strict,
    regression_threshold: 0.8,
    sandbox: "A (namespaces)",
};

pub(super) fn card(passed: u32, failed: u32, fixed: u32, broken: u32) -> Scorecard {
    let names = |what: &str, n: u32| (1..=n).map(|index| format!("{what}-{index}")).collect();
    Scorecard {
        passed,
        failed,
        fixed,
        broken,
        fixed_tasks: names("lost-parcel", fixed),
        broken_tasks: names("refund", broken),
        ..Scorecard::default()
    }
}

fn held_out(passed: u32, failed: u32, fixed: u32, broken: u32) -> Scorecard {
    Scorecard {
        fixed_tasks: vec![CANARY.to_owned()],
        broken_tasks: vec![CANARY.to_owned()],
        ..card(passed, failed, fixed, broken)
    }
}

pub(super) fn diff() -> String {
    let old = "# What the agent does, in order.\n[[step]]\nname = \"greet\"\n\n[[step]]\nname = \"look up order\"\ncall = \"get_order\"\n\n[[step]]\nname = \"answer\"\n";
    let new = old.replace(
        "[[step]]\nname = \"answer\"",
        "[[step]]\nname = \"open a trace for a lost parcel\"\nwhen = { tool = \"get_order\", line = \"status: lost\" }\ncall = \"open_parcel_trace\"\n\n[[step]]\nname = \"answer\"",
    );
    let path = "agent/workflow.toml".to_owned();
    let harness = Harness::new([(path.clone(), old.to_owned())]);
    harness.diff(&harness.with(&[FileChange { path, text: Some(new) }]))
}

fn candidate(id: &str, title: &str) -> Candidate {
    Candidate {
        removes: None,
        id: CandidateId::new(format!("cand-{id}")),
        cluster: ClusterId::new("c-lost-parcel"),
        parent: HarnessId::new("h0"),
        title: title.to_owned(),
        hypothesis: "In every failing trace `get_order` answers `status: lost`, and in no passing one; there the agent has to call `open_parcel_trace`, and never does.".to_owned(),
        changes: Vec::new(),
        diff: diff(),
        predicted: ["lost-parcel-1", "lost-parcel-2", "lost-parcel-9"].map(TaskId::new).into(),
        origin: "recipes: add-step, position=before_last".to_owned(),
    }
}

pub(super) fn accepted(id: &str) -> Experiment {
    let candidate = candidate(id, "Open a parcel trace when the order is lost");
    let mut experiment = Experiment {
        cluster_cases: Some(card(4, 1, 4, 0)),
        regression: Some(card(17, 1, 0, 1)),
        validation: Some(held_out(30, 10, 4, 1)),
        best_before: 0.675,
        task_runs: 62,
        ..Experiment::new(ExperimentId::new(id), 4, candidate)
    };
    let reason = "regression 17/18 is at or above 0.800, validation 0.750 is at or above the best seen, 0.675";
    experiment.decide(Ground::Gain, reason, None);
    experiment
}

pub(super) fn rejected(id: &str, title: &str) -> Experiment {
    let mut experiment = Experiment {
        candidate: candidate(id, title),
        cluster_cases: Some(card(1, 4, 1, 0)),
        regression: Some(card(13, 5, 0, 4)),
        validation: None,
        task_runs: 21,
        ..accepted(id)
    };
    let reason = "regression 13/18 (0.722) is below the threshold 0.800";
    experiment.decide(Ground::Regression, reason, None);
    experiment
}

pub(super) fn cluster(
    id: &str,
    title: &str,
    rule: &str,
    subject: &str,
    failures: u32,
    resolved: u32,
    state: ClusterState,
) -> Cluster {
    let mechanism = Mechanism {
        rule: rule.to_owned(),
        subject: subject.to_owned(),
    };
    let members = (1..=failures).map(|n| {
        let task = TaskId::new(format!("task-{id}-{}", n % 7));
        (
            RecordId::new(format!("r-{id}-{n:02}")),
            Member {
                task,
                batch: n / 2 + 1,
                resolved: n <= resolved,
                mechanism: mechanism.clone(),
                impact: None,
            },
        )
    });
    Cluster {
        id: ClusterId::new(id),
        also: std::collections::BTreeSet::new(),
        title: title.to_owned(),
        members: members.collect(),
        mechanism: mechanism.clone(),
        share: 0.8,
        state,
        first_batch: 1,
        last_batch: failures / 2 + 1,
    }
}

fn lost_parcel() -> Cluster {
    cluster(
        "c-lost-parcel",
        "Does not open a parcel trace for lost orders",
        "missing_action",
        "open_parcel_trace",
        9,
        0,
        ClusterState::InProgress,
    )
}

pub(super) fn record() -> FailureRecord {
    FailureRecord {
        id: RecordId::new("r-5f3c"),
        task: TaskId::new("lost-parcel-1"),
        kind: FailureKind::Agent,
        context: "My order O-7 was due last week and the tracking page says it is lost. @support fixes #12?".to_owned(),
        behaviour: "looked up the order, then told the customer to wait".to_owned(),
        termination: Termination::AgentStop,
        causes: vec![RootCause {
            mechanism: Mechanism {
                rule: "missing_action".to_owned(),
                subject: "open_parcel_trace".to_owned(),
            },
            finding: "The agent never called open_parcel_trace, although the order is lost".to_owned(),
            evidence: vec![
                Evidence {
                    step: Some(3),
                    quote: "{\"order\": \"O-7\", \"status\": \"lost\"}".to_owned(),
                },
                Evidence {
                    step: Some(4),
                    quote: "Please wait another 5 days.".to_owned(),
                },
                Evidence {
                    step: None,
                    quote: "assert_trace_open: expected true".to_owned(),
                },
            ],
            confidence: 0.9,
            should: "Call open_parcel_trace with order_id O-7 before answering".to_owned(),
            action: None,
        }],
        impact: None,
        draft: None,
    }
}

pub(super) fn case(n: u32, state: CaseState) -> EvalCase {
    let (id, task) = (format!("case-{n:04}"), format!("lost-parcel-{n}"));
    let title = "A lost order gets a parcel trace".to_owned();
    EvalCase {
        clusters: vec![ClusterId::new("c-lost-parcel")],
        records: vec![RecordId::new("r-5f3c")],
        fixed_by: Some(ExperimentId::new("E007")),
        flake: FlakeStatistics {
            runs_before: 2,
            fails_before: 2,
            runs_after: 3,
            passes_after: 3,
        },
        state,
        ..EvalCase::new(CaseId::new(id), TaskId::new(task), title)
    }
}

pub(super) fn pull() -> PullView {
    PullView {
        head: "sprag/c-lost-parcel".to_owned(),
        base: "main".to_owned(),
        cluster: lost_parcel(),
        example: Some(record()),
        experiment: accepted("E007"),
        gate: GATE,
        history: vec![0.525, 0.675, 0.75],
        attempts: vec![
            rejected("E005", "Open a parcel trace for every order"),
            Experiment {
                validation: Some(held_out(25, 15, 1, 3)),
                regression: Some(card(18, 0, 0, 0)),
                verdict: Some((
                    Verdict::Rejected,
                    "validation 0.625 is below the best seen, 0.675".to_owned(),
                )),
                ground: Some(Ground::Harm),
                ..rejected("E006", "Open a parcel trace when the customer says \"lost\"")
            },
        ],
        new_cases: vec![case(1, CaseState::Open), case(2, CaseState::Open)],
        learnings: true,
        rejections: Vec::new(),
        issues: vec![12, 19],
        issues_left: Vec::new(),
    }
}

pub(super) fn check() -> CheckView {
    CheckView {
        head_sha: "6f2c1e0d9b8a7f6e5d4c3b2a19080706f5e4d3c2".to_owned(),
        experiment: accepted("E007"),
        gate: GATE,
        folder: String::new(),
        suite: vec![case(1, CaseState::Promoted), case(2, CaseState::Promoted)],
        left_out: Vec::new(),
        buttons: true,
    }
}

pub(super) fn proof() -> Proof {
    Proof {
        validation_before: 0.5,
        validation: card(17, 1, 0, 0),
        regression: None,
        cases: vec![case(1, CaseState::Promoted)],
    }
}

pub(super) fn mined() -> CommentView {
    CommentView::Mined {
        record: record(),
        clusters: vec![Cluster {
            state: ClusterState::Open,
            ..lost_parcel()
        }],
    }
}

pub(super) fn summary() -> SummaryView {
    SummaryView {
        baseline: card(21, 19, 0, 0),
        latest: card(33, 7, 0, 0),
        batches: 18,
        experiments: 41,
        accepted: 9,
        rejected: 31,
        suite_size: 19,
        clusters: 11,
        resolved: 8,
        prediction: Some(Prediction {
            predicted: 34,
            came_true: 25,
            fixed: 31,
        }),
        task_runs: 2_314,
        sandbox: "A (namespaces)",
        files: vec![
            ("pull request".to_owned(), "out/pull/body.md".to_owned()),
            ("report".to_owned(), "out/report.html".to_owned()),
        ],
    }
}

const CHANGES: [(&str, &str); 6] = [
    ("Open a parcel trace when the order is lost", "c-lost-parcel"),
    ("Check the refund limit before refunding", "c-refund"),
    ("Verify the customer before changing an address", "c-verify"),
    ("Ask for the order number when none is given", "c-order"),
    ("Do not hand over while a tool can still help", "c-handover"),
    ("Tell the customer the date of delivery", "c-date"),
];

#[expect(clippy::too_many_lines, reason = "a table of made-up clusters")]
fn clusters() -> Vec<Cluster> {
    let state = |resolved, failures| {
        if resolved == failures {
            ClusterState::Resolved
        } else {
            ClusterState::Open
        }
    };
    [
        (
            "c-handover",
            "Hands over to a person although a tool would have helped",
            "premature_handover",
            "transfer_to_human",
            11,
            4,
            ClusterState::Reopened,
        ),
        (
            "c-date",
            "Does not tell the customer the date of delivery",
            "missing_communication",
            "delivery_date",
            6,
            1,
            ClusterState::InProgress,
        ),
        (
            "c-loop",
            "Calls get_order again and again with the same argument",
            "loop",
            "get_order",
            3,
            0,
            ClusterState::Open,
        ),
        (
            "c-tone",
            "Ends the chat before the customer has answered",
            "termination",
            "max_steps",
            2,
            0,
            ClusterState::Ignored,
        ),
        (
            "c-lost-parcel",
            "Does not open a parcel trace for lost orders",
            "missing_action",
            "open_parcel_trace",
            9,
            9,
            state(9, 9),
        ),
        (
            "c-refund",
            "Refunds more than the limit allows",
            "wrong_argument",
            "refund.amount",
            8,
            8,
            state(8, 8),
        ),
        (
            "c-verify",
            "Changes an address without verifying the customer",
            "extra_write",
            "change_address",
            5,
            5,
            state(5, 5),
        ),
        (
            "c-order",
            "Guesses an order number that nobody gave",
            "wrong_argument",
            "get_order.order_id",
            4,
            4,
            state(4, 4),
        ),
    ]
    .map(|(id, title, rule, subject, failures, resolved, state)| {
        cluster(id, title, rule, subject, failures, resolved, state)
    })
    .into()
}

/// Experiments that climb from 21 to 33 of 40, with the usual falls between.
fn experiments() -> Vec<Experiment> {
    let mut best = 21;
    (1..=41_u32)
        .map(|n| {
            let id = format!("E{n:03}");
            let (title, cluster) = CHANGES[(n as usize / 5) % CHANGES.len()];
            let before = f64::from(best) / 40.0;
            let mut experiment = match n % 9 {
                4 => {
                    let gain = [3, 2, 2, 1, 4][(n as usize / 9) % 5];
                    best += gain;
                    let reason = format!(
                        "regression 17/18 is at or above 0.800, validation {best}/40 is at or above the best seen"
                    );
                    Experiment {
                        validation: Some(held_out(best, 40 - best, gain + 1, 1)),
                        verdict: Some((Verdict::Accepted, reason)),
                        ..accepted(&id)
                    }
                }
                1 | 6 => {
                    let passed = best - 1 - n % 4;
                    let reason = format!("validation {passed}/40 is below the best seen, {best}/40");
                    Experiment {
                        validation: Some(held_out(passed, 40 - passed, 2, 3 + n % 4)),
                        regression: Some(card(16, 2, 0, 2)),
                        verdict: Some((Verdict::Rejected, reason)),
                        ground: Some(Ground::Harm),
                        ..rejected(&id, title)
                    }
                }
                8 if n < 20 => Experiment {
                    regression: Some(Scorecard {
                        errored: 3,
                        ..card(14, 1, 0, 1)
                    }),
                    verdict: Some((
                        Verdict::Indecisive,
                        "3 of 18 regression runs ended without a verdict: model endpoint timed out".to_owned(),
                    )),
                    ground: Some(Ground::Infrastructure),
                    ..rejected(&id, title)
                },
                _ => rejected(&id, title),
            };
            experiment.batch = n * 18 / 42 + 1;
            experiment.best_before = before;
            experiment.candidate.title = title.to_owned();
            experiment.candidate.cluster = ClusterId::new(cluster);
            experiment
        })
        .collect()
}

fn batches() -> Vec<BatchView> {
    (1..=18_u32)
        .map(|number| {
            let failed = 6 - number / 4;
            BatchView {
                number,
                tasks: 10,
                passed: 10 - failed - u32::from(number == 7),
                failed,
                errored: u32::from(number == 7),
                findings: failed * 3 / 2,
                new_clusters: u32::from(number < 6) + u32::from(number == 1),
                suite_size: number * 19 / 18,
                done: match number % 3 {
                    0 => "Nothing passed the gates: 3 changes for “Hands over to a person although a tool would have helped” fell.".to_owned(),
                    _ => "Accepted “Open a parcel trace when the order is lost” after 2 changes fell; 2 cases joined the suite.".to_owned(),
                },
            }
        })
        .collect()
}

pub(super) fn report() -> ReportView {
    ReportView {
        name: "helpdesk".to_owned(),
        baseline: held_out(21, 19, 0, 0),
        latest: held_out(33, 7, 0, 0),
        batches: batches(),
        experiments: experiments(),
        clusters: clusters(),
        cases: (1..=19)
            .map(|n| case(n, CaseState::Promoted))
            .chain([case(20, CaseState::Quarantined)])
            .collect(),
        asked: Asked {
            queries: 6,
            accepted: 3,
        },
        failure_kinds: BTreeMap::from([
            (FailureKind::Agent, 61),
            (FailureKind::Infrastructure, 4),
            (FailureKind::UserSimulator, 2),
        ]),
        task_runs: 2_314,
        gate: GATE,
        provenance: Provenance {
            config_digest: "9b1f0c6ad27e4c55a4f3e1d2c3b4a596".to_owned(),
            seed: 7,
            ledger_head: "e41d8cd98f00b204e9800998ecf8427e".to_owned(),
            version: "0.1.0".to_owned(),
        },
    }
}
