//! Whatever the world answers, the loop keeps its promises: a tape of bytes plays the world, and every step is checked.

use super::*;
use crate::budget::{Limits, Spent};
use crate::candidate::Candidate;
use crate::case::{CaseState, Draft, Expectation, Input, Refusal};
use crate::config::GateMode;
use crate::failure::{Mechanism, RootCause};
use crate::gate::GatePolicy;
use crate::harness::{FileChange, Harness};
use crate::id::{CandidateId, HarnessId, RecordId};
use crate::ledger::{CaseRerun, CaseTry, Finding, Known, Plan};
use crate::signal::Report;
use crate::trace::Termination;
use crate::trial::{TaskVerdict, TrialStatus};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const N_VALIDATION: u32 = 5;

/// What the world answers, byte by byte; zeros when the tape is over.
struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    /// A number below `bound`.
    fn below(&mut self, bound: u32) -> u32 {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        u32::from(byte) % bound
    }

    fn spent(&mut self) -> Spent {
        Spent {
            task_runs: u64::from(self.below(20)),
            usd: f64::from(self.below(4)) / 8.0,
        }
    }

    /// A card over so many runs; one in eight has an error in it.
    fn card(&mut self, total: u32) -> Scorecard {
        let errored = u32::from(total > 0 && self.below(8) == 1);
        let passed = self.below(total - errored + 1);
        let failed = total - errored - passed;
        Scorecard {
            passed,
            failed,
            errored,
            fixed: self.below(passed + 1),
            mechanism_gone: self.below(2),
            ..Scorecard::default()
        }
    }

    fn record(&mut self, task: &TaskId, name: String) -> FailureRecord {
        let cause = |mechanism: u32| RootCause {
            mechanism: Mechanism {
                rule: "missing_action".to_owned(),
                subject: format!("tool-{mechanism}"),
            },
            finding: String::new(),
            evidence: Vec::new(),
            confidence: 0.9,
            should: "call it".to_owned(),
            action: None,
        };
        let (first, second) = (self.below(4), self.below(8));
        let kind = match self.below(8) {
            1 => FailureKind::Infrastructure,
            2 => FailureKind::Unknown,
            _ => FailureKind::Agent,
        };
        FailureRecord {
            id: RecordId::new(name),
            task: task.clone(),
            kind,
            context: String::new(),
            behaviour: "did nothing".to_owned(),
            termination: Termination::AgentStop,
            causes: [first, second].into_iter().take_while(|n| *n < 4).map(cause).collect(),
            impact: None,
            draft: None,
        }
    }

    fn traffic(&mut self, batch: u32, tasks: &[(TaskId, u32)]) -> Event {
        let mut records = Vec::new();
        let mut verdicts = Vec::new();
        for (task, trial) in tasks {
            let status = match self.below(4) {
                0 => TrialStatus::Passed,
                1 => TrialStatus::Errored {
                    kind: FailureKind::Infrastructure,
                    message: "no power".to_owned(),
                },
                _ => TrialStatus::Failed,
            };
            if status != TrialStatus::Passed {
                records.push(self.record(task, format!("{task} {trial} {batch}")));
            }
            verdicts.push(TaskVerdict {
                task: task.clone(),
                status,
            });
        }
        Event::TrafficRan {
            batch,
            verdicts,
            records,
            spent: self.spent(),
        }
    }

    /// Some are refused, some cannot be run, some have no verdict; the rest fails or passes.
    fn tries(&mut self, cases: &[CaseTrial]) -> Event {
        let (mut tried, mut refused) = (Vec::new(), Vec::new());
        for trial in cases {
            let wanted = u32::try_from(trial.trials.len()).unwrap();
            let (kind, fewer) = (self.below(8), self.below(8));
            if kind == 1 {
                refused.push(Refusal {
                    case: trial.case.clone(),
                    reason: "says what a held-out task says".to_owned(),
                    kept: None,
                });
                continue;
            }
            let runs = if kind == 2 {
                0
            } else {
                wanted - u32::from(wanted > 0 && fewer == 1)
            };
            tried.push(CaseTry {
                case: trial.case.clone(),
                runs,
                fails: runs - u32::from(runs > 0 && kind == 3),
                not_runnable: (kind == 2).then(|| "no worker".to_owned()),
                unchecked: kind == 4,
            });
        }
        Event::CasesTried {
            tried,
            refused,
            spent: self.spent(),
        }
    }

    fn proposal(&mut self, experiment: &ExperimentId, cluster: &ClusterId) -> Event {
        if self.below(4) == 1 {
            return Event::NothingProposed {
                cluster: cluster.clone(),
                reason: "every edit was tried".to_owned(),
                spent: self.spent(),
            };
        }
        Event::Proposed {
            experiment: experiment.clone(),
            candidate: Box::new(Candidate {
                id: CandidateId::new(format!("of {experiment}")),
                cluster: cluster.clone(),
                parent: HarnessId::new("h"),
                title: String::new(),
                hypothesis: String::new(),
                changes: vec![FileChange {
                    path: "agent/a".to_owned(),
                    text: Some(experiment.to_string()),
                }],
                diff: String::new(),
                predicted: Vec::new(),
                origin: String::new(),
            }),
            objection: None,
            spent: self.spent(),
        }
    }

    fn promotion(&mut self, state: &State, experiment: &ExperimentId, cases: &[(CaseId, TaskId)]) -> Event {
        let mut resolved = Vec::new();
        for cluster in state.clusters.clusters.values() {
            let some = cluster.members.keys().filter(|_| self.below(3) == 1);
            resolved.extend(some.map(|record| (cluster.id.clone(), record.clone())));
        }
        let rerun = |(case, task): &(CaseId, TaskId)| {
            let runs = PROMOTION_RUNS - u32::from(self.below(8) == 1);
            CaseRerun {
                case: case.clone(),
                task: task.clone(),
                runs,
                passes: self.below(runs + 1),
            }
        };
        Event::Promoted {
            experiment: experiment.clone(),
            cases: cases.iter().map(rerun).collect(),
            resolved,
            spent: Spent::default(),
        }
    }

    /// The event that a command leads to.
    fn answer(&mut self, state: &State, command: &Command) -> Event {
        match command {
            Command::MeasureBaseline => Event::BaselineMeasured {
                validation: self.card(N_VALIDATION),
                spent: self.spent(),
            },
            Command::ReadSignals => {
                let task = state.plan.train[0].clone();
                let record = (self.below(2) == 0).then(|| self.record(&task, "issue 3".to_owned()));
                let instead = None;
                Event::SignalsRead {
                    findings: vec![Finding {
                        issue: 3,
                        record,
                        instead,
                    }],
                    spent: self.spent(),
                }
            }
            Command::RunTraffic { batch, tasks } => self.traffic(*batch, tasks),
            Command::ReviseClusters { found } => Event::ClustersRevised {
                revisions: found.clone(),
                spent: Spent::default(),
            },
            Command::TryCases { cases } => self.tries(cases),
            Command::Propose { experiment, cluster } => self.proposal(experiment, cluster),
            Command::Measure {
                experiment,
                stage,
                tasks,
            } => {
                let total = match stage {
                    Stage::Validation => N_VALIDATION,
                    Stage::Cluster | Stage::Regression => u32::try_from(tasks.len()).unwrap(),
                };
                Event::StageMeasured {
                    experiment: experiment.clone(),
                    stage: *stage,
                    card: self.card(total),
                    spent: self.spent(),
                }
            }
            Command::Decide {
                experiment,
                verdict,
                reason,
            } => Event::Decided {
                experiment: experiment.clone(),
                verdict: *verdict,
                reason: reason.clone(),
            },
            Command::Promote { experiment, cases } => self.promotion(state, experiment, cases),
            Command::Publish { experiment } => Event::Published {
                experiment: experiment.clone(),
                branch: format!("sprag/{experiment}"),
                tree: String::new(),
            },
            Command::Finish { reason } => Event::Finished { reason: reason.clone() },
        }
    }
}

