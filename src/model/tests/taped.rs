//! Cassettes, and how a model is opened from its configuration.

use super::super::{Cassette, Model, ModelError, Purse, Tape, open};
use super::server::{Bench, request, said, status};
use fs_err as fs;
use serde_json::json;
use sprag_core::config;
use sprag_core::model::{EmbeddingsRequest, FaultClass};
use sprag_core::redact::Redactor;

#[tokio::test]
async fn what_is_recorded_is_replayed_and_not_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(|before, _| match before {
        0 => said("write to ann@example.com"),
        _ => status(200, r#"{"choices":[{"message":{"refusal":"no"}}]}"#),
    })
    .await;
    let tape = Cassette::record(dir.path(), bench.model.clone(), Redactor::default()).unwrap();
    let first = tape.complete(&request("hello")).await.unwrap();
    assert_eq!(
        first.text, "write to [email-1]",
        "secrets are not kept, and the first run sees what the others see"
    );
    assert_eq!(tape.complete(&request("hello")).await.unwrap(), first);
    let refused = tape.complete(&request("bad")).await.unwrap_err();
    assert_eq!((refused.class(), bench.seen().len()), (Some(FaultClass::Refused), 2));

    let replay = Cassette::replay(dir.path());
    assert_eq!(replay.complete(&request("hello")).await.unwrap(), first);
    assert_eq!(
        replay.complete(&request("bad")).await.unwrap_err().class(),
        Some(FaultClass::Refused)
    );
    let missed = replay.complete(&request("other")).await.unwrap_err();
    assert!(matches!(&missed, ModelError::NotRecorded { hash, .. } if *hash == request("other").hash()));
    let file = fs::read_to_string(dir.path().join(format!("{}.json", request("hello").hash()))).unwrap();
    assert!(
        file.lines().count() > 10 && file.contains("\"text\": \"hello\""),
        "a person can read it:\n{file}"
    );
}

#[tokio::test]
async fn faults_that_pass_are_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|_, _| status(500, ""), |config| config.max_tries = 1).await;
    let tape = Cassette::record(dir.path(), bench.model.clone(), Redactor::default()).unwrap();
    assert!(tape.complete(&request("hello")).await.is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_new_texts_are_embedded() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(|_, seen| {
        let texts = seen.body["input"].as_array().unwrap();
        let data: Vec<_> = texts
            .iter()
            .map(|text| json!({"embedding": [text.as_str().unwrap().len(), 1]}))
            .collect();
        status(200, &json!({"data": data}).to_string())
    })
    .await;
    let asked = |texts: &[&str]| EmbeddingsRequest {
        model: "e".to_owned(),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
    };
    let tape = Cassette::record(dir.path(), bench.model.clone(), Redactor::default()).unwrap();
    tape.embed(&asked(&["a", "bb"])).await.unwrap();
    let vectors = tape.embed(&asked(&["ccc", "a", "bb"])).await.unwrap().vectors;
    assert_eq!(vectors, [[3.0, 1.0], [1.0, 1.0], [2.0, 1.0]]);
    assert_eq!(bench.seen()[1].body["input"], json!(["ccc"]));
    let replay = Cassette::replay(dir.path());
    assert_eq!(replay.embed(&asked(&["bb"])).await.unwrap().vectors, [[2.0, 1.0]]);
    assert!(replay.embed(&asked(&["dddd"])).await.is_err());
}

#[test]
fn a_key_comes_from_the_environment_and_is_missed_loudly() {
    let opened = |text: &str, tape: &Tape, key: Option<&str>| {
        let config = config::parse(text).unwrap().model.unwrap();
        open(&config, tape, Redactor::default(), Purse::new(1.0), |_| {
            key.map(str::to_owned)
        })
        .map(|_| ())
    };
    let github = "[model]\nprovider = \"github-models\"\nname = \"openai/gpt-4.1\"\n";
    let local = "[model]\nprovider = \"openai-compatible\"\nname = \"m\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    assert!(opened(github, &Tape::Off, Some("t")).is_ok());
    let missing = opened(github, &Tape::Off, Some(" ")).unwrap_err();
    assert!(missing.to_string().contains("GITHUB_TOKEN") && missing.hint().contains("models: read"));
    assert!(
        opened(github, &Tape::Replay("none".into()), None).is_ok(),
        "replaying needs no key"
    );
    assert!(
        opened(local, &Tape::Off, None).is_ok(),
        "a local server needs none either"
    );
    let named = format!("{local}key_env = \"TEAM_KEY\"\n");
    assert!(
        opened(&named, &Tape::Off, None)
            .unwrap_err()
            .to_string()
            .contains("TEAM_KEY")
    );
    let open_line = local.replace("127.0.0.1", "models.example.com");
    assert!(matches!(
        opened(&open_line, &Tape::Off, Some("k")),
        Err(ModelError::Address { .. })
    ));
    let bad = opened(github, &Tape::Off, Some("se\ncret")).unwrap_err();
    assert!(!bad.to_string().contains("se") || matches!(bad, ModelError::BadKey));
}
