//! Lists, single things, and how GitHub's fields are read.

use super::super::ENDPOINTS;
use super::server::{Bench, Reply, Seen, comment, issue, markdown, ok, status, user};
use jiff::Timestamp;
use serde_json::{Value, json};
use sprag_core::github::Permission;
use std::collections::BTreeSet;
use std::sync::Mutex;

fn page(seen: &Seen) -> usize {
    assert_eq!(seen.query["per_page"], "100");
    seen.query.get("page").map_or(1, |page| page.parse().unwrap())
}

/// The items of one page, with or without a `Link` to the next.
fn paged(seen: &Seen, items: &[Value], link: bool) -> Reply {
    let pages: Vec<&[Value]> = items.chunks(100).collect();
    let number = page(seen);
    let reply = ok(json!(pages.get(number - 1).copied().unwrap_or_default()));
    match link {
        // GitHub names other addresses than those it was asked at; they must not be followed.
        true if number < pages.len() => {
            let next = format!(
                "https://elsewhere.example/repositories/1/x?per_page=7&page={}",
                number + 1
            );
            reply.header(
                "link",
                format!("<https://elsewhere.example/x?page=1>; rel=\"prev\", <{next}>; rel=\"next\""),
            )
        }
        true => reply.header("link", "<https://elsewhere.example/x?page=1>; rel=\"first\""),
        false => reply,
    }
}

fn issues(count: u64) -> Vec<Value> {
    (1..=count).map(|n| issue(n, &user(1, "ann"), "t", "b")).collect()
}

#[tokio::test]
async fn a_list_is_read_to_its_end_with_and_without_link() {
    for (link, count, requests) in [
        (true, 250, 3),
        (false, 250, 3),
        (true, 200, 2),
        (false, 200, 3),
        (true, 0, 1),
        (false, 0, 1),
    ] {
        let items = issues(count);
        let bench = Bench::new(move |seen| paged(seen, &items, link)).await;
        let all = bench
            .forge
            .issues("agent: failure", Some("2026-11-01T00:00:00Z"))
            .await
            .unwrap();
        assert_eq!(
            (all.len() as u64, bench.lines().len()),
            (count, requests),
            "link: {link}"
        );
        assert!(all.iter().map(|issue| issue.number).eq(1..=count));
        let first = &bench.seen()[0];
        assert!(
            first.raw_query.starts_with(
                "labels=agent%3A%20failure&state=all&sort=updated&direction=asc&since=2026-11-01T00%3A00%3A00Z"
            ),
            "{}",
            first.raw_query
        );
        assert_eq!(first.header("authorization"), "Bearer ghp_token");
        assert_eq!(first.header("accept"), "application/vnd.github+json");
        assert_eq!(first.header("x-github-api-version"), "2022-11-28");
        let agents: Vec<_> = first.headers.get_all("user-agent").iter().collect();
        assert_eq!(agents, [concat!("sprag/", env!("CARGO_PKG_VERSION"))]);
        assert_eq!(first.header("transfer-encoding"), "");
    }
}

/// GitHub's refusals to page any further.
const NO_NUMBERS: &str = "Pagination with the page parameter is not supported for large datasets, please use cursor based pagination (after/before)";
const NO_FURTHER: &str = "In order to keep the API fast for everyone, pagination is limited for this resource.";

#[tokio::test]
async fn a_long_list_is_read_by_the_cursors_that_github_gives() {
    let items = issues(450);
    let bench = Bench::new(move |seen| {
        assert_eq!(seen.query["labels"], "agent: failure");
        // A cursor as GitHub writes it; how far it is, is told by its letters alone.
        let after = seen
            .query
            .get("after")
            .map_or(0, |after| after.trim_end_matches('=').len());
        if after == 0 && page(seen) > 1 {
            return status(422, NO_NUMBERS);
        }
        let reply = ok(json!(items[after * 100..items.len().min(after * 100 + 100)]));
        let address = "https://api.elsewhere.example/repositories/1/issues?labels=other&per_page=100";
        let cursor = format!("{}%3D%3D", "C".repeat(after + 1));
        let next = format!("<{address}&after={cursor}&page={}>; rel=\"next\"", after + 2);
        let prev = format!("<{address}&page={after}&before={cursor}>; rel=\"prev\"");
        match after {
            0 => reply.header("link", next),
            4 => reply.header("link", prev),
            _ => reply.header("link", format!("{next}, {prev}")),
        }
    })
    .await;
    let all = bench.forge.issues("agent: failure", None).await.unwrap();
    assert!(all.iter().map(|issue| issue.number).eq(1..=450));
    let seen = bench.seen();
    assert_eq!(seen.len(), 5);
    assert!(
        seen[1].raw_query.ends_with("&per_page=100&after=C%3D%3D&page=2"),
        "{}",
        seen[1].raw_query
    );
}

