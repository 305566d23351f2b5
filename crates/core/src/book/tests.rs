use super::standing::{LEFT_CLOSED, Standing, thing_state};
use super::*;
use crate::budget::Limits;
use crate::case::{Aside, CaseState, SuiteChange};
use crate::config::GateConfig;
use crate::fact::Decision;
use crate::failure::{Mechanism, RootCause};
use crate::harness::Harness;
use crate::id::TaskId;
use crate::learnings::Kind;
use crate::ledger::Plan;
use crate::search::SearchConfig;
use crate::trace::Termination;

fn record(id: &str, subject: &str) -> FailureRecord {
    FailureRecord {
        id: RecordId::new(id),
        task: TaskId::new(format!("task of {id}")),
        kind: FailureKind::Agent,
        context: String::new(),
        behaviour: String::new(),
        termination: Termination::default(),
        causes: vec![RootCause {
            mechanism: Mechanism {
                rule: "missing_action".to_owned(),
                subject: subject.to_owned(),
            },
            finding: String::new(),
            evidence: Vec::new(),
            confidence: 0.9,
            should: String::new(),
            action: None,
        }],
        impact: None,
        draft: None,
    }
}

fn at(day: u32, what: What) -> Fact {
    Fact {
        at: format!("2026-11-{day:02}T00:00:00Z"),
        what,
    }
}

fn issue(day: u32, number: u64, id: &str, subject: &str) -> Fact {
    at(
        day,
        What::IssueRead {
            issue: number,
            digest: format!("{id} {day}"),
            as_of: format!("2026-11-{day:02}T00:00:00Z"),
            opened_at: format!("2026-11-{day:02}T00:00:00Z"),
            told_at: BTreeMap::new(),
            reading: Reading::Failures {
                records: vec![record(id, subject)],
            },
        },
    )
}

fn cluster() -> ClusterId {
    Book::fold(&[issue(1, 1, "a", "refund")])
        .clusters
        .clusters
        .into_keys()
        .next()
        .unwrap()
}

fn opened(day: u32, number: u64) -> Fact {
    at(
        day,
        What::PullOpened {
            pull: number,
            cluster: cluster(),
            run: RunId::new("r"),
            experiment: ExperimentId::new("E001"),
            branch: "sprag/c".to_owned(),
            head_sha: "abc".to_owned(),
            base_sha: "def".to_owned(),
        },
    )
}

fn settled(day: u32, number: u64, merged: bool) -> Fact {
    at(
        day,
        What::PullSettled {
            pull: number,
            merged: merged.then(|| "fed".to_owned()),
            settled_at: format!("2026-11-{day:02}T00:00:00Z"),
            reason: (!merged).then(|| "too broad".to_owned()),
        },
    )
}

fn decided(day: u32, decision: Decision) -> Fact {
    at(
        day,
        What::Commanded {
            comment: u64::from(day),
            on: 1,
            by: "alice".to_owned(),
            decisions: vec![decision],
            reply: String::new(),
            refused: false,
        },
    )
}

fn state(facts: &[Fact]) -> ClusterState {
    Book::fold(facts).clusters.clusters[&cluster()].state
}

#[test]
fn the_order_in_which_facts_arrive_does_not_matter_and_doubles_do_not_count() {
    let facts = vec![
        issue(1, 1, "a", "refund"),
        opened(2, 10),
        settled(3, 10, true),
        issue(4, 2, "b", "refund"),
    ];
    let mut shuffled = facts.clone();
    shuffled.reverse();
    shuffled.push(facts[0].clone());
    assert_eq!(Book::fold(&shuffled), Book::fold(&facts));
    assert_eq!(Book::fold(&facts).clusters.clusters[&cluster()].total_failures(), 2);
}

#[test]
fn a_cluster_goes_from_open_to_resolved_by_a_merge_and_back_by_a_younger_failure() {
    let mut facts = vec![issue(1, 1, "a", "refund")];
    assert_eq!(state(&facts), ClusterState::Open);
    facts.push(opened(2, 10));
    assert_eq!(state(&facts), ClusterState::InProgress);
    facts.push(settled(3, 10, true));
    assert_eq!(state(&facts), ClusterState::Resolved);
    facts.push(issue(4, 2, "b", "refund"));
    assert_eq!(state(&facts), ClusterState::Reopened);
    assert_eq!(Book::fold(&facts).issues_of(&cluster()), [1, 2]);
}

