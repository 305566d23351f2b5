//! Errors: how long is waited, when it is given up, and that nothing is done twice.

use super::super::{ErrorClass, ForgeError};
use super::server::{Bench, NOW, Reply, comment, issue, markdown, ok, status, user};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Answers these one after the other, then with an issue.
fn then_fine(replies: Vec<Reply>) -> impl Fn(&super::server::Seen) -> Reply + Send + Sync + 'static {
    let replies = Mutex::new(replies.into_iter());
    move |_| {
        let next = replies.lock().unwrap().next();
        next.unwrap_or_else(|| ok(issue(7, &user(1, "ann"), "t", "b")))
    }
}

async fn waits(replies: Vec<Reply>) -> Vec<u64> {
    let bench = Bench::new(then_fine(replies)).await;
    // Ours is wrong by an hour: only the server's clock may count.
    bench.clock.store(NOW + 3600, Ordering::SeqCst);
    assert_eq!(bench.forge.issue(7).await.unwrap().number, 7);
    bench.waits()
}

#[tokio::test]
async fn each_class_of_error_waits_as_long_as_it_should() {
    let limited = |status: u16| {
        super::server::status(status, "API rate limit exceeded for installation ID 5.")
            .header("x-ratelimit-remaining", 0)
            .header("x-ratelimit-reset", NOW + 90)
    };
    let secondary = || status(403, "You have exceeded a secondary rate limit.");
    assert_eq!(waits(vec![]).await, [0_u64; 0]);
    assert_eq!(waits(vec![status(429, "slow").header("retry-after", 17)]).await, [17]);
    assert_eq!(waits(vec![status(403, "slow").header("retry-after", 3)]).await, [3]);
    let at = "Fri, 15 Jan 2027 08:00:40 GMT";
    assert_eq!(waits(vec![status(429, "slow").header("retry-after", at)]).await, [41]);
    assert_eq!(waits(vec![limited(403), limited(429)]).await, [91, 91]);
    assert_eq!(
        waits(vec![secondary(), secondary(), status(429, "")]).await,
        [60, 120, 240]
    );
    assert_eq!(
        waits(vec![status(403, "You have triggered an abuse detection mechanism")]).await,
        [60]
    );
    assert_eq!(
        waits(vec![status(500, ""), status(502, ""), status(503, "")]).await,
        [1, 2, 4]
    );
    assert_eq!(waits(vec![status(503, "").header("retry-after", 9)]).await, [9]);
    assert_eq!(waits(vec![Reply::Drop, Reply::Cut("{\"number\": 7, ")]).await, [1, 2]);
    assert_eq!(
        waits(vec![
            Reply::Bytes(200, b"<html>".to_vec()),
            Reply::Bytes(200, Vec::new())
        ])
        .await,
        [1, 2]
    );
}

#[tokio::test]
async fn what_is_hopeless_is_not_tried_again_and_says_what_to_do() {
    let cases = [
        (401, ErrorClass::Auth),
        (403, ErrorClass::Forbidden),
        (404, ErrorClass::NotFound),
        (409, ErrorClass::Conflict),
        (410, ErrorClass::Gone),
        (422, ErrorClass::Invalid),
        (301, ErrorClass::NotFound),
    ];
    for (code, class) in cases {
        let bench = Bench::new(move |_| {
            let body = json!({"message": "Because", "errors": [{"resource": "Issue", "field": "title", "code": "missing"}, "so"]});
            Reply::Json(code, body, Vec::new())
                .header("x-github-request-id", "A:1")
                .header("x-ratelimit-remaining", 0)
                .header("x-accepted-github-permissions", "issues=read")
        })
        .await;
        let error = bench.forge.issue(7).await.unwrap_err();
        assert_eq!((error.class(), bench.lines().len()), (class, 1), "{error}");
        assert!(bench.waits().is_empty());
        let path = "/repos/{owner}/{repo}/issues/{issue_number}";
        assert_eq!(
            error.to_string(),
            format!("GET {path}: {code} Because; Issue title missing; so (request A:1)")
        );
        assert_eq!(error.hint().contains("`issues=read`"), code == 403, "{}", error.hint());
    }
    let odd = Bench::new(|_| ok(json!({"number": "seven"}))).await;
    let error = odd.forge.issue(7).await.unwrap_err();
    assert_eq!((error.class(), odd.lines().len()), (ErrorClass::Broken, 1), "{error}");
}

