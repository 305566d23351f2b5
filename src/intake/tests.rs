//! Files in folders and archives, as tools leave them.

use super::*;
use std::io::Write as _;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const RUN: &str =
    "{\"task\": \"a\", \"passed\": false, \"trace\": {\"steps\": [{\"role\": \"assistant\", \"content\": \"no\"}]}}";
const HEADER: &str = r#"{"version": 2, "status": "success", "eval": {"run_id": "r1", "task": "shop"}, "plan": {}}"#;
const SAMPLE: &str = r#"{"id": 7, "epoch": 2, "input": "hi", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "no"}], "scores": {"match": {"value": "I"}}}"#;

/// An archive as Inspect makes one: its samples come before the header, and everything is packed by zstd.
fn eval(method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in [
        (
            "_journal/start.json",
            r#"{"version": 2, "eval": {"run_id": "r1", "task": "shop"}, "plan": {}}"#,
        ),
        ("samples/7_epoch_2.json", SAMPLE),
        (
            "summaries.json",
            r#"[{"id": 7, "epoch": 2, "input": "hi", "scores": {"match": {"value": "I"}}}]"#,
        ),
        ("reductions.json", r#"[{"scorer": "match", "samples": []}]"#),
        ("header.json", HEADER),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn told(intake: &Intake) -> Vec<String> {
    let runs = intake.traces.iter();
    runs.map(|run| format!("{} {} {} {:?}", run.source, run.task, run.trial, run.passed))
        .collect()
}

const LOG: &str = "inspect:r1:7:2 shop/7 1 Some(false)";

#[test]
fn a_log_that_is_an_archive_is_read_however_it_is_packed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.eval");
    for method in [
        CompressionMethod::Zstd,
        CompressionMethod::Deflated,
        CompressionMethod::Stored,
    ] {
        fs::write(&path, eval(method)).unwrap();
        let read = FileReader::default().path(&path, "log.eval").unwrap();
        assert_eq!(
            (told(&read), read.problems),
            (vec![LOG.to_owned()], vec![]),
            "{method:?}"
        );
    }
}

#[test]
fn an_artifact_may_hold_logs_that_are_archives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("artifact.zip");
    let mut writer = ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, content) in [
        ("logs/a.eval", eval(CompressionMethod::Zstd)),
        ("logs/b.eval", b"PK".to_vec()),
    ] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(&content).unwrap();
    }
    writer.finish().unwrap();
    let read = FileReader::default().archive(&path).unwrap();
    assert_eq!(told(&read), [LOG]);
    assert!(
        read.problems[0].starts_with("logs/b.eval: is no log that can be read"),
        "{:?}",
        read.problems
    );
    assert_eq!(read.problems.len(), 1);
}

#[test]
fn a_folder_is_walked_in_order_and_what_is_none_of_ours_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("b/.hidden")).unwrap();
    fs::write(at("b/.hidden/run.json"), RUN.replace("\"a\"", "\"h\"")).unwrap();
    fs::write(at("a.json"), RUN).unwrap();
    fs::write(at("b/log.eval"), eval(CompressionMethod::Deflated)).unwrap();
    fs::write(
        at("c.json.zst"),
        zstd::encode_all(RUN.replace("\"a\"", "\"c\"").as_bytes(), 1).unwrap(),
    )
    .unwrap();
    fs::write(at("package.json"), "{\"name\": \"x\"}").unwrap();
    fs::write(at("main.py"), "print()").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(at("a.json"), at("link.json")).unwrap();
    let read = FileReader::default().path(dir.path(), "runs").unwrap();
    let tasks: Vec<String> = read.traces.iter().map(|run| run.task.to_string()).collect();
    assert_eq!(tasks, ["a", "h", "shop/7", "c"]);
    assert_eq!(
        read.problems,
        ["1 file has no format that sprag knows, and is left out: package.json"]
    );
}

#[test]
fn records_of_a_teams_own_making_are_read_by_the_mapping_and_others_by_their_format() {
    let mapping = Mapping {
        messages: "/log".to_owned(),
        task: Some("/case".to_owned()),
        passed: Some("/ok".to_owned()),
        ..Mapping::default()
    };
    let reading = FileReader {
        format: None,
        mapping: Some(mapping),
    };
    let own = reading.bytes(
        "x",
        br#"{"case": "c1", "ok": "fail", "log": [{"role": "agent", "content": "hm"}]}"#,
    );
    assert_eq!((own.traces[0].task.as_str(), own.traces[0].passed), ("c1", Some(false)));
    assert_eq!(reading.bytes("x", RUN.as_bytes()).traces[0].task.as_str(), "a");
}

