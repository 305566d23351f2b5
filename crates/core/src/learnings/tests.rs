use super::*;
use crate::candidate::Candidate;
use crate::id::{CandidateId, ExperimentId, HarnessId, TaskId};
use crate::score::Scorecard;

fn learning(kind: Kind, change: &str, evidence: &str) -> Learning {
    Learning {
        kind,
        cluster: ClusterId::new("c-1"),
        about: "refund is never called".to_owned(),
        change: change.to_owned(),
        outcome: "it fixed 2 of 3 cases of its cluster".to_owned(),
        evidence: vec![evidence.to_owned()],
    }
}

fn page(learnings: &[Learning]) -> Page {
    let mut page = Page::read(None);
    page.learn(learnings);
    page
}

fn three() -> [Learning; 3] {
    let mut said = learning(Kind::Said, "Refund always", "12");
    said.outcome = "too broad; @team fixes #7".to_owned();
    [
        said,
        learning(Kind::Kept, "Refund when settled", "0af31b"),
        learning(Kind::Fell, "Refund twice", "77aa77"),
    ]
}

#[test]
fn the_file_reads_well() {
    insta::assert_snapshot!(page(&three()).text());
}

#[test]
fn learning_the_same_again_changes_nothing() {
    let first = page(&three());
    let mut again = Page::read(Some(&first.text()));
    again.learn(&three());
    assert_eq!(again.text(), first.text());
    // Nor does more evidence than an entry has room for.
    let many: Vec<Learning> = (0..20)
        .map(|n| learning(Kind::Fell, "Refund Twice", &format!("e{n}")))
        .collect();
    let first = page(&many);
    assert_eq!(
        first.text().matches("Refund").count(),
        1,
        "one entry for one change: {}",
        first.text()
    );
    let mut again = Page::read(Some(&first.text()));
    again.learn(&many);
    assert_eq!(again.text(), first.text());
}

#[test]
fn new_evidence_joins_the_entry() {
    let mut page = page(&three());
    page.learn(&[learning(Kind::Fell, "Refund twice", "99bb99")]);
    let text = page.text();
    assert!(text.contains("(candidates `77aa77`, `99bb99`)"), "{text}");
    assert_eq!(text.matches("Refund twice").count(), 1);
}

#[test]
fn what_people_write_change_and_delete_stays_so() {
    let text = page(&three()).text();
    let kept = text.lines().find(|line| line.contains("Refund when settled")).unwrap();
    let edited = kept.replace("it fixed 2 of 3", "works, but only in the EU: it fixed 2 of 3");
    let fell = text.lines().find(|line| line.contains("Refund twice")).unwrap();
    let text = text
        .replace(kept, &edited)
        .replace(fell, "Never refund twice; it was a disaster.")
        .replace("## What helped", "House rules:\n- be brief\n\n## What helped");
    let mut page = Page::read(Some(&text));
    page.learn(&three());
    page.learn(&[
        learning(Kind::Kept, "Refund when settled", "new"),
        learning(Kind::Fell, "Refund twice", "new"),
        learning(Kind::Kept, "Ask for the order", "abc"),
    ]);
    let now = page.text();
    for stays in [
        edited.as_str(),
        "Never refund twice; it was a disaster.",
        "House rules:\n- be brief\n\n## What helped",
    ] {
        assert!(now.contains(stays), "{stays} is gone from {now}");
    }
    assert!(!now.contains("**Refund twice**"), "{now}");
    assert!(now.contains("**Ask for the order**"), "{now}");
    let told = page.told();
    assert_eq!(
        told[..3],
        ["House rules:", "- be brief", "Never refund twice; it was a disaster."]
    );
    assert!(told[3].contains("too broad") && told.len() == 6, "{told:#?}");
    assert!(
        told.iter()
            .all(|line| !line.contains("<!--") && !line.contains("What sprag has learned"))
    );
}