#[tokio::test]
async fn where_a_list_by_update_is_cut_it_goes_on_by_time() {
    // GitHub pages through so many; what is behind is there by `since` alone. Some were updated in one second.
    for (silently, most) in [(false, 200), (true, super::super::list::LONG)] {
        let count = most + most / 2;
        let at = |n: usize| {
            Timestamp::from_second(i64::try_from(n / 7).unwrap())
                .unwrap()
                .to_string()
        };
        let comments: Vec<Value> = (0..count)
            .map(|n| {
                let mut one = comment(n as u64, &user(1, "ann"), "hi");
                one["updated_at"] = json!(at(n));
                one
            })
            .collect();
        let bench = Bench::new(move |seen| {
            let since = seen.query.get("since").map_or("", String::as_str);
            let fitting = &comments[comments.partition_point(|one| one["updated_at"].as_str().unwrap() < since)..];
            let (number, all) = (page(seen), fitting.len().div_ceil(100));
            if number * 100 > most {
                return status(422, NO_FURTHER);
            }
            let last = if silently { all.min(most / 100) } else { all };
            paged(seen, &fitting[..fitting.len().min(last * 100)], true)
        })
        .await;
        let all = bench.forge.comments(None).await.unwrap();
        assert!(
            all.iter().map(|one| one.id).eq(0..count as u64),
            "{} of {count}",
            all.len()
        );
        let again = usize::from(!silently);
        assert_eq!(bench.lines().len(), count / 100 + 1 + again, "no list is read twice");
    }
}

#[tokio::test]
async fn a_list_that_is_refused_in_the_middle_is_not_taken_for_the_whole() {
    let refuse = |seen: &Seen| match page(seen) {
        1 => {
            let comments: Vec<Value> = (0..150).map(|n| comment(n, &user(1, "ann"), "hi")).collect();
            paged(seen, &comments, true)
        }
        _ => status(422, NO_FURTHER),
    };
    let bench = Bench::new(refuse).await;
    assert_eq!(
        bench.forge.comments_of(7).await.unwrap_err().class(),
        super::super::ErrorClass::Invalid
    );
}

#[tokio::test]
async fn an_issue_that_moves_while_the_list_is_read_hides_no_other() {
    let reads = Mutex::new(0);
    let bench = Bench::new(move |seen| {
        // After page 1 was read, issue 1 is updated: it moves to the end, and 101 up to the page that was read already.
        let mut items = issues(150);
        *reads.lock().unwrap() += 1;
        if *reads.lock().unwrap() > 1 {
            items.rotate_left(1);
        }
        paged(seen, &items, true)
    })
    .await;
    let all = bench.forge.issues("x", None).await.unwrap();
    let numbers: BTreeSet<u64> = all.iter().map(|issue| issue.number).collect();
    assert_eq!((all.len(), numbers.len()), (150, 150));
    assert!(numbers.contains(&101));
    assert_eq!(all.last().unwrap().number, 1, "in the order of the last read");
    assert_eq!(bench.lines().len(), 4);
}

#[tokio::test]
async fn lists_that_are_newest_first_stop_at_what_is_known() {
    let event = |n: u64, kind: &str| json!({"id": n, "event": kind, "actor": user(1, "ann"), "label": {"name": "l"}, "issue": {"number": n % 10}, "created_at": format!("2026-11-01T00:{:02}:{:02}Z", n / 60, n % 60)});
    let events: Vec<Value> = (1..=350)
        .rev()
        .map(|n| event(n, if n % 2 == 0 { "labeled" } else { "closed" }))
        .collect();
    let bench = Bench::new(move |seen| paged(seen, &events, true)).await;
    let new = bench.forge.label_events("2026-11-01T00:03:21Z").await.unwrap();
    assert_eq!(bench.lines().len(), 2);
    assert!(new.iter().map(|event| event.id).eq((202..=350).step_by(2)));
    assert!(new[0].added && new[0].issue == 2);

    let artifact = |n: u64| json!({"id": n, "name": "t", "size_in_bytes": 5, "expired": false, "created_at": null, "workflow_run": if n == 1 { Value::Null } else { json!({"id": 9}) }});
    let bench = Bench::new(move |seen| {
        let number = page(seen) as u64;
        let from = 300 - (number - 1) * 100;
        ok(json!({"total_count": 300, "artifacts": (from - 99..=from).rev().map(artifact).collect::<Vec<_>>()}))
            .header("link", if number < 3 { "<x>; rel=\"next\"" } else { "" }) // No way to go on but to count.
    })
    .await;
    assert_eq!(bench.forge.artifacts(Some(201)).await.unwrap().len(), 99);
    assert_eq!(bench.lines().len(), 1);
    let all = bench.forge.artifacts(None).await.unwrap();
    assert_eq!((all.len(), all[0].run, all[1].run), (300, None, Some(9)));
}