/// What other runs found: failures, and a cluster that nobody may touch.
fn known(tape: &mut Tape) -> Known {
    let task = TaskId::new("t0");
    let failures: Vec<FailureRecord> = (0..tape.below(3))
        .map(|n| tape.record(&task, format!("known {n}")))
        .collect();
    let mut book = crate::cluster::ClusterBook::default();
    failures.iter().for_each(|record| drop(book.join(record, 1)));
    Known {
        busy: book.clusters.into_keys().take(tape.below(2) as usize).collect(),
        failures,
        ..Known::default()
    }
}

fn plan(tape: &mut Tape) -> Plan {
    let issue = Report {
        impact: None,
        number: 3,
        title: String::new(),
        body: String::new(),
        comments: Vec::new(),
    };
    Plan {
        config: String::new(),
        runner: String::new(),
        seed: u64::from(tape.below(100)),
        batches: 1 + tape.below(5),
        batch_size: 4,
        trials: 1 + tape.below(2),
        limits: Limits {
            experiments: 1 + tape.below(8),
            experiments_per_batch: 1 + tape.below(4),
            task_runs: 20 + 10 * u64::from(tape.below(50)),
            usd: f64::from(tape.below(20)),
        },
        gate: GatePolicy {
            mode: GateMode::Strict,
            regression_threshold: 0.8,
        },
        train: (0..7).map(|n| TaskId::new(format!("t{n}"))).collect(),
        advised: false,
        n_validation: N_VALIDATION as usize,
        fails_before: 1,
        issues: (0..tape.below(2)).map(|_| issue.clone()).collect(),
        known: known(tape),
        harness: Harness::new([("agent/a".to_owned(), "start".to_owned())]),
    }
}

