//! A team and sprag on GitHub: over HTTP, with an App's tokens and real pushes. The fake GitHub holds every exchange to GitHub's own
//! description, and fails the test if one does not fit it.

use crate::support::kiosk;
use crate::support::scene::{REPO, Scene, trace_of, zipped};
use sprag::forge::{ENDPOINTS, IssueChange, Reaction};
use sprag_core::fact::What;
use sprag_core::render::markdown::Markdown;
use sprag_core::render::pull::PullRequest;
use sprag_testkit::github::PRIVATE_KEY;
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
    (issue, done.pulls[0].number)
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

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_at_once_both_succeed_and_nothing_is_lost_or_doubled() {
    let scene = Scene::new().await;
    for n in 0..6 {
        let trace = trace_of(&format!("k0{n}")).await;
        let issue = scene
            .bob
            .opens_issue(&format!("Failure {n}"), &format!("```json\n{trace}\n```"));
        scene.alice.labels(issue, "agent-failure");
    }
    scene.later();
    let (one, two) = tokio::join!(scene.sync(), scene.sync());
    one.unwrap();
    two.unwrap();
    scene.later();
    scene.sync().await.unwrap();
    let page = scene.page();
    for number in 1..=6 {
        let issue = page
            .split("\nissue #")
            .find(|part| part.starts_with(&format!("{number} ")))
            .unwrap();
        assert_eq!(issue.matches("-- sprag[bot]").count(), 1, "{issue}");
    }
    assert_eq!(
        page.matches("[open] sprag dashboard").count(),
        1,
        "the surplus one is closed"
    );
    let quiet = scene.sync().await.unwrap();
    assert_eq!((quiet.issues, quiet.answered), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_outlives_its_token_keeps_what_it_learned() {
    let scene = Scene::new().await;
    scene.long_job().await.unwrap();
    assert!(scene.page().contains("sprag/state: Add 1 fact"), "{}", scene.page());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_run_again_begins_no_second_run() {
    let scene = Scene::new().await;
    scene.in_workflow_run("17");
    let (_, pull) = until_proposed(&scene).await;
    scene.later();
    let again = scene.run().await.unwrap();
    assert_eq!(again.pulls, [], "#{pull} is there already");
    scene.in_workflow_run("18");
    scene.later();
    assert_eq!(
        scene.run().await.unwrap().pulls.len(),
        1,
        "another workflow run begins another"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_a_file_of_the_state_branch_is_passed_on_all_the_same() {
    let scene = Scene::new().await;
    let reply = "\"ä\" ".repeat(500_000);
    let what = What::Commanded {
        comment: 1,
        on: 2,
        by: "alice".to_owned(),
        decisions: Vec::new(),
        reply: reply.clone(),
        refused: false,
    };
    let book = scene.passes_on(what).await.unwrap();
    assert_eq!(book.commands[&1].reply.len(), reply.len());
    assert!(book.commands[&1].reply == reply);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybodys_pull_requests_are_measured_against_their_base() {
    let scene = Scene::new().await;
    let repo = scene.fake.repo(REPO);
    let forge = scene.forge();
    let open = async |branch: &str, files: &[(&str, &str)]| {
        repo.commit(branch, files, "A change");
        let pull = forge
            .keep_pull(&PullRequest {
                title: branch.to_owned(),
                body: Markdown::default(),
                head: branch.to_owned(),
                base: "main".to_owned(),
                draft: false,
                labels: Vec::new(),
            })
            .await
            .unwrap();
        pull.number
    };
    let readme = open("readme", &[("README.md", "hello")]).await;
    let outcome = scene.gate(readme).await.unwrap();
    assert_eq!(outcome.verdict, "skipped");
    let worse = kiosk::STEPS.replace("tool = \"order\"", "tool = \"stock\"");
    let steps = open("steps", &[("agent/steps.toml", &worse)]).await;
    let outcome = scene.gate(steps).await.unwrap();
    assert_eq!(
        outcome.verdict, "accepted",
        "nothing that held is broken: {}",
        outcome.reason
    );
    assert_eq!(outcome.remark, None);
    let checks = forge
        .check_runs(&forge.pull(steps).await.unwrap().head_sha)
        .await
        .unwrap();
    let mut said: Vec<_> = checks
        .iter()
        .map(|check| (check.name.as_str(), check.conclusion.as_deref()))
        .collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            ("sprag / regression", Some("neutral")),
            ("sprag / validation", Some("success"))
        ]
    );
    let marked = format!("{}# as in held-3\n", kiosk::STEPS);
    let outcome = scene
        .gate(open("marked", &[("agent/steps.toml", &marked)]).await)
        .await
        .unwrap();
    let remark = outcome.remark.expect("a task is named");
    assert_eq!(remark, "It names a held-out task");
    assert_eq!(outcome.verdict, "accepted", "a person may have a reason");
    scene.gate(steps).await.unwrap();
    let again = forge
        .check_runs(&forge.pull(steps).await.unwrap().head_sha)
        .await
        .unwrap();
    assert_eq!(again.len(), 2, "measured again, not doubled");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_is_called_and_held_to_githubs_description() {
    let scene = Scene::new().await;
    let (issue, pull) = until_proposed(&scene).await;
    let forge = scene.forge();
    let scratch = tempfile::tempdir().unwrap();
    forge
        .update_issue(
            issue,
            &IssueChange {
                open: Some(true),
                ..IssueChange::default()
            },
        )
        .await
        .unwrap();
    forge.create_issue("title", &markdown("body"), &[]).await.unwrap();
    forge.comments(None).await.unwrap();
    forge.label_events("2026-01-01T00:00:00Z").await.unwrap();
    forge.remove_label(issue, "agent-failure").await.unwrap();
    forge.labels().await.unwrap();
    // Two comments that both have the first marker: the younger one goes.
    forge
        .keep_comment(issue, "<!-- sprag:a", &markdown("<!-- sprag:a -->"))
        .await
        .unwrap();
    forge
        .keep_comment(issue, "<!-- sprag:b", &markdown("<!-- sprag:b --> <!-- sprag:a -->"))
        .await
        .unwrap();
    let kept = forge
        .keep_comment(issue, "<!-- sprag:a", &markdown("<!-- sprag:a --> new"))
        .await
        .unwrap();
    forge.react(kept.id, Reaction::ThumbsUp).await.unwrap();
    let artifact = forge.artifacts(None).await.unwrap().remove(0);
    let run = artifact.run.unwrap();
    forge.workflow_run(run).await.unwrap();
    forge.artifacts_of(run).await.unwrap();
    forge
        .download_artifact(artifact.id, &scratch.path().join("a"), 1_000_000)
        .await
        .unwrap();
    let seen = forge.pull(pull).await.unwrap();
    forge.merge_base(&seen.base_sha, &seen.head_sha).await.unwrap();
    forge.open_pulls().await.unwrap();
    let head = seen.head_sha;
    let mut check = sprag_core::render::check::skipped(&head, "a test").remove(0);
    forge.keep_check(&check).await.unwrap();
    check.output.title = "another".to_owned();
    forge.keep_check(&check).await.unwrap();
    let newest = forge.check_runs(&head).await.unwrap().remove(0).id;
    forge.annotated_files(&head, newest).await.unwrap();
    forge.close_pull(pull).await.unwrap();
    forge.branch("main").await.unwrap();
    forge.app().await.unwrap();
    assert_eq!(forge.granted().await.unwrap()["contents"], "write");
    sprag::forge::convert_manifest(&scene.fake.api_url(), &scene.fake.manifest_code(PRIVATE_KEY))
        .await
        .unwrap();
    scene.forge_of_alice().myself().await.unwrap();
    let called: BTreeSet<String> = scene
        .fake
        .exchanges()
        .iter()
        .filter(|exchange| exchange.status < 400)
        .map(|exchange| format!("{} {}", exchange.endpoint.method, exchange.endpoint.template))
        .collect();
    let ours: BTreeSet<String> = ENDPOINTS
        .iter()
        .map(|endpoint| format!("{} {}", endpoint.method(), endpoint.path()))
        .collect();
    let uncalled: Vec<_> = ours.difference(&called).collect();
    assert_eq!(uncalled, [""; 0], "call it here, so that it is held to the description");
    assert_eq!(scene.fake.violations(), [""; 0]);
}

fn markdown(text: &str) -> Markdown {
    serde_json::from_value(text.into()).unwrap()
}