#[tokio::test]
async fn workflow_runs_are_those_from_a_time_on_also_the_unfinished() {
    let run = |id: u64, day: u64, conclusion: Option<&str>, head: Value| {
        json!({"id": id, "path": ".github/workflows/n.yml@main", "head_sha": "a", "conclusion": conclusion, "html_url": "u",
            "created_at": format!("2026-11-{day:02}T00:00:00Z"), "repository": {"id": 1}, "head_repository": head})
    };
    let bench = Bench::new(move |_| {
        let runs = [
            run(4, 4, None, json!({"id": 1})),
            run(3, 3, Some("failure"), json!({"id": 2})),
            run(2, 2, Some("failure"), json!({"id": 1})),
            run(1, 1, Some("failure"), Value::Null),
        ];
        ok(json!({"total_count": 4, "workflow_runs": runs}))
    })
    .await;
    let runs = bench
        .forge
        .workflow_runs("n.yml", Some("2026-11-02T00:00:00Z"))
        .await
        .unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(
        (&runs[0].conclusion, &runs[2].conclusion),
        (&Some("failure".to_owned()), &None)
    );
    assert_eq!((runs[0].from_fork, runs[1].from_fork), (false, true));
    assert_eq!(runs[0].workflow, ".github/workflows/n.yml");
    let all = bench.forge.workflow_runs("n.yml", None).await.unwrap();
    assert!(all[0].from_fork, "a repository that is gone was not this one");
    assert!(bench.seen()[0].line.ends_with("/actions/workflows/n.yml/runs"));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let bench = Bench::new(|seen| match seen.header("if-none-match") {
        "" => ok(json!(issues(2)))
            .header("etag", "\"v1\"")
            .header("link", "<x>; rel=\"first\""),
        "\"v1\"" => Reply::Json(304, Value::Null, vec![("etag", "\"v1\"".to_owned())]),
        tag => panic!("{tag}"),
    })
    .await;
    for _ in 0..3 {
        assert_eq!(bench.forge.issues("x", None).await.unwrap().len(), 2);
    }
    let seen = bench.seen();
    let tags: Vec<&str> = seen.iter().map(|seen| seen.header("if-none-match")).collect();
    assert_eq!(tags, ["", "\"v1\"", "\"v1\""]);
}

#[tokio::test]
async fn whoever_and_whatever_is_gone_can_still_be_read() {
    let mut ghost = issue(7, &Value::Null, "t", "");
    ghost["body"] = Value::Null;
    ghost["labels"] = json!(["plain", {"name": null}, {"name": "l"}]);
    ghost["pull_request"] = json!({"url": "u"});
    let bench = Bench::new(move |seen| match seen.line.as_str() {
        "GET /repos/acme/shop/issues/7" => ok(ghost.clone()),
        "GET /repos/acme/shop/issues/7/comments" => ok(json!([comment(1, &Value::Null, "hi")])),
        "GET /repos/acme/shop/issues/7/events" => ok(json!([
            {"id": 2, "event": "labeled", "actor": null, "label": {"name": "l"}, "created_at": "x"},
            {"id": 1, "event": "renamed", "actor": null, "created_at": "x"}
        ])),
        "GET /repos/acme/shop/issues/events" => ok(json!([
            {"id": 2, "event": "labeled", "actor": null, "label": {"name": "l"}, "issue": null, "created_at": "x"}
        ])),
        "GET /repos/acme/shop/pulls/7" => {
            let end = json!({"ref": "b", "sha": "a", "repo": null});
            let base = json!({"ref": "main", "sha": "b", "repo": {"id": 1}});
            ok(json!({"number": 7, "title": "t", "body": null, "state": "closed", "head": end, "base": base, "merge_commit_sha": "m",
                "merged_at": "2026-11-01T00:00:00Z", "closed_at": null, "user": null}))
        }
        line => panic!("{line}"),
    })
    .await;
    let forge = &bench.forge;
    let issue = forge.issue(7).await.unwrap();
    assert_eq!((issue.author.id, issue.author.login.as_str()), (10137, "ghost"));
    assert!(issue.pull && issue.body.is_empty() && issue.labels == ["plain", "l"]);
    assert_eq!(forge.comments_of(7).await.unwrap()[0].author.id, 10137);
    let events = forge.label_events_of(7).await.unwrap();
    assert_eq!((events.len(), events[0].issue, events[0].actor.id), (1, 7, 10137));
    assert!(forge.label_events("").await.unwrap().is_empty(), "the issue is gone");
    let pull = forge.pull(7).await.unwrap();
    assert!(pull.from_fork && pull.merged && !pull.draft && pull.merge_sha.as_deref() == Some("m"));
}