#[test]
fn it_is_bounded_the_newest_stay_and_what_went_does_not_come_back() {
    let many: Vec<Learning> = (0..100)
        .map(|n| learning(Kind::Fell, &format!("Change {n}"), &format!("e{n}")))
        .collect();
    let mut page = page(&many);
    let text = page.text();
    assert_eq!(text.matches("did not pass").count(), ENTRIES);
    assert!(text.contains("**Change 99**") && !text.contains("**Change 1**"));
    page.learn(&many);
    assert_eq!(page.text(), text);
}

#[test]
fn a_file_that_people_began_keeps_its_text_and_its_line_ends() {
    let mut page = Page::read(Some("Our agent sells shoes.\r\n"));
    page.learn(&[learning(Kind::Kept, "Ask", "abc")]);
    let text = page.text();
    assert!(
        text.starts_with("Our agent sells shoes.\r\n\r\n## What helped\r\n\r\n- **Ask**"),
        "{text}"
    );
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

fn experiment(verdict: Verdict, reason: &str) -> Experiment {
    let tasks = ["t1", "t2"].map(TaskId::new);
    let candidate = Candidate {
        removes: None,
        id: CandidateId::new("0af31b"),
        cluster: ClusterId::new("c-1"),
        parent: HarnessId::new("h"),
        title: "Refund at once".to_owned(),
        hypothesis: "It waits.".to_owned(),
        changes: Vec::new(),
        diff: String::new(),
        predicted: tasks.into(),
        origin: String::new(),
    };
    Experiment {
        cluster_cases: Some(Scorecard {
            passed: 1,
            failed: 2,
            fixed: 1,
            fixed_tasks: vec!["t1".to_owned()],
            ..Scorecard::default()
        }),
        regression: Some(Scorecard {
            broken: 2,
            broken_tasks: vec!["t5".to_owned(), "t6".to_owned()],
            ..Scorecard::default()
        }),
        best_before: 0.8125,
        verdict: Some((verdict, reason.to_owned())),
        ..Experiment::new(ExperimentId::new("E001"), 1, candidate)
    }
}

#[test]
fn a_file_whose_lines_end_in_several_ways_is_written_in_one_and_then_stays() {
    for (mixed, written) in [
        ("# Ours\nsells shoes\r", "# Ours\nsells shoes\n"),
        ("# Ours\r\nsells shoes\n", "# Ours\r\nsells shoes\r\n"),
    ] {
        let once = Page::read(Some(mixed)).text();
        assert_eq!(once, written);
        assert_eq!(Page::read(Some(&once)).text(), once);
    }
}

#[test]
fn experiments_are_told_in_counts_and_nothing_of_the_validation_set_is() {
    let fell = experiment(Verdict::Rejected, "regression 1/3 is below 0.8");
    let mut harmful = experiment(Verdict::Rejected, "validation 0.777 is below the best seen, 0.812");
    harmful.validation = Some(Scorecard::default());
    let mut kept = experiment(Verdict::Accepted, "validation 0.900");
    kept.validation = harmful.validation.clone();
    let cheat = experiment(Verdict::Invalid, "names the task `t1`");
    let unmeasured = experiment(Verdict::Indecisive, "3 runs ended without a verdict");
    let all = [fell, harmful, kept, cheat, unmeasured];
    let learned = of_experiments(&all, &ClusterBook::default());
    let told: Vec<_> = learned.iter().map(|one| (one.kind, one.outcome.as_str())).collect();
    let counts = "it fixed 1 of 3 cases of its cluster; it broke 2 cases of the suite; 1 of 2 predicted fixes came true, and 1 of 1 fixed tasks had been predicted";
    assert_eq!(
        told,
        [
            (Kind::Fell, format!("regression 1/3 is below 0.8; {counts}").as_str()),
            (Kind::Fell, format!("it does harm on held-out tasks; {counts}").as_str()),
            (Kind::Kept, format!("{counts}; why: It waits.").as_str()),
            (Kind::Fell, format!("it broke the rules for changes; {counts}").as_str()),
        ]
    );
}
