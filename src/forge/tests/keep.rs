//! What sprag keeps on GitHub: created once, updated where it differs, left alone where it does not, and never taken from others.

use super::super::{ErrorClass, IssueChange, Reaction, StateReason};
use super::server::{Bench, Reply, comment, issue, markdown, ok, status, user};
use serde_json::{Value, json};
use sprag_core::render::check::CheckRun;
use sprag_core::render::pull::PullRequest;
use std::sync::Mutex;

pub(super) fn wanted_pull() -> PullRequest {
    PullRequest {
        title: "T".to_owned(),
        body: markdown("B"),
        head: "sprag/c1".to_owned(),
        base: "main".to_owned(),
        draft: true,
        labels: vec!["sprag".to_owned()],
    }
}

/// A pull request as GitHub shows it, from the body that asked for it.
pub(super) fn pull(number: u64, asked: &Value) -> Value {
    let end = |branch: &Value| json!({"ref": branch, "sha": "aa", "repo": {"id": 1}});
    json!({
        "number": number, "title": asked["title"], "body": asked["body"], "state": "open", "draft": asked["draft"], "labels": [],
        "head": end(&asked["head"]), "base": end(&asked["base"]), "merge_commit_sha": "trial", "merged_at": null, "closed_at": null,
        "user": user(1, "me")
    })
}

pub(super) fn wanted_check(annotations: u32) -> CheckRun {
    let annotation = |line| json!({"path": "a", "start_line": line, "end_line": line, "annotation_level": "failure", "message": "m", "title": "t"});
    serde_json::from_value(json!({
        "name": "sprag / regression", "head_sha": "abc", "status": "completed", "conclusion": "success", "external_id": "sprag:E1",
        "output": {"title": "T", "summary": "S", "text": "X", "annotations": (1..=annotations).map(annotation).collect::<Vec<_>>()}
    }))
    .unwrap()
}

/// A check run as GitHub shows it.
pub(super) fn check(id: u64, asked: &Value, annotations: usize) -> Value {
    json!({
        "id": id, "name": asked["name"], "external_id": asked["external_id"], "head_sha": "abc", "status": asked["status"],
        "conclusion": asked["conclusion"], "app": null,
        "output": {"title": asked["output"]["title"], "summary": asked["output"]["summary"], "text": null, "annotations_count": annotations}
    })
}

/// Answers `me` to who we are, this list to every other `GET`, and to changes what they ask for.
async fn with_list(list: Value) -> Bench {
    Bench::new(move |seen| match seen.line.split_once(' ').unwrap() {
        ("GET", "/user") => ok(user(1, "me")),
        ("GET", _) => ok(list.clone()),
        ("DELETE", _) => Reply::Json(204, Value::Null, Vec::new()),
        (_, path) if path.ends_with("/labels") => ok(json!([])),
        (_, path) if path.contains("/comments") => ok(comment(9, &user(1, "me"), seen.body["body"].as_str().unwrap())),
        (_, path) if path.contains("/issues") => ok(issue(9, &user(1, "me"), "T", "B")),
        (_, path) if path.contains("/pulls") => {
            let mut asked = seen.body.clone();
            asked["head"] = json!("sprag/c1");
            ok(pull(9, &asked))
        }
        (verb, path) => panic!("{verb} {path}"),
    })
    .await
}

fn changes(bench: &Bench) -> Vec<String> {
    let mut lines = bench.lines();
    lines.retain(|line| !line.starts_with("GET "));
    lines
}

#[tokio::test]
async fn a_comment_that_is_as_it_should_be_is_left() {
    let (me, other) = (user(1, "me"), user(2, "me"));
    let theirs = comment(3, &other, "<!-- m --> mine");
    let bench = with_list(json!([theirs, comment(4, &me, "<!-- m -->\r\nhi \r\n")])).await;
    let kept = bench
        .forge
        .keep_comment(7, "<!-- m -->", &markdown("<!-- m -->\nhi \n\n"))
        .await
        .unwrap();
    assert_eq!((kept.id, kept.issue), (4, 7));
    assert_eq!(changes(&bench), [""; 0]);
}

