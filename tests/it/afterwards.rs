//! What happens to changes once they stand on GitHub: branches that are behind or in conflict, buttons on check runs, changes that are
//! taken back.

use crate::support::kiosk;
use crate::support::scene::{REPO, Scene};
use serde_json::{Value, json};
use sprag_core::render::markdown::Markdown;
use sprag_core::render::pull::PullRequest;

/// A pull request of a person, from a branch of the repository.
async fn opens(scene: &Scene, branch: &str, files: &[(&str, &str)]) -> u64 {
    scene.fake.repo(REPO).commit(branch, files, "A change");
    let pull = PullRequest {
        title: branch.to_owned(),
        body: Markdown::default(),
        head: branch.to_owned(),
        base: "main".to_owned(),
        draft: false,
        labels: Vec::new(),
    };
    scene.forge().keep_pull(&pull).await.unwrap().number
}

/// Runs the loop, and has its pull request merged. Its number, and the tool that its change calls, come back.
async fn improves(scene: &Scene) -> (u64, String) {
    scene.later();
    let before = scene.fake.repo(REPO).read("main", "agent/steps.toml").unwrap();
    let done = scene.run().await.unwrap();
    let [pull] = &done.pulls[..] else {
        panic!("{} pull requests\n{}", done.pulls.len(), scene.page());
    };
    scene.later();
    scene.alice.readies(pull.number);
    scene.alice.merges(pull.number);
    scene.later();
    scene.sync().await.unwrap();
    let after = scene.fake.repo(REPO).read("main", "agent/steps.toml").unwrap();
    let tools = ["refund", "voucher", "unlock", "notify", "gift"];
    let calls = |text: &str, tool: &str| text.contains(&format!("tool = \"{tool}\""));
    let new = tools.iter().find(|tool| calls(&after, tool) && !calls(&before, tool));
    (pull.number, (*new.expect("a step calls a tool")).to_owned())
}

