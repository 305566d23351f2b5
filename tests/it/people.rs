//! What people do on GitHub that nobody would call the usual way: labels taken off, pull requests reopened or merged elsewhere, locked
//! conversations, boxes and commands at once.

use crate::support::scene::{REPO, Scene, trace_of, zipped};
use sprag_core::render::dashboard;
use sprag_testkit::github::Person;

/// One failure, and the pull request that resolves it.
async fn proposed(scene: &Scene) -> (u64, u64) {
    let issue = scene.reports("k00").await;
    scene.later();
    let done = scene.run().await.unwrap();
    (issue, done.pulls[0].number)
}

fn merged(scene: &Scene, by: &Person, pull: u64) {
    scene.later();
    by.readies(pull);
    by.merges(pull);
    scene.later();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_a_run_that_goes_on_is_read_when_the_run_has_ended() {
    let scene = Scene::new().await;
    let repo = scene.fake.repo(REPO);
    let slow = repo.begins_run("nightly.yml", false);
    repo.uploads_artifact(slow, "agent-traces", &zipped(&[("a.jsonl", &trace_of("k00").await)]));
    let fast = repo.workflow_run("nightly.yml", "failure", false);
    repo.uploads_artifact(fast, "agent-traces-2", &zipped(&[("b.jsonl", &trace_of("k01").await)]));
    scene.later();
    assert_eq!(scene.sync().await.unwrap().artifacts, 1);
    assert_eq!(scene.sync().await.unwrap().artifacts, 0, "each is read once");
    repo.ends_run(slow, "failure");
    scene.later();
    assert_eq!(scene.sync().await.unwrap().artifacts, 1);
    assert_eq!(scene.sync().await.unwrap().artifacts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_taken_off_takes_the_issue_back_and_put_on_again_brings_it_back() {
    let scene = Scene::new().await;
    let issue = scene.reports("k00").await;
    scene.later();
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("sprag: mined"));
    scene.later();
    scene.alice.unlabels(issue, "agent-failure");
    scene.later();
    let report = scene.sync().await.unwrap();
    assert_eq!(report.issues, 1);
    let shown = scene.shown(issue);
    assert!(!shown.contains("{sprag: mined"), "{shown}");
    assert_eq!(scene.sync().await.unwrap().answered, 0);
    scene.later();
    scene.alice.labels(issue, "Agent-Failure");
    scene.later();
    scene.sync().await.unwrap();
    assert!(
        scene.shown(issue).contains("sprag: mined"),
        "GitHub knows no upper case here"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_by_anybody_is_confirmed_once_and_for_all() {
    let scene = Scene::new().await;
    let trace = trace_of("k00").await;
    let issue = scene.bob.opens_issue("It fails", &format!("```json\n{trace}\n```"));
    scene.bob.labels(issue, "agent-failure");
    scene.later();
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("sprag: unconfirmed"));
    scene.later();
    scene.alice.comments(issue, "/sprag retry");
    scene.later();
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("sprag: mined"));
    scene.later();
    scene.bob.comments(issue, "Any news?");
    scene.later();
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("sprag: mined"), "{}", scene.shown(issue));
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_and_commands_at_once_both_count() {
    let scene = Scene::new().await;
    let issue = scene.reports("k00").await;
    scene.reports("k01").await;
    scene.later();
    scene.sync().await.unwrap();
    let forge = scene.forge();
    let board = forge
        .kept_issue(dashboard::MARKER, "sprag: dashboard")
        .await
        .unwrap()
        .unwrap();
    let rows = |body: &str, tick: &str| body.lines().filter(|line| line.starts_with(tick)).count();
    assert_eq!(
        (rows(&board.body, "- [ ]"), rows(&board.body, "- [x]")),
        (2, 0),
        "{}",
        board.body
    );
    let reported = format!("reported in #{issue},");
    let mut others = board.body.lines().filter(|line| line.starts_with("- [ ]"));
    let line = others.find(|line| !line.contains(&reported)).unwrap();
    let ticked = board.body.replace(line, &line.replace("- [ ]", "- [x]"));
    scene.alice.edits(board.number, &ticked);
    scene.alice.comments(issue, "/sprag accept");
    scene.later();
    scene.sync().await.unwrap();
    let body = forge.issue(board.number).await.unwrap().body;
    assert_eq!(rows(&body, "- [x]"), 2, "{body}");
    assert_eq!(scene.sync().await.unwrap().answered, 0);
    scene.alice.edits(board.number, &body.replace("- [x]", "- [ ]"));
    scene.later();
    scene.sync().await.unwrap();
    let body = forge.issue(board.number).await.unwrap().body;
    assert_eq!((rows(&body, "- [x]"), rows(&body, "ticked=yes")), (0, 0), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_locked_keeps_nothing_else_waiting() {
    let scene = Scene::new().await;
    let (locked, other) = (scene.reports("k00").await, scene.reports("k01").await);
    scene.alice.locks(locked);
    scene.later();
    let report = scene.sync().await.unwrap();
    assert_eq!(report.left, 1);
    assert!(scene.shown(other).contains("sprag[bot]"));
    assert!(
        scene.shown(locked).contains("sprag: mined"),
        "a label needs no conversation"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_closed_and_opened_again_is_left_open_and_may_be_merged() {
    let scene = Scene::new().await;
    let (issue, pull) = proposed(&scene).await;
    scene.alice.comments(pull, "/sprag reject too broad");
    scene.later();
    scene.sync().await.unwrap();
    assert!(scene.shown(pull).contains("[closed"), "{}", scene.shown(pull));
    scene.later();
    scene.alice.reopens(pull);
    scene.later();
    scene.sync().await.unwrap();
    scene.sync().await.unwrap();
    assert!(!scene.shown(pull).contains("[closed"), "{}", scene.shown(pull));
    assert!(scene.shown(issue).contains("sprag: proposed"));
    merged(&scene, &scene.alice, pull);
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("sprag: fixed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_merged_into_another_branch_fixes_nothing() {
    let scene = Scene::new().await;
    let (issue, pull) = proposed(&scene).await;
    scene.fake.repo(REPO).commit("next", &[("README.md", "next")], "Next");
    scene.alice.retargets(pull, "next");
    merged(&scene, &scene.alice, pull);
    scene.sync().await.unwrap();
    let shown = scene.shown(issue);
    assert!(
        shown.contains("sprag: mined") && shown.starts_with(&format!("{issue} [open]")),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_a_person_closed_before_the_merge_is_never_opened_by_sprag() {
    let scene = Scene::new().await;
    let (issue, pull) = proposed(&scene).await;
    scene.alice.closes(issue);
    merged(&scene, &scene.alice, pull);
    scene.sync().await.unwrap();
    let trace = trace_of("k00").await.replace("\"task\":\"k00\"", "\"task\":\"again\"");
    let again = scene.bob.opens_issue("Again", &format!("```json\n{trace}\n```"));
    scene.alice.labels(again, "agent-failure");
    scene.later();
    scene.sync().await.unwrap();
    let shown = scene.shown(issue);
    assert!(
        shown.contains("sprag: reopened") && shown.contains("[closed"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_trace_in_a_comment_on_a_fixed_issue_opens_it_again() {
    let scene = Scene::new().await;
    let (issue, pull) = proposed(&scene).await;
    merged(&scene, &scene.alice, pull);
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("[closed"), "{}", scene.shown(issue));
    let trace = trace_of("k00").await.replace("Goodbye.", "Bye.");
    scene.later();
    scene.bob.comments(issue, &format!("Still:\n```json\n{trace}\n```"));
    scene.later();
    scene.sync().await.unwrap();
    let shown = scene.shown(issue);
    assert!(
        shown.contains("sprag: reopened") && shown.starts_with(&format!("{issue} [open]")),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_run_of_a_fork_uploaded_is_no_evidence() {
    let scene = Scene::new().await;
    let repo = scene.fake.repo(REPO);
    let run = repo.workflow_run("nightly.yml", "failure", true);
    repo.uploads_artifact(run, "agent-traces", &zipped(&[("a.jsonl", &trace_of("k00").await)]));
    scene.later();
    let report = scene.sync().await.unwrap();
    assert_eq!((report.artifacts, report.failures), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_is_edited_commands_nothing_more() {
    let scene = Scene::new().await;
    let issue = scene.reports("k00").await;
    let comment = scene.alice.comments(issue, "/sprag status");
    scene.later();
    assert_eq!(scene.sync().await.unwrap().commands, 1);
    scene.alice.edits_comment(comment, "/sprag ignore");
    scene.later();
    assert_eq!(scene.sync().await.unwrap().commands, 0);
    assert!(!scene.shown(issue).contains("sprag: ignored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_of_a_thousand_commands_by_a_stranger_costs_a_thumb() {
    let scene = Scene::new().await;
    let issue = scene.bob.opens_issue("Hello", "");
    scene.bob.comments(issue, &"/sprag dance\n".repeat(5_000));
    scene.alice.comments(issue, &"/sprag dance\n".repeat(5_000));
    scene.later();
    assert_eq!(scene.sync().await.unwrap().commands, 2);
    let shown = scene.shown(issue);
    assert_eq!(shown.matches("-1 by sprag[bot]").count(), 2, "both get a thumb");
    assert_eq!(shown.matches("sprag:reply").count(), 1, "words are for the team");
    assert!(shown.len() < 200_000 && shown.matches("is not a command").count() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_with_a_name_of_a_megabyte_stops_nothing() {
    let scene = Scene::new().await;
    let repo = scene.fake.repo(REPO);
    let trace = trace_of("k00")
        .await
        .replace("\"k00\"", &format!("\"{}\"", "k".repeat(1_000_000)));
    let url = repo.attaches("run.json", trace.as_bytes());
    let packed = repo.attaches("run.zip", &zipped(&[("run.json", &trace_of("k01").await)]));
    let issue = scene
        .bob
        .opens_issue("Long", &format!("[run.json]({url}) [run.zip]({packed})"));
    scene.alice.labels(issue, "agent-failure");
    scene.later();
    let report = scene.sync().await.unwrap();
    assert_eq!(
        (report.issues, report.failures),
        (1, 2),
        "the zip is read too: {}",
        scene.shown(issue)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_cluster_stays_ignored_when_its_pull_request_is_closed() {
    let scene = Scene::new().await;
    let (issue, pull) = proposed(&scene).await;
    scene.alice.comments(issue, "/sprag ignore");
    scene.later();
    scene.sync().await.unwrap();
    scene.alice.closes(pull);
    scene.later();
    scene.sync().await.unwrap();
    assert!(scene.shown(issue).contains("sprag: ignored"), "{}", scene.shown(issue));
}
