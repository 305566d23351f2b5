//! The regression suite over a run: what wavers leaves it and comes back, what is dead is taken out, and each time an entry says so.

use super::*;
use crate::case::{Aside, FlakeStatistics};

/// A case of the suite that repeats a task, as the repository has it.
fn case(task: &str, state: CaseState) -> EvalCase {
    let task = TaskId::new(task);
    EvalCase {
        state,
        clusters: vec![ClusterId::new("c-of-the-suite")],
        fixed_by: Some(ExperimentId::new("E009")),
        flake: FlakeStatistics {
            runs_before: 2,
            fails_before: 2,
            runs_after: 3,
            passes_after: 3,
        },
        ..EvalCase::new(EvalCase::id_of(&task), task, "holds".to_owned())
    }
}

fn id(task: &str) -> CaseId {
    EvalCase::id_of(&TaskId::new(task))
}

/// A run of an agent that wavers, which knows these cases.
pub(super) fn begun(suite: Vec<EvalCase>, change: impl FnOnce(&mut Plan)) -> (Option<State>, Vec<Command>) {
    let mut plan = plan(&mut Tape {
        bytes: vec![0, 4, 0, 7, 3, 49, 19, 0],
        at: 0,
    });
    plan.gate.mode = GateMode::Efficient;
    plan.known.suite = suite;
    change(&mut plan);
    let (state, _) = step(None, &Event::Started(Box::new(plan)));
    step(state, &baseline(2))
}

/// Traffic in which these tasks passed or failed; each failure has a cause of its own task.
pub(super) fn traffic(batch: u32, runs: &[(&str, bool)]) -> Event {
    let record = |task: &str| {
        let name = format!("{task} {batch}");
        let mut record = Tape {
            bytes: vec![0, 4],
            at: 0,
        }
        .record(&TaskId::new(task), name);
        record.causes[0].mechanism.subject = format!("tool-of-{task}");
        record
    };
    let verdict = |(task, passed): &(&str, bool)| TaskVerdict {
        task: TaskId::new(*task),
        status: if *passed {
            TrialStatus::Passed
        } else {
            TrialStatus::Failed
        },
    };
    Event::TrafficRan {
        batch,
        verdicts: runs.iter().map(verdict).collect(),
        records: runs
            .iter()
            .filter(|(_, passed)| !passed)
            .map(|(task, _)| record(task))
            .collect(),
        spent: Spent::default(),
    }
}

/// What came of looking at a case.
fn looked(task: &str, passes: u32, fails: u32) -> Event {
    Event::CasesTried {
        tried: vec![CaseTry {
            case: id(task),
            runs: passes + fails,
            fails,
            not_runnable: None,
            repeats: None,
            unchecked: false,
        }],
        refused: Vec::new(),
        spent: Spent::default(),
    }
}

fn trials(commands: &[Command]) -> &[CaseTrial] {
    let Some(Command::TryCases { cases }) = commands.first() else {
        panic!("{commands:?}")
    };
    cases
}

fn changes(commands: &[Command]) -> Vec<SuiteChange> {
    let Some(Command::ReviseSuite { changes }) = commands.first() else {
        panic!("{commands:?}")
    };
    changes.clone()
}

fn stands(state: &Option<State>, task: &str) -> EvalCase {
    state.as_ref().unwrap().cases.cases[&id(task)].clone()
}

/// A run in which the case of `t2` failed in the traffic and was looked at.
fn doubted(passes: u32, fails: u32) -> (Option<State>, Vec<Command>) {
    let (state, commands) = begun(vec![case("t2", CaseState::Promoted)], |_| {});
    assert!(
        matches!(commands.first(), Some(Command::RunTraffic { .. })),
        "{commands:?}"
    );
    let (state, commands) = step(state, &traffic(1, &[("t2", false), ("t3", true)]));
    let [trial] = trials(&commands) else {
        panic!("{commands:?}")
    };
    assert_eq!((&trial.case, trial.trials.len()), (&id("t2"), 3));
    step(state, &looked("t2", passes, fails))
}