/// What the checks remember from step to step.
#[derive(Default)]
struct Before {
    verdicts: BTreeMap<ExperimentId, (Verdict, String)>,
    suite: BTreeSet<CaseId>,
    best: f64,
    spent: Spent,
    incumbent: Option<Harness>,
}

/// What must hold of what is wanted next.
fn check_commands(state: &State, commands: &[Command]) {
    match commands.first() {
        Some(Command::Propose { cluster, experiment }) => {
            assert!(
                state.spent.over(&state.plan.limits).is_none(),
                "nothing new is begun on an empty purse"
            );
            assert!(state.clusters.clusters[cluster].state.is_unresolved() && !state.cluster_tasks(cluster).is_empty());
            assert!(state.experiment(experiment).is_none());
        }
        Some(Command::RunTraffic { tasks, .. }) => {
            let unique: BTreeSet<&(TaskId, u32)> = tasks.iter().collect();
            assert_eq!(unique.len(), tasks.len());
        }
        Some(Command::TryCases { cases }) => {
            assert!(!cases.is_empty() && !cases.iter().any(|trial| state.tried_cases.contains(&trial.case)));
        }
        Some(Command::Promote { experiment, .. } | Command::Publish { experiment }) => {
            assert!(state.experiment(experiment).unwrap().accepted());
        }
        Some(Command::Decide { experiment, .. } | Command::Measure { experiment, .. }) => {
            assert_eq!(
                state.experiment(experiment).unwrap().verdict,
                None,
                "what is decided is not decided again"
            );
        }
        Some(
            Command::ReviseClusters { .. } | Command::MeasureBaseline | Command::ReadSignals | Command::Finish { .. },
        )
        | None => {}
    }
}

/// What must hold after every event.
fn check(state: &State, event: &Event, commands: &[Command], before: &mut Before) {
    let limits = &state.plan.limits;
    assert_eq!(
        commands.len(),
        usize::from(state.finished.is_none()),
        "one command until the end"
    );
    assert!(state.n_experiments() <= limits.experiments && state.batch_experiments <= limits.experiments_per_batch);
    assert!(state.batch <= state.plan.batches);
    for experiment in &state.experiments {
        assert!(
            !state.plan.known.busy.contains(&experiment.candidate.cluster),
            "left alone"
        );
    }
    for (n, experiment) in (1..).zip(&state.experiments) {
        assert_eq!(experiment.id.as_str(), format!("E{n:03}"));
        if let Some(verdict) = before.verdicts.get(&experiment.id) {
            assert_eq!(experiment.verdict.as_ref(), Some(verdict), "a verdict stands");
        }
        before.verdicts.extend(
            experiment
                .verdict
                .clone()
                .map(|verdict| (experiment.id.clone(), verdict)),
        );
    }
    assert!(state.best >= before.best, "the bar is never lowered");
    let suite: BTreeSet<CaseId> = state.cases.suite().map(|case| case.id.clone()).collect();
    assert!(suite.is_superset(&before.suite), "the suite only grows");
    assert!(state.spent.task_runs >= before.spent.task_runs && state.spent.usd >= before.spent.usd);
    match event {
        Event::Decided {
            experiment,
            verdict: Verdict::Accepted,
            ..
        } => check_accepted(state.experiment(experiment).unwrap(), before),
        _ if before.incumbent.is_some() => {
            assert_eq!(
                before.incumbent.as_ref(),
                Some(&state.incumbent),
                "only an accepted change is kept"
            );
        }
        _ => {}
    }
    check_commands(state, commands);
    *before = Before {
        verdicts: std::mem::take(&mut before.verdicts),
        suite,
        best: state.best,
        spent: state.spent,
        incumbent: Some(state.incumbent.clone()),
    };
}

