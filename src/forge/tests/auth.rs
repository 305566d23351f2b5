//! Apps, tokens, clocks.

use super::super::{Credentials, ErrorClass, Forge, ForgeConfig, ForgeError, convert_manifest};
use super::server::{Bench, NOW, Reply, Seen, ok, status, user};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sprag_core::github::RepoName;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Made for these tests, and used nowhere else.
const TEST_ONLY_KEY: &str = include_str!("test_only_key.pkcs1.pem");
const TEST_ONLY_KEY_PKCS8: &str = include_str!("test_only_key.pkcs8.pem");
const TEST_ONLY_PUBLIC_KEY: &[u8] = include_bytes!("test_only_key.pub.pem");

fn app(key: &str) -> impl FnOnce(&mut ForgeConfig) {
    let private_key = SecretString::from(key.to_owned());
    |config| {
        config.credentials = Credentials::App {
            id: "Iv23abc".to_owned(),
            private_key,
        };
    }
}

fn claims(seen: &Seen) -> Value {
    let jwt = seen.header("authorization").strip_prefix("Bearer ").unwrap();
    let key = DecodingKey::from_rsa_pem(TEST_ONLY_PUBLIC_KEY).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode(jwt, &key, &validation).unwrap().claims
}

/// A GitHub with one app installed; the n-th token is good for an hour from `minted_at`.
fn github(seen: &Seen, minted: &AtomicU64, minted_at: i64) -> Reply {
    match seen.line.as_str() {
        "GET /repos/acme/shop/installation" => ok(json!({"id": 5})),
        "POST /app/installations/5/access_tokens" => {
            let n = minted.fetch_add(1, Ordering::SeqCst) + 1;
            let ends = Timestamp::from_second(minted_at + 3600).unwrap();
            // As long as those that GitHub gives out since 2026, with dots.
            let token = format!("ghs_{n}_{}", "aB.-_".repeat(103));
            ok(json!({"token": token, "expires_at": ends.to_string(), "permissions": {"issues": "write"}}))
        }
        "GET /repos/acme/shop" => ok(
            json!({"id": 1, "html_url": "u", "default_branch": "main", "private": true, "permissions": {"push": true}}),
        ),
        "GET /app" => ok(json!({"id": 3, "slug": "sprag", "permissions": {"issues": "write"}, "events": ["issues"]})),
        "GET /users/sprag%5Bbot%5D" => ok(json!({"id": 77, "login": "sprag[bot]", "type": "Bot"})),
        line => panic!("{line}"),
    }
}

#[tokio::test]
async fn an_app_gets_a_token_for_this_repository_alone_and_renews_it_before_it_ends() {
    for key in [
        TEST_ONLY_KEY.to_owned(),
        TEST_ONLY_KEY_PKCS8.to_owned(),
        TEST_ONLY_KEY.replace('\n', "\\n"),
    ] {
        let minted = AtomicU64::new(0);
        let bench = Bench::with(
            move |seen| {
                let at = NOW + i64::try_from(minted.load(Ordering::SeqCst)).unwrap() * 3000;
                github(seen, &minted, at)
            },
            app(&key),
        )
        .await;
        let first = bench.forge.token().await.unwrap();
        assert!(first.expose_secret().len() > 500);
        let repository = bench.forge.repository().await.unwrap();
        assert!(repository.private && repository.permissions["push"]);
        assert_eq!(bench.forge.granted().await.unwrap()["issues"], "write");
        let seen = bench.seen();
        assert_eq!(seen.len(), 3, "the token is asked for once");
        assert_eq!(
            claims(&seen[0]),
            json!({"iat": NOW - 60, "exp": NOW + 540, "iss": "Iv23abc"})
        );
        assert_eq!(seen[1].body, json!({"repositories": ["shop"]}));
        assert_eq!(
            seen[2].header("authorization"),
            format!("Bearer {}", first.expose_secret())
        );

        bench.clock.store(NOW + 3600 - 301, Ordering::SeqCst);
        assert_eq!(
            bench.forge.token().await.unwrap().expose_secret(),
            first.expose_secret()
        );
        bench.clock.store(NOW + 3600 - 300, Ordering::SeqCst);
        assert_ne!(
            bench.forge.token().await.unwrap().expose_secret(),
            first.expose_secret()
        );
        assert_eq!(bench.forge.requests(), 5);
    }
}

