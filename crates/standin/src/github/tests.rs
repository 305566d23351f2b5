use super::*;

/// What the apps here sign with.
const PRIVATE_KEY: &str = include_str!("key.pem");
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

/// A client that follows no redirect, as the forge does.
fn client() -> Client {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let redirect = reqwest::redirect::Policy::none();
    Client::builder()
        .no_proxy()
        .redirect(redirect)
        .user_agent("test")
        .build()
        .unwrap()
}

struct Play {
    fake: FakeGitHub,
    client: Client,
    app: u64,
    token: String,
}

impl Play {
    /// A private repository with one commit, a maintainer alice, and an app that may do everything.
    async fn start() -> Self {
        let fake = FakeGitHub::start().await;
        let repo = fake.create_repo("acme/shop", true);
        repo.commit("main", &[("agent.md", "Be kind.\n")], "First");
        repo.role("alice", "maintain");
        let everything = ["contents", "issues", "pull_requests", "checks", "actions"].map(|name| (name, "write"));
        let app = fake.create_app("sprag", &everything);
        fake.install(app, "acme/shop");
        let mut play = Self {
            fake,
            client: client(),
            app,
            token: String::new(),
        };
        play.token = play.mint(&json!({})).await;
        play
    }

    fn jwt(&self, issued: i64, expires: i64) -> String {
        let now = self.fake.now().as_second();
        let claims = json!({"iat": now + issued, "exp": now + expires, "iss": self.app.to_string()});
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
        jsonwebtoken::encode(
            &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256),
            &claims,
            &key,
        )
        .unwrap()
    }

    async fn mint(&self, body: &Value) -> String {
        let jwt = self.jwt(-60, 540);
        let (_, found) = self
            .ask_as(&jwt, Method::GET, "/repos/acme/shop/installation", None)
            .await;
        let path = format!("/app/installations/{}/access_tokens", found["id"]);
        let (status, token) = self.ask_as(&jwt, Method::POST, &path, Some(body)).await;
        assert_eq!(status, 201, "{token}");
        token["token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Response> {
        let mut request = self.client.request(method, format!("{}{path}", self.fake.api_url()));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await
    }

    async fn ask_as(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let response = self.send(token, method, path, body).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask_as(&self.token, Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask_as(&self.token, Method::POST, path, Some(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask_as(&self.token, Method::PATCH, path, Some(&body)).await
    }
}

#[tokio::test]
async fn an_app_is_known_by_its_signature_and_its_times() {
    let play = Play::start().await;
    let (status, app) = play.ask_as(&play.jwt(-60, 540), Method::GET, "/app", None).await;
    assert_eq!((status, &app["slug"]), (200, &json!("sprag")));
    for (issued, expires) in [(60, 540), (-60, 700), (-700, -1)] {
        let (status, _) = play.ask_as(&play.jwt(issued, expires), Method::GET, "/app", None).await;
        assert_eq!(status, 401, "{issued} {expires}");
    }
    let mut forged = play.jwt(-60, 540);
    let cut = forged.len() - 20;
    forged.replace_range(cut..cut + 4, "AAAA");
    assert_eq!(play.ask_as(&forged, Method::GET, "/app", None).await.0, 401);
    assert_eq!(play.get("/app").await.0, 401);
    let code = play.fake.manifest_code(PRIVATE_KEY);
    let path = format!("/app-manifests/{code}/conversions");
    let (status, made) = play.ask_as("", Method::POST, &path, None).await;
    assert_eq!((status, &made["pem"]), (201, &json!(PRIVATE_KEY)));
    assert_eq!(play.ask_as("", Method::POST, &path, None).await.0, 404);
    assert_eq!(play.fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn tokens_end_and_open_only_what_they_are_for() {
    let play = Play::start().await;
    assert!(play.token.len() > 500, "the new long form");
    let narrow = play
        .mint(&json!({"permissions": {"contents": "read", "issues": "read"}}))
        .await;
    let issue = json!({"title": "t"});
    assert_eq!(
        play.ask_as(&narrow, Method::POST, "/repos/acme/shop/issues", Some(&issue))
            .await
            .0,
        403
    );
    assert_eq!(
        play.ask_as(&narrow, Method::GET, "/repos/acme/shop/issues", None)
            .await
            .0,
        200
    );
    assert_eq!(
        play.ask_as("ghs_unknown", Method::GET, "/repos/acme/shop", None)
            .await
            .0,
        401
    );
    assert_eq!(play.ask_as("", Method::GET, "/repos/acme/shop", None).await.0, 404);
    let stranger = play.fake.user_token("mallory");
    assert_eq!(
        play.ask_as(&stranger, Method::GET, "/repos/acme/shop/issues", None)
            .await
            .0,
        404
    );
    assert_eq!(play.get("/user").await.0, 403);
    let (status, user) = play.ask_as(&stranger, Method::GET, "/user", None).await;
    assert_eq!((status, &user["login"]), (200, &json!("mallory")));
    assert_eq!(play.get("/repos/acme/shop").await.0, 200);
    play.fake.advance(Duration::from_secs(3600));
    assert_eq!(play.get("/repos/acme/shop").await.0, 401);
}

/// The query that a `Link` header leads on with.
fn query_of(response: &Response, rel: &str) -> Option<String> {
    let link = response.headers().get("link")?.to_str().ok()?;
    let found = link
        .split(", ")
        .find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
    Some(found.split_once('?')?.1.split_once('>')?.0.to_owned())
}

#[tokio::test]
async fn long_lists_end_or_go_on_by_cursors() {
    let play = Play::start().await;
    let alice = play.fake.person("alice");
    for number in 1..=5 {
        alice.opens_issue(&format!("Issue {number}"), "It failed.");
        alice.comments(number, "Once more.");
        play.fake.advance(Duration::from_secs(1));
    }
    let issues = "/repos/acme/shop/issues";
    let (status, said) = play.get(&format!("{issues}?page=100&per_page=100")).await;
    assert_eq!(status, 422);
    assert!(
        said["message"].as_str().unwrap().contains("cursor based pagination"),
        "{said}"
    );
    assert_eq!(play.get(&format!("{issues}?page=99&per_page=100")).await.0, 200);
    for list in ["comments", "events"] {
        let (status, said) = play.get(&format!("{issues}/{list}?page=301&per_page=100")).await;
        assert_eq!(status, 422);
        assert!(
            said["message"].as_str().unwrap().contains("pagination is limited"),
            "{said}"
        );
        assert_eq!(play.get(&format!("{issues}/{list}?page=300&per_page=100")).await.0, 200);
    }

    let get = async |query: &str| {
        let response = play
            .send(&play.token, Method::GET, &format!("{issues}?{query}"), None)
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let (next, prev) = (query_of(&response, "next"), query_of(&response, "prev"));
        let shown: Value = response.json().await.unwrap();
        let numbers: Vec<u64> = shown
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| issue["number"].as_u64().unwrap())
            .collect();
        (numbers, next, prev)
    };
    let (first, next, prev) = get("sort=updated&direction=asc&per_page=2").await;
    assert_eq!((first, prev), (vec![1, 2], None));
    // What is updated meanwhile moves to the end, and nothing moves over the edge of the page.
    alice.comments(1, "And once more.");
    let (second, next, prev) = get(&next.unwrap()).await;
    assert_eq!((second, get(&prev.unwrap()).await.0), (vec![3, 4], vec![2, 3]));
    // The number beside a cursor says nothing.
    let (last, next, _) = get(&next.unwrap().replace("page=3", "page=300")).await;
    assert_eq!((last, next), (vec![5, 1], None));
    assert_eq!(get("per_page=2&sort=created").await.0, [5, 4]);
    assert_eq!(play.get(&format!("{issues}?after=x")).await.0, 422);
    assert_eq!(play.fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn issues_are_written_listed_and_paged() {
    let play = Play::start().await;
    let alice = play.fake.person("alice");
    for number in 1..=5 {
        alice.opens_issue(&format!("Issue {number}"), "It failed.");
        alice.labels(number, "agent-failure");
        play.fake.advance(Duration::from_secs(1));
    }
    let (status, made) = play
        .post(
            "/repos/acme/shop/issues",
            json!({"title": "Dashboard", "labels": ["sprag"]}),
        )
        .await;
    assert_eq!(
        (status, &made["number"], &made["user"]["login"]),
        (201, &json!(6), &json!("sprag[bot]"))
    );
    let path = "/repos/acme/shop/issues?state=all&labels=agent-failure&sort=updated&direction=asc&per_page=2";
    let response = play.send(&play.token, Method::GET, path, None).await.unwrap();
    let link = response.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.contains("&after=Y3Vyc29y") && link.ends_with("%3D%3D&page=2>; rel=\"next\""),
        "{link}"
    );
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let first: Value = response.json().await.unwrap();
    assert_eq!((&first[0]["number"], &first[1]["number"]), (&json!(1), &json!(2)));
    let (_, last) = play.get(&format!("{path}&page=3")).await;
    assert_eq!(last.as_array().unwrap().len(), 1);
    let url = format!("{}{path}", play.fake.api_url());
    let again = play
        .client
        .get(url)
        .bearer_auth(&play.token)
        .header("if-none-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let (_, since) = play
        .get("/repos/acme/shop/issues?state=all&since=2026-11-02T08:00:04Z")
        .await;
    assert_eq!(since.as_array().unwrap().len(), 2);
    let (status, closed) = play
        .patch("/repos/acme/shop/issues/1", json!({"state": "closed", "title": "New"}))
        .await;
    assert_eq!(
        (status, &closed["state"], &closed["state_reason"]),
        (200, &json!("closed"), &json!("completed"))
    );
    assert_eq!(play.get("/repos/acme/shop/issues/77").await.0, 404);
    let enterprise = format!("{}/repos/acme/shop/issues/1", play.fake.enterprise_url());
    let answer: Value = play
        .client
        .get(enterprise)
        .bearer_auth(&play.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(answer["url"].as_str().unwrap().contains("/api/v3/repos/"), "{answer}");
    assert_eq!(play.fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn comments_labels_events_and_reactions() {
    let play = Play::start().await;
    let alice = play.fake.person("alice");
    let issue = alice.opens_issue("It failed", "");
    let said = alice.comments(issue, "/sprag help");
    let (status, comment) = play
        .post("/repos/acme/shop/issues/1/comments", json!({"body": "Seen."}))
        .await;
    assert_eq!(status, 201);
    let mine = format!("/repos/acme/shop/issues/comments/{}", comment["id"]);
    assert_eq!(play.patch(&mine, json!({"body": "Done."})).await.0, 200);
    let react = format!("/repos/acme/shop/issues/comments/{said}/reactions");
    assert_eq!(play.post(&react, json!({"content": "eyes"})).await.0, 201);
    assert_eq!(play.post(&react, json!({"content": "eyes"})).await.0, 200);
    let (_, all) = play
        .get("/repos/acme/shop/issues/comments?sort=updated&direction=asc")
        .await;
    assert_eq!(
        (&all[0]["body"], &all[1]["body"]),
        (&json!("/sprag help"), &json!("Done."))
    );
    assert_eq!(
        play.get("/repos/acme/shop/issues/1/comments")
            .await
            .1
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(play.ask_as(&play.token, Method::DELETE, &mine, None).await.0, 204);
    assert_eq!(play.ask_as(&play.token, Method::DELETE, &mine, None).await.0, 404);
    let label = json!({"name": "sprag: mined", "color": "0e8a16", "description": "d"});
    assert_eq!(play.post("/repos/acme/shop/labels", label.clone()).await.0, 201);
    assert_eq!(play.post("/repos/acme/shop/labels", label).await.0, 422);
    assert_eq!(
        play.post("/repos/acme/shop/issues/1/labels", json!({"labels": ["sprag: mined"]}))
            .await
            .0,
        200
    );
    let labels = "/repos/acme/shop/issues/1/labels/sprag%3A%20mined";
    assert_eq!(play.ask_as(&play.token, Method::DELETE, labels, None).await.0, 200);
    assert_eq!(play.ask_as(&play.token, Method::DELETE, labels, None).await.0, 404);
    assert_eq!(play.get("/repos/acme/shop/labels").await.1[0]["name"], "sprag: mined");
    let (_, events) = play.get("/repos/acme/shop/issues/events").await;
    assert_eq!(
        (&events[0]["event"], &events[1]["event"]),
        (&json!("unlabeled"), &json!("labeled"))
    );
    assert_eq!(events[1]["actor"]["login"], "sprag[bot]");
    assert_eq!(
        play.get("/repos/acme/shop/issues/1/events").await.1[0]["event"],
        "labeled"
    );
    let (_, may) = play.get("/repos/acme/shop/collaborators/alice/permission").await;
    assert_eq!(
        (&may["permission"], &may["role_name"]),
        (&json!("write"), &json!("maintain"))
    );
    assert_eq!(play.get("/repos/acme/shop/collaborators/ghost/permission").await.0, 404);
    assert_eq!(play.get("/users/alice").await.0, 200);
    assert_eq!(play.fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn pull_requests_need_a_branch_and_are_merged_for_real() {
    let play = Play::start().await;
    let (fake, repo) = (&play.fake, play.fake.repo("acme/shop"));
    let alice = fake.person("alice");
    alice.opens_issue("It failed", "");
    let wanted = json!({"title": "Fix", "head": "sprag/c1", "base": "main", "body": "Closes #1", "draft": true});
    assert_eq!(play.post("/repos/acme/shop/pulls", wanted.clone()).await.0, 422);
    repo.commit(
        "sprag/c1",
        &[("agent.md", "Be kind and quick.\n"), ("new.md", "x\n")],
        "Change",
    );
    let (status, pull) = play.post("/repos/acme/shop/pulls", wanted.clone()).await;
    assert_eq!(
        (status, &pull["number"], &pull["head"]["sha"]),
        (201, &json!(2), &json!(repo.sha("sprag/c1")))
    );
    assert_eq!(play.post("/repos/acme/shop/pulls", wanted).await.0, 422);
    let before = repo.sha("main");
    repo.commit("main", &[("other.md", "y\n")], "Meanwhile");
    let (_, compared) = play.get("/repos/acme/shop/compare/main...sprag%2Fc1").await;
    assert_eq!(
        (&compared["merge_base_commit"]["sha"], &compared["status"]),
        (&json!(before), &json!("diverged"))
    );
    let (_, found) = play.get("/repos/acme/shop/pulls?state=all&head=acme:sprag/c1").await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(
        play.patch("/repos/acme/shop/pulls/2", json!({"body": "Now: fixes #1."}))
            .await
            .0,
        200
    );
    let second = repo.commit("sprag/c1", &[("new.md", "y\n")], "Again");
    assert_eq!(play.get("/repos/acme/shop/pulls/2").await.1["head"]["sha"], second);
    alice.readies(2);
    let merge = alice.merges(2);
    assert_eq!(
        (repo.sha("main"), repo.read("main", "new.md")),
        (Some(merge.clone()), Some("y\n".to_owned()))
    );
    let (_, merged) = play.get("/repos/acme/shop/pulls/2").await;
    assert_eq!(
        (&merged["merged"], &merged["merge_commit_sha"]),
        (&json!(true), &json!(merge))
    );
    assert_eq!(play.get("/repos/acme/shop/issues/1").await.1["state"], "closed");
    repo.protect("main", &["sprag / regression"]);
    let (_, branch) = play.get("/repos/acme/shop/branches/main").await;
    assert_eq!(
        branch["protection"]["required_status_checks"]["contexts"],
        json!(["sprag / regression"])
    );
    assert_eq!(play.get("/repos/acme/shop/branches/none").await.0, 404);
    assert_eq!(fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn check_runs_keep_githubs_rules() {
    let play = Play::start().await;
    let sha = play.fake.repo("acme/shop").sha("main").unwrap();
    let annotation = json!({"path": "p", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"});
    let output = |count: usize| json!({"title": "t", "summary": "s", "annotations": vec![annotation.clone(); count]});
    let runs = "/repos/acme/shop/check-runs";
    let check = json!({"name": "sprag / regression", "head_sha": sha, "status": "in_progress", "external_id": "x", "output": output(50)});
    let (status, made) = play.post(runs, check.clone()).await;
    assert_eq!((status, &made["status"]), (201, &json!("in_progress")));
    let one = format!("{runs}/{}", made["id"]);
    let (status, done) = play
        .patch(&one, json!({"conclusion": "success", "output": output(3)}))
        .await;
    assert_eq!(
        (status, &done["status"], &done["output"]["annotations_count"]),
        (200, &json!("completed"), &json!(53))
    );
    let (_, seen) = play
        .get(&format!(
            "/repos/acme/shop/commits/{sha}/check-runs?filter=all&per_page=100"
        ))
        .await;
    assert_eq!(
        (&seen["total_count"], &seen["check_runs"][0]["external_id"]),
        (&json!(1), &json!("x"))
    );
    assert_eq!(
        play.post(runs, json!({"name": "n", "head_sha": sha, "status": "completed"}))
            .await
            .0,
        422
    );
    assert_eq!(
        play.post(runs, json!({"name": "n", "head_sha": "0".repeat(40)}))
            .await
            .0,
        422
    );
    let person = play.fake.user_token("acme");
    assert_eq!(play.ask_as(&person, Method::POST, runs, Some(&check)).await.0, 403);
    assert_eq!(play.fake.violations(), Vec::<String>::new());
    assert_eq!(
        play.post(runs, json!({"name": "n", "head_sha": sha, "output": output(51)}))
            .await
            .0,
        422
    );
    assert_eq!(play.fake.violations().len(), 1);
}

#[tokio::test]
async fn artifacts_are_elsewhere_and_expire() {
    let play = Play::start().await;
    let repo = play.fake.repo("acme/shop");
    let run = repo.workflow_run("nightly.yml", "failure", false);
    let stranger = repo.workflow_run("nightly.yml", "success", true);
    let id = repo.uploads_artifact(run, "traces", b"PK zip");
    let (_, runs) = play
        .get("/repos/acme/shop/actions/workflows/nightly.yml/runs?status=completed&created=%3E%3D2026-11-01")
        .await;
    assert_eq!(
        (&runs["total_count"], &runs["workflow_runs"][1]["id"]),
        (&json!(2), &json!(run))
    );
    let (_, fork) = play.get(&format!("/repos/acme/shop/actions/runs/{stranger}")).await;
    assert_ne!(fork["head_repository"]["id"], fork["repository"]["id"]);
    assert_eq!(
        play.get(&format!("/repos/acme/shop/actions/runs/{run}/artifacts?name=traces"))
            .await
            .1["total_count"],
        1
    );
    assert_eq!(
        play.get("/repos/acme/shop/actions/artifacts").await.1["artifacts"][0]["workflow_run"]["id"],
        run
    );
    let zip = format!("/repos/acme/shop/actions/artifacts/{id}/zip");
    let response = play.send(&play.token, Method::GET, &zip, None).await.unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        response.status() == StatusCode::FOUND && location.starts_with("http://localhost:"),
        "{location}"
    );
    let refused = play
        .client
        .get(&location)
        .bearer_auth(&play.token)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        play.client.get(&location).send().await.unwrap().bytes().await.unwrap(),
        &b"PK zip"[..]
    );
    repo.expires_artifact(id);
    assert_eq!(play.get(&zip).await.0, 410);
    let file = repo.attaches("trace.json", b"{}");
    let response = play.client.get(&file).bearer_auth(&play.token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(
        play.client.get(&file).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(play.fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn every_fault_does_what_it_says() {
    let play = Play::start().await;
    play.fake.person("alice").opens_issue("t", "");
    let written = || play.fake.page().matches("-- sprag[bot]").count();
    for fault in Fault::ALL {
        let before = written();
        play.fake
            .fault_next("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", *fault);
        let client = &play.client;
        let url = format!("{}/repos/acme/shop/issues/1/comments", play.fake.api_url());
        let sent = client
            .post(url)
            .bearer_auth(&play.token)
            .json(&json!({"body": "b"}))
            .timeout(Duration::from_millis(300));
        let seen = match sent.send().await {
            Ok(response) => {
                let (status, wait) = (
                    response.status().as_u16(),
                    response.headers().contains_key("retry-after"),
                );
                let body = response.bytes().await;
                let json = body
                    .as_ref()
                    .is_ok_and(|body| serde_json::from_slice::<Value>(body).is_ok());
                format!(
                    "{status}{}{}",
                    if wait { " wait" } else { "" },
                    if body.is_err() {
                        " cut"
                    } else if json {
                        ""
                    } else {
                        " no json"
                    }
                )
            }
            Err(error) if error.is_timeout() => "silence".to_owned(),
            Err(_) => "reset".to_owned(),
        };
        let expected = match fault {
            Fault::TooManyRequests(None) => "429",
            Fault::TooManyRequests(Some(_)) => "429 wait",
            Fault::SecondaryLimit(None) | Fault::PrimaryLimit => "403",
            Fault::SecondaryLimit(Some(_)) => "403 wait",
            Fault::ServerError => "500",
            Fault::BadGateway | Fault::BadGatewayAfter => "502 no json",
            Fault::Reset | Fault::ResetAfter => "reset",
            Fault::Truncated => "201 cut",
            Fault::HalfJson => "201 no json",
            Fault::Silence | Fault::SilenceAfter => "silence",
            Fault::Html => "200 no json",
        };
        assert_eq!(seen, expected, "{fault:?}");
        assert_eq!(written() - before, usize::from(fault.acts()), "{fault:?}");
        assert!(!play.fake.faults_left());
        // The next one gets through.
        assert_eq!(
            play.post("/repos/acme/shop/issues/1/comments", json!({"body": "b"}))
                .await
                .0,
            201
        );
    }
}

#[tokio::test]
async fn the_rate_limit_counts_and_ends() {
    let play = Play::start().await;
    play.fake.rate_left(1);
    let response = play
        .send(&play.token, Method::GET, "/repos/acme/shop", None)
        .await
        .unwrap();
    assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(response.headers()["date"], "Mon, 02 Nov 2026 08:00:00 GMT");
    assert_eq!(play.get("/repos/acme/shop").await.0, 403);
    play.fake.fault(play.fake.requests() + 1, Fault::ServerError);
    assert_eq!(play.get("/repos/acme/shop").await.0, 500);
    let log = play.fake.log();
    assert!(log.ends_with("GET /repos/acme/shop -> 500 () [ServerError]\n"), "{log}");
}

#[tokio::test]
#[should_panic(expected = "labls is not in the description")]
async fn a_violation_that_nobody_looked_at_fails_the_test() {
    let play = Play::start().await;
    assert_eq!(play.get("/repos/acme/shop/issues?labls=x").await.0, 422);
}

/// The git program's exit code and what it says.
#[expect(clippy::disallowed_methods, reason = "the real git is what is tested against")]
fn git(folder: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let mut command = std::process::Command::new("git");
    let who = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@users.invalid",
        "-c",
        "credential.helper=",
    ];
    command.current_dir(folder).args(who).args(arguments);
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_ASKPASS", "true").env_remove("http_proxy");
    let output = command.output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn the_real_git_clones_and_pushes_with_a_token() {
    let play = Play::start().await;
    let (repo, folder) = (play.fake.repo("acme/shop"), tempfile::tempdir().unwrap());
    let url = |token: &str| {
        repo.clone_url()
            .replace("http://", &format!("http://x-access-token:{token}@"))
    };
    let (cloned, why) = git(folder.path(), &["clone", "--quiet", &url(&play.token), "work"]);
    assert!(cloned, "{why}");
    let work = folder.path().join("work");
    // Large enough that git sends it in chunks.
    let noise: String = (0..400_000u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    fs_err::write(work.join("large.txt"), noise).unwrap();
    for arguments in [
        &["checkout", "-q", "-b", "sprag/c1"][..],
        &["add", "."],
        &["commit", "-qm", "Change"],
    ] {
        assert!(git(&work, arguments).0);
    }
    let (pushed, why) = git(&work, &["push", "-q", "origin", "sprag/c1"]);
    assert!(pushed, "{why}");
    assert!(repo.files("sprag/c1").contains(&"large.txt".to_owned()));
    let reader = play.mint(&json!({"permissions": {"contents": "read"}})).await;
    let (pushed, why) = git(&work, &["push", "-q", &url(&reader), "sprag/c1:refs/heads/other"]);
    assert!(!pushed && why.contains("403"), "{why}");
    let (fetched, why) = git(&work, &["fetch", "-q", &url(&reader)]);
    assert!(fetched, "{why}");
    assert!(!git(&work, &["fetch", "-q", &url("wrong")]).0);
    assert!(!git(&work, &["fetch", "-q", &repo.clone_url()]).0);
    play.fake
        .fault_next("POST", "/{owner}/{repo}.git/git-receive-pack", Fault::ResetAfter);
    let (pushed, _) = git(&work, &["push", "-q", "origin", "HEAD:refs/heads/late"]);
    assert!(
        !pushed && repo.sha("late").is_some(),
        "the push arrived, its answer did not"
    );
}