#[test]
fn a_failure_that_is_older_than_the_merge_reopens_nothing_though_it_is_read_later() {
    let mut late = issue(2, 2, "b", "refund");
    late.at = "2026-11-09T00:00:00Z".to_owned();
    let facts = [issue(1, 1, "a", "refund"), opened(2, 10), settled(3, 10, true), late];
    assert_eq!(state(&facts), ClusterState::Resolved);
}

#[test]
fn what_failed_while_the_change_waited_is_resolved_with_it() {
    let facts = [
        issue(1, 1, "a", "refund"),
        opened(2, 10),
        issue(3, 2, "b", "refund"),
        settled(4, 10, true),
    ];
    assert_eq!(state(&facts), ClusterState::Resolved);
}

#[test]
fn a_closed_pull_request_gives_the_cluster_back_and_its_reason_is_remembered() {
    let facts = [issue(1, 1, "a", "refund"), opened(2, 10), settled(3, 10, false)];
    assert_eq!(state(&facts), ClusterState::Open);
    let rejections = Book::fold(&facts).rejections(&cluster());
    assert_eq!(
        (rejections[0].pull, &rejections[0].reasons[..]),
        (10, &["too broad".to_owned()][..])
    );
    let known = Book::fold(&facts).known(&[]);
    let learned: Vec<_> = known
        .learnings
        .iter()
        .map(|one| (one.kind, one.outcome.as_str()))
        .collect();
    assert_eq!(learned, [(Kind::Said, "too broad")], "the next proposer is told");
}

#[test]
fn ignored_stays_ignored_until_a_person_wants_it_again() {
    let id = cluster();
    let mut facts = vec![
        issue(1, 1, "a", "refund"),
        decided(2, Decision::Ignore { cluster: id.clone() }),
        issue(3, 2, "b", "refund"),
    ];
    assert_eq!(state(&facts), ClusterState::Ignored);
    facts.push(decided(4, Decision::Prefer { cluster: id.clone() }));
    assert_eq!(state(&facts), ClusterState::Open);
    assert!(Book::fold(&facts).preferred.contains(&id));
}

#[test]
fn a_merge_of_clusters_outlives_later_failures_and_a_split_takes_its_records_away() {
    let book = Book::fold(&[issue(1, 1, "a", "refund"), issue(1, 2, "b", "cancel")]);
    let other = book.clusters_of(2)[0].clone();
    let merge = Decision::Merge {
        into: cluster(),
        from: other.clone(),
    };
    let facts = vec![
        issue(1, 1, "a", "refund"),
        issue(1, 2, "b", "cancel"),
        decided(2, merge),
        issue(3, 3, "c", "cancel"),
    ];
    let book = Book::fold(&facts);
    assert_eq!(book.clusters.clusters.len(), 1);
    assert_eq!(book.clusters_of(3), [cluster()]);
    let split = Decision::Split {
        cluster: cluster(),
        records: vec![RecordId::new("c")],
    };
    let facts = [facts, vec![decided(4, split)]].concat();
    let book = Book::fold(&facts);
    assert_eq!(book.clusters.clusters.len(), 2);
    assert_ne!(book.clusters_of(3), [cluster()]);
    assert_eq!(book.issues_of(&cluster()), [1, 2]);
}

#[test]
fn a_cursor_only_moves_forward() {
    let until = |day, cursor: &str| {
        at(
            day,
            What::ReadUntil {
                stream: "artifacts".to_owned(),
                cursor: cursor.to_owned(),
            },
        )
    };
    let book = Book::fold(&[until(1, "0009"), until(2, "0003")]);
    assert_eq!(book.cursors["artifacts"], "0009");
}

#[test]
fn what_was_made_of_a_ledger_comes_after_its_entries_of_the_same_moment() {
    let mut facts = vec![issue(2, 1, "a", "refund"), opened(2, 10)];
    facts.reverse();
    let end = Event::Finished { reason: String::new() };
    facts.push(at(
        2,
        What::RunEntry {
            run: RunId::new("r"),
            entry: Box::new(Entry::after(None, "2026-11-02T00:00:00Z".to_owned(), end)),
        },
    ));
    let book = Book::fold(&facts);
    assert_eq!(book.runs.len(), 1);
    assert!(book.open_pull(&cluster()).is_some());
}

