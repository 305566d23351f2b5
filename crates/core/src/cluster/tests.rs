//! Joining, ranking, and what becomes of a cluster.

use super::*;
use crate::failure::RootCause;
use crate::trace::Termination;

pub(crate) fn record(id: &str, task: &str, mechanisms: &[(&str, &str)]) -> FailureRecord {
    let cause = |&(rule, subject): &(&str, &str)| RootCause {
        mechanism: Mechanism {
            rule: rule.to_owned(),
            subject: subject.to_owned(),
        },
        finding: String::new(),
        evidence: Vec::new(),
        confidence: 0.9,
        should: String::new(),
        action: None,
    };
    FailureRecord {
        id: RecordId::new(id),
        task: TaskId::new(task),
        kind: FailureKind::Agent,
        context: String::new(),
        behaviour: String::new(),
        termination: Termination::AgentStop,
        causes: mechanisms.iter().map(cause).collect(),
        impact: None,
        draft: None,
    }
}

const REFUND: (&str, &str) = ("missing_action", "refund");
const HANDOVER: (&str, &str) = ("premature_handover", "transfer");

pub(crate) fn task(id: &str) -> TaskId {
    TaskId::new(id)
}

#[test]
fn a_record_joins_a_cluster_for_each_of_its_mechanisms() {
    let mut book = ClusterBook::default();
    let joined = book.join(&record("r1", "t1", &[REFUND, REFUND, HANDOVER]), 1);
    assert_eq!(joined.len(), 2);
    assert_eq!(book.join(&record("r2", "t2", &[REFUND]), 1), [joined[0].clone()]);
    let refund = &book.clusters[&joined[0]];
    assert_eq!(
        (refund.title.as_str(), refund.total_failures()),
        ("never does `refund` when it is needed", 2)
    );
    assert_eq!((refund.share, book.clusters[&joined[1]].share), (1.0, 0.5));
}

#[test]
fn ids_come_from_the_mechanism_alone() {
    let mut book = ClusterBook::default();
    let ids = book.join(&record("r1", "t1", &[REFUND]), 7);
    insta::assert_snapshot!(ids[0], @"c-3dc53d48");
    assert_eq!(
        ClusterBook::default().join(&record("other", "other", &[REFUND]), 1),
        ids
    );
}

#[test]
fn joining_twice_changes_nothing() {
    let mut book = ClusterBook::default();
    let id = book.join(&record("r1", "t1", &[REFUND]), 1).remove(0);
    book.resolve(&id, &task("t1"));
    let before = book.clone();
    assert_eq!(book.join(&record("r1", "t1", &[REFUND]), 5), [id]);
    assert_eq!(book, before);
}

#[test]
fn joining_many_is_joining_one_by_one() {
    let records = [
        record("r1", "t1", &[REFUND]),
        record("r2", "t2", &[REFUND, HANDOVER]),
        record("r3", "t1", &[HANDOVER]),
    ];
    let (mut one_by_one, mut at_once) = (ClusterBook::default(), ClusterBook::default());
    let ids: Vec<_> = records.iter().map(|record| one_by_one.join(record, 2)).collect();
    assert_eq!(at_once.join_all(&records, 2), ids);
    assert_eq!(at_once, one_by_one);
}

#[test]
fn a_record_that_comes_alone_weighs_as_much_as_when_all_are_counted() {
    let mut book = ClusterBook::default();
    book.join_all(&[record("r1", "t1", &[REFUND]), record("r2", "t2", &[REFUND])], 1);
    book.leave(&RecordId::new("r2"));
    for (id, mechanisms) in [
        ("r3", [REFUND, HANDOVER]),
        ("r3", [REFUND, HANDOVER]),
        ("r4", [HANDOVER, HANDOVER]),
    ] {
        book.join(&record(id, id, &mechanisms), 1);
        let mut counted = book.clone();
        counted.weigh();
        assert_eq!(book, counted);
    }
}

#[test]
fn only_failures_of_the_agent_join() {
    let mut book = ClusterBook::default();
    for kind in [
        FailureKind::Infrastructure,
        FailureKind::Evaluator,
        FailureKind::UserSimulator,
        FailureKind::Unknown,
    ] {
        let foreign = FailureRecord {
            kind,
            ..record("r1", "t1", &[REFUND])
        };
        assert!(book.join(&foreign, 1).is_empty());
    }
    assert!(book.clusters.is_empty());
}

