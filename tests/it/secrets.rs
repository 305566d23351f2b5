//! Secrets that people and agents let slip: whatever an issue, an attachment, an artifact, a comment or a worker's trace holds, nothing of it
//! is stored or sent.

use crate::support::files_under;
use crate::support::scene::{REPO, Scene, trace_of, zipped};
use git2::Repository;
use regex::bytes::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// One of each kind. Put together here, so that no scanner of repositories takes them for real.
fn secrets() -> Vec<String> {
    let letters = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1cD3";
    let jwt = format!("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.{letters}");
    vec![
        format!("ghp_{letters}"),
        format!("ghs_12345_{jwt}{}", letters.repeat(12)),
        format!("sk-ant-api03-{letters}"),
        "nadia.kovacs@example.org".to_owned(),
        "+1 415 555 2671".to_owned(),
        "4111 1111 1111 1111".to_owned(),
        "DE89370400440532013000".to_owned(),
        "hunter2-tulip".to_owned(),
    ]
}

/// Sentences with the secrets of a place, which are told from those of other places.
fn slips(place: &str) -> (String, Vec<String>) {
    let mut secrets = secrets();
    secrets[0].push_str(place);
    secrets[2].push_str(place);
    secrets[3].insert_str(0, place);
    secrets[7].push_str(place);
    let (last, first) = secrets.split_last().unwrap();
    (format!(" I am {}; password: {last} ", first.join(", ")), secrets)
}

/// The recorded run of a task in which the secrets were said, in text, arguments and results.
async fn trace_with(task: &str, words: &str) -> String {
    let mut file: Value = serde_json::from_str(&trace_of(task).await).unwrap();
    for step in file["trace"]["steps"].as_array_mut().unwrap() {
        let said = step["content"].as_str().unwrap_or_default().to_owned();
        if !said.starts_with('{') {
            step["content"] = Value::from(format!("{said}\n{words}"));
        }
    }
    let expected = &mut file["trace"]["expected"]["actions"][0];
    expected["arguments"]["note"] = json!(words);
    file.to_string()
}

/// Every way a secret might be written: as it is, in hex, and in base64 whatever stands before it.
fn spellings(secret: &str) -> Vec<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = secret.as_bytes();
    let base64 = |skip: usize| {
        let triples = bytes[skip..].chunks_exact(3);
        let letters = triples.flat_map(|three| {
            let number = three
                .iter()
                .fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| LETTERS[number >> shift & 63])
        });
        letters.map(char::from).collect::<String>()
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap();
    let plain = [secret.to_owned(), json.trim_matches('"').to_owned(), hex];
    plain.into_iter().chain([0, 1, 2].map(base64)).collect()
}

/// Finds any of the secrets in any spelling.
fn finder(secrets: &[String]) -> Regex {
    let spellings = secrets.iter().flat_map(|secret| spellings(secret));
    let literals: Vec<String> = spellings.map(|spelling| regex::escape(&spelling)).collect();
    Regex::new(&literals.join("|")).unwrap()
}

/// Every file of the jobs, unpacked, and every object of their gits: the state branch is among them.
fn everything(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (path, bytes) in files_under(root) {
        if let Some(folder) = path.strip_suffix("/HEAD")
            && let Ok(repository) = Repository::open(root.join(folder))
        {
            let objects = repository.odb().unwrap();
            objects
                .foreach(|id| {
                    let data = objects.read(*id).unwrap().data().to_vec();
                    let data = zstd::decode_all(data.as_slice()).unwrap_or(data);
                    all.insert(format!("{folder} object {id}"), data);
                    true
                })
                .unwrap();
        }
        let bytes = zstd::decode_all(bytes.as_slice()).unwrap_or(bytes);
        all.insert(path.clone(), [path.as_bytes(), b"\n", &bytes].concat());
    }
    all
}

/// Issues of every kind with secrets in every place; those with a trace and with a file come back.
async fn reports(scene: &Scene, in_issue: &str, in_file: &str) -> [u64; 2] {
    let fenced = trace_with("k00", in_issue).await;
    let title = format!("k00 fails{in_issue}");
    let with_trace = scene
        .bob
        .opens_issue(&title, &format!("{in_issue}\n```json\n{fenced}\n```\n{in_issue}"));
    let url = scene
        .fake
        .repo(REPO)
        .attaches("runs.jsonl", trace_with("k01", in_file).await.as_bytes());
    let with_file = scene
        .bob
        .opens_issue("Another", &format!("{in_issue} [runs.jsonl]({url})"));
    let with_task = scene.bob.opens_issue("A task", &format!("{in_issue} look at k02"));
    let form = format!("### What was the agent asked to do?\n\n{in_issue}\n\n### What did it do?\n\nNothing{in_issue}");
    let with_words = scene.bob.opens_issue("Told", &form);
    for issue in [with_trace, with_file, with_task, with_words] {
        scene.bob.comments(issue, &format!("More: {in_issue}"));
        scene.alice.labels(issue, "agent-failure");
    }
    [with_trace, with_file]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_slipped_is_stored_or_sent() {
    let mut scene = Scene::new().await;
    let (in_issue, mut secrets) = slips("0issue");
    let (in_file, more) = slips("0file");
    secrets.extend(more);
    let (in_artifact, more) = slips("0zip");
    secrets.extend(more);
    let (in_run, more) = slips("0run");
    secrets.extend(more);
    let (in_command, more) = slips("0said");
    secrets.extend(more);
    scene.slips = in_run;

    let [with_trace, with_file] = reports(&scene, &in_issue, &in_file).await;
    let run = scene.fake.repo(REPO).workflow_run("nightly.yml", "failure", false);
    let traces = trace_with("k03", &in_artifact).await;
    scene.fake.repo(REPO).uploads_artifact(
        run,
        "agent-traces",
        &zipped(&[("a.jsonl", &traces), ("b.txt", &in_artifact)]),
    );
    scene
        .alice
        .comments(with_trace, &format!("/sprag reject {in_command}\n/sprag {in_command}"));

    let before = scene.fake.page();
    scene.later();
    let done = scene.run().await.unwrap();
    scene.later();
    scene
        .alice
        .comments(done.pulls[0].number, &format!("/sprag reject {in_command}"));
    let after_command = scene.fake.page();
    scene.later();
    scene.run().await.unwrap();

    let all = everything(scene.folder());
    let page = scene.fake.page();
    let finder = finder(&secrets);
    let with: Vec<&String> = (all.iter())
        .filter(|(_, bytes)| finder.is_match(bytes))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(with, [""; 0]);
    for secret in &secrets {
        // People's own words stay where they wrote them; sprag repeats none.
        let wrote = before.matches(secret.as_str()).count();
        let wrote = wrote.max(after_command.matches(secret.as_str()).count());
        assert_eq!(page.matches(secret.as_str()).count(), wrote, "{secret} in\n{page}");
    }
    // The places that were searched hold what was said beside the secrets.
    for (place, mark) in [
        ("events.jsonl", "[email-"),
        (".json.zst", "[password-"),
        ("report.html", "[email-"),
        (" object ", "[email-"),
    ] {
        let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(mark);
        assert!(
            all.iter().any(|(path, bytes)| path.contains(place) && holds(bytes)),
            "{place} has no {mark}"
        );
    }
    for issue in [with_trace, with_file] {
        assert!(
            scene.shown(issue).contains("sprag:issue record="),
            "{}",
            scene.shown(issue)
        );
    }
    assert!(page.contains("email-"), "{page}");
}