#[test]
fn a_ledger_that_two_jobs_wrote_at_once_has_one_story() {
    let end = |reason: &str| Event::Finished {
        reason: reason.to_owned(),
    };
    let first = Entry::after(None, "2026-11-01T00:00:00Z".to_owned(), end("begin"));
    let one = Entry::after(Some(&first), "2026-11-02T00:00:00Z".to_owned(), end("one"));
    let two = Entry::after(Some(&first), "2026-11-03T00:00:00Z".to_owned(), end("two"));
    let fact = |entry: &Entry| Fact {
        at: entry.at.clone(),
        what: What::RunEntry {
            run: RunId::new("r"),
            entry: Box::new(entry.clone()),
        },
    };
    let book = Book::fold(&[fact(&two), fact(&one), fact(&first)]);
    assert_eq!(book.runs[&RunId::new("r")], [first, one]);
}

#[test]
fn a_run_is_told_what_is_open_and_what_to_leave_alone() {
    let case = |id: &str| EvalCase {
        state: CaseState::Promoted,
        ..EvalCase::new(CaseId::new(id), TaskId::new(id), String::new())
    };
    let facts = vec![
        issue(1, 1, "a", "refund"),
        issue(1, 2, "b", "cancel"),
        decided(
            2,
            Decision::Quarantine {
                case: CaseId::new("wavers"),
            },
        ),
        opened(3, 10),
    ];
    let known = Book::fold(&facts).known(&[case("holds"), case("wavers")]);
    assert_eq!(known.busy.into_iter().collect::<Vec<_>>(), [cluster()]);
    assert_eq!(known.suite[0].state, CaseState::Promoted);
    assert_eq!(known.suite[1].state, CaseState::Quarantined);
    assert_eq!(known.failures.len(), 2);
    let merged = [facts, vec![settled(4, 10, true)]].concat();
    let known = Book::fold(&merged).known(&[]);
    assert_eq!(known.failures, [record("b", "cancel")]);
    assert!(known.busy.is_empty());
}

fn standing(facts: &[Fact], issue: u64) -> String {
    let book = Book::fold(facts);
    match book.standing(issue).unwrap() {
        Standing::Mined { clusters, .. } => format!("mined, {} clusters", clusters.len()),
        Standing::Proposed { pull, .. } => format!("proposed in {pull}"),
        Standing::Fixed { pull, .. } => format!("fixed by {pull}"),
        Standing::Reopened { again, pull, .. } => format!("{} after {pull}", again.id),
        other => format!("{other:?}"),
    }
}

/// That it was seen to whether issue 1 is open.
fn answered(day: u32, why: &str) -> Fact {
    let what = What::Answered {
        thing: thing_state(1),
        digest: why.to_owned(),
        by: String::new(),
    };
    at(day, what)
}

#[test]
fn an_issue_is_closed_by_the_merge_once_and_opened_again_when_its_cluster_fails() {
    let open = |facts: &[Fact]| Book::fold(facts).should_be_open(1);
    let mut facts = vec![issue(1, 1, "a", "refund")];
    assert_eq!(standing(&facts, 1), "mined, 1 clusters");
    assert_eq!(open(&facts), None);
    facts.push(opened(2, 10));
    assert_eq!(standing(&facts, 1), "proposed in 10");
    facts.push(settled(3, 10, true));
    assert_eq!(standing(&facts, 1), "fixed by 10");
    assert_eq!(open(&facts), Some((false, "closed by #10".to_owned())));
    facts.push(answered(3, "closed by #10"));
    assert_eq!(open(&facts), None, "what people do afterwards stands");
    facts.push(issue(4, 2, "b", "refund"));
    assert_eq!(standing(&facts, 1), "b after 10");
    assert_eq!(open(&facts), Some((true, "reopened after #10".to_owned())));
    facts.push(answered(4, "reopened after #10"));
    assert_eq!(open(&facts), None);
}

#[test]
fn an_issue_that_fails_again_before_anybody_saw_it_closed_is_opened_unless_people_had_closed_it_before() {
    let mut facts = vec![
        issue(1, 1, "a", "refund"),
        opened(2, 10),
        settled(3, 10, true),
        issue(4, 2, "b", "refund"),
    ];
    let open = |facts: &[Fact]| Book::fold(facts).should_be_open(1);
    assert_eq!(open(&facts), Some((true, "reopened after #10".to_owned())));
    facts.push(answered(5, LEFT_CLOSED));
    assert_eq!(open(&facts), None);
}

