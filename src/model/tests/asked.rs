//! What is sent, what is tried again, what is given up, what is paid.

use super::super::{Model, ModelError, Purse};
use super::server::{Bench, KEY, Reply, events, request, said, status};
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;
use sprag_core::model::{EmbeddingsRequest, FaultClass, Provider, Wire};
use std::time::Duration;

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":5}}"#;

fn class(error: &ModelError) -> FaultClass {
    error.class().expect("a fault")
}

#[tokio::test]
async fn each_provider_gets_its_path_and_its_headers() {
    for (provider, wire, path, header, value, reply) in [
        (
            Provider::Openai,
            Wire::Chat,
            "/v1/chat/completions",
            "authorization",
            format!("Bearer {KEY}"),
            said("Hi"),
        ),
        (
            Provider::GithubModels,
            Wire::Chat,
            "/v1/chat/completions",
            "x-github-api-version",
            "2022-11-28".to_owned(),
            said("Hi"),
        ),
        (
            Provider::Anthropic,
            Wire::Messages,
            "/v1/messages",
            "x-api-key",
            KEY.to_owned(),
            status(200, MESSAGE),
        ),
        (
            Provider::Anthropic,
            Wire::Messages,
            "/v1/messages",
            "anthropic-version",
            "2023-06-01".to_owned(),
            status(200, MESSAGE),
        ),
        (
            Provider::Openai,
            Wire::Responses,
            "/v1/responses",
            "content-type",
            "application/json".to_owned(),
            status(
                200,
                r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}]}"#,
            ),
        ),
    ] {
        let bench = Bench::with(
            move |_, _| reply.clone(),
            |config| {
                config.provider = provider;
                config.wire = wire;
            },
        )
        .await;
        let answer = bench.model.complete(&request("hello")).await.unwrap();
        let seen = bench.seen().remove(0);
        assert_eq!((answer.text.as_str(), seen.path.as_str()), ("Hi", path));
        assert_eq!(seen.headers.get(header).unwrap().to_str().unwrap(), value);
        assert_eq!(seen.body["model"], "m");
    }
}

#[tokio::test]
async fn limits_server_errors_and_cut_streams_are_tried_again() {
    let half = events("Hi").split_inclusive("\n\n").next().unwrap().to_owned();
    let bench = Bench::new(move |before, _| match before {
        0 => Reply::Whole(
            429,
            vec![("retry-after", "7".to_owned())],
            r#"{"error":{"code":"rate_limit_exceeded","message":"slow"}}"#.into(),
        ),
        1 => Reply::Cut(half.clone()),
        2 => status(503, "<html>"),
        _ => said("Hi"),
    })
    .await;
    let answer = bench.model.complete(&request("hello")).await.unwrap();
    assert_eq!((answer.text.as_str(), bench.seen().len()), ("Hi", 4));
    assert_eq!(bench.waits(), [7, 1, 2], "as long as it was asked to, then doubling");
    let tally = bench.purse.take();
    // 1,000 tokens at $1 and 100 at $10 a million are $0.002; the cut one counts as the most it may have cost.
    assert_eq!(tally.requests, 4);
    assert!((0.003..0.004).contains(&tally.usd), "{tally:?}");
}

#[tokio::test]
async fn a_stream_that_ends_without_its_end_is_half_an_answer() {
    let whole = events("Hi");
    let half = whole[..whole.find("stop").unwrap()].to_owned();
    let bench = Bench::new(move |_, _| Reply::Events(half.clone())).await;
    let error = bench.model.complete(&request("hello")).await.unwrap_err();
    assert_eq!((class(&error), bench.seen().len()), (FaultClass::Broken, 4));
}