/// The gate `strict`, to the letter.
fn check_accepted(experiment: &Experiment, before: &Before) {
    let score = |card: &Option<Scorecard>| card.as_ref().filter(|card| card.complete()).and_then(Scorecard::score);
    assert!(score(&experiment.validation).unwrap() >= before.best);
    assert!(before.suite.is_empty() || score(&experiment.regression).unwrap() >= 0.8);
    let cluster = experiment.cluster_cases.as_ref().unwrap();
    assert!(cluster.fixed > 0 || cluster.mechanism_gone > 0);
}

/// Plays a whole run and checks every step.
fn play(tape: &mut Tape) -> Vec<Event> {
    let mut plan = plan(tape);
    plan.fails_before = 1 + tape.below(3);
    let started = Event::Started(Box::new(plan));
    let (mut state, mut commands) = step(None, &started);
    let mut events = vec![started];
    let mut before = Before::default();
    check(state.as_ref().unwrap(), &events[0], &commands, &mut before);
    while let Some(command) = commands.first() {
        assert!(events.len() < 2000, "it comes to an end");
        let event = tape.answer(state.as_ref().unwrap(), command);
        (state, commands) = step(state, &event);
        check(state.as_ref().unwrap(), &event, &commands, &mut before);
        events.push(event);
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_keeps_its_promises(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let events = play(&mut Tape { bytes, at: 0 });
        let finished = matches!(events.last(), Some(Event::Finished { .. }));
        prop_assert!(finished);
    }

    #[test]
    fn a_ledger_cut_anywhere_and_read_back_goes_on_to_the_same_state(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        cut in any::<prop::sample::Index>(),
    ) {
        let events = play(&mut Tape { bytes, at: 0 });
        let (whole, _) = replay(&events);
        let (kept, rest) = events.split_at(cut.index(events.len()));
        let lines: Vec<String> = kept.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(&read, kept);
        let (state, commands) = replay(&read);
        if let (Some(state), Some(next)) = (&state, rest.first()) {
            prop_assert_eq!(commands.len(), 1);
            let mut silent = Tape { bytes: Vec::new(), at: 0 };
            let kind = |event: &Event| serde_json::to_value(event).unwrap()["type"].clone();
            let asked = kind(&silent.answer(state, &commands[0]));
            let either = [asked.clone(), serde_json::json!("nothing_proposed")];
            prop_assert!(kind(next) == asked || (asked == "proposed" && either.contains(&kind(next))));
        }
        let (state, _) = rest.iter().fold((state, Vec::new()), |(state, _), event| step(state, event));
        prop_assert_eq!(format!("{state:?}"), format!("{whole:?}"));
    }
}

#[test]
fn nothing_follows_from_a_ledger_without_a_beginning() {
    let event = Event::Finished { reason: String::new() };
    let (state, commands) = replay([&event, &event]);
    assert!(state.is_none() && commands.is_empty());
}

/// A run up to a proposal for one cluster whose tasks are `t0` and `t1`.
fn proposed() -> State {
    let mut tape = Tape {
        bytes: vec![0, 4, 0, 7, 3, 49, 19, 0],
        at: 0,
    };
    let mut plan = plan(&mut tape);
    plan.train.truncate(4);
    let mut events = vec![Event::Started(Box::new(plan))];
    let card = Scorecard {
        passed: 2,
        failed: 3,
        ..Scorecard::default()
    };
    events.push(Event::BaselineMeasured {
        validation: card,
        spent: Spent::default(),
    });
    let failed = |name: &str| {
        let zeros = &mut Tape {
            bytes: vec![0, 4],
            at: 0,
        };
        zeros.record(&TaskId::new(name), format!("{name} 0"))
    };
    events.push(Event::TrafficRan {
        batch: 1,
        verdicts: Vec::new(),
        records: vec![failed("t0"), failed("t1")],
        spent: Spent::default(),
    });
    let (state, commands) = replay(&events);
    let state = state.unwrap();
    let event = tape.answer(&state, &commands[0]);
    step(Some(state), &event).0.unwrap()
}

/// The state after an accepted change and the reruns of its cases.
fn promoted(reruns: [(u32, u32); 2]) -> State {
    let state = proposed();
    let id = state.experiments[0].id.clone();
    let validation = Scorecard {
        passed: 3,
        failed: 2,
        ..Scorecard::default()
    };
    let cluster = Scorecard {
        passed: 2,
        fixed: 2,
        ..Scorecard::default()
    };
    let measured = |stage, card| Event::StageMeasured {
        experiment: id.clone(),
        stage,
        card,
        spent: Spent::default(),
    };
    let decided = Event::Decided {
        experiment: id.clone(),
        verdict: Verdict::Accepted,
        reason: String::new(),
    };
    let events = [
        measured(Stage::Cluster, cluster),
        measured(Stage::Validation, validation),
        decided,
    ];
    let (state, commands) = events
        .iter()
        .fold((Some(state), Vec::new()), |(state, _), event| step(state, event));
    let Some(Command::Promote { experiment, cases }) = commands.first() else {
        panic!("{commands:?}")
    };
    let rerun = |((case, task), (runs, passes)): (&(CaseId, TaskId), (u32, u32))| CaseRerun {
        case: case.clone(),
        task: task.clone(),
        runs,
        passes,
    };
    let event = Event::Promoted {
        experiment: experiment.clone(),
        cases: cases.iter().zip(reruns).map(rerun).collect(),
        resolved: Vec::new(),
        spent: Spent::default(),
    };
    step(state, &event).0.unwrap()
}

fn states(state: &State) -> Vec<CaseState> {
    state.cases.cases.values().map(|case| case.state).collect()
}

#[test]
fn only_cases_that_pass_every_repeated_run_join_the_suite() {
    use CaseState::{Open, Promoted, Quarantined};
    assert_eq!(states(&proposed()), [Open, Open]);
    assert_eq!(states(&promoted([(2, 2), (2, 0)])), [Promoted, Open]);
    assert_eq!(states(&promoted([(2, 1), (2, 2)])), [Quarantined, Promoted]);
    // One of the two runs had no verdict: passing once is not passing repeatedly.
    assert_eq!(states(&promoted([(1, 1), (0, 0)])), [Quarantined, Open]);
}

#[test]
fn a_cluster_is_resolved_with_its_last_task_and_its_failures_count_for_ever() {
    let state = promoted([(2, 2), (2, 0)]);
    let cluster = state.clusters.clusters.values().next().unwrap();
    assert_eq!(
        (cluster.total_failures(), cluster.resolved(), cluster.state),
        (2, 1, ClusterState::Open)
    );
    let state = promoted([(2, 2), (2, 2)]);
    let cluster = state.clusters.clusters.values().next().unwrap();
    assert_eq!(
        (cluster.total_failures(), cluster.resolved(), cluster.state),
        (2, 2, ClusterState::Resolved)
    );
    assert_eq!(state.next_cluster(), None);
}

#[test]
fn a_rejected_change_is_not_kept_and_counts_as_tried() {
    let state = proposed();
    let experiment = state.experiments[0].clone();
    let (state, _) = step(
        Some(state),
        &Event::Decided {
            experiment: experiment.id.clone(),
            verdict: Verdict::Rejected,
            reason: "no effect".to_owned(),
        },
    );
    let state = state.unwrap();
    assert_eq!(state.incumbent, state.plan.harness);
    assert!(state.tried.contains(&experiment.candidate.id));
    assert_eq!(
        state.experiments[0].verdict,
        Some((Verdict::Rejected, "no effect".to_owned()))
    );
}

#[test]
fn what_is_no_legal_change_is_invalid_and_nothing_of_it_is_measured() {
    let state = proposed();
    let experiment = state.experiments[0].clone();
    let proposed = Event::Proposed {
        experiment: experiment.id.clone(),
        candidate: Box::new(experiment.candidate),
        objection: Some("agent/a:1: names the task `t`".to_owned()),
        spent: Spent::default(),
    };
    let (_, commands) = step(Some(state), &proposed);
    let decide = Command::Decide {
        experiment: experiment.id,
        verdict: Verdict::Invalid,
        reason: "agent/a:1: names the task `t`".to_owned(),
    };
    assert_eq!(commands, [decide]);
}

#[test]
fn a_run_begins_with_what_is_known() {
    let mut tape = Tape {
        bytes: Vec::new(),
        at: 0,
    };
    let mut plan = plan(&mut tape);
    let task = TaskId::new("t0");
    let failures: Vec<FailureRecord> = [1, 2, 3]
        .map(|n| {
            let mut record = tape.record(&task, format!("known {n}"));
            record.causes.truncate(1);
            record.causes[0].mechanism.subject = format!("tool-{n}");
            record
        })
        .into();
    let mut book = crate::cluster::ClusterBook::default();
    let clusters: Vec<ClusterId> = failures.iter().flat_map(|record| book.join(record, 1)).collect();
    plan.known = Known {
        failures,
        busy: BTreeSet::from([clusters[0].clone()]),
        preferred: BTreeSet::from([clusters[2].clone()]),
        rejected: BTreeSet::from([CandidateId::new("unwanted")]),
        ..Known::default()
    };
    let (state, _) = step(None, &Event::Started(Box::new(plan)));
    let baseline = Event::BaselineMeasured {
        validation: tape.card(N_VALIDATION),
        spent: Spent::default(),
    };
    let (state, _) = step(state, &baseline);
    let state = state.unwrap();
    assert_eq!(state.next_cluster(), Some(clusters[2].clone()), "the preferred one");
    assert!(state.tried.contains(&CandidateId::new("unwanted")));
    assert_eq!(state.clusters.clusters.len(), 3);
}

/// Two failures whose tools refuse in nearly the same words.
#[test]
fn traffic_that_makes_clusters_alike_leads_to_their_merge_and_the_cases_follow() {
    let mut tape = Tape { bytes: vec![0], at: 0 };
    let mut plan = plan(&mut tape);
    plan.fails_before = 1;
    plan.limits.task_runs = 1000;
    plan.limits.usd = 1000.0;
    let mut refused = |name: &str, words: &str| {
        let mut record = tape.record(&plan.train[0], name.to_owned());
        record.task = TaskId::new(name);
        record.causes.truncate(1);
        record.causes[0].mechanism = Mechanism {
            rule: "tool_error".to_owned(),
            subject: format!("book: {words}"),
        };
        record
    };
    let records = [
        ("t0", "no seats left on flight #"),
        ("t1", "no seats are left on flight #"),
    ]
    .map(|(task, words)| refused(task, words));
    let events = [
        Event::Started(Box::new(plan.clone())),
        Event::BaselineMeasured {
            validation: Scorecard::default(),
            spent: Spent::default(),
        },
        Event::TrafficRan {
            batch: 1,
            verdicts: Vec::new(),
            records: records.to_vec(),
            spent: Spent::default(),
        },
    ];
    let (state, commands) = replay(&events);
    let Some(Command::ReviseClusters { found }) = commands.first() else {
        panic!("{commands:?}");
    };
    let (state, commands) = step(
        state,
        &Event::ClustersRevised {
            revisions: found.clone(),
            spent: Spent::default(),
        },
    );
    let state = state.unwrap();
    assert_eq!(state.clusters.clusters.len(), 1);
    let Some(Command::Propose { cluster, .. }) = commands.first() else {
        panic!("{commands:?}");
    };
    assert_eq!(
        state.cases_to_promote(cluster).len(),
        2,
        "both cases are the merged cluster's"
    );
}
/// A machine after traffic in which `t0` failed, with so many failures needed, and what it wants.
fn after_traffic(fails_before: u32, records: Vec<FailureRecord>) -> (State, Vec<Command>) {
    let mut tape = Tape {
        bytes: Vec::new(),
        at: 0,
    };
    let mut plan = plan(&mut tape);
    plan.issues.clear();
    plan.limits.task_runs = 1000;
    plan.limits.usd = 1000.0;
    plan.fails_before = fails_before;
    let baseline = Event::BaselineMeasured {
        validation: tape.card(N_VALIDATION),
        spent: Spent::default(),
    };
    let traffic = Event::TrafficRan {
        batch: 1,
        verdicts: Vec::new(),
        records,
        spent: Spent::default(),
    };
    let (state, commands) = replay([&Event::Started(Box::new(plan)), &baseline, &traffic]);
    (state.unwrap(), commands)
}

fn failure(task: &str, name: &str) -> FailureRecord {
    Tape {
        bytes: vec![0, 4],
        at: 0,
    }
    .record(&TaskId::new(task), name.to_owned())
}

fn recorded(name: &str) -> FailureRecord {
    let draft = Draft {
        input: Some(Input {
            messages: vec!["hello".to_owned()],
        }),
        expect: vec![Expectation::MaxSteps { steps: 1 }],
        ..Draft::default()
    };
    FailureRecord {
        impact: None,
        draft: Some(Box::new(draft)),
        ..failure("issue #3", name)
    }
}

fn tried(state: State, runs: u32, fails: u32) -> (State, Vec<Command>) {
    let one = |case: &CaseId| CaseTry {
        case: case.clone(),
        runs,
        fails,
        not_runnable: None,
        unchecked: false,
    };
    let tried = state.cases.cases.keys().map(one).collect();
    let event = Event::CasesTried {
        tried,
        refused: Vec::new(),
        spent: Spent::default(),
    };
    let (state, commands) = step(Some(state), &event);
    (state.unwrap(), commands)
}

#[test]
fn a_failure_of_the_traffic_is_the_first_and_what_is_missing_is_run() {
    let (state, commands) = after_traffic(3, vec![failure("t0", "a")]);
    assert_eq!(states(&state), [CaseState::Candidate]);
    let Some(Command::TryCases { cases }) = commands.first() else {
        panic!("{commands:?}")
    };
    let first = state.times_seen.get(&cases[0].task).copied().unwrap_or(0).max(1);
    assert_eq!(
        cases[0].trials,
        [first, first + 1],
        "two more, of trials the traffic has not had"
    );
    let (state, commands) = tried(state, 2, 2);
    assert_eq!(states(&state), [CaseState::Open]);
    assert_eq!(state.cases.cases.values().next().unwrap().flake.fails_before, 3);
    assert!(matches!(commands[0], Command::Propose { .. }));
}

#[test]
fn what_passes_once_is_unconfirmed_and_what_has_no_verdict_waits() {
    let (state, _) = tried(after_traffic(3, vec![failure("t0", "a")]).0, 2, 1);
    assert_eq!(states(&state), [CaseState::Unconfirmed]);
    let case = state.cases.cases.values().next().unwrap();
    assert_eq!(case.note.as_deref(), Some("passed 1 of 3 on the same harness"));
    let (state, _) = tried(after_traffic(3, vec![failure("t0", "a")]).0, 1, 1);
    assert_eq!(states(&state), [CaseState::Candidate]);
}

#[test]
fn with_one_failure_enough_nothing_is_run_again_but_recorded_inputs() {
    let (state, commands) = after_traffic(1, vec![failure("t0", "a")]);
    assert_eq!(states(&state), [CaseState::Open]);
    assert!(
        matches!(commands[0], Command::Propose { .. }),
        "as in ledgers from before"
    );
    let (state, commands) = after_traffic(1, vec![recorded("a")]);
    // `take_failure` was told that it was seen here; the trace of an issue would not be.
    assert_eq!(states(&state), [CaseState::Open]);
    assert!(matches!(commands[0], Command::Propose { .. }));
}

#[test]
fn a_recorded_input_that_fails_makes_its_cluster_workable_and_resolves_it_when_it_passes() {
    let (state, _) = after_traffic(2, vec![recorded("a")]);
    let cluster = state.clusters.clusters.keys().next().unwrap().clone();
    assert_eq!(state.cluster_tasks(&cluster), [], "no task of the runner shows it");
    let (mut state, commands) = tried(state, 1, 1);
    assert!(matches!(commands[0], Command::Propose { .. }));
    let task = state.cases.cases.values().next().unwrap().task.clone();
    assert_eq!(state.cluster_tasks(&cluster), std::slice::from_ref(&task));
    let rerun = CaseRerun {
        case: CaseId::new(task.as_str()),
        task,
        runs: 2,
        passes: 2,
    };
    cases::promote(&mut state, &ExperimentId::new("E001"), &[rerun]);
    assert_eq!(states(&state), [CaseState::Promoted]);
    assert!(state.clusters.clusters[&cluster].resolution_rate() >= 1.0);
}

#[test]
fn what_other_runs_have_seen_is_tried_when_its_cluster_is_worked_on() {
    let mut tape = Tape {
        bytes: Vec::new(),
        at: 0,
    };
    let mut plan = plan(&mut tape);
    plan.limits.task_runs = 1000;
    plan.limits.usd = 1000.0;
    plan.fails_before = 2;
    let mut other = failure("t1", "known b");
    other.causes[0].mechanism.subject = "elsewhere".to_owned();
    plan.known.failures = vec![failure("t0", "known a"), failure("t2", "known c"), other];
    let baseline = Event::BaselineMeasured {
        validation: tape.card(N_VALIDATION),
        spent: Spent::default(),
    };
    let traffic = Event::TrafficRan {
        batch: 1,
        verdicts: Vec::new(),
        records: Vec::new(),
        spent: Spent::default(),
    };
    let (_, commands) = replay([&Event::Started(Box::new(plan)), &baseline, &traffic]);
    let Some(Command::TryCases { cases }) = commands.first() else {
        panic!("{commands:?}")
    };
    let tasks: BTreeSet<&str> = cases.iter().map(|trial| trial.task.as_str()).collect();
    assert_eq!(
        tasks,
        BTreeSet::from(["t0", "t2"]),
        "the other cluster waits for its turn"
    );
    assert!(
        cases.iter().all(|trial| trial.trials.len() == 2),
        "how often it failed elsewhere does not count"
    );
}

#[test]
fn a_refused_case_does_not_come_back_and_the_older_one_knows_it() {
    let (state, commands) = after_traffic(2, vec![failure("t0", "a"), failure("t1", "b")]);
    let Some(Command::TryCases { cases }) = commands.first() else {
        panic!("{commands:?}")
    };
    let refusal = Refusal {
        case: cases[1].case.clone(),
        reason: "begins and expects nearly the same as it".to_owned(),
        kept: Some(cases[0].case.clone()),
    };
    let event = Event::CasesTried {
        tried: Vec::new(),
        refused: vec![refusal],
        spent: Spent::default(),
    };
    let mut state = step(Some(state), &event).0.unwrap();
    let task = cases[1].task.as_str();
    take_failure(&mut state, &failure(task, "c"), true);
    assert_eq!(state.cases.cases.len(), 1);
    let kept = &state.cases.cases[&cases[0].case];
    assert_eq!(kept.provenance.as_ref().unwrap().also, [cases[1].case.clone()]);
    assert_eq!(kept.records.len(), 2, "it stands for the failure of the other, too");
}

#[test]
fn an_accepted_change_runs_recorded_inputs_of_other_clusters_again() {
    let mut other = failure("t1", "b");
    other.causes[0].mechanism.subject = "elsewhere".to_owned();
    let (state, _) = after_traffic(2, vec![recorded("a"), other]);
    let (mut state, _) = tried(state, 1, 1);
    let elsewhere = state.clusters.holding(
        &state
            .records
            .values()
            .find(|record| record.task.as_str() == "t1")
            .unwrap()
            .id,
    );
    let (case, cluster) = {
        let case = state.cases.open().find(|case| case.is_recorded()).unwrap();
        (case.clone(), elsewhere[0].clone())
    };
    assert!(!case.clusters.contains(&cluster));
    let again = state.cases_to_promote(&cluster);
    assert!(again.contains(&(case.id.clone(), case.task.clone())), "{again:?}");
    assert_eq!(again.len(), 2, "and the case of the cluster");
    let rerun = CaseRerun {
        case: case.id.clone(),
        task: case.task.clone(),
        runs: 2,
        passes: 2,
    };
    cases::promote(&mut state, &ExperimentId::new("E001"), &[rerun]);
    assert_eq!(state.cases.cases[&case.id].state, CaseState::Promoted);
    assert!(state.clusters.clusters[&case.clusters[0]].resolution_rate() >= 1.0);
}

#[test]
fn a_recorded_input_that_nobody_held_against_the_held_out_tasks_joins_no_suite() {
    let (mut state, _) = tried(after_traffic(2, vec![recorded("a")]).0, 1, 1);
    let case = state.cases.cases.values_mut().next().unwrap();
    case.unchecked = true;
    let (id, task, cluster) = (case.id.clone(), case.task.clone(), case.clusters[0].clone());
    let rerun = CaseRerun {
        case: id.clone(),
        task,
        runs: 2,
        passes: 2,
    };
    cases::promote(&mut state, &ExperimentId::new("E001"), &[rerun]);
    let case = &state.cases.cases[&id];
    assert_eq!((case.state, &case.fixed_by), (CaseState::Unconfirmed, &None));
    assert!(case.note.as_ref().unwrap().starts_with("fixed by E001, and not held"));
    assert!(
        state.clusters.clusters[&cluster].resolution_rate() >= 1.0,
        "the failure is gone all the same"
    );
}
