//! Drafts that solve equally much race for the experiment, and the gate's probe says who wins.

use super::suite::{begun, traffic};
use super::*;

/// A round whose two drafts both solved the only case of their cluster in the screening.
fn screened() -> (Option<State>, Vec<Command>, Vec<Candidate>) {
    let (state, _) = begun(Vec::new(), |plan| {
        (plan.search.mode, plan.search.proposals) = (SearchMode::Frontier, 2);
    });
    let (mut state, mut commands) = step(state, &traffic(1, &[("t0", false)]));
    let mut drafts = Vec::new();
    for n in 0..2_u8 {
        let mut tape = Tape {
            bytes: vec![0, n],
            at: 0,
        };
        let mut event = tape.answer(state.as_ref().unwrap(), &commands[0]);
        let Event::Drafted { candidate, .. } = &mut event else {
            panic!("{event:?}")
        };
        candidate.id = CandidateId::new(format!("draft {n}"));
        drafts.push((**candidate).clone());
        (state, commands) = step(state, &event);
    }
    let Some(Command::Screen {
        experiment, cluster, ..
    }) = commands.first()
    else {
        panic!("{commands:?}")
    };
    let solved = || Screened {
        solved: vec![TaskId::new("t0")],
        ..Screened::default()
    };
    let event = Event::Screened {
        experiment: experiment.clone(),
        cluster: cluster.clone(),
        screened: vec![solved(), solved()],
        spent: Spent::default(),
    };
    let (state, commands) = step(state, &event);
    (state, commands, drafts)
}

#[test]
fn the_draft_that_goes_on_passing_is_measured_and_the_other_one_waits() {
    let (mut state, mut commands, drafts) = screened();
    let mut laps = Vec::new();
    while let Some(Command::Race {
        drafts: left,
        task,
        trial,
        experiment,
        cluster,
    }) = commands.first()
    {
        let ended = |draft: &Candidate| {
            if draft.id == drafts[1].id {
                Outcome::Passed
            } else {
                Outcome::Failed
            }
        };
        laps.push((left.len(), task.to_string(), *trial));
        let event = Event::Raced {
            experiment: experiment.clone(),
            cluster: cluster.clone(),
            task: task.clone(),
            trial: *trial,
            outcomes: left.iter().map(|draft| (draft.id.clone(), ended(draft))).collect(),
            spent: Spent::default(),
        };
        (state, commands) = step(state, &event);
    }
    assert_eq!(
        laps[0],
        (2, "t0".to_owned(), 1),
        "with a trial that the proposer has not seen"
    );
    assert!(laps.len() <= 2, "{laps:?}");
    let state = state.unwrap();
    assert_eq!(state.experiments[0].candidate.id, drafts[1].id);
    let waits: Vec<&CandidateId> = state
        .frontier
        .members()
        .iter()
        .map(|member| &member.candidate.id)
        .collect();
    assert_eq!(waits, [&drafts[0].id]);
    let Some(Command::Buy { request, trials, .. }) = commands.first() else {
        panic!("{commands:?}")
    };
    assert_eq!(
        (request.purpose, &trials[..]),
        (Purpose::Probe, &[1][..]),
        "which is on record"
    );
}

#[test]
fn a_ledger_from_before_there_were_races_goes_on_with_the_best_of_the_screening() {
    let (state, _, drafts) = screened();
    let id = ExperimentId::new("E001");
    let probe = bought(Some(&id), Arm::Candidate, Purpose::Probe, &[(0, true)]);
    let (state, _) = step(state, &probe);
    let state = state.unwrap();
    assert_eq!(state.experiments[0].candidate.id, drafts[0].id);
    assert_eq!(state.experiments[0].cluster_cases.as_ref().unwrap().passed, 1);
}