#[tokio::test]
async fn what_waiting_does_not_help_is_not_tried_again() {
    use FaultClass::{Auth, ContextLength, Empty, Invalid, NotFound, QuotaSpent, Refused};
    for (reply, expected) in [
        (
            status(401, r#"{"error":{"code":"invalid_api_key","message":"Incorrect key"}}"#),
            Auth,
        ),
        (
            status(429, r#"{"error":{"code":"insufficient_quota","message":"no money"}}"#),
            QuotaSpent,
        ),
        (
            status(
                413,
                r#"{"error":{"code":"tokens_limit_reached","message":"too large"}}"#,
            ),
            ContextLength,
        ),
        (
            status(400, r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#),
            Invalid,
        ),
        (status(404, "nothing here"), NotFound),
        (status(307, ""), NotFound),
        (
            status(
                200,
                r#"{"choices":[{"message":{"refusal":"no"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100}}"#,
            ),
            Refused,
        ),
        (said(""), Empty),
    ] {
        let bench = Bench::new(move |_, _| reply.clone()).await;
        let error = bench.model.complete(&request("hello")).await.unwrap_err();
        assert_eq!((class(&error), bench.seen().len()), (expected, 1));
        let paid = bench.purse.take().usd > 0.0;
        assert_eq!(
            paid,
            matches!(expected, Refused | Empty),
            "{expected:?}: what was answered is billed, what was turned away is not"
        );
        assert!(!error.hint().is_empty() && !error.to_string().contains(KEY));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let bench = Bench::with(
        |_, _| Reply::Hang,
        |config| {
            config.timeout = Duration::from_millis(30);
            config.max_tries = 2;
        },
    )
    .await;
    let error = bench.model.complete(&request("hello")).await.unwrap_err();
    assert_eq!((class(&error), bench.seen().len()), (FaultClass::Broken, 2));
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[tokio::test]
async fn a_request_that_is_dropped_counts_as_paid() {
    let bench = Bench::new(|_, _| Reply::Hang).await;
    let asked = request("hello");
    let mut asking = bench.model.complete(&asked);
    while bench.seen().is_empty() {
        assert!((&mut asking).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(asking);
    assert!(bench.purse.take().usd > 0.0);
}

#[tokio::test]
async fn only_so_many_are_asked_at_a_time_and_so_many_tokens_a_minute() {
    let bench = Bench::with(
        |_, _| said("Hi"),
        |config| {
            config.concurrency = 2;
            config.tokens_per_minute = Some(300);
        },
    )
    .await;
    let requests: Vec<_> = (0..6).map(|number| request(&number.to_string())).collect();
    let answers = join_all(requests.iter().map(|request| bench.model.complete(request))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(bench.most_at_once() <= 2);
    // Each counts 148 tokens: two a minute.
    assert_eq!(
        bench.waits().iter().filter(|wait| **wait == 60).count(),
        2,
        "{:?}",
        bench.waits()
    );
}

#[tokio::test]
async fn no_more_is_spent_than_the_budget_has() {
    // Each request costs $0.002, and may cost a little more: three fit.
    let limit = 0.007;
    let bench = Bench::with(
        |_, _| said("Hi"),
        |config| {
            config.purse = Purse::new(limit);
            config.concurrency = 8;
        },
    )
    .await;
    let requests: Vec<_> = (0..8).map(|number| request(&number.to_string().repeat(1000))).collect();
    let answers = join_all(requests.iter().map(|request| bench.model.complete(request))).await;
    let stopped = answers
        .iter()
        .filter(|answer| matches!(answer, Err(ModelError::Budget { .. })))
        .count();
    let tally = bench.purse.take();
    assert_eq!((stopped, tally.requests), (5, 3));
    assert!(tally.usd <= limit, "{tally:?}");
}

#[tokio::test]
async fn embeddings_are_asked_for_at_the_same_address() {
    let bench = Bench::with(
        |_, seen| {
            let texts = seen.body["input"].as_array().unwrap();
            let data: Vec<_> = (0..texts.len())
                .map(|at| json!({"index": at, "embedding": [at, 1]}))
                .collect();
            status(200, &json!({"data": data, "usage": {"prompt_tokens": 9}}).to_string())
        },
        |_| {},
    )
    .await;
    let texts = vec!["a".to_owned(), "b".to_owned()];
    let model = "e".to_owned();
    let answer = bench.model.embed(&EmbeddingsRequest { model, texts }).await.unwrap();
    assert_eq!(answer.vectors, [[0.0, 1.0], [1.0, 1.0]]);
    assert_eq!(bench.seen()[0].path, "/v1/embeddings");
    assert_eq!(
        bench.purse.take().unpriced_tokens,
        9,
        "a price that nobody told is not nothing"
    );
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let bench = Bench::new(|_, _| said("Hi")).await;
    assert!(!format!("{:?}", bench.model).contains(KEY));
}

#[tokio::test]
async fn a_key_that_the_provider_repeats_is_taken_out_of_its_error() {
    let refused = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {KEY}. Find yours at …","code":"invalid_api_key"}}}}"#
    );
    let bench = Bench::new(move |_, _| status(401, &refused)).await;
    let error = bench.model.complete(&request("hello")).await.unwrap_err();
    assert_eq!(class(&error), FaultClass::Auth);
    let told = format!("{error} {error:?}");
    assert!(
        told.contains("Incorrect API key provided: [key]") && !told.contains(KEY),
        "{told}"
    );
}