async fn said(scene: &Scene, pull: u64) -> Vec<(String, Option<String>)> {
    let forge = scene.forge();
    let head = forge.pull(pull).await.unwrap().head_sha;
    let runs = forge.check_runs(&head).await.unwrap();
    let mut said: Vec<_> = runs.into_iter().map(|run| (run.name, run.conclusion)).collect();
    said.sort_unstable();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_is_behind_its_base_is_not_blamed_for_what_it_lacks() {
    let scene = Scene::new().await;
    let repo = scene.fake.repo(REPO);
    repo.commit("readme", &[("README.md", "hello")], "Say hello");
    let ahead = kiosk::STEPS.replace("Goodbye.", "Good night.");
    repo.commit("main", &[("agent/steps.toml", &ahead)], "Another farewell");
    let pull = opens(&scene, "readme", &[("README.md", "hello again")]).await;
    let outcome = scene.gate(pull).await.unwrap();
    assert_eq!(
        (outcome.verdict.as_str(), outcome.reason.as_str()),
        ("skipped", "no file of the harness is touched")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_merged_is_not_measured_and_not_green() {
    let scene = Scene::new().await;
    let repo = scene.fake.repo(REPO);
    let farewell = |words: &str| kiosk::STEPS.replace("Goodbye.", words);
    repo.commit("mine", &[("agent/steps.toml", &farewell("Bye."))], "Shorter");
    repo.commit("main", &[("agent/steps.toml", &farewell("Good night."))], "Longer");
    let pull = opens(&scene, "mine", &[("README.md", "hello")]).await;
    let outcome = scene.gate(pull).await.unwrap();
    assert_eq!(outcome.verdict, "indecisive");
    let blocked = |name: &str| (name.to_owned(), Some("action_required".to_owned()));
    assert_eq!(
        said(&scene, pull).await,
        [blocked("sprag / regression"), blocked("sprag / validation")]
    );
    assert_eq!(scene.fake.violations(), [""; 0]);
}

/// The event of a button on the regression check of a pull request.
async fn button(scene: &Scene, pull: u64, by: &str, identifier: &str) -> Value {
    let forge = scene.forge();
    let head = forge.pull(pull).await.unwrap().head_sha;
    let runs = forge.check_runs(&head).await.unwrap();
    let check = runs.iter().rev().find(|run| run.name == "sprag / regression").unwrap();
    json!({
        "action": "requested_action",
        "requested_action": {"identifier": identifier},
        "check_run": {"id": check.id, "external_id": check.external_id, "pull_requests": [{"number": pull}]},
        "sender": {"login": by},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_broke_is_quarantined_by_a_button_and_then_left_out() {
    let scene = Scene::new().await;
    scene.reports("k00").await;
    improves(&scene).await;
    let repo = scene.fake.repo(REPO);
    // Whatever it was good for is gone again.
    let pull = opens(&scene, "worse", &[("agent/steps.toml", kiosk::STEPS)]).await;
    assert_eq!(scene.gate(pull).await.unwrap().verdict, "rejected");
    let n_cases = repo
        .files("main")
        .iter()
        .filter(|path| path.starts_with(".sprag/suite/"))
        .count();
    assert!(n_cases > 0);
    assert!(
        scene.page().contains("(Measure again)\n      (Quarantine)"),
        "{}",
        scene.page()
    );

    let refused = scene
        .press(&button(&scene, pull, "bob", "quarantine").await)
        .await
        .unwrap();
    assert_eq!(refused.unwrap(), "bob may not quarantine: that needs write access");
    let told = scene
        .press(&button(&scene, pull, "alice", "quarantine").await)
        .await
        .unwrap()
        .unwrap();
    assert!(
        told.starts_with("case-") && told.ends_with("quarantined, as alice wished"),
        "{told}"
    );

    let again = button(&scene, pull, "alice", "rerun").await;
    let outcome = scene.gate_on("check_run", &again).await.unwrap();
    assert!(
        outcome.summary.contains("Nothing to measure") || outcome.summary.contains("Not run"),
        "{}",
        outcome.summary
    );
    assert_eq!(
        said(&scene, pull).await[0].1.as_deref(),
        Some("neutral"),
        "nothing is left to measure, and that is not green"
    );
    let not_allowed = button(&scene, pull, "bob", "rerun").await;
    let outcome = scene.gate_on("check_run", &not_allowed).await.unwrap();
    assert_eq!(
        (outcome.verdict.as_str(), outcome.reason.as_str()),
        ("skipped", "bob may not write to this repository, so nothing was run")
    );
    assert_eq!(scene.fake.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sprags_own_pull_request_is_measured_again_only_when_somebody_asks() {
    let scene = Scene::new().await;
    scene.reports("k00").await;
    scene.later();
    let pull = scene.run().await.unwrap().pulls[0].number;
    let outcome = scene.gate(pull).await.unwrap();
    assert_eq!(outcome.reason, "its commit was measured before it was proposed");
    let comment = json!({
        "action": "created", "issue": {"number": pull, "pull_request": {}},
        "comment": {"id": 1, "body": "/sprag gate", "user": {"login": "alice"}},
    });
    let outcome = scene.gate_on("issue_comment", &comment).await.unwrap();
    assert_eq!(outcome.verdict, "accepted", "{}", outcome.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_suite_fails_with_is_offered_back_once_and_its_cluster_opens_again() {
    let scene = Scene::new().await;
    let late = scene.reports("k00").await;
    let locked = scene.reports("k01").await;
    let (first, other) = improves(&scene).await;
    let (second, tool) = improves(&scene).await;
    assert_ne!(first, second);
    assert_eq!([&other, &tool], ["refund", "unlock"]);
    assert!(
        [late, locked]
            .iter()
            .all(|issue| scene.shown(*issue).contains("[closed"))
    );
    let repo = scene.fake.repo(REPO);
    let steps = repo.read("main", "agent/steps.toml").unwrap();
    let quiet = scene.run().await.unwrap();
    assert_eq!(quiet.revert, None, "the suite passes");

    scene.has_a_nuisance(&tool);
    repo.commit(
        "main",
        &[("README.md", "The world has moved on.")],
        "Another commit, since each is measured once",
    );
    scene.later();
    let revert = scene.run().await.unwrap().revert.expect("it is offered");
    insta::assert_snapshot!("offered_back", scene.shown(revert));
    scene.later();
    repo.commit("main", &[("README.md", "And on.")], "One more");
    assert_eq!(scene.run().await.unwrap().revert, None, "it is offered once");

    scene.later();
    scene.alice.readies(revert);
    scene.alice.merges(revert);
    scene.later();
    scene.sync().await.unwrap();
    assert!(
        !repo
            .read("main", "agent/steps.toml")
            .unwrap()
            .contains(&format!("tool = \"{tool}\"")),
        "{steps}"
    );
    assert!(
        scene.shown(late).contains("[closed"),
        "the other cluster is resolved still"
    );
    let reopened = scene.shown(locked);
    assert!(
        reopened.contains("[open]") && reopened.contains("sprag: reopened"),
        "{reopened}"
    );
    assert!(
        reopened.contains(&format!("#{revert} took #{second} back")),
        "{reopened}"
    );
    let quiet = scene.sync().await.unwrap();
    assert_eq!((quiet.settled, quiet.answered), (0, 0), "nothing is done twice");
    assert_eq!(scene.fake.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_from_a_fork_is_not_run_and_says_who_can_have_it_run() {
    let scene = Scene::new().await;
    let pull = opens(&scene, "theirs", &[("agent/steps.toml", "rounds = 2\n")]).await;
    let seen = scene.forge().pull(pull).await.unwrap();
    let event = |head_repo: Value| {
        json!({
            "action": "opened",
            "pull_request": {
                "number": pull,
                "head": {"ref": "theirs", "sha": seen.head_sha, "repo": head_repo},
                "base": {"sha": seen.base_sha, "repo": {"id": 1}},
            },
        })
    };
    for gone_or_elsewhere in [json!({"id": 2}), Value::Null] {
        let outcome = scene.gate_on("pull_request", &event(gone_or_elsewhere)).await.unwrap();
        assert_eq!(outcome.verdict, "skipped");
        assert!(outcome.summary.contains("comes from a fork") && outcome.summary.contains("`/sprag gate`"));
    }
    assert_eq!(said(&scene, pull).await, [], "nothing was run, and nothing is claimed");
    let own = scene.gate_on("pull_request", &event(json!({"id": 1}))).await.unwrap();
    assert_ne!(own.verdict, "skipped", "a branch of the repository itself is measured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_rules_is_measured_by_the_rules_of_its_base() {
    let scene = Scene::new().await;
    scene.reports("k00").await;
    improves(&scene).await;
    let lax = scene.fake.repo(REPO).read("main", "sprag.toml").unwrap() + "\n[gate]\nregression_threshold = 0.0\n";
    let files = [("sprag.toml", lax.as_str()), ("agent/steps.toml", kiosk::STEPS)];
    let pull = opens(&scene, "lax", &files).await;
    assert_eq!(scene.gate(pull).await.unwrap().verdict, "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_is_not_run_beside_the_key_of_the_app() {
    let scene = Scene::new().await;
    let worse = kiosk::STEPS.replace("tool = \"order\"", "tool = \"stock\"");
    let pull = opens(&scene, "theirs", &[("agent/steps.toml", &worse)]).await;
    let says = |by: &str, body: &str| {
        json!({
            "action": "created", "issue": {"number": pull, "pull_request": {}},
            "comment": {"id": 1, "body": body, "user": {"login": by}, "created_at": scene.fake.now().to_string()},
        })
    };
    let comment = |by: &str| says(by, "/sprag gate");
    let before = comment("alice");
    scene.later();
    scene.fake.repo(REPO).is_from_a_fork(pull);
    let outcome = scene.gate_of_job_on("issue_comment", &before).await.unwrap();
    assert!(
        outcome.reason.contains("pushed to after the comment"),
        "{}",
        outcome.reason
    );
    scene.later();
    let talk = says("alice", "Better do not comment `/sprag gate` here.");
    let outcome = scene.gate_of_job_on("issue_comment", &talk).await.unwrap();
    assert!(
        outcome.reason.contains("at the beginning of a line"),
        "{}",
        outcome.reason
    );
    let outcome = scene.gate_on("issue_comment", &comment("alice")).await.unwrap();
    assert_eq!(outcome.verdict, "skipped");
    assert!(outcome.reason.contains("the App's key"), "{}", outcome.reason);
    let outcome = scene.gate_of_job_on("issue_comment", &comment("bob")).await.unwrap();
    assert_eq!(
        outcome.reason,
        "bob may not write to this repository, so nothing was run"
    );
    assert_eq!(said(&scene, pull).await, [], "so far nobody has run anything");
    let outcome = scene.gate_of_job_on("issue_comment", &comment("alice")).await.unwrap();
    assert_eq!(
        outcome.verdict, "accepted",
        "nothing that held is broken: {}",
        outcome.reason
    );
    assert_eq!(said(&scene, pull).await.len(), 2);
    assert!(
        !scene.page().contains("(Measure again)"),
        "a job's check run has no buttons"
    );
    assert_eq!(scene.fake.violations(), [""; 0]);
}
