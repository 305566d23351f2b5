//! A team and sprag on GitHub: over HTTP, with an App's tokens and real pushes. The fake GitHub holds every exchange to GitHub's own
//! description, and fails the test if one does not fit it.

use crate::support::scene::{REPO, Scene, trace_of, zipped};
use sprag::forge::ENDPOINTS;
use std::collections::BTreeSet;

/// Everything up to the first pull request. The issue that it is for comes back with it.
async fn until_proposed(scene: &Scene) -> (u64, u64) {
    let repo = scene.fake.repo(REPO);
    let url = repo.attaches("run.json", trace_of("k00").await.as_bytes());
    let issue = scene.bob.opens_issue(
        "The kiosk keeps the money",
        &format!("I asked for my money back and got none.\n\n[run.json]({url})"),
    );
    scene.alice.labels(issue, "agent-failure");
    let other = scene.bob.opens_issue("It is rude", "It just is.");
    scene.alice.labels(other, "agent-failure");
    let run = repo.workflow_run("nightly.yml", "failure", false);
    let traces = [trace_of("k01").await, trace_of("k04").await].join("\n");
    repo.uploads_artifact(run, "agent-traces", &zipped(&[("runs/nightly.jsonl", &traces)]));
    repo.uploads_artifact(run, "logs", &zipped(&[("log.txt", "nothing")]));
    scene.later();
    scene.sync().await.unwrap();
    scene.later();
    let done = scene.run().await.unwrap();
    assert_eq!(done.pulls.len(), 1, "{}", scene.fake.log());
    (issue, done.pulls[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_labelled_issue_to_a_merged_change_and_back() {
    let scene = Scene::new().await;
    let (issue, pull) = until_proposed(&scene).await;
    insta::assert_snapshot!("proposed", scene.page());

    scene.later();
    scene.alice.readies(pull);
    scene.alice.merges(pull);
    scene.later();
    scene.sync().await.unwrap();
    insta::assert_snapshot!("merged", scene.page());
    let repo = scene.fake.repo(REPO);
    assert!(repo.files("main").iter().any(|path| path.starts_with(".sprag/suite/")));

    scene.later();
    let trace = trace_of("k00").await.replace("\"task\":\"k00\"", "\"task\":\"again\"");
    let again = scene.bob.opens_issue("Again", &format!("```json\n{trace}\n```"));
    scene.alice.labels(again, "agent-failure");
    scene.later();
    scene.alice.comments(issue, "/sprag status");
    scene.bob.comments(issue, "/sprag run");
    scene.alice.comments(issue, "/sprag ignroe");
    scene.later();
    scene.sync().await.unwrap();
    insta::assert_snapshot!("reopened", scene.page());
    scene.later();
    let quiet = scene.sync().await.unwrap();
    assert_eq!(
        (quiet.answered, quiet.issues, quiet.commands),
        (0, 0, 0),
        "nothing is done twice"
    );
    assert_eq!(scene.fake.violations(), [""; 0]);
}

#[test]
fn every_endpoint_that_the_forge_calls_is_held_to_githubs_description() {
    let known: BTreeSet<String> = sprag_testkit::contract::Contract::official()
        .endpoints()
        .iter()
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.template))
        .collect();
    let ours: BTreeSet<String> = ENDPOINTS
        .iter()
        .map(|endpoint| format!("{} {}", endpoint.method(), endpoint.path()))
        .collect();
    assert_eq!(
        ours, known,
        "keep crates/testkit/openapi/endpoints.txt and the forge's table equal"
    );
}