#[tokio::test]
async fn it_is_given_up_in_the_end_and_says_when_to_try_again() {
    let bench = Bench::with(|_| status(502, ""), |config| config.max_tries = 3).await;
    let error = bench.forge.issue(7).await.unwrap_err();
    assert_eq!(bench.waits(), [1, 2]);
    assert_eq!(error.again_at(), Some(Timestamp::from_second(NOW + 4).unwrap()));
    assert!(
        error.to_string().ends_with("502 ; try again at 2027-01-15T08:00:04Z"),
        "{error}"
    );

    let long = Bench::with(
        |_| status(429, "slow").header("retry-after", 1000),
        |config| config.max_wait = Duration::from_secs(900),
    )
    .await;
    let error = long.forge.issue(7).await.unwrap_err();
    assert!(
        long.waits().is_empty() && error.hint().contains("2027-01-15T08:16:40Z"),
        "{}",
        error.hint()
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_transient_error() {
    let bench = Bench::with(
        |_| Reply::Hang,
        |config| {
            config.timeout = Duration::from_millis(50);
            config.max_tries = 1;
        },
    )
    .await;
    let error = bench.forge.issue(7).await.unwrap_err();
    let ForgeError::Refused(refusal) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (refusal.class, refusal.message.as_str()),
        (ErrorClass::Transient, "timed out")
    );
}

/// A GitHub with comments, issues and pull requests that really come into being, whose first answers to a `POST` get lost.
fn forgetful(lost: Reply) -> impl Fn(&super::server::Seen) -> Reply + Send + Sync + 'static {
    let things: Mutex<Vec<Value>> = Mutex::default();
    let lost = Mutex::new(vec![lost.clone(), lost]);
    move |seen| {
        let mut things = things.lock().unwrap();
        let me = user(1, "me");
        let (verb, path) = seen.line.split_once(' ').unwrap();
        let made = match (verb, path) {
            ("GET", "/user") => return ok(me),
            ("GET", path) if path.ends_with("/check-runs") => {
                return ok(json!({"total_count": 0, "check_runs": *things}));
            }
            ("GET", _) => return ok(json!(*things)),
            (_, path) if path.ends_with("/comments") => comment(5, &me, seen.body["body"].as_str().unwrap()),
            (_, path) if path.ends_with("/issues") => issue(
                8,
                &me,
                seen.body["title"].as_str().unwrap(),
                seen.body["body"].as_str().unwrap(),
            ),
            (_, path) if path.ends_with("/pulls") => super::keep::pull(9, &seen.body),
            (_, path) if path.ends_with("/check-runs") => super::keep::check(10, &seen.body, 0),
            (_, path) if path.ends_with("/labels") => return ok(json!([])),
            (verb, path) => panic!("{verb} {path}"),
        };
        things.push(made.clone());
        lost.lock().unwrap().pop().unwrap_or(ok(made))
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_never_done_twice() {
    let losses = [
        Reply::Drop,
        status(502, "Bad Gateway"),
        Reply::Cut("{\"id\": "),
        Reply::Bytes(201, b"{".to_vec()),
    ];
    for lost in losses {
        let bench = Bench::new(forgetful(lost.clone())).await;
        let kept = bench
            .forge
            .keep_comment(7, "<!-- m -->", &markdown("<!-- m -->\nhi"))
            .await
            .unwrap();
        assert_eq!(
            (kept.id, bench.count("POST /repos/acme/shop/issues/7/comments")),
            (5, 1),
            "{lost:?}"
        );
        assert_eq!(bench.waits(), [1]);

        let bench = Bench::new(forgetful(lost.clone())).await;
        let made = bench.forge.create_issue("T", &markdown("B"), &["x"]).await.unwrap();
        assert_eq!(
            (made.number, bench.count("POST /repos/acme/shop/issues")),
            (8, 1),
            "{lost:?}"
        );

        let bench = Bench::new(forgetful(lost.clone())).await;
        let kept = bench
            .forge
            .keep_issue("<!-- d -->", "sprag", "T", &markdown("<!-- d -->"))
            .await
            .unwrap();
        assert_eq!(
            (kept.number, bench.count("POST /repos/acme/shop/issues")),
            (8, 1),
            "{lost:?}"
        );

        let bench = Bench::new(forgetful(lost.clone())).await;
        let kept = bench.forge.keep_pull(&super::keep::wanted_pull()).await.unwrap();
        assert_eq!(
            (kept.number, bench.count("POST /repos/acme/shop/pulls")),
            (9, 1),
            "{lost:?}"
        );

        let bench = Bench::new(forgetful(lost.clone())).await;
        let kept = bench.forge.keep_check(&super::keep::wanted_check(0)).await.unwrap();
        assert_eq!(
            (kept.id, bench.count("POST /repos/acme/shop/check-runs")),
            (10, 1),
            "{lost:?}"
        );
    }
}

#[tokio::test]
async fn an_equal_issue_of_old_is_not_taken_for_the_new_one() {
    let me = user(1, "me");
    let tries = Mutex::new(0);
    let bench = Bench::new(move |seen| match seen.line.as_str() {
        "GET /user" => ok(me.clone()),
        "GET /repos/acme/shop/issues" => ok(json!([issue(3, &me, "T", "B")])),
        _ => {
            *tries.lock().unwrap() += 1;
            match *tries.lock().unwrap() {
                1 => status(500, ""),
                _ => ok(issue(4, &me, "T", "B")),
            }
        }
    })
    .await;
    assert_eq!(
        bench.forge.create_issue("T", &markdown("B"), &[]).await.unwrap().number,
        4
    );
}

#[tokio::test]
async fn changes_come_one_after_the_other_and_not_too_fast() {
    let bench = Bench::with(|_| ok(json!([])), |config| config.pace = Duration::from_secs(2)).await;
    let add = |n| bench.forge.add_labels(n, &["a", "b"]);
    let results = futures_util::future::join_all((0..6).map(add)).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((bench.lines().len(), bench.most_at_once()), (6, 1));
    assert_eq!(bench.waits(), [2; 5]);
    bench.clock.store(NOW + 2, Ordering::SeqCst);
    bench.forge.add_labels(1, &["c"]).await.unwrap();
    assert_eq!(bench.waits().len(), 5, "enough time went by");
}
