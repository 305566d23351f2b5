//! The real program, in a clean environment.

use super::files_under;
use serde_json::Value;
use sprag::helpdesk;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder to run the program in: `project/` holds a project, and everything else stands beside it.
pub(crate) struct Place {
    dir: TempDir,
}

/// How the program ended. Paths of the place are replaced by `[place]`.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; `None` when it was killed.
    pub(crate) code: Option<i32>,
    /// Its stdout.
    pub(crate) stdout: String,
    /// Its stderr.
    pub(crate) stderr: String,
}

impl Ran {
    /// The JSON object that it printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Exit code and stderr, for a snapshot.
    pub(crate) fn complaint(&self) -> String {
        format!(
            "exit {}\n{}",
            self.code
                .map_or_else(|| "by a signal".to_owned(), |code| code.to_string()),
            self.stderr
        )
    }
}

impl Place {
    /// A place without a project.
    pub(crate) fn new() -> Self {
        let dir = super::quick_dir();
        std::fs::create_dir(dir.path().join("project")).unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir }
    }

    /// A place with this `sprag.toml` and a small harness.
    pub(crate) fn with_config(config: &str) -> Self {
        let place = Self::new();
        place.write("project/sprag.toml", config);
        place.write("project/agent/steps.toml", super::kiosk::STEPS);
        place
    }

    /// A place with the helpdesk's project, played by [`proxy.py`](../../fixtures/workers/proxy.py), which stands outside of it.
    pub(crate) fn with_helpdesk() -> Self {
        let place = Self::new();
        let proxy = std::path::absolute("tests/fixtures/workers/proxy.py").unwrap();
        fs_err::copy(proxy, place.path("proxy.py")).unwrap();
        for (path, text) in helpdesk::project_files() {
            let ours = r#"command = ["python3", "{project}/../proxy.py", "{sprag}", "helpdesk-worker"]"#;
            let text = text
                .replace(r#"command = ["{sprag}", "helpdesk-worker"]"#, ours)
                .replace("concurrency = 2", "concurrency = 1");
            // The player writes beside the project and kills sprag, which is what a sandbox is against.
            let sandbox = if path == "sprag.toml" {
                "\n[sandbox]\ntier = \"none\"\n"
            } else {
                ""
            };
            place.write(&format!("project/{path}"), &(text + sandbox));
        }
        place
    }

    /// A path in it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// Every file in a folder of it.
    pub(crate) fn files(&self, path: &str) -> BTreeMap<String, Vec<u8>> {
        files_under(&self.path(path))
    }

    /// A program with these arguments, started in the project with nothing of our environment but `PATH`.
    #[expect(clippy::disallowed_methods, reason = "tests start the program as a user would")]
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path("project"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.path("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// sprag with these arguments, to be started in the project.
    pub(crate) fn sprag_command(&self, arguments: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_sprag"), arguments)
    }

    /// Runs sprag to its end.
    pub(crate) fn sprag(&self, arguments: &[&str]) -> Ran {
        self.sprag_with(arguments, "SPRAG_LOG", "warn")
    }

    /// Runs sprag to its end with a variable of the environment.
    pub(crate) fn sprag_with(&self, arguments: &[&str], name: &str, value: impl AsRef<OsStr>) -> Ran {
        let output = self.sprag_command(arguments).env(name, value).output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: self.scrub(&output.stdout),
            stderr: self.scrub(&output.stderr),
        }
    }

    /// Runs git, which must succeed, and returns what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git", arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        self.scrub(&output.stdout).trim().to_owned()
    }

    fn scrub(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let real = self.dir.path().canonicalize().unwrap();
        text.replace(&*real.to_string_lossy(), "[place]")
            .replace(&*self.dir.path().to_string_lossy(), "[place]")
    }
}

/// Whether the bytes contain a word in lower case, whatever their case.
pub(crate) fn contains(bytes: &[u8], word: &str) -> bool {
    let bytes = bytes.to_ascii_lowercase();
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}