#[tokio::test]
async fn permissions_are_read_by_role_or_by_what_it_is_made_of() {
    let bench = Bench::new(|seen| {
        let login = seen.line.split('/').nth(5).unwrap();
        let (permission, role) = match login {
            "a" => ("admin", json!("admin")),
            "b" => ("write", json!("maintain")),
            "c" => ("read", json!("triage")),
            "d" => ("write", json!("Release engineers")),
            "e" => ("read", Value::Null),
            _ => return status(404, "x is not a user"),
        };
        ok(json!({"permission": permission, "role_name": role, "user": null}))
    })
    .await;
    let expected = [
        ("a", Permission::Admin),
        ("b", Permission::Maintain),
        ("c", Permission::Triage),
        ("d", Permission::Write),
        ("e", Permission::Read),
        ("x[bot]", Permission::None),
        ("", Permission::None),
    ];
    for _ in 0..2 {
        for (login, permission) in expected {
            assert_eq!(bench.forge.permission(login).await.unwrap(), permission, "{login}");
        }
    }
    assert_eq!(bench.lines().len(), 6, "each is asked for once");
    assert!(
        bench
            .lines()
            .contains(&"GET /repos/acme/shop/collaborators/x%5Bbot%5D/permission".to_owned())
    );
}

#[tokio::test]
async fn an_enterprise_server_has_its_api_below_a_path() {
    let bench = Bench::new(|_| status(404, "Not Found")).await;
    let mut config = super::super::ForgeConfig::new(
        format!("{}/api/v3/", bench.base),
        sprag_core::github::RepoName::parse("api/v3").unwrap(),
        super::super::Credentials::Token("t".into()),
    );
    config.clock = std::sync::Arc::new(|| Timestamp::UNIX_EPOCH);
    let ghes = super::super::Forge::new(config).unwrap();
    ghes.issue(7).await.unwrap_err();
    ghes.branch("feature/x").await.unwrap_err();
    assert_eq!(
        bench.lines(),
        [
            "GET /api/v3/repos/api/v3/issues/7",
            "GET /api/v3/repos/api/v3/branches/feature%2Fx"
        ]
    );
}

#[tokio::test]
async fn a_branch_tells_its_checks_and_two_commits_their_merge_base() {
    let bench = Bench::new(|seen| match seen.line.rsplit('/').next().unwrap() {
        "main" => ok(json!({"commit": {"sha": "a"}, "protected": true, "protection": {"required_status_checks": {"contexts": ["ci"]}}})),
        "bare" => ok(json!({"commit": {"sha": "b"}, "protected": false})),
        _ => ok(json!({"merge_base_commit": {"sha": "c"}, "files": []})),
    })
    .await;
    let main = bench.forge.branch("main").await.unwrap();
    assert_eq!(
        (main.sha.as_str(), main.protected, main.required_checks),
        ("a", true, vec!["ci".to_owned()])
    );
    assert!(!bench.forge.branch("bare").await.unwrap().protected);
    assert_eq!(bench.forge.merge_base("a", "b").await.unwrap(), "c");
}

#[tokio::test]
async fn operations_can_be_spawned() {
    fn spawnable(_: impl Send) {}
    let bench = Bench::new(|_| ok(json!([]))).await;
    let (forge, path) = (&bench.forge, std::path::Path::new("x"));
    let (pull, check) = (super::keep::wanted_pull(), super::keep::wanted_check(0));
    spawnable((
        forge.token(),
        forge.issues("l", None),
        forge.comments(None),
        forge.label_events(""),
    ));
    let text = markdown("b");
    spawnable((
        forge.create_issue("t", &text, &[]),
        forge.keep_issue("m", "l", "t", &text),
    ));
    spawnable((
        forge.keep_comment(1, "m", &text),
        forge.keep_pull(&pull),
        forge.keep_check(&check),
    ));
    spawnable((
        forge.permission("x"),
        forge.myself(),
        forge.app(),
        forge.artifacts(None),
    ));
    spawnable((
        forge.download("u", path, 1),
        forge.download_artifact(1, path, 1),
        forge.workflow_runs("w", None),
    ));
    assert!(bench.lines().is_empty(), "nothing is sent before it is awaited");
}

#[test]
fn no_endpoint_is_listed_twice() {
    let lines: BTreeSet<(&str, &str)> = ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint.path(), endpoint.method()))
        .collect();
    assert_eq!(lines.len(), ENDPOINTS.len());
}
