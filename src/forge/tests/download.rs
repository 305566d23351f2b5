//! Downloads: bounded, whole or not at all, and without a token elsewhere.

use super::super::{ErrorClass, ForgeError};
use super::server::{Bench, Reply, ok, status};
use fs_err as fs;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use tempfile::TempDir;

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Another host, which refuses whoever brings a token; the first answers are these.
async fn blobs(first: Vec<Reply>) -> Bench {
    let first = Mutex::new(first.into_iter());
    Bench::new(move |seen| {
        if !seen.header("authorization").is_empty() {
            return status(400, "InvalidAuthenticationInfo");
        }
        let next = first.lock().unwrap().next();
        next.unwrap_or_else(|| Reply::Bytes(200, b"0123456789".to_vec()))
    })
    .await
}

fn redirect(to: &str) -> Reply {
    Reply::Json(302, Value::Null, Vec::new()).header("location", to)
}

#[tokio::test]
async fn an_artifact_is_fetched_elsewhere_without_the_token_and_asked_for_anew_when_it_breaks_off() {
    let blobs = blobs(vec![Reply::Half("0123"), status(503, "busy")]).await;
    let to = format!("{}/blob?sig=SECRET", blobs.base);
    let bench = Bench::new(move |seen| {
        assert_eq!(seen.header("authorization"), "Bearer ghp_token");
        redirect(&to)
    })
    .await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.zip");
    assert_eq!(bench.forge.download_artifact(5, &path, 10).await.unwrap(), 10);
    assert_eq!(fs::read(&path).unwrap(), b"0123456789");
    assert_eq!(bench.count("GET /repos/acme/shop/actions/artifacts/5/zip"), 3);
    assert_eq!(bench.waits(), [1, 2]);
}

#[tokio::test]
async fn too_long_a_download_and_half_a_one_leave_nothing_behind() {
    let long = blobs(vec![]).await;
    let half = blobs(std::iter::repeat_n(Reply::Half("0123"), 9).collect()).await;
    for (blobs, too_long) in [(&long, true), (&half, false)] {
        let to = format!("{}/blob?sig=SECRET", blobs.base);
        let bench = Bench::new(move |_| redirect(&to)).await;
        let folder = TempDir::new().unwrap();
        let error = bench
            .forge
            .download_artifact(5, &folder.path().join("a.zip"), 9)
            .await
            .unwrap_err();
        match error {
            error if error.to_string().contains("SECRET") => panic!("{error}"),
            ForgeError::TooLong { max } => assert!(too_long && max == 9 && bench.waits().is_empty()),
            error => assert!(
                !too_long && error.class() == ErrorClass::Transient && bench.waits().len() == 7,
                "{error}"
            ),
        }
        assert!(files(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn an_expired_artifact_is_gone() {
    let bench = Bench::new(|_| status(410, "Artifact has expired")).await;
    let folder = TempDir::new().unwrap();
    let error = bench
        .forge
        .download_artifact(5, &folder.path().join("a"), 9)
        .await
        .unwrap_err();
    assert_eq!(error.class(), ErrorClass::Gone);
    assert_eq!(
        (error.to_string().contains("Artifact has expired"), bench.lines().len()),
        (true, 1)
    );
}

#[tokio::test]
async fn an_attachment_gets_the_token_only_in_a_private_repository_and_only_on_githubs_host() {
    for private in [true, false] {
        let blobs = blobs(vec![]).await;
        let elsewhere = blobs.base.clone();
        let here = Arc::new(OnceLock::<String>::new());
        let own = here.clone();
        let bench = Bench::new(move |seen| match seen.line.as_str() {
            "GET /repos/acme/shop" => {
                ok(json!({"id": 1, "html_url": "u", "default_branch": "main", "private": private}))
            }
            "GET /user-attachments/files/1/t.json" => redirect(&format!("{}/second", own.get().unwrap())),
            "GET /second" => redirect(&format!("{elsewhere}/t.json?sig=1")),
            line => panic!("{line}"),
        })
        .await;
        here.set(bench.base.clone()).unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("t.json");
        let url = format!("{}/user-attachments/files/1/t.json", bench.base);
        assert_eq!(bench.forge.download(&url, &path, 99).await.unwrap(), 10);
        let token = if private { "Bearer ghp_token" } else { "" };
        for seen in bench.seen().iter().skip(1) {
            assert_eq!(seen.header("authorization"), token, "{}", seen.line);
        }
        assert_eq!((bench.lines().len(), blobs.lines().len()), (3, 1));
    }
}

#[tokio::test]
async fn only_attachments_on_github_are_fetched() {
    let bench = Bench::new(|_| status(404, "")).await;
    let base = &bench.base;
    let folder = TempDir::new().unwrap();
    for url in [
        "https://example.com/user-attachments/files/1/t".to_owned(),
        "http://127.0.0.1:1/user-attachments/files/1/t".to_owned(),
        "not a url".to_owned(),
        "file:///user-attachments/x".to_owned(),
        format!("{base}/user-attachments/../repos/acme/shop"),
        format!("{base}/user-attachments/%2e%2e/x"),
        format!("{base}/acme/other/files/1/t"),
        format!("{base}/acme/shop/settings"),
        base.replace("http://", "http://a:b@") + "/user-attachments/files/1/t",
    ] {
        let error = bench
            .forge
            .download(&url, &folder.path().join("t"), 9)
            .await
            .unwrap_err();
        assert!(matches!(error, ForgeError::Address { .. }), "{url}: {error}");
    }
    assert!(bench.lines().is_empty());
}