#[test]
fn a_run_goes_on_until_its_changes_have_pull_requests() {
    let mut ledger: Vec<Entry> = Vec::new();
    let mut facts = Vec::new();
    let mut told = |event: Event, facts: &mut Vec<Fact>| {
        let entry = Entry::after(ledger.last(), "2026-11-01T00:00:00Z".to_owned(), event);
        ledger.push(entry.clone());
        facts.push(Fact {
            at: entry.at.clone(),
            what: What::RunEntry {
                run: RunId::new("r"),
                entry: Box::new(entry),
            },
        });
    };
    let published = Event::Published {
        experiment: ExperimentId::new("E001"),
        branch: String::new(),
        tree: String::new(),
    };
    told(published, &mut facts);
    assert!(Book::fold(&facts).unfinished().is_some());
    let finished = Event::Finished { reason: String::new() };
    told(finished, &mut facts);
    assert!(
        Book::fold(&facts).unfinished().is_some(),
        "nobody has seen the change yet"
    );
    facts.push(opened(2, 10));
    assert!(Book::fold(&facts).unfinished().is_none());
}

/// A ledger of one run, begun on a day and ended a day later, in which a task failed.
fn run_that_saw(day: u32, id: &str, subject: &str) -> Vec<Fact> {
    let begin = Entry::after(
        None,
        format!("2026-11-{day:02}T00:00:00Z"),
        Event::Finished { reason: String::new() },
    );
    let traffic = Event::TrafficRan {
        batch: 1,
        verdicts: Vec::new(),
        spent: crate::budget::Spent::default(),
        records: vec![record(id, subject)],
    };
    let traffic = Entry::after(Some(&begin), format!("2026-11-{:02}T00:00:00Z", day + 1), traffic);
    let fact = |entry: Entry| Fact {
        at: entry.at.clone(),
        what: What::RunEntry {
            run: RunId::new("r"),
            entry: Box::new(entry),
        },
    };
    vec![fact(begin), fact(traffic)]
}

#[test]
fn a_run_that_began_before_the_merge_says_nothing_of_what_was_merged() {
    let told = [issue(1, 1, "a", "refund"), opened(2, 10), settled(4, 10, true)];
    let before = [&told[..], &run_that_saw(3, "late", "refund")].concat();
    assert_eq!(state(&before), ClusterState::Resolved);
    let after = [&told[..], &run_that_saw(5, "late", "refund")].concat();
    assert_eq!(state(&after), ClusterState::Reopened);
}

#[test]
fn an_old_failure_of_a_fixed_task_read_late_unfixes_nothing() {
    let same_task = |mut fact: Fact, day: u32| {
        fact.at = format!("2026-11-{day:02}T00:00:00Z");
        if let What::IssueRead {
            reading: Reading::Failures { records },
            ..
        } = &mut fact.what
        {
            records[0].task = TaskId::new("one task");
        }
        fact
    };
    let facts = [
        same_task(issue(1, 1, "a", "refund"), 1),
        opened(2, 10),
        settled(3, 10, true),
        same_task(issue(2, 2, "b", "refund"), 9),
    ];
    assert_eq!(state(&facts), ClusterState::Resolved);
    let book = Book::fold(&facts);
    assert_eq!(book.clusters.clusters[&cluster()].resolved(), 2);
}

#[test]
fn a_trace_in_a_later_comment_is_as_old_as_the_comment() {
    let mut facts = vec![issue(1, 1, "a", "refund"), opened(2, 10), settled(3, 10, true)];
    let mut commented = issue(1, 1, "b", "refund");
    commented.at = "2026-11-05T00:00:00Z".to_owned();
    if let What::IssueRead { told_at, .. } = &mut commented.what {
        told_at.insert(RecordId::new("b"), "2026-11-04T00:00:00Z".to_owned());
    }
    facts.push(commented);
    assert_eq!(state(&facts), ClusterState::Reopened);
}