#[tokio::test]
async fn a_comment_is_updated_and_surplus_ones_of_ours_go() {
    let (me, other) = (user(1, "me"), user(2, "you"));
    let bench = with_list(json!([
        comment(3, &other, "<!-- m -->"),
        comment(6, &me, "<!-- m --> b"),
        comment(4, &me, "<!-- m --> a"),
        comment(5, &me, "else")
    ]))
    .await;
    bench
        .forge
        .keep_comment(7, "<!-- m -->", &markdown("<!-- m --> new"))
        .await
        .unwrap();
    let at = "/repos/acme/shop/issues/comments";
    assert_eq!(changes(&bench), [format!("DELETE {at}/6"), format!("PATCH {at}/4")]);

    let bench = with_list(json!([comment(3, &other, "<!-- m --> new")])).await;
    bench
        .forge
        .keep_comment(7, "<!-- m -->", &markdown("<!-- m --> new"))
        .await
        .unwrap();
    assert_eq!(changes(&bench), ["POST /repos/acme/shop/issues/7/comments"]);
}

#[tokio::test]
async fn the_dashboard_is_updated_and_a_second_one_is_closed() {
    let me = user(1, "me");
    let bench = with_list(json!([
        issue(5, &me, "T", "<!-- d --> x"),
        issue(4, &me, "T", "<!-- d --> old")
    ]))
    .await;
    bench
        .forge
        .keep_issue("<!-- d -->", "sprag", "T", &markdown("<!-- d --> new"))
        .await
        .unwrap();
    let seen = bench.seen();
    let bodies: Vec<&Value> = seen
        .iter()
        .map(|seen| &seen.body)
        .filter(|body| !body.is_null())
        .collect();
    assert_eq!(bodies[0], &json!({"state": "closed", "state_reason": "not_planned"}));
    assert_eq!(bodies[1], &json!({"title": "T", "body": "<!-- d --> new"}));
    let at = "/repos/acme/shop/issues";
    assert_eq!(changes(&bench), [format!("PATCH {at}/5"), format!("PATCH {at}/4")]);
}

#[tokio::test]
async fn an_issue_changes_only_where_it_should() {
    let bench = with_list(json!([])).await;
    let change = IssueChange {
        open: Some(true),
        state_reason: Some(StateReason::Reopened),
        ..IssueChange::default()
    };
    bench.forge.update_issue(7, &change).await.unwrap();
    assert_eq!(
        bench.seen()[0].body,
        json!({"state": "open", "state_reason": "reopened"})
    );
}

#[tokio::test]
async fn labels_and_reactions_may_be_there_already() {
    let bench = Bench::new(|seen| match seen.line.as_str() {
        "GET /repos/acme/shop/labels/sprag%3A%20mined" => status(404, "Not Found"),
        "POST /repos/acme/shop/labels" => Reply::Json(
            422,
            json!({"message": "Validation Failed", "errors": [{"resource": "Label", "code": "already_exists", "field": "name"}]}),
            Vec::new(),
        ),
        "DELETE /repos/acme/shop/issues/7/labels/sprag%3A%20mined" => status(404, "Label does not exist"),
        "POST /repos/acme/shop/issues/comments/5/reactions" => ok(json!({"content": seen.body["content"]})),
        "GET /repos/acme/shop/labels/known" => ok(json!({"name": "known"})),
        line => panic!("{line}"),
    })
    .await;
    bench.forge.keep_label("sprag: mined", "ededed", "d").await.unwrap();
    bench.forge.keep_label("known", "ededed", "d").await.unwrap();
    bench.forge.remove_label(7, "sprag: mined").await.unwrap();
    bench.forge.react(5, Reaction::ThumbsDown).await.unwrap();
    bench.forge.add_labels(7, &[]).await.unwrap();
    assert_eq!(bench.seen().last().unwrap().body, json!({"content": "-1"}));
    assert_eq!(bench.lines().len(), 5);
}

#[tokio::test]
async fn a_pull_request_is_left_updated_or_opened() {
    let asked = json!({"title": "T", "body": "B", "head": "sprag/c1", "base": "main", "draft": false});
    let mut there = pull(4, &asked);
    there["labels"] = json!([{"name": "sprag"}]);
    let bench = with_list(json!([there])).await;
    let kept = bench.forge.keep_pull(&wanted_pull()).await.unwrap();
    assert_eq!((kept.number, kept.merge_sha), (4, None), "the trial merge is no merge");
    assert_eq!(changes(&bench), [""; 0]);
    assert_eq!(bench.seen()[0].query["head"], "acme:sprag/c1");

    there["body"] = json!("old");
    there["labels"] = json!([]);
    let bench = with_list(json!([there])).await;
    bench.forge.keep_pull(&wanted_pull()).await.unwrap();
    let add = "POST /repos/acme/shop/issues/9/labels";
    assert_eq!(changes(&bench), ["PATCH /repos/acme/shop/pulls/4", add]);

    there["state"] = json!("closed");
    let mut others = pull(5, &asked);
    others["head"]["repo"] = Value::Null;
    let bench = with_list(json!([there, others])).await;
    bench.forge.keep_pull(&wanted_pull()).await.unwrap();
    assert_eq!(changes(&bench), ["POST /repos/acme/shop/pulls", add]);
    assert_eq!(
        bench
            .seen()
            .iter()
            .find(|seen| seen.line.ends_with("/pulls") && !seen.body.is_null())
            .unwrap()
            .body["draft"],
        true
    );
}