#[test]
fn a_cluster_is_resolved_with_its_last_member_and_reopens_with_the_next() {
    let mut book = ClusterBook::default();
    let id = book.join(&record("r1", "t1", &[REFUND]), 1).remove(0);
    book.join(&record("r2", "t2", &[REFUND]), 1);
    assert!(book.mark(&id, ClusterState::InProgress));
    book.resolve(&id, &task("t1"));
    assert_eq!(
        (book.clusters[&id].state, book.clusters[&id].resolution_rate()),
        (ClusterState::InProgress, 0.5)
    );
    book.resolve(&id, &task("t2"));
    assert_eq!(book.clusters[&id].state, ClusterState::Resolved);
    assert!(book.ranked().is_empty());
    book.join(&record("r3", "t2", &[REFUND]), 2);
    let reopened = &book.clusters[&id];
    assert_eq!(
        (reopened.state, reopened.resolved(), reopened.last_batch),
        (ClusterState::Reopened, 1, 2)
    );
    assert!(
        !reopened.members[&RecordId::new("r2")].resolved,
        "the same task fails again"
    );
}

#[test]
fn a_passed_task_is_resolved_everywhere_and_a_record_alone_only_where_it_is() {
    let mut book = ClusterBook::default();
    let ids = book.join(&record("r1", "t1", &[REFUND, HANDOVER]), 1);
    book.join(&record("r2", "t1", &[HANDOVER]), 2);
    book.resolve_record(&ids[1], &RecordId::new("r2"));
    assert_eq!(
        (book.clusters[&ids[0]].resolved(), book.clusters[&ids[1]].resolved()),
        (0, 1)
    );
    book.resolve_task(&task("t1"));
    assert!(
        book.clusters
            .values()
            .all(|cluster| cluster.state == ClusterState::Resolved)
    );
}

#[test]
fn only_sensible_ways_lead_from_state_to_state() {
    let mut book = ClusterBook::default();
    let id = book.join(&record("r1", "t1", &[REFUND]), 1).remove(0);
    assert!(!book.mark(&id, ClusterState::Resolved), "a member still shows it");
    assert!(!book.mark(&id, ClusterState::Reopened), "it was never resolved");
    assert!(book.mark(&id, ClusterState::InProgress) && book.mark(&id, ClusterState::Open));
    assert!(book.mark(&id, ClusterState::Ignored) && !book.mark(&id, ClusterState::InProgress));
    book.resolve(&id, &task("t1"));
    assert_eq!(
        book.clusters[&id].state,
        ClusterState::Ignored,
        "what a person said outlives what is measured"
    );
    assert!(book.mark(&id, ClusterState::Open) && book.mark(&id, ClusterState::Resolved));
    assert!(
        !book.mark(&id, ClusterState::Open),
        "resolved comes back as reopened only"
    );
    assert!(!book.mark(&ClusterId::new("c-none"), ClusterState::Ignored));
}

#[test]
fn an_ignored_cluster_grows_but_is_not_ranked() {
    let mut book = ClusterBook::default();
    let id = book.join(&record("r1", "t1", &[REFUND]), 1).remove(0);
    book.mark(&id, ClusterState::Ignored);
    book.join(&record("r2", "t2", &[REFUND]), 2);
    assert_eq!(
        (book.clusters[&id].state, book.clusters[&id].total_failures()),
        (ClusterState::Ignored, 2)
    );
    assert!(book.ranked().is_empty());
}

#[test]
fn rank_grows_with_recurrence_and_falls_with_age_and_resolution() {
    let mut book = ClusterBook::default();
    let old = book
        .join_all(&[record("r1", "t1", &[REFUND]), record("r2", "t2", &[REFUND])], 1)
        .remove(0)
        .remove(0);
    let new = book
        .join_all(&[record("r3", "t3", &[HANDOVER]), record("r4", "t4", &[HANDOVER])], 11)
        .remove(0)
        .remove(0);
    let order = |book: &ClusterBook| {
        book.ranked()
            .into_iter()
            .map(|(_, cluster)| cluster.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(order(&book), [new.clone(), old.clone()], "the recent one first");
    book.resolve(&new, &task("t3"));
    let rank = book.ranked()[0].0;
    assert!(
        (rank - 2.0 * 1.5 * 0.5).abs() < 1e-9,
        "2 recent members, half of the runs, half resolved, not {rank}"
    );
    book.join(&record("r5", "t1", &[REFUND]), 11);
    book.join(&record("r6", "t2", &[REFUND]), 11);
    assert_eq!(order(&book), [old, new], "what fails again comes up");
}
