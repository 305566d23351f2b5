use super::*;

fn call(method: &str, target: &str) -> Call {
    Contract::official()
        .find(method, target)
        .expect("it is in the description")
}

fn request(method: &str, target: &str, body: &Value) -> Vec<String> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    Contract::official().request(&call(method, target), Some("application/json"), body.as_bytes())
}

#[test]
fn every_listed_endpoint_is_in_the_description_and_compiles() {
    let contract = Contract::official();
    let listed: Vec<String> = include_str!("../../openapi/endpoints.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let mut known: Vec<String> = contract.endpoints().iter().map(Endpoint::to_string).collect();
    let mut wanted = listed.clone();
    known.sort();
    wanted.sort();
    assert_eq!(known, wanted);
    for endpoint in contract.endpoints() {
        for status in [200, 201, 302, 422] {
            // An empty object is seldom right, but judging it needs the schema.
            let _wrong = contract.response(&endpoint, status, true, b"{}");
        }
    }
}

#[test]
fn paths_find_their_template() {
    let found = |target| call("GET", target).endpoint.template;
    assert_eq!(
        found("/repos/a/b/issues/7"),
        "/repos/{owner}/{repo}/issues/{issue_number}"
    );
    assert_eq!(
        found("/repos/a/b/issues/comments?page=2"),
        "/repos/{owner}/{repo}/issues/comments"
    );
    let slashed = call("GET", "/repos/a/b/commits/sprag/c1/check-runs");
    assert_eq!(slashed.path["ref"], "sprag/c1");
    let encoded = call("GET", "/repos/a/b/branches/sprag%2Fc1");
    assert_eq!(encoded.path["branch"], "sprag/c1");
    assert!(Contract::official().find("PUT", "/repos/a/b").is_none());
    assert!(Contract::official().find("GET", "/repos/a/b/isues").is_none());
}

#[test]
fn right_requests_pass() {
    let nothing = Value::Null;
    for (method, target, body) in [
        (
            "GET",
            "/repos/a/b/issues?state=all&labels=x,y&sort=updated&direction=asc&per_page=100&page=2",
            &nothing,
        ),
        ("GET", "/repos/a/b/issues?since=2026-01-02T03:04:05Z", &nothing),
        (
            "GET",
            "/repos/a/b/actions/workflows/nightly.yml/runs?created=%3E%3D2026-01-02&status=completed",
            &nothing,
        ),
        (
            "POST",
            "/repos/a/b/issues",
            &json!({"title": "t", "body": "b", "labels": ["x"]}),
        ),
        (
            "PATCH",
            "/repos/a/b/issues/1",
            &json!({"state": "closed", "state_reason": "completed"}),
        ),
        ("POST", "/repos/a/b/issues/1/labels", &json!({"labels": ["x"]})),
        (
            "POST",
            "/repos/a/b/issues/comments/1/reactions",
            &json!({"content": "eyes"}),
        ),
        (
            "PATCH",
            "/repos/a/b/check-runs/1",
            &json!({"status": "completed", "conclusion": "neutral"}),
        ),
        ("PATCH", "/repos/a/b/check-runs/1", &json!({"status": "in_progress"})),
    ] {
        assert_eq!(request(method, target, body), Vec::<String>::new(), "{method} {target}");
    }
}

#[test]
fn wrong_requests_are_found() {
    let nothing = Value::Null;
    let annotation = json!({"path": "p", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"});
    let output = json!({"title": "t", "summary": "s", "annotations": vec![annotation; 51]});
    for (method, target, body, part) in [
        (
            "GET",
            "/repos/a/b/issues?labls=x",
            &nothing,
            "labls is not in the description",
        ),
        ("GET", "/repos/a/b/issues?state=al", &nothing, "parameter state"),
        ("GET", "/repos/a/b/issues?per_page=101", &nothing, "per_page is 101"),
        ("GET", "/repos/a/b/issues?since=yesterday", &nothing, "parameter since"),
        ("GET", "/repos/a/b/issues?page=1&page=2", &nothing, "given twice"),
        ("GET", "/repos/a/b/issues/seven", &nothing, "parameter issue_number"),
        ("GET", "/repos/a/b", &json!({}), "a body is sent"),
        ("POST", "/repos/a/b/issues", &nothing, "the body is missing"),
        ("POST", "/repos/a/b/issues", &json!({"body": "b"}), "title"),
        (
            "POST",
            "/repos/a/b/issues",
            &json!({"title": "t", "lables": []}),
            "nevaluated",
        ),
        (
            "POST",
            "/repos/a/b/issues/1/labels",
            &json!({"labels": ["x"], "more": 1}),
            "/",
        ),
        (
            "POST",
            "/repos/a/b/issues/comments/1/reactions",
            &json!({"content": "thumbsup"}),
            "/content",
        ),
        (
            "PATCH",
            "/repos/a/b/check-runs/1",
            &json!({"status": "completed"}),
            "at /",
        ),
        (
            "POST",
            "/repos/a/b/check-runs",
            &json!({"name": "n", "head_sha": "s", "output": output}),
            "/output/annotations",
        ),
        (
            "POST",
            "/repos/a/b/check-runs",
            &json!({"name": "n", "head_sha": "s", "output": {"title": "t", "summary": "s", "tekst": ""}}),
            "at /output",
        ),
        ("POST", "/repos/a/b/pulls", &json!({"title": "t", "head": "h"}), "base"),
    ] {
        let wrong = request(method, target, body).join("; ");
        assert!(wrong.contains(part), "{method} {target} {body}: {wrong:?}");
    }
    let form = Contract::official().request(
        &call("POST", "/repos/a/b/issues"),
        Some("text/plain"),
        b"{\"title\":\"t\"}",
    );
    assert!(form.join("").contains("content type is text/plain"), "{form:?}");
}

#[test]
fn wrong_responses_are_found() {
    let contract = Contract::official();
    let labels = call("POST", "/repos/a/b/labels").endpoint;
    let label = json!({"id": 1, "node_id": "L", "url": "https://x.test/l", "name": "n", "description": null, "color": "ffffff", "default": false});
    let judge = |status, body: &Value| {
        contract
            .response(&labels, status, false, body.to_string().as_bytes())
            .join("; ")
    };
    assert_eq!(judge(201, &label), "");
    let mut invented = label.clone();
    invented["shade"] = "dark".into();
    assert!(judge(201, &invented).contains("shade"), "{}", judge(201, &invented));
    let mut lacking = label.clone();
    lacking.as_object_mut().unwrap().remove("color");
    assert!(judge(201, &lacking).contains("color"), "{}", judge(201, &lacking));
    let mut mistyped = label.clone();
    mistyped["id"] = "1".into();
    assert!(judge(201, &mistyped).contains("at /id"));
    assert_eq!(judge(200, &label), "status 200 is not in the description");
    assert!(
        contract
            .response(&labels, 201, false, b"{\"id\":")
            .join("")
            .contains("not JSON")
    );
    let delete = call("DELETE", "/repos/a/b/issues/comments/1").endpoint;
    assert_eq!(contract.response(&delete, 204, false, b""), Vec::<String>::new());
    assert_eq!(contract.response(&delete, 204, false, b"{}").len(), 1);
    let zip = call("GET", "/repos/a/b/actions/artifacts/1/zip").endpoint;
    assert_eq!(contract.response(&zip, 302, true, b""), Vec::<String>::new());
    assert_eq!(contract.response(&zip, 302, false, b"").len(), 1);
}

#[test]
fn an_enum_that_may_be_null_takes_null_without_listing_it() {
    let schema = json!({"type": "string", "nullable": true, "enum": ["a"]});
    let contract = Contract::official();
    for (value, right) in [(json!(null), true), (json!("a"), true), (json!("b"), false)] {
        assert_eq!(
            contract.judge("test enum", &schema, &value).is_empty(),
            right,
            "{value}"
        );
    }
}