#[tokio::test]
async fn a_repository_without_drafts_gets_a_plain_pull_request() {
    let bench = Bench::new(|seen| match seen.line.as_str() {
        "GET /repos/acme/shop/pulls" => ok(json!([])),
        "POST /repos/acme/shop/pulls" if seen.body["draft"] == true => {
            status(422, "Draft pull requests are not supported in this repository.")
        }
        "POST /repos/acme/shop/pulls" => ok(pull(9, &seen.body)),
        _ => ok(json!([])),
    })
    .await;
    assert!(!bench.forge.keep_pull(&wanted_pull()).await.unwrap().draft);

    let never = Bench::new(|seen| match seen.line.as_str() {
        "GET /repos/acme/shop/pulls" => ok(json!([])),
        _ => status(422, "A pull request already exists for acme:sprag/c1."),
    })
    .await;
    let error = never.forge.keep_pull(&wanted_pull()).await.unwrap_err();
    assert_eq!(
        (error.class(), never.lines().len()),
        (ErrorClass::Invalid, 4),
        "it looks once more"
    );
}

/// A GitHub with one check run at most, which appends annotations and may lose one answer to a change.
async fn checks(lose: Option<usize>) -> Bench {
    let kept: Mutex<Option<(Value, usize)>> = Mutex::default();
    let changes = Mutex::new(0);
    Bench::new(move |seen| {
        let mut kept = kept.lock().unwrap();
        if seen.line == "GET /user" {
            return ok(user(1, "me"));
        }
        if seen.line.starts_with("GET ") {
            let other = json!({"external_id": "sprag:E1", "name": "sprag / regression", "status": "completed", "conclusion": "failure"});
            let mut runs = vec![check(99, &other, 0)];
            runs[0]["app"] = json!({"slug": "another"});
            runs.extend(kept.as_ref().map(|(run, count)| check(10, run, *count)));
            return ok(json!({"total_count": runs.len(), "check_runs": runs}));
        }
        let part = seen.body["output"]["annotations"].as_array().map_or(0, Vec::len);
        assert!(part <= 50);
        assert_eq!(seen.line.starts_with("POST "), kept.is_none(), "it is created once");
        assert_eq!(seen.body.get("head_sha").is_some(), kept.is_none());
        let count = kept.as_ref().map_or(0, |(_, count)| *count) + part;
        *kept = Some((seen.body.clone(), count));
        *changes.lock().unwrap() += 1;
        if lose == Some(*changes.lock().unwrap()) {
            return Reply::Drop;
        }
        ok(check(10, &seen.body, count))
    })
    .await
}

#[tokio::test]
async fn annotations_are_sent_fifty_at_a_time_and_each_once() {
    for (lose, gets) in [(None, 1), (Some(1), 2), (Some(2), 2), (Some(3), 2)] {
        let bench = checks(lose).await;
        let kept = bench.forge.keep_check(&wanted_check(120)).await.unwrap();
        assert_eq!((kept.id, kept.conclusion.as_deref()), (10, Some("success")));
        let sent: Vec<usize> = bench
            .seen()
            .iter()
            .filter_map(|seen| Some(seen.body.get("output")?["annotations"].as_array().map_or(0, Vec::len)))
            .collect();
        assert_eq!(sent, [50, 50, 20], "lost: {lose:?}");
        assert_eq!(bench.count("GET /repos/acme/shop/commits/abc/check-runs"), gets);

        // The same again is nothing new; another title is.
        bench.forge.keep_check(&wanted_check(120)).await.unwrap();
        assert_eq!(changes(&bench).len(), 3);
        let mut other = wanted_check(120);
        other.output.title = "U".to_owned();
        bench.forge.keep_check(&other).await.unwrap();
        let last = bench.seen().pop().unwrap();
        assert_eq!(last.line, "PATCH /repos/acme/shop/check-runs/10");
        assert_eq!(last.body["output"], json!({"title": "U", "summary": "S", "text": "X"}));
    }
}