#[test]
fn a_case_of_the_suite_that_passes_and_fails_on_one_harness_leaves_it_with_a_reason() {
    let (state, commands) = doubted(1, 2);
    let [change] = &changes(&commands)[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(
        (change.becomes, change.aside),
        (CaseState::Quarantined, Some(Aside::Wavers))
    );
    insta::assert_snapshot!(change.reason, @"wavers: passed 1 of 4 on the harness as it came, in batch 1; back after 6 passes in a row");
    let changes = changes(&commands);
    let (state, commands) = step(state, &Event::SuiteRevised { changes });
    assert!(
        matches!(commands.first(), Some(Command::Propose { .. })),
        "{commands:?}"
    );
    let case = stands(&state, "t2");
    assert_eq!(
        (case.state, case.flake.passes_after, case.flake.runs_after),
        (CaseState::Quarantined, 4, 7)
    );
    assert!(case.note.unwrap().starts_with("wavers"));
    assert!(state.unwrap().gate.suite().is_empty(), "no change is held against it");
}

#[test]
fn bad_luck_is_no_reason_and_what_only_fails_is_a_failure_again() {
    let (state, commands) = doubted(3, 0);
    assert!(
        matches!(commands.first(), Some(Command::Propose { .. })),
        "{commands:?}"
    );
    assert_eq!(
        stands(&state, "t2").flake.rate().map(|rate| (rate.passed, rate.runs)),
        Some((6, 7))
    );
    let (state, commands) = doubted(0, 3);
    let changes = changes(&commands);
    assert_eq!(
        (changes[0].becomes, changes[0].aside),
        (CaseState::Open, Some(Aside::Broke))
    );
    let (state, _) = step(state, &Event::SuiteRevised { changes });
    let case = stands(&state, "t2");
    assert_eq!((case.state, case.fixed_by), (CaseState::Open, None));
    assert_eq!((case.flake.fails_before, case.flake.runs_after), (6, 0));
    let state = state.unwrap();
    assert!(state.gate.suite().is_empty() && state.cases.open().any(|case| case.id == id("t2")));
}

#[test]
fn the_literal_rule_keeps_every_case() {
    let (state, _) = begun(vec![case("t2", CaseState::Promoted)], |plan| {
        plan.gate.mode = GateMode::Strict;
    });
    let (state, commands) = step(state, &traffic(1, &[("t2", false)]));
    assert!(
        matches!(commands.first(), Some(Command::Propose { .. })),
        "{commands:?}"
    );
    assert_eq!(state.unwrap().gate.suite().len(), 1);
}

#[test]
fn what_guards_nothing_any_more_is_taken_out_when_a_run_begins_and_comes_back_with_what_it_guards() {
    let ignored = ClusterId::new("c-of-the-suite");
    let other = EvalCase {
        clusters: vec![ClusterId::new("c-other")],
        ..case("t3", CaseState::Promoted)
    };
    let gone = EvalCase {
        clusters: Vec::new(),
        ..case("t99", CaseState::Promoted)
    };
    let back = EvalCase {
        clusters: Vec::new(),
        aside: Some(Aside::Gone),
        note: Some("the runner lists no such task any more".to_owned()),
        ..case("t4", CaseState::Retired)
    };
    let suite = vec![case("t2", CaseState::Promoted), other, gone, back];
    let (state, commands) = begun(suite, |plan| plan.known.ignored.extend([ignored]));
    let changes = changes(&commands);
    let told: BTreeMap<&CaseId, (CaseState, Option<Aside>)> = changes
        .iter()
        .map(|change| (&change.case, (change.becomes, change.aside)))
        .collect();
    assert_eq!(told.len(), 3, "{changes:?}");
    assert_eq!(told[&id("t2")], (CaseState::Retired, Some(Aside::Ignored)));
    assert_eq!(told[&id("t99")], (CaseState::Retired, Some(Aside::Gone)));
    assert_eq!(told[&id("t4")], (CaseState::Promoted, None));
    let (state, commands) = step(
        state,
        &Event::SuiteRevised {
            changes: changes.clone(),
        },
    );
    assert!(
        matches!(commands.first(), Some(Command::RunTraffic { .. })),
        "{commands:?}"
    );
    assert_eq!(state.as_ref().unwrap().gate.suite().len(), 2);
    assert_eq!(stands(&state, "t4").note, None);
}

#[test]
fn a_case_without_a_verdict_is_taken_out_when_that_happens_again_and_never_for_want_of_money() {
    let silent = |mut state: Option<State>, batch: u32| {
        let broke_off = Event::TrafficRan {
            batch,
            verdicts: vec![TaskVerdict {
                task: TaskId::new("t2"),
                status: TrialStatus::Errored {
                    kind: FailureKind::Infrastructure,
                    message: "no power".to_owned(),
                },
            }],
            records: Vec::new(),
            spent: Spent::default(),
        };
        let commands;
        (state, commands) = step(state, &broke_off);
        assert_eq!(trials(&commands).len(), 1);
        step(state, &looked("t2", 0, 0))
    };
    let (state, _) = begun(vec![case("t2", CaseState::Promoted)], |_| {});
    let (state, commands) = silent(state, 1);
    assert!(
        matches!(commands.first(), Some(Command::RunTraffic { .. })),
        "once is the machinery's bad day: {commands:?}"
    );
    let (state, commands) = silent(state, 2);
    assert_eq!(changes(&commands)[0].aside, Some(Aside::Silent));
    assert_eq!(stands(&state, "t2").silent, 2);
    let (state, _) = begun(vec![case("t2", CaseState::Promoted)], |plan| plan.limits.task_runs = 5);
    let poor = Event::CasesTried {
        tried: Vec::new(),
        refused: Vec::new(),
        spent: Spent { task_runs: 9, usd: 0.0 },
    };
    let (state, _) = step(state, &poor);
    let (state, _) = step(state, &looked("t2", 0, 0));
    assert_eq!(stands(&state, "t2").silent, 0);
}

/// Plays a run on until it wants traffic again, or is over: so many validation tasks pass with a change, and the case of `t2` as `passes` says. Gives
/// how often that one was asked for.
fn play_on(state: &mut Option<State>, commands: &mut Vec<Command>, validation: u32, passes: bool) -> u32 {
    let mut asked = 0;
    loop {
        let now = state.as_ref().unwrap();
        let event = match commands.first() {
            Some(Command::Buy {
                experiment, request, ..
            }) => {
                let run = |task: &u32| {
                    let again = request.purpose == Purpose::Promotion && now.task(*task) == Some(&TaskId::new("t2"));
                    asked += u32::from(again);
                    let passes = if request.purpose == Purpose::Validation {
                        *task < validation
                    } else {
                        !again || passes
                    };
                    (*task, passes)
                };
                let runs: Vec<(u32, bool)> = request.tasks.iter().map(run).collect();
                bought(experiment.as_ref(), request.arm, request.purpose, &runs)
            }
            Some(Command::Finish { .. } | Command::RunTraffic { .. }) | None => return asked,
            Some(command) => Tape {
                bytes: vec![0, 0],
                at: 0,
            }
            .answer(now, command),
        };
        (*state, *commands) = step(state.take(), &event);
    }
}

/// A run that knows a case which wavers, so often passed in a row; for each of the two accepted changes, whether it passes with it.
fn waverer(streak: u32, passes: [bool; 2]) -> (Option<State>, [u32; 2]) {
    let wavers = EvalCase {
        aside: Some(Aside::Wavers),
        streak,
        note: Some("wavers".to_owned()),
        ..case("t2", CaseState::Quarantined)
    };
    let by_person = EvalCase {
        aside: Some(Aside::Person),
        ..case("t3", CaseState::Quarantined)
    };
    let (mut state, _) = begun(vec![wavers, by_person], |plan| plan.batches = 2);
    let mut asked = [0; 2];
    for ((n, failing), passes) in [(1, "t0"), (2, "t1")].into_iter().zip(passes) {
        let mut commands;
        (state, commands) = step(state.take(), &traffic(n, &[(failing, false)]));
        asked[n as usize - 1] = play_on(&mut state, &mut commands, 2 + n, passes);
    }
    let accepted = state.as_ref().unwrap().experiments.iter().filter(|one| one.accepted());
    assert_eq!(accepted.count(), 2);
    (state, asked)
}

#[test]
fn a_wavering_case_is_run_again_with_accepted_changes_until_it_has_passed_often_enough_in_a_row() {
    let (state, asked) = waverer(3, [false, true]);
    let case = stands(&state, "t2");
    assert_eq!(asked, [1, 3], "one failure is enough");
    assert_eq!((case.state, case.streak), (CaseState::Quarantined, 3));
    insta::assert_snapshot!(case.note.unwrap(), @"passed 3 of 3 on the harness of E002, in batch 2: 3 in a row, back after 6");

    let (state, asked) = waverer(3, [true, true]);
    let case = stands(&state, "t2");
    assert_eq!(asked, [3, 0], "it is back, and no case to promote");
    assert_eq!((case.state, case.streak), (CaseState::Promoted, 0));
    assert_eq!(
        (case.aside, case.note, case.fixed_by.unwrap().as_str()),
        (None, None, "E009")
    );
    // Three more with the first change, and one in the suite with the second.
    assert_eq!((case.flake.passes_after, case.flake.runs_after), (7, 7));
    assert_eq!(
        stands(&state, "t3").state,
        CaseState::Quarantined,
        "what a person said a person takes back"
    );
    let state = state.unwrap();
    let number = state.numbers.of(&TaskId::new("t2")).unwrap();
    assert_eq!(state.gate.suite().iter().filter(|task| **task == number).count(), 1);
    assert!(
        state
            .new_cases(&ExperimentId::new("E002"))
            .iter()
            .all(|case| case.id != id("t2")),
        "its file is there"
    );
}

#[test]
fn what_older_versions_wrote_of_cases_is_read_and_keeps_its_id() {
    let started = r#"{"id":"case-1","task":"t2","title":"holds","clusters":["c-a"],"records":["r-1"],"fixed_by":"E003","flake":{"runs_before":2,"fails_before":2,"runs_after":3,"passes_after":3},"state":"quarantined","note":"passed 1 of 2 on the harness of E003, in batch 1"}"#;
    let read: EvalCase = serde_json::from_str(started).unwrap();
    assert_eq!((read.aside, read.streak, read.silent), (None, 0, 0));
    assert_eq!(serde_json::to_string(&read).unwrap(), started);
    let events = [
        r#"{"type":"cases_tried","tried":[{"case":"case-1","runs":1,"fails":1}],"spent":{"task_runs":1,"usd":0.0}}"#,
        r#"{"type":"promoted","experiment":"E003","cases":[{"case":"case-1","task":"t2","runs":2,"passes":1,"becomes":"quarantined","note":"passed 1 of 2"}],"resolved":[]}"#,
        r#"{"type":"decided","experiment":"E003","ground":"gain","reason":"better"}"#,
    ];
    for event in events {
        let read: Event = serde_json::from_str(event).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), event);
    }
    let plan = plan(&mut Tape {
        bytes: Vec::new(),
        at: 0,
    });
    let told = serde_json::to_string(&plan).unwrap();
    assert!(!told.contains("ignored"), "{told}");
}