#[test]
fn what_was_changed_and_changed_back_is_what_it_is_now() {
    let read = |day: u32, digest: &str, reading: Reading| {
        let what = What::IssueRead {
            issue: 1,
            digest: digest.to_owned(),
            as_of: format!("2026-11-{day:02}T00:00:00Z"),
            opened_at: "2026-11-01T00:00:00Z".to_owned(),
            told_at: BTreeMap::new(),
            reading,
        };
        at(day, what)
    };
    let none = || Reading::NoTrace { instead: None };
    let facts = [
        read(1, "x", none()),
        read(2, "y", Reading::Withdrawn),
        read(3, "x", none()),
    ];
    assert_eq!(Book::fold(&facts).issues[&1].reading, none());
}

#[test]
fn a_label_taken_off_takes_the_failure_back_and_put_on_again_brings_it_back() {
    let withdrawn = |day| {
        let what = What::IssueRead {
            issue: 1,
            digest: "off".to_owned(),
            as_of: format!("2026-11-{day:02}T00:00:00Z"),
            opened_at: "2026-11-01T00:00:00Z".to_owned(),
            told_at: BTreeMap::new(),
            reading: Reading::Withdrawn,
        };
        at(day, what)
    };
    let mut facts = vec![issue(1, 1, "a", "refund"), issue(1, 2, "b", "refund"), withdrawn(2)];
    assert_eq!(standing(&facts, 1), "Withdrawn");
    let book = Book::fold(&facts);
    assert_eq!(book.issues_of(&cluster()), [2]);
    assert_eq!(book.known(&[]).failures, [record("b", "refund")]);
    facts.push(issue(3, 1, "a", "refund"));
    assert_eq!(Book::fold(&facts).issues_of(&cluster()), [1, 2]);
    let alone = [issue(1, 1, "a", "refund"), withdrawn(2)];
    assert_eq!(Book::fold(&alone).clusters.clusters.len(), 0);
}

#[test]
fn a_pull_request_opened_again_waits_again_without_the_old_reason() {
    let reopened = |day, closed: u32| {
        let closed_at = format!("2026-11-{closed:02}T00:00:00Z");
        at(day, What::PullReopened { pull: 10, closed_at })
    };
    let facts = [
        issue(1, 1, "a", "refund"),
        opened(2, 10),
        settled(3, 10, false),
        reopened(4, 3),
    ];
    let book = Book::fold(&facts);
    assert_eq!(book.open_pull(&cluster()).unwrap().1.reasons, [""; 0]);
    assert_eq!(state(&facts), ClusterState::InProgress);
    let closed_again = [&facts[..], &[settled(5, 10, false), reopened(6, 3)]].concat();
    assert_eq!(
        state(&closed_again),
        ClusterState::Open,
        "that was said of the first closing"
    );
}

#[test]
fn a_pull_request_stands_for_the_cluster_that_its_own_became_part_of() {
    let two = [issue(1, 1, "a", "refund"), issue(1, 2, "b", "cancel")];
    let other = Book::fold(&two).clusters_of(2)[0].clone();
    let merge = Decision::Merge {
        into: other.clone(),
        from: cluster(),
    };
    let facts = [&two[..], &[opened(2, 10), decided(3, merge)]].concat();
    let book = Book::fold(&facts);
    assert_eq!(book.open_pull(&other).map(|(number, _)| number), Some(10));
    assert_eq!(book.state_of(&other), Some(ClusterState::InProgress));
    let merged = [&facts[..], &[settled(4, 10, true)]].concat();
    let book = Book::fold(&merged);
    let resolved = |id: &str| book.clusters.clusters[&other].members[&RecordId::new(id)].resolved;
    assert!(resolved("a") && !resolved("b"), "it was measured for its own");
    assert_eq!(book.state_of(&other), Some(ClusterState::Reopened));
}

#[test]
fn a_box_says_something_of_its_own_cluster_only_and_the_dashboard_is_written_anew() {
    let two = [issue(1, 1, "a", "refund"), issue(1, 2, "b", "cancel")];
    let other = Book::fold(&two).clusters_of(2)[0].clone();
    let ticked = |day, clusters: &[(&ClusterId, bool)]| {
        let clusters = clusters.iter().map(|(id, on)| ((*id).clone(), *on)).collect();
        let cases = BTreeMap::new();
        at(day, What::Ticked { clusters, cases })
    };
    let shown = What::Answered {
        thing: crate::fact::DASHBOARD.to_owned(),
        digest: "x".to_owned(),
        by: String::new(),
    };
    let accept = decided(3, Decision::Prefer { cluster: cluster() });
    let facts = [&two[..], &[at(2, shown), accept, ticked(4, &[(&other, true)])]].concat();
    let book = Book::fold(&facts);
    assert_eq!(book.preferred, BTreeSet::from([cluster(), other.clone()]));
    assert!(book.answered.is_empty());
    let facts = [&facts[..], &[ticked(5, &[(&other, false)])]].concat();
    assert_eq!(Book::fold(&facts).preferred, BTreeSet::from([cluster()]));
}

