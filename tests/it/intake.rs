//! How issues come in: through the form, and where GitHub's lists are too long to be paged through.

use crate::support::scene::{REPO, Scene};
use std::collections::BTreeMap;

/// The labels of the repository with their colours.
fn labels(scene: &Scene) -> BTreeMap<String, String> {
    scene.fake.repo(REPO).labels().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_label_of_the_issue_form_is_there_before_the_first_issue_is() {
    let scene = Scene::new().await;
    assert_eq!(labels(&scene), BTreeMap::new());
    scene.sync().await.unwrap();
    assert_eq!(labels(&scene)["agent-failure"], "b60205");
    assert_eq!(looks(&scene), 1);
    scene.later();
    scene.sync().await.unwrap();
    assert_eq!(looks(&scene), 2, "one look a job");
}

/// How often the repository was asked for its label.
fn looks(scene: &Scene) -> usize {
    let exchanges = scene.fake.exchanges();
    let label = exchanges
        .iter()
        .filter(|exchange| exchange.target.ends_with("/labels/agent-failure"));
    label.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_there_stays_as_people_made_it() {
    let scene = Scene::new().await;
    scene.fake.repo(REPO).has_label("agent-failure", "123456");
    scene.sync().await.unwrap();
    assert_eq!(labels(&scene)["agent-failure"], "123456");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_labelled_an_issue_is_known_also_beyond_the_end_of_the_events() {
    let scene = Scene::new().await;
    scene.fake.pages_no_further_than(100);
    let issues: Vec<u64> = (0..30)
        .map(|n| {
            let issue = scene.bob.opens_issue(&format!("Failure {n}"), "It went wrong.");
            scene.alice.labels(issue, "agent-failure");
            issue
        })
        .collect();
    for n in 0..60 {
        scene.alice.labels(issues[29], &format!("other {n}"));
        scene.alice.unlabels(issues[29], &format!("other {n}"));
    }
    scene.later();
    let report = scene.sync().await.unwrap();
    assert_eq!(report.issues, 30);
    for issue in issues {
        assert!(
            scene.shown(issue).contains("sprag: needs-trace"),
            "{}",
            scene.shown(issue)
        );
    }
}
