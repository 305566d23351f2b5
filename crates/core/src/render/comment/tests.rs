use super::*;
use crate::render::fixtures;

#[test]
fn a_mined_failure() {
    insta::assert_snapshot!(issue_comment(&fixtures::mined()));
}

#[test]
fn nothing_to_mine() {
    insta::assert_snapshot!(issue_comment(&CommentView::NeedsTrace {
        found: Some("the attachment `run.json` ends in the middle".to_owned())
    }));
}

#[test]
fn a_pull_request_fixes_it() {
    let CommentView::Mined { record, mut clusters } = fixtures::mined() else {
        unreachable!()
    };
    let cluster = clusters.remove(0);
    let ready = issue_comment(&CommentView::Fixed {
        record: record.clone(),
        cluster: cluster.clone(),
        pull: 31,
        merged: false,
        proof: None,
        left: false,
    });
    assert!(
        ready.starts_with("<!-- sprag:issue record=r-5f3c -->\n\n**#31 is ready for review.**"),
        "{ready}"
    );
    let merged = issue_comment(&CommentView::Fixed {
        record,
        cluster,
        pull: 31,
        merged: true,
        proof: Some(Box::new(fixtures::proof())),
        left: false,
    });
    assert!(merged.contains("**Resolved by #31.**"), "{merged}");
    assert!(
        merged.contains("| held-out validation set | 0.500 | 17/18 (0.944) |"),
        "{merged}"
    );
}

#[test]
fn who_is_to_blame_decides_what_happens_next() {
    for (kind, words) in [
        (FailureKind::Agent, "joins no cluster"),
        (FailureKind::Infrastructure, "Machines or networks failed"),
        (FailureKind::Evaluator, "Mend the evaluator"),
        (FailureKind::UserSimulator, "left its role"),
        (FailureKind::Unknown, "cannot be told"),
    ] {
        let record = FailureRecord {
            kind,
            causes: Vec::new(),
            ..fixtures::record()
        };
        let comment = issue_comment(&CommentView::Mined {
            record,
            clusters: Vec::new(),
        });
        assert!(comment.contains(words), "{comment}");
        assert!(!comment.contains("Where it belongs"));
    }
}

#[test]
fn every_state_of_a_cluster_says_what_happens_next() {
    let states = [
        ClusterState::Open,
        ClusterState::InProgress,
        ClusterState::Resolved,
        ClusterState::Reopened,
        ClusterState::Ignored,
    ];
    let texts: std::collections::BTreeSet<&str> = states.map(next_for).into();
    assert_eq!(texts.len(), states.len());
}