#[test]
fn a_format_that_somebody_names_is_not_guessed() {
    let reading = FileReader {
        format: Format::named("messages"),
        mapping: None,
    };
    let text = br#"{"task_id": "t", "messages": [{"role": "user", "content": "hi"}], "passed": false}"#;
    assert!(reading.bytes("x", text).traces[0].source.starts_with("messages:"));
    assert!(
        FileReader::default().bytes("x", text).traces[0]
            .source
            .starts_with("tau2:")
    );
}

/// Runs with so much beside them that a file of nine is a large one.
fn large() -> String {
    let filler = "x".repeat(WHOLE / 8);
    (0..9)
        .map(|n| {
            RUN.replace("\"a\"", &format!("\"t{n}\""))
                .replace("{\"task\"", &format!("{{\"filler\": \"{filler}\", \"task\""))
                + "\n"
        })
        .collect()
}

#[test]
fn a_large_file_gives_what_it_gives_as_a_whole_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = large();
    let expected = told(&FileReader::default().bytes("x", text.as_bytes()));
    assert_eq!(expected.len(), 9);
    fs::write(at("runs.jsonl"), &text).unwrap();
    fs::write(at("runs.jsonl.zst"), zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    let mut writer = ZipWriter::new(fs::File::create(at("runs.zip")).unwrap());
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("a/runs.jsonl", stored).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap();
    for name in ["runs.jsonl", "runs.jsonl.zst", "runs.zip"] {
        let mut runs = Vec::new();
        let problems = FileReader::default()
            .each(&at(name), name, &mut |run| runs.push(run))
            .unwrap();
        let read = Intake { traces: runs, problems };
        assert_eq!((told(&read), read.problems), (expected.clone(), vec![]), "{name}");
    }
    // The same runs are there three times, and are one each.
    let folder = FileReader::default().path(dir.path(), "all").unwrap();
    assert_eq!((folder.traces.len(), folder.problems.len()), (9, 0));
}

#[test]
fn a_large_file_of_no_known_format_is_named_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.json");
    fs::write(&path, format!("[\"{}\"]", "x".repeat(WHOLE + 1))).unwrap();
    let read = FileReader::default().path(&path, "big.json").unwrap();
    assert_eq!(
        read.problems,
        ["big.json: not a format that sprag knows (docs/formats.md lists them)"]
    );
}

#[test]
fn python_without_end_is_refused_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.txt");
    let most = usize::try_from(WHOLE_MOST).unwrap();
    fs::write(&path, format!("['a'{}", " ".repeat(most))).unwrap();
    let read = FileReader::default().path(&path, "runs.txt").unwrap();
    assert_eq!(
        read.problems,
        ["runs.txt: left out: a file of this format is read up to 64 MB; split it"]
    );
}

#[test]
fn a_large_report_gives_the_same_runs_as_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("junit.xml");
    let case = |at: usize| {
        let name = at % 7000;
        let told = "é &lt;x&gt; ".repeat(100);
        format!("<testcase classname=\"c\" name=\"t{name}\"><failure message=\"no\">{told}</failure></testcase>\n")
    };
    let cases: String = (0..8000).map(case).collect();
    let text = format!("\u{feff}<testsuites><testsuite>{cases}</testsuite>");
    assert!(text.len() > WHOLE);
    fs::write(&path, &text).unwrap();
    let read = FileReader::default().path(&path, "junit.xml").unwrap();
    let whole = FileReader::default().bytes("junit.xml", text.as_bytes());
    assert!(read.traces == whole.traces && read.traces.len() == 8000);
    assert_eq!(read.problems, whole.problems);
    assert_eq!(
        read.problems,
        ["junit.xml: it ends before its last element is closed; what stands before that is used"]
    );
}

#[test]
fn a_bomb_packed_by_zstd_costs_no_memory_and_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb.json.zst");
    let mut packed = zstd::Encoder::new(fs::File::create(&path).unwrap(), 1).unwrap();
    let zeros = vec![b'0'; 1_000_000];
    (0..50).for_each(|_| packed.write_all(&zeros).unwrap());
    packed.finish().unwrap();
    let read = FileReader::default().path(&path, "bomb").unwrap();
    assert_eq!((read.traces.len(), read.problems.len()), (0, 1), "{:?}", read.problems);
}
