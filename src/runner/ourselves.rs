//! Starts this very program, as `sprag bench safety` does to see what it survives and what it leaves behind.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// What it gets of our environment.
const PASSED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What a run took.
#[derive(Debug)]
pub(crate) struct Measured {
    /// `None` when it was killed.
    pub(crate) status: Option<ExitStatus>,
    /// The most memory that it ever had, in kilobytes, of what the kernel says.
    pub(crate) peak_kb: u64,
    /// What it printed of errors, if it was heard.
    pub(crate) told: String,
}

/// This program, running in a folder. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Ourselves(Child);

impl Ourselves {
    /// Starts it; what it prints is kept if `heard`.
    pub(crate) fn start(program: &Path, arguments: &[&str], dir: &Path, heard: bool) -> io::Result<Self> {
        Self::start_with(program, arguments, dir, heard, &[])
    }

    /// Starts it with more in its environment.
    pub(crate) fn start_with(
        program: &Path,
        arguments: &[&str],
        dir: &Path,
        heard: bool,
        more: &[(&str, &str)],
    ) -> io::Result<Self> {
        let pipe = || if heard { Stdio::piped() } else { Stdio::null() };
        let environment = PASSED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let child = Command::new(program)
            .args(arguments)
            .current_dir(dir)
            .env_clear()
            .envs(environment)
            .env("TMPDIR", dir)
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(pipe())
            .stderr(pipe())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self(child))
    }

    /// Asks it to end, as a runner does whose job was cancelled.
    pub(crate) fn terminate(&self) {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // It fails when it has ended, which is what is wanted.
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
    }

    /// Kills it after some time; `None` when it came to that, and its status when it ended before.
    pub(crate) async fn killed_after(mut self, time: Duration) -> io::Result<Option<ExitStatus>> {
        match tokio::time::timeout(time, self.0.wait()).await {
            Ok(status) => status.map(Some),
            Err(_) => {
                self.0.kill().await?;
                Ok(None)
            }
        }
    }

    /// Waits for its end or until `enough`, and kills it then.
    pub(crate) async fn measured(mut self, enough: impl Fn() -> bool) -> io::Result<Measured> {
        // It would wait for ever for somebody to hear it.
        let errors = self.0.stderr.take().map(|mut errors| {
            tokio::spawn(async move {
                let mut told = Vec::new();
                errors.read_to_end(&mut told).await.ok();
                String::from_utf8_lossy(&told).into_owned()
            })
        });
        drop(self.0.stdout.take());
        let (status, peak_kb) = self.watched(enough).await?;
        let told = match errors {
            Some(errors) => errors.await.unwrap_or_default(),
            None => String::new(),
        };
        Ok(Measured { status, peak_kb, told })
    }

    async fn watched(&mut self, enough: impl Fn() -> bool) -> io::Result<(Option<ExitStatus>, u64)> {
        let process = self.0.id().map(|id| id.to_string()).unwrap_or_default();
        let mut peak = 0;
        loop {
            peak = peak.max(peak_kb(&process));
            match tokio::time::timeout(LOOK, self.0.wait()).await {
                Ok(ended) => return Ok((Some(ended?), peak)),
                Err(_) if enough() => {
                    self.0.kill().await?;
                    return Ok((None, peak));
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for its end.
    pub(crate) async fn output(self) -> io::Result<Output> {
        self.0.wait_with_output().await
    }
}

/// The most memory that a process has had, in kilobytes, by its number or `self`; 0 for one that has ended.
pub(crate) fn peak_kb(process: &str) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