#[test]
fn an_issue_may_be_confirmed_before_it_was_read_and_stays_confirmed() {
    let retry = decided(1, Decision::Retry { issue: 1 });
    let book = Book::fold(std::slice::from_ref(&retry));
    assert!(book.retry.contains(&1) && book.confirmed.contains(&1));
    let book = Book::fold(&[retry, issue(2, 1, "a", "refund")]);
    assert!(book.retry.is_empty() && book.confirmed.contains(&1));
}

#[test]
fn an_issue_of_two_causes_is_settled_only_by_the_second() {
    let mut both = record("a", "refund");
    both.causes.extend(record("a", "cancel").causes);
    let read = |records| {
        let mut fact = issue(1, 1, "a", "refund");
        if let What::IssueRead { reading, .. } = &mut fact.what {
            *reading = Reading::Failures { records };
        }
        fact
    };
    let facts = [read(vec![both]), opened(2, 10)];
    let book = Book::fold(&facts);
    let other = book.clusters_of(1).into_iter().find(|id| *id != cluster()).unwrap();
    assert!(!book.settled_by(&cluster(), 1));
    assert!(matches!(
        book.standing(1),
        Some(Standing::Proposed { closes: false, .. })
    ));
    let book = Book::fold(&[&facts[..], &[settled(3, 10, true)]].concat());
    assert!(book.settled_by(&other, 1));
    assert!(
        matches!(book.standing(1), Some(Standing::Mined { .. })),
        "the other cause is left"
    );
    let alone = Book::fold(&[issue(1, 1, "a", "refund"), opened(2, 10)]);
    assert!(alone.settled_by(&cluster(), 1));
    assert!(matches!(
        alone.standing(1),
        Some(Standing::Proposed { closes: true, .. })
    ));
}

#[test]
fn what_people_merge_into_a_cluster_under_its_pull_request_is_not_resolved_with_it() {
    let merge = |day| {
        let from = Book::fold(&[issue(1, 2, "b", "cancel")]).clusters_of(2)[0].clone();
        decided(day, Decision::Merge { into: cluster(), from })
    };
    let facts = [
        issue(1, 1, "a", "refund"),
        issue(1, 2, "b", "cancel"),
        opened(2, 10),
        merge(3),
        issue(4, 3, "c", "cancel"),
        settled(5, 10, true),
        issue(6, 4, "d", "refund"),
    ];
    let book = Book::fold(&facts[..6]);
    let resolved = |book: &Book, id: &str| book.clusters.clusters[&cluster()].members[&RecordId::new(id)].resolved;
    assert_eq!(["a", "b", "c"].map(|id| resolved(&book, id)), [true, false, false]);
    assert_eq!(
        book.state_of(&cluster()),
        Some(ClusterState::Reopened),
        "there is something left to do"
    );
    let early = [
        issue(1, 1, "a", "refund"),
        issue(1, 2, "b", "cancel"),
        merge(2),
        opened(3, 10),
        settled(4, 10, true),
    ];
    assert_eq!(
        state(&early),
        ClusterState::Resolved,
        "what was merged before was measured"
    );
    assert_eq!(standing(&facts[..4], 1), "proposed in 10");
    assert_eq!(
        standing(&facts[..4], 2),
        "mined, 1 clusters",
        "nothing is promised to whom it was not measured for"
    );
}

#[test]
fn one_of_two_pull_requests_of_a_cluster_closed_leaves_the_other_at_work() {
    let facts = [
        issue(1, 1, "a", "refund"),
        opened(2, 10),
        opened(3, 11),
        settled(4, 10, false),
    ];
    let book = Book::fold(&facts);
    assert_eq!(book.state_of(&cluster()), Some(ClusterState::InProgress));
    assert_eq!(book.open_pull(&cluster()).map(|(number, _)| number), Some(11));
    assert_eq!(book.rejections(&cluster()).len(), 1);
    let both = [&facts[..], &[settled(5, 11, false)]].concat();
    assert_eq!(state(&both), ClusterState::Open);
}