#[tokio::test]
async fn an_app_asks_for_no_more_than_a_job_needs() {
    let minted = AtomicU64::new(0);
    let narrow = |config: &mut ForgeConfig| {
        app(TEST_ONLY_KEY)(config);
        config.permissions = &[("checks", "write"), ("contents", "read")];
    };
    let bench = Bench::with(move |seen| github(seen, &minted, NOW), narrow).await;
    bench.forge.token().await.unwrap();
    assert_eq!(
        bench.seen()[1].body,
        json!({"repositories": ["shop"], "permissions": {"checks": "write", "contents": "read"}})
    );
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    for healed in [true, false] {
        let minted = AtomicU64::new(0);
        let bench = Bench::with(
            move |seen| match seen.line.as_str() {
                "GET /repos/acme/shop" if !healed || seen.header("authorization").contains("ghs_1_") => {
                    status(401, "Bad credentials")
                }
                _ => github(seen, &minted, NOW),
            },
            app(TEST_ONLY_KEY),
        )
        .await;
        let answer = bench.forge.repository().await;
        assert_eq!(bench.count("GET /repos/acme/shop"), 2);
        assert_eq!(bench.count("POST /app/installations/5/access_tokens"), 2);
        match answer {
            Ok(_) => assert!(healed),
            Err(error) => assert!(!healed && error.class() == ErrorClass::Auth, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_the_server_once() {
    let minted = AtomicU64::new(0);
    let accept = |seen: &Seen| claims(seen)["iat"].as_i64().unwrap() <= NOW && seen.line.contains("/installation");
    let bench = Bench::with(
        move |seen| {
            if seen.line.ends_with("/installation") && !accept(seen) {
                return status(
                    401,
                    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
                );
            }
            github(seen, &minted, NOW)
        },
        app(TEST_ONLY_KEY),
    )
    .await;
    bench.clock.store(NOW + 400, Ordering::SeqCst);
    bench.forge.token().await.unwrap();
    assert_eq!(bench.count("GET /repos/acme/shop/installation"), 2);
    let last = bench.seen().pop().unwrap();
    assert_eq!(claims(&last)["iat"], NOW - 60, "by the server's clock from then on");
    // An hour by the server's clock is an hour by ours.
    bench.clock.store(NOW + 400 + 3299, Ordering::SeqCst);
    bench.forge.token().await.unwrap();
    assert_eq!(bench.forge.requests(), 3);

    let refused = Bench::with(
        |_| status(401, "A JSON web token could not be decoded"),
        app(TEST_ONLY_KEY),
    )
    .await;
    assert_eq!(refused.forge.token().await.unwrap_err().class(), ErrorClass::Auth);
    assert_eq!(
        refused.lines().len(),
        1,
        "the clock was right, so another try is no use"
    );
}

#[tokio::test]
async fn comments_come_from_the_apps_bot_the_user_or_the_jobs_bot() {
    let minted = AtomicU64::new(0);
    let bench = Bench::with(move |seen| github(seen, &minted, NOW), app(TEST_ONLY_KEY)).await;
    for _ in 0..2 {
        let me = bench.forge.myself().await.unwrap();
        assert_eq!((me.id, me.login.as_str(), me.bot), (77, "sprag[bot]", true));
    }
    assert_eq!(bench.count("GET /app"), 1);
    assert_eq!(bench.forge.app().await.unwrap().slug, "sprag");

    let person = Bench::new(|_| ok(user(9, "ann"))).await;
    assert_eq!(person.forge.myself().await.unwrap().id, 9);
    assert!(matches!(person.forge.app().await, Err(ForgeError::NotAnApp)));
    assert!(person.forge.granted().await.unwrap().is_empty());

    let job = Bench::new(|seen| match seen.line.as_str() {
        "GET /user" => status(403, "Resource not accessible by integration"),
        _ => status(404, "Not Found"),
    })
    .await;
    let bot = job.forge.myself().await.unwrap();
    assert_eq!((bot.id, bot.login.as_str()), (41_898_282, "github-actions[bot]"));
}

#[tokio::test]
async fn a_manifest_becomes_an_app_and_its_secrets_are_not_shown() {
    let bench = Bench::new(|seen| {
        assert_eq!(seen.header("authorization"), "");
        ok(json!({"id": 3, "slug": "s", "html_url": "h", "pem": "PEM-SECRET", "webhook_secret": null}))
    })
    .await;
    let app = convert_manifest(&bench.base, "a/b").await.unwrap();
    assert_eq!(bench.lines(), ["POST /app-manifests/a%2Fb/conversions"]);
    assert_eq!(
        (app.pem.expose_secret(), app.webhook_secret.is_none()),
        ("PEM-SECRET", true)
    );
    assert!(!format!("{app:?}").contains("PEM-SECRET"));
}

#[tokio::test]
async fn no_secret_is_shown_and_no_token_goes_in_the_clear() {
    let clock = Arc::new(AtomicI64::new(0));
    let config = |url: &str, key: &str| {
        let private_key = SecretString::from(key.to_owned());
        let credentials = Credentials::App {
            id: "1".to_owned(),
            private_key,
        };
        let mut config = ForgeConfig::new(url, RepoName::parse("a/b").unwrap(), credentials);
        let clock = clock.clone();
        config.clock = Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap());
        config
    };
    let shown = format!("{:?}", config("https://x", TEST_ONLY_KEY));
    let forge = Forge::new(config("https://x/api/v3", TEST_ONLY_KEY)).unwrap();
    for text in [shown, format!("{forge:?}")] {
        assert!(!text.contains("PRIVATE KEY") && !text.contains("MII"), "{text}");
    }
    let error = Forge::new(config("https://x", "no key")).unwrap_err();
    assert!(
        matches!(error, ForgeError::Key(_)) && !error.to_string().contains("no key"),
        "{error}"
    );
    for url in ["http://ghes.acme.com/api/v3", "ftp://x", "x"] {
        let error = Forge::new(config(url, TEST_ONLY_KEY)).unwrap_err();
        assert!(matches!(error, ForgeError::Address { .. }), "{error}");
    }
}
