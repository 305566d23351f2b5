//! Whatever the world answers, the loop keeps its promises: a tape of bytes plays the world, and every step is checked.

use super::*;
use crate::budget::{Limits, Spent};
use crate::candidate::Candidate;
use crate::candidate::Ground;
use crate::case::{CaseState, Draft, Expectation, Input, Refusal, SuiteChange};
use crate::config::{GateConfig, GateMode};
use crate::curation::{Choice, Curation, Review, Reviewer, Subject};
use crate::failure::{Mechanism, RootCause};
use crate::gate::purchase::{Arm, Outcome, Request};
use crate::harness::{FileChange, Harness};
use crate::id::{CandidateId, CaseId, HarnessId, TaskId};
use crate::ledger::{CaseTry, Finding, Known, Plan};
use crate::score::Scorecard;
use crate::search::{Screened, SearchConfig, Start};
use crate::signal::Report;
use crate::trace::Termination;
use crate::trial::{TaskVerdict, TrialStatus};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

mod race;
mod suite;

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

    /// How runs end; one request in eight has an error in it.
    fn outcomes(&mut self, request: &Request) -> Vec<Outcome> {
        let error = (self.below(8) == 1).then(|| self.below(4));
        let one = |at: u32, tape: &mut Self| match tape.below(4) {
            _ if error == Some(at) => Outcome::Errored,
            0 | 1 => Outcome::Passed,
            2 if request.purpose == Purpose::Probe => Outcome::Moved,
            _ => Outcome::Failed,
        };
        (0..).zip(&request.tasks).map(|(at, _)| one(at, self)).collect()
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
    fn tries(&mut self, state: &State, cases: &[CaseTrial]) -> Event {
        let (mut tried, mut refused) = (Vec::new(), Vec::new());
        for trial in cases {
            let wanted = u32::try_from(trial.trials.len()).unwrap();
            let (kind, fewer) = (self.below(8), self.below(8));
            if kind == 1 && state.cases.cases[&trial.case].state == CaseState::Candidate {
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
                fails: runs - u32::from(runs > 0 && kind == 3) - u32::from(runs > 2 && fewer > 4),
                repeats: [None, Some(true), Some(false)][self.below(3) as usize],
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

    fn proposal(
        &mut self,
        state: &State,
        experiment: &ExperimentId,
        cluster: &ClusterId,
        start: Option<Start>,
    ) -> Event {
        if self.below(4) == 1 {
            return Event::NothingProposed {
                cluster: cluster.clone(),
                reason: "every edit was tried".to_owned(),
                spent: self.spent(),
            };
        }
        let new = Candidate {
            removes: None,
            id: CandidateId::new(format!("of {experiment} {}", self.at)),
            cluster: cluster.clone(),
            parent: state.incumbent.id(),
            title: String::new(),
            hypothesis: String::new(),
            changes: vec![FileChange {
                path: format!("agent/{}", self.below(3)),
                text: Some(format!("{experiment} {}", self.at)),
            }],
            diff: String::new(),
            predicted: Vec::new(),
            origin: String::new(),
        };
        let (experiment, spent) = (experiment.clone(), self.spent());
        let Some(start) = start else {
            return Event::Proposed {
                experiment,
                candidate: Box::new(new),
                objection: None,
                spent,
            };
        };
        let kept = state.frontier_draft(cluster).filter(|_| start == Start::Frontier);
        Event::Drafted {
            experiment,
            start,
            candidate: Box::new(kept.unwrap_or(new)),
            objection: (self.below(6) == 1).then(|| "names a task".to_owned()),
            spent,
        }
    }

    fn screened(&mut self, state: &State, cluster: &ClusterId) -> Screened {
        let (mut solved, mut moved) = (Vec::new(), Vec::new());
        for task in state.screening(cluster) {
            match self.below(4) {
                0 => solved.push(task),
                1 => moved.push(task),
                _ => {}
            }
        }
        let broken = match self.below(6) {
            1 => vec![TaskId::new("t0")],
            _ => Vec::new(),
        };
        Screened { solved, moved, broken }
    }

    fn bought(&mut self, state: &State, experiment: Option<&ExperimentId>, request: &Request) -> Event {
        let shown = request.tasks.iter().filter(|_| !request.purpose.is_held_out());
        let shown: BTreeSet<_> = shown
            .flat_map(|task| state.shown_by(state.task(*task).unwrap()))
            .collect();
        Event::Bought {
            experiment: experiment.cloned(),
            request: request.clone(),
            outcomes: self.outcomes(request),
            cleared: shown.into_iter().filter(|_| self.below(3) == 1).collect(),
            spent: self.spent(),
        }
    }

    /// What a model decides about new things; about some of them nothing.
    fn curations(&mut self, state: &State, clusters: &[ClusterId], cases: &[CaseId]) -> Vec<Curation> {
        let subjects = clusters.iter().cloned().map(Subject::Cluster);
        let subjects: Vec<Subject> = subjects.chain(cases.iter().cloned().map(Subject::Case)).collect();
        let mut decided = Vec::new();
        for of in subjects {
            let other = match &of {
                Subject::Cluster(_) => state.clusters.clusters.keys().next().cloned().map(Subject::Cluster),
                Subject::Case(_) => state.cases.open().next().map(|case| Subject::Case(case.id.clone())),
            };
            let choice = match self.below(6) {
                0 => Choice::Reject,
                1 => Choice::NeedsPerson,
                2 => other.filter(|other| *other != of).map_or(Choice::Accept, Choice::Merge),
                3 => continue,
                _ => Choice::Accept,
            };
            decided.push(Curation {
                of,
                choice,
                by: crate::cluster::Author::Model,
                reason: "so it is".to_owned(),
            });
        }
        decided
    }

    fn raced(&mut self, command: &Command) -> Event {
        let Command::Race {
            experiment,
            cluster,
            drafts,
            task,
            trial,
        } = command
        else {
            panic!("{command:?}")
        };
        let ended = [Outcome::Passed, Outcome::Failed, Outcome::Moved, Outcome::Errored];
        let end = |tape: &mut Self| ended[[0, 0, 1, 1, 1, 2, 0, 3][tape.below(8) as usize]];
        Event::Raced {
            experiment: experiment.clone(),
            cluster: cluster.clone(),
            task: task.clone(),
            trial: *trial,
            outcomes: drafts.iter().map(|draft| (draft.id.clone(), end(self))).collect(),
            spent: self.spent(),
        }
    }

    /// The event that a command leads to.
    fn answer(&mut self, state: &State, command: &Command) -> Event {
        match command {
            Command::Buy {
                experiment, request, ..
            } => self.bought(state, experiment.as_ref(), request),
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
            Command::Curate { clusters, cases } => Event::Curated {
                curations: self.curations(state, clusters, cases),
                spent: self.spent(),
            },
            Command::TryCases { cases } => self.tries(state, cases),
            Command::Propose {
                experiment,
                cluster,
                start,
            } => self.proposal(state, experiment, cluster, *start),
            Command::Screen {
                experiment,
                cluster,
                drafts,
            } => Event::Screened {
                experiment: experiment.clone(),
                cluster: cluster.clone(),
                screened: drafts.iter().map(|_| self.screened(state, cluster)).collect(),
                spent: self.spent(),
            },
            Command::Ablate { kept, tasks, .. } => Event::Ablated {
                kept: kept.clone(),
                failed: tasks.iter().filter(|_| self.below(8) == 1).cloned().collect(),
                spent: self.spent(),
            },
            Command::Race { .. } => self.raced(command),
            _ => written(command),
        }
    }
}

/// The event of what is only written down.
fn written(command: &Command) -> Event {
    match command {
        Command::ReviseSuite { changes } => Event::SuiteRevised {
            changes: changes.clone(),
        },
        Command::Decide {
            experiment,
            ground,
            reason,
        } => Event::Decided {
            experiment: experiment.clone(),
            ground: *ground,
            reason: reason.clone(),
        },
        Command::Promote {
            experiment,
            cases,
            resolved,
        } => Event::Promoted {
            experiment: experiment.clone(),
            cases: cases.clone(),
            resolved: resolved.clone(),
        },
        Command::Publish { experiment } => Event::Published {
            experiment: experiment.clone(),
            branch: format!("sprag/{experiment}"),
            tree: String::new(),
        },
        Command::Finish { reason } => Event::Finished { reason: reason.clone() },
        other => panic!("{other:?} is done, not written"),
    }
}

/// What other runs found: failures, and a cluster that nobody may touch.
fn known(tape: &mut Tape) -> Known {
    let task = TaskId::new("t0");
    let (cases, tape_state) = (tape.below(3), tape.below(3));
    let failures: Vec<FailureRecord> = (0..tape.below(3))
        .map(|n| tape.record(&task, format!("known {n}")))
        .collect();
    let mut book = crate::cluster::ClusterBook::default();
    failures.iter().for_each(|record| drop(book.join(record, 1)));
    let states = [CaseState::Promoted, CaseState::Promoted, CaseState::Quarantined];
    let case = |n: u32| {
        let task = TaskId::new(format!("t{}", 2 + n + 9 * (n % 2)));
        let state = states[tape_state as usize % 3];
        let fixed_by = Some(ExperimentId::new("E001"));
        EvalCase {
            state,
            fixed_by,
            ..EvalCase::new(EvalCase::id_of(&task), task, String::new())
        }
    };
    Known {
        suite: (0..cases).map(case).collect(),
        busy: book.clusters.into_keys().take(tape.below(2) as usize).collect(),
        failures,
        ..Known::default()
    }
}

fn reviewer(tape: &mut Tape) -> Reviewer {
    if tape.below(5) == 4 {
        Reviewer::Human
    } else {
        Reviewer::Auto
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
    let seed = tape.below(100);
    Plan {
        config: String::new(),
        runner: String::new(),
        seed: seed.into(),
        batches: 1 + tape.below(5),
        batch_size: 4,
        trials: 1 + tape.below(2),
        limits: Limits {
            experiments: 1 + tape.below(8),
            experiments_per_batch: 1 + tape.below(4),
            task_runs: 20 + 10 * u64::from(tape.below(50)),
            usd: f64::from(tape.below(20)),
        },
        gate: GateConfig {
            mode: [GateMode::Efficient, GateMode::Strict, GateMode::Assured][tape.below(3) as usize],
            leakage: [1.0, 0.2, 2.0][(seed % 3) as usize],
            ..GateConfig::default()
        },
        train: (0..7).map(|n| TaskId::new(format!("t{n}"))).collect(),
        search: SearchConfig {
            mode: [SearchMode::Greedy, SearchMode::Frontier][(seed % 2) as usize],
            proposals: 1 + seed % 4,
            prune: seed % 3,
        },
        advised: tape.below(2) == 1,
        review: Review {
            clusters: reviewer(tape),
            cases: reviewer(tape),
        },
        n_validation: N_VALIDATION as usize,
        validation_set: String::new(),
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
        Some(Command::Propose {
            cluster, experiment, ..
        }) => {
            assert!(
                state.spent.over(&state.plan.limits).is_none(),
                "nothing new is begun on an empty purse"
            );
            assert!(state.clusters.clusters[cluster].state.is_unresolved() && !state.cluster_tasks(cluster).is_empty());
            assert!(state.experiment(experiment).is_none());
            assert!(
                state.asked().spent(N_VALIDATION, state.plan.gate.leakage) < 1.0,
                "a worn-out validation set is not asked"
            );
            let preferred = &state.plan.known.preferred;
            let wanted = preferred.iter().any(|id| state.clusters.current(id) == *cluster);
            assert!(wanted || state.is_wanted(cluster), "what waits is not worked on");
        }
        Some(Command::RunTraffic { tasks, .. }) => {
            let unique: BTreeSet<&(TaskId, u32)> = tasks.iter().collect();
            assert_eq!(unique.len(), tasks.len());
        }
        Some(Command::TryCases { cases }) => {
            let new = |trial: &&CaseTrial| state.cases.cases[&trial.case].state == CaseState::Candidate;
            let mut new = cases.iter().filter(new);
            assert!(!cases.is_empty() && !new.any(|trial| state.tried_cases.contains(&trial.case)));
            let waits = |id: &CaseId| !state.may_enter(&state.cases.cases[id]);
            assert!(!cases.iter().any(|trial| waits(&trial.case)), "what waits is not run");
        }
        Some(Command::Curate { clusters, cases }) => {
            assert!(state.plan.advised && !(clusters.is_empty() && cases.is_empty()));
            let new = |subject: Subject| state.curations.of(&subject).is_none();
            assert!(
                clusters.iter().cloned().map(Subject::Cluster).all(new),
                "it is decided once"
            );
            let new = |subject: Subject| state.curations.of(&subject).is_none();
            assert!(cases.iter().cloned().map(Subject::Case).all(new));
        }
        Some(Command::Promote { experiment, .. } | Command::Publish { experiment }) => {
            assert!(state.experiment(experiment).unwrap().accepted());
        }
        Some(Command::Buy { request, trials, .. }) => {
            assert!(
                state.spent.over(&state.plan.limits).is_none(),
                "nothing is bought on an empty purse"
            );
            assert!(!request.tasks.is_empty() && request.tasks.len() == trials.len());
            let held_out = request.purpose.is_held_out();
            let known = |task: &u32| {
                if held_out {
                    *task < N_VALIDATION
                } else {
                    state.task(*task).is_some()
                }
            };
            assert!(request.tasks.iter().all(known));
        }
        Some(Command::Decide { experiment, .. }) => {
            assert_eq!(
                state.experiment(experiment).unwrap().verdict,
                None,
                "what is decided is not decided again"
            );
        }
        Some(Command::Ablate { kept, candidate, tasks }) => {
            let kept = state.experiment(kept).unwrap();
            assert!(kept.accepted() && kept.batch < state.batch && kept.candidate.removes.is_none());
            assert_eq!(candidate.removes.as_ref(), Some(&kept.id));
            assert!(!tasks.is_empty() && !state.tried.contains(&candidate.id));
        }
        Some(command @ (Command::Screen { .. } | Command::Race { .. })) => check_drafts(state, command),
        Some(Command::ReviseSuite { changes }) => {
            let changes_it = |change: &SuiteChange| state.cases.cases[&change.case].state != change.becomes;
            assert!(!changes.is_empty() && changes.iter().all(changes_it));
        }
        Some(Command::ReviseClusters { .. } | Command::ReadSignals | Command::Finish { .. }) | None => {}
    }
}

/// What must hold of drafts that are run.
fn check_drafts(state: &State, command: &Command) {
    match command {
        Command::Screen { experiment, drafts, .. } => {
            assert!(!drafts.is_empty() && state.experiment(experiment).is_none());
            let ids: BTreeSet<&CandidateId> = drafts.iter().map(|draft| &draft.id).collect();
            assert!(ids.len() == drafts.len() && ids.iter().all(|id| state.tried.contains(*id)));
        }
        Command::Race {
            experiment,
            cluster,
            drafts,
            task,
            ..
        } => {
            assert!(drafts.len() > 1 && state.experiment(experiment).is_none());
            assert!(state.cluster_tasks(cluster).contains(task));
            assert!(state.spent.over(&state.plan.limits).is_none());
        }
        other => panic!("{other:?} runs no drafts"),
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
    if state.baseline.is_some() {
        assert!(state.gate.known().best >= before.best, "the best seen is never lowered");
    }
    let suite: BTreeSet<CaseId> = state.cases.suite().map(|case| case.id.clone()).collect();
    let revised = matches!(event, Event::SuiteRevised { .. });
    assert!(
        revised || suite.is_superset(&before.suite),
        "no case leaves the suite without a word"
    );
    let known: BTreeSet<TaskId> = state
        .gate
        .suite()
        .iter()
        .filter_map(|task| state.task(*task).cloned())
        .collect();
    assert!(
        state.cases.suite().all(|case| known.contains(&case.task)),
        "the gate asks for all of it"
    );
    assert!(state.spent.task_runs >= before.spent.task_runs && state.spent.usd >= before.spent.usd);
    match event {
        Event::Decided { experiment, ground, .. } if ground.verdict() == Verdict::Accepted => {
            check_accepted(state, state.experiment(experiment).unwrap(), before);
        }
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
        best: state.gate.known().best,
        spent: state.spent,
        incumbent: Some(state.incumbent.clone()),
    };
}

/// Whatever the rule, a change is kept after the whole validation set has a verdict; the gate `strict` is kept to the letter.
fn check_accepted(state: &State, experiment: &Experiment, before: &Before) {
    let score = |card: &Option<Scorecard>| card.as_ref().filter(|card| card.complete()).and_then(Scorecard::score);
    let cluster = experiment.cluster_cases.as_ref();
    let removes = experiment.candidate.removes.is_some();
    assert!(removes || cluster.is_some_and(|card| card.fixed + card.mechanism_gone + card.wavering > 0));
    match state.plan.gate.mode {
        GateMode::Assured => {}
        GateMode::Efficient => assert_eq!(experiment.validation.as_ref().unwrap().total(), N_VALIDATION),
        GateMode::Strict if removes => assert!(score(&experiment.validation).unwrap() >= before.best),
        GateMode::Strict => {
            assert!(score(&experiment.validation).unwrap() >= before.best);
            assert!(before.suite.is_empty() || score(&experiment.regression).unwrap() >= 0.8);
            assert!(cluster.unwrap().mechanism_gone > 0);
        }
    }
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
        assert!(events.len() < 20_000, "it comes to an end");
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
            let proposes = asked == "proposed" || asked == "drafted";
            prop_assert!(kind(next) == asked || (proposes && either.contains(&kind(next))));
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

/// The baseline, with so many tasks that pass.
fn baseline(passed: u32) -> Event {
    bought(
        None,
        Arm::Incumbent,
        Purpose::Baseline,
        &(0..N_VALIDATION).map(|task| (task, task < passed)).collect::<Vec<_>>(),
    )
}

/// Runs as they were asked for, each of a task that passed or not.
fn bought(experiment: Option<&ExperimentId>, arm: Arm, purpose: Purpose, runs: &[(u32, bool)]) -> Event {
    let outcome = |passed: bool| if passed { Outcome::Passed } else { Outcome::Failed };
    Event::Bought {
        experiment: experiment.cloned(),
        request: Request {
            arm,
            purpose,
            tasks: runs.iter().map(|(task, _)| *task).collect(),
        },
        outcomes: runs.iter().map(|(_, passed)| outcome(*passed)).collect(),
        cleared: Vec::new(),
        spent: Spent::default(),
    }
}

/// A run up to a proposal for one cluster whose tasks are `t0` and `t1`.
fn proposed() -> State {
    let mut tape = Tape {
        bytes: vec![0, 4, 0, 7, 3, 49, 19, 0],
        at: 0,
    };
    let mut plan = plan(&mut tape);
    plan.train.truncate(4);
    plan.gate.mode = GateMode::Strict;
    let mut events = vec![Event::Started(Box::new(plan)), baseline(2)];
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

/// The state after an accepted change; `t0` and `t1` pass on it so many times, of two.
fn promoted(passes: [u32; 2]) -> State {
    let mut state = Some(proposed());
    let id = state.as_ref().unwrap().experiments[0].id.clone();
    let mut commands = vec![ask_gate(state.as_mut().unwrap())];
    while let Some(Command::Buy { request, .. }) = commands.first() {
        let held_out = request.purpose.is_held_out();
        let mut seen = [0, 0];
        let mut run = |task: &u32| {
            let at = *task as usize;
            if request.purpose != Purpose::Promotion || held_out {
                return (*task, true);
            }
            seen[at] += 1;
            (*task, seen[at] <= passes[at])
        };
        let runs: Vec<(u32, bool)> = request.tasks.iter().map(&mut run).collect();
        let event = bought(Some(&id), Arm::Candidate, request.purpose, &runs);
        (state, commands) = step(state, &event);
        if let Some(Command::Decide { ground, reason, .. }) = commands.first() {
            let (ground, reason) = (*ground, reason.clone());
            assert_eq!(ground.verdict(), Verdict::Accepted, "{reason}");
            let experiment = id.clone();
            let event = Event::Decided {
                experiment,
                ground,
                reason,
            };
            (state, commands) = step(state, &event);
        }
    }
    let Some(Command::Promote { cases, resolved, .. }) = commands.first() else {
        panic!("{commands:?}")
    };
    let event = Event::Promoted {
        experiment: id,
        cases: cases.clone(),
        resolved: resolved.clone(),
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
    let by_task = |passes| {
        let state = promoted(passes);
        ["t0", "t1"].map(|task| {
            state
                .cases
                .cases
                .values()
                .find(|case| case.task.as_str() == task)
                .unwrap()
                .state
        })
    };
    // Each of them has passed in the probe, too.
    assert_eq!(by_task([2, 0]), [Promoted, Quarantined]);
    assert_eq!(by_task([1, 2]), [Quarantined, Promoted]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_verdict_follows_from_the_ledger_again(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let events = play(&mut Tape { bytes, at: 0 });
        let (state, _) = replay(&events);
        for experiment in state.unwrap().experiments.iter().filter(|experiment| experiment.verdict.is_some()) {
            let again = decide_again(&events, &experiment.id).unwrap();
            prop_assert!(again.agrees(), "{:?}", again);
        }
        prop_assert!(decide_again(&events, &ExperimentId::new("E999")).is_none());
    }
}

#[test]
fn a_verdict_that_does_not_follow_from_its_runs_is_found() {
    let decides = |seed: u32| {
        let bytes = (0..600_u32)
            .map(|at| u8::try_from((at * 37 + at * at * seed) % 251).unwrap())
            .collect();
        let events = play(&mut Tape { bytes, at: 0 });
        let decided = events.iter().any(|event| matches!(event, Event::Decided { .. }));
        decided.then_some(events)
    };
    let mut events = (1..50).find_map(decides).unwrap();
    let changed = events.iter_mut().find_map(|event| match event {
        Event::Decided { experiment, reason, .. } => {
            *reason = "somebody else's".to_owned();
            Some(experiment.clone())
        }
        _ => None,
    });
    assert!(!decide_again(&events, &changed.unwrap()).unwrap().agrees());
}

#[test]
fn a_cluster_is_resolved_with_its_last_task_and_its_failures_count_for_ever() {
    let state = promoted([2, 0]);
    let cluster = state.clusters.clusters.values().next().unwrap();
    assert_eq!(
        (cluster.total_failures(), cluster.resolved(), cluster.state),
        (2, 1, ClusterState::Open)
    );
    let state = promoted([2, 2]);
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
            ground: Ground::Probe,
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
        ground: Ground::Illegal,
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
    let baseline = baseline(2);
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
        baseline(2),
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
    let baseline = baseline(2);
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
        repeats: None,
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
        becomes: CaseState::Promoted,
        note: None,
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
    let baseline = baseline(2);
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
    assert!(again.contains(&case.task), "{again:?}");
    assert_eq!(again.len(), 2, "and the case of the cluster");
    let rerun = CaseRerun {
        case: case.id.clone(),
        task: case.task.clone(),
        runs: 2,
        passes: 2,
        becomes: CaseState::Promoted,
        note: None,
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
    let number = (0..).find(|number| state.task(*number) == Some(&task)).unwrap();
    state.underway.cases.entry(number).or_default().add(true);
    let promotion = Promotion {
        promoted: vec![number],
        resolved: vec![number],
        ..Promotion::default()
    };
    let reruns = cases::rerun(&state, &ExperimentId::new("E001"), &promotion);
    cases::promote(&mut state, &ExperimentId::new("E001"), &reruns);
    let case = &state.cases.cases[&id];
    assert_eq!((case.state, &case.fixed_by), (CaseState::Unconfirmed, &None));
    assert!(case.note.as_ref().unwrap().starts_with("fixed by E001, and not held"));
    assert!(
        state.clusters.clusters[&cluster].resolution_rate() >= 1.0,
        "the failure is gone all the same"
    );
}

#[test]
fn runs_that_passed_are_known_by_their_trial_and_harness_unless_their_task_ever_failed() {
    let mut state = promoted([2, 2]);
    let verdict = |task: &str, status: TrialStatus| TaskVerdict {
        task: TaskId::new(task),
        status,
    };
    let failed = state.records.values().next().unwrap().task.clone();
    let pass = |task| verdict(task, TrialStatus::Passed);
    state.batch_verdicts = vec![
        vec![pass("a"), verdict("b", TrialStatus::Failed), pass("c")],
        vec![pass("a"), pass("b"), pass(failed.as_str())],
    ];
    let (before, after) = (state.plan.harness.id(), state.incumbent.id());
    assert_ne!(before, after);
    let run = |task: &str, trial, harness: &HarnessId| PassedRun {
        task: TaskId::new(task),
        trial,
        harness: harness.clone(),
    };
    assert_eq!(
        state.passed_runs(),
        [run("b", 1, &after), run("a", 1, &after), run("c", 0, &before)],
        "the newest first; `{failed}` has a record"
    );
}

/// A run whose change was kept in the first batch, after a second batch without a failure.
fn idle(prune: u32) -> (State, Vec<Command>) {
    let mut state = promoted([2, 2]);
    state.plan.search.prune = prune;
    let published = Event::Published {
        experiment: state.experiments[0].id.clone(),
        branch: "b".to_owned(),
        tree: "t".to_owned(),
    };
    let (state, commands) = step(Some(state), &published);
    assert!(
        matches!(commands[0], Command::RunTraffic { batch: 2, .. }),
        "{commands:?}"
    );
    let (state, commands) = step(state, &calm(2));
    (state.unwrap(), commands)
}

/// Traffic without a failure.
fn calm(batch: u32) -> Event {
    Event::TrafficRan {
        batch,
        verdicts: Vec::new(),
        records: Vec::new(),
        spent: Spent::default(),
    }
}

fn ablated(failed: &[&str]) -> Event {
    Event::Ablated {
        kept: ExperimentId::new("E001"),
        failed: failed.iter().map(|task| TaskId::new(*task)).collect(),
        spent: Spent::default(),
    }
}

#[test]
fn a_kept_change_is_taken_out_once_when_there_is_nothing_else_to_do() {
    let (_, commands) = idle(0);
    assert!(matches!(commands[0], Command::RunTraffic { .. }), "never: {commands:?}");
    let (state, commands) = idle(4);
    let Some(Command::Ablate { kept, candidate, tasks }) = commands.first() else {
        panic!("{commands:?}")
    };
    assert_eq!(
        (kept.as_str(), tasks.len()),
        ("E001", 2),
        "what it had fixed, which is the suite"
    );
    assert!(
        candidate.title.starts_with("Remove what E001 added: "),
        "{}",
        candidate.title
    );
    assert_eq!(state.incumbent.with(&candidate.changes), state.plan.harness);

    let (state, commands) = step(Some(state), &ablated(&["t0"]));
    assert!(
        matches!(commands[0], Command::RunTraffic { batch: 3, .. }),
        "it is needed: {commands:?}"
    );
    let (_, commands) = step(state, &calm(3));
    assert!(
        matches!(commands[0], Command::RunTraffic { batch: 4, .. }),
        "nothing was kept since: {commands:?}"
    );
}

#[test]
fn what_nothing_needs_any_more_goes_through_the_gate_like_any_other_change() {
    for (passed, verdict, said) in [
        (5, Verdict::Accepted, "what E001 added is no longer needed: "),
        (0, Verdict::Rejected, "what E001 added stays: "),
    ] {
        let (state, _) = idle(4);
        let (mut state, mut commands) = step(Some(state), &ablated(&[]));
        let id = ExperimentId::new("E002");
        while let Some(Command::Buy { request, .. }) = commands.first() {
            assert!(
                matches!(request.purpose, Purpose::Suite | Purpose::Validation),
                "there are no cases that it must fix: {request:?}"
            );
            let held_out = request.purpose.is_held_out();
            let run = |task: &u32| (*task, !held_out || *task < passed);
            let runs: Vec<(u32, bool)> = request.tasks.iter().map(run).collect();
            (state, commands) = step(state, &bought(Some(&id), Arm::Candidate, request.purpose, &runs));
        }
        let Some(Command::Decide { ground, reason, .. }) = commands.first() else {
            panic!("{commands:?}")
        };
        assert_eq!(ground.verdict(), verdict, "{reason}");
        assert!(reason.starts_with(said), "{reason}");
        let decided = Event::Decided {
            experiment: id,
            ground: *ground,
            reason: reason.clone(),
        };
        let (state, _) = step(state, &decided);
        let state = state.unwrap();
        assert_eq!(state.experiments[1].candidate.removes, Some(ExperimentId::new("E001")));
        assert_eq!(state.incumbent == state.plan.harness, verdict == Verdict::Accepted);
        assert_eq!(
            state.removal(&ExperimentId::new("E001")).is_none(),
            verdict == Verdict::Accepted
        );
    }
}

#[test]
fn where_the_proposer_has_nothing_it_is_looked_once_what_is_in_the_way() {
    let state = promoted([2, 0]);
    let published = Event::Published {
        experiment: state.experiments[0].id.clone(),
        branch: "b".to_owned(),
        tree: "t".to_owned(),
    };
    let (state, _) = step(Some(state), &published);
    let (mut state, mut commands) = step(state, &calm(2));
    let mut starts = Vec::new();
    while let Some(Command::Propose { cluster, start, .. }) = commands.first() {
        starts.push(*start);
        let nothing = Event::NothingProposed {
            cluster: cluster.clone(),
            reason: String::new(),
            spent: Spent::default(),
        };
        (state, commands) = step(state, &nothing);
    }
    assert_eq!(starts, [None, Some(Start::Simplify)]);
}