/// A run that began with a case of the suite and found that it wavers.
fn run_with(day: u32, run: &str, case: &EvalCase, changes: Vec<SuiteChange>) -> Vec<Fact> {
    let mut ledger: Vec<Entry> = Vec::new();
    let plan = Plan {
        config: String::new(),
        runner: String::new(),
        seed: 1,
        batches: 1,
        batch_size: 1,
        trials: 1,
        limits: Limits {
            experiments: 1,
            experiments_per_batch: 1,
            task_runs: 100,
            usd: 1.0,
        },
        gate: GateConfig::default(),
        train: vec![case.task.clone()],
        advised: false,
        review: crate::curation::Review::default(),
        n_validation: 0,
        validation_set: String::new(),
        fails_before: 1,
        search: SearchConfig::default(),
        issues: Vec::new(),
        known: Known {
            suite: vec![case.clone()],
            ..Known::default()
        },
        harness: Harness::default(),
    };
    for event in [Event::Started(Box::new(plan)), Event::SuiteRevised { changes }] {
        ledger.push(Entry::after(
            ledger.last(),
            format!("2026-11-{day:02}T00:00:00Z"),
            event,
        ));
    }
    let fact = |entry: Entry| Fact {
        at: entry.at.clone(),
        what: What::RunEntry {
            run: RunId::new(run),
            entry: Box::new(entry),
        },
    };
    ledger.into_iter().map(fact).collect()
}

#[test]
fn what_a_run_found_of_a_case_holds_for_the_next_one_until_it_is_fixed_anew_or_a_person_says_else() {
    let file = EvalCase {
        state: CaseState::Promoted,
        fixed_by: Some(ExperimentId::new("E003")),
        ..EvalCase::new(CaseId::new("case-1"), TaskId::new("t1"), String::new())
    };
    let change = |becomes, aside| SuiteChange {
        case: file.id.clone(),
        becomes,
        aside: Some(aside),
        reason: "wavers".to_owned(),
    };
    let wavers = run_with(2, "r0001-a", &file, vec![change(CaseState::Quarantined, Aside::Wavers)]);
    let book = Book::fold(&wavers);
    let now = &book.suite_of(std::slice::from_ref(&file))[0];
    assert_eq!((now.state, now.aside), (CaseState::Quarantined, Some(Aside::Wavers)));
    assert!(book.not_counted().contains(&file.id));
    let anew = EvalCase {
        fixed_by: Some(ExperimentId::new("E007")),
        ..file.clone()
    };
    assert_eq!(book.suite_of(std::slice::from_ref(&anew))[0], anew, "its file is newer");

    let restore = || decided(3, Decision::Restore { case: file.id.clone() });
    let book = Book::fold(&[wavers.clone(), vec![restore()]].concat());
    assert_eq!(book.suite_of(std::slice::from_ref(&file))[0].state, CaseState::Promoted);
    assert!(book.not_counted().is_empty());
    // What the next run finds counts again.
    let later = run_with(4, "r0002-b", &file, vec![change(CaseState::Open, Aside::Broke)]);
    let book = Book::fold(&[wavers, vec![restore()], later].concat());
    let now = &book.suite_of(std::slice::from_ref(&file))[0];
    assert_eq!(
        (now.state, now.fixed_by.clone()),
        (CaseState::Open, file.fixed_by.clone())
    );

    let quarantine = decided(1, Decision::Quarantine { case: file.id.clone() });
    let by_person = Book::fold(std::slice::from_ref(&quarantine));
    assert_eq!(
        by_person.suite_of(std::slice::from_ref(&file))[0].aside,
        Some(Aside::Person)
    );
    let known = by_person.known(std::slice::from_ref(&file)).suite;
    let run = run_with(2, "r0001-a", &known[0], Vec::new());
    let book = Book::fold(&[vec![quarantine, restore()], run].concat());
    assert_eq!(
        book.suite_of(std::slice::from_ref(&file))[0].state,
        CaseState::Promoted,
        "a person has brought it back"
    );
}
