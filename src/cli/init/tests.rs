use super::*;

struct Project(tempfile::TempDir);

impl Project {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        let project = Self(dir);
        for (path, text) in files {
            let target = project.path(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, text).unwrap();
        }
        project
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn init(&self, yes: bool, answers: &str) -> (Written, String) {
        let args = InitArgs {
            yes,
            dir: self.0.path().to_owned(),
            worker: None,
        };
        let mut output = Vec::new();
        let written = init(&args, &mut answers.as_bytes(), &mut output).unwrap();
        (written, String::from_utf8(output).unwrap())
    }
}

const GITHUB: [&str; 3] = [
    ".github/workflows/sprag.yml",
    ".github/workflows/sprag-gate.yml",
    ".github/ISSUE_TEMPLATE/agent-failure.yml",
];

#[test]
fn everything_is_shown_before_it_is_written_and_a_second_time_there_is_nothing_to_do() {
    let project = Project::with(&[("prompts/system.md", "Be kind.\n")]);
    let (written, seen) = project.init(true, "");
    let expected = ["sprag.toml", "evals/worker.py", "evals/sprag_worker.py"];
    assert_eq!(written.written, [&expected[..], &GITHUB[..]].concat());
    for path in &written.written {
        assert!(seen.contains(&format!("+++ b/{path}")), "{path} was not shown");
        for line in project.read(path).lines() {
            assert!(seen.contains(&format!("+{line}\n")), "{path}: {line} was not shown");
        }
    }
    assert!(project.read("sprag.toml").contains("paths = [\"prompts/**\"]"));
    let (again, seen) = project.init(true, "");
    assert_eq!(again, Written::default());
    assert!(seen.ends_with("nothing to do: everything is there\n"), "{seen}");
}

#[test]
fn what_is_said_around_the_files() {
    let project = Project::with(&[("agent/prompt.md", ""), ("requirements.txt", "")]);
    let (_, seen) = project.init(true, "");
    let around: Vec<&str> = seen
        .lines()
        .filter(|line| !line.starts_with(['+', '-', '@', ' ']))
        .filter(|line| !line.is_empty())
        .collect();
    insta::assert_snapshot!(around.join("\n"), @r"
    repository  no git repository with a commit; sprag needs one to work
    harness     agent/**
    runner      a new worker, evals/worker.py, for you to fill in
    traces      none
    toolchains  Python
    wrote sprag.toml
    wrote evals/worker.py
    wrote evals/sprag_worker.py
    wrote .github/workflows/sprag.yml
    wrote .github/workflows/sprag-gate.yml
    wrote .github/ISSUE_TEMPLATE/agent-failure.yml
    Next:
    1. Put your agent into evals/worker.py, then run `sprag worker check`: it says what is still wrong.
    2. Run `sprag app create` for an App of your own, or let GitHub Actions create pull requests (Settings, Actions, General).
    3. Commit the files to the default branch, and label an issue `agent-failure`.
    ");
}

#[test]
fn a_file_of_a_person_is_shown_as_a_diff_and_kept() {
    let project = Project::with(&[(GITHUB[1], "mine\n"), ("sprag.toml", "[harness]\npaths = [\"x/**\"]\n")]);
    let (written, seen) = project.init(true, "");
    assert_eq!(written.kept, [GITHUB[1]]);
    assert_eq!(
        written.written,
        [GITHUB[0], GITHUB[2]],
        "no worker, since sprag.toml says how the agent is run"
    );
    assert!(seen.contains("\n-mine\n"), "{seen}");
    assert_eq!(project.read(GITHUB[1]), "mine\n");
    assert_eq!(project.init(true, "").0.kept, [GITHUB[1]]);
}

#[test]
fn a_person_can_say_no_to_all_and_yes_to_one() {
    let project = Project::with(&[("sprag.toml", ""), (GITHUB[1], "mine\n")]);
    let (written, seen) = project.init(false, "n\n");
    assert_eq!(written, Written::default());
    assert!(seen.ends_with("nothing was written\n"), "{seen}");
    assert!(!project.path(GITHUB[0]).exists());
    let (written, _) = project.init(false, "y\nno\n");
    assert_eq!(written.kept, [GITHUB[1]]);
    let (written, _) = project.init(false, "yes\n");
    assert_eq!(written.written, [GITHUB[1]]);
    assert_ne!(project.read(GITHUB[1]), "mine\n");
}

#[test]
fn at_most_four_questions_are_asked() {
    let workflow = "name: N\njobs:\n  a:\n    steps:\n      - uses: actions/upload-artifact@v4\n        with:\n          name: traces\n";
    let project = Project::with(&[
        ("agent/a.md", ""),
        ("evals/worker.py", ""),
        (".github/workflows/n.yml", workflow),
    ]);
    let args = InitArgs {
        yes: false,
        dir: project.0.path().to_owned(),
        worker: None,
    };
    let mut answers: &[u8] = b"\n\n\n\nnot read";
    let written = init(&args, &mut answers, &mut Vec::new()).unwrap();
    assert_eq!(answers, b"not read", "four lines were read, and no more");
    assert!(written.written.contains(&"sprag.toml".to_owned()));
    let config = project.read("sprag.toml");
    assert!(
        config.contains("artifacts = [\"traces\"]\nworkflows = [\"n.yml\"]"),
        "{config}"
    );
    assert!(project.read(GITHUB[0]).contains("workflows: [\"N\"]"));
}

#[test]
fn a_broken_configuration_is_said_and_nothing_is_written() {
    let project = Project::with(&[("sprag.toml", "[runner]\nconcurency = 3\n")]);
    let args = InitArgs {
        yes: true,
        dir: project.0.path().to_owned(),
        worker: None,
    };
    let error = init(&args, &mut io::empty(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.exit, Exit::Config);
    assert!(!project.path(GITHUB[0]).exists());
}
