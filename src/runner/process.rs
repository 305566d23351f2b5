//! Child processes: each leads a process group that never outlives its owner, and nothing it writes can fill the memory.

use super::environment;
use super::hold::Hold;
use crate::proxy::Serving;
use rustix::process::{Pid, Signal, kill_process_group};
use sprag_sandbox::{Leash, Network, Order, Over, Tier};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// The longest line that is read from a child, in bytes: a trace of 50 MB with room for its JSON.
pub(crate) const MAX_LINE: usize = 64 * 1024 * 1024;
/// How much of the end of a log is kept, in bytes.
const TAIL: usize = 8 * 1024;
/// How long a process that closed its stdout may take to end, and a dead one's log to be read to its end.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// What to start and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    /// The program and its arguments, placeholders filled.
    pub command: &'a [String],
    /// The working directory.
    pub dir: &'a Path,
    /// The original project.
    pub project_dir: &'a Path,
    /// Names of environment variables to pass besides the allow-list.
    pub env_pass: &'a [String],
    /// Its way to the model, which it learns of in its environment.
    pub model: Option<&'a Serving>,
    /// What holds it.
    pub hold: &'a Hold,
    /// Directories that it may change besides its working directory.
    pub write: &'a [&'a Path],
}

impl Launch<'_> {
    /// Starts the process in its sandbox, with pipes for what `stdin` says and for stdout and stderr.
    async fn spawn(&self, stdin: Stdio) -> io::Result<Group> {
        let mut env = environment::of_child(std::env::vars_os(), self.env_pass, self.project_dir);
        env.extend(self.model.map(Serving::environment).unwrap_or_default());
        let write = [&[self.dir], self.write].concat();
        let mut policy = self.hold.policy(self.command, &write, self.project_dir, &env);
        if let Some(model) = self.model {
            policy.network = Network::Proxy { port: model.port() };
        }
        let order = Order {
            command: self.command,
            env: &env,
            dir: self.dir,
            policy: &policy,
        };
        let (command, ticket) = self.hold.sandbox().prepare(&order)?;
        let mut child = Command::from(command)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            // A launcher is not killed but let go, so that it can end what it holds.
            .kill_on_drop(self.hold.sandbox().tier() == Tier::None)
            .spawn()?;
        let redeemed = tokio::task::spawn_blocking(|| ticket.redeem())
            .await
            .map_err(io::Error::other)?;
        let attended = redeemed.and_then(|mut leash| {
            if let Some(model) = self.model {
                model.answer(leash.take_listener())?;
            }
            Ok(leash)
        });
        let leash = match attended {
            Ok(leash) => leash,
            Err(error) => {
                // It has ended, or ends at once.
                drop(child.wait().await);
                return Err(error);
            }
        };
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Group {
            child,
            id,
            ended: false,
            leash,
            over: None,
        })
    }
}

/// A child and all its descendants; without a sandbox, those that stayed in its process group. Dropping it kills them.
#[derive(Debug)]
struct Group {
    child: Child,
    id: Option<Pid>,
    ended: bool,
    leash: Leash,
    /// The limit of its sandbox that it passed.
    over: Option<Over>,
}

impl Group {
    /// Gives the leader some time to end by itself, then kills whoever is left. `None` when the leader had to be killed.
    async fn end(&mut self, grace: Duration) -> Option<ExitStatus> {
        let status = timeout(grace, self.child.wait()).await.ok().and_then(Result::ok);
        self.over = self.over.or_else(|| self.leash.over());
        // While a descendant lives, the kernel gives the id to nobody else, even after the leader was reaped.
        self.kill();
        if status.is_none() {
            drop(self.child.wait().await);
        }
        self.ended = true;
        status
    }

    fn kill(&mut self) {
        if self.leash.holds() {
            self.leash.let_go();
        } else if let Some(id) = self.id.filter(|_| !self.ended) {
            // It fails when all of them are dead already, which is what is wanted.
            kill_process_group(id, Signal::KILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A child that speaks in lines on stdin and stdout.
#[derive(Debug)]
pub(crate) struct Conversation {
    group: Group,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    log: Tail,
}

impl Conversation {
    /// Starts the child.
    pub(crate) async fn start(launch: Launch<'_>) -> io::Result<Self> {
        let mut group = launch.spawn(Stdio::piped()).await?;
        let stdin = group.child.stdin.take();
        let stdout = group.child.stdout.take().ok_or_else(no_pipe)?;
        let stderr = group.child.stderr.take().ok_or_else(no_pipe)?;
        Ok(Self {
            group,
            stdin,
            stdout: Lines::new(stdout),
            log: Tail::of(stderr),
        })
    }

    /// Writes one line; `line` ends with the newline.
    pub(crate) async fn send(&mut self, line: &[u8]) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(line).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// The next line of its stdout without the newline; `None` when it closed its stdout. Nothing is lost when the future is
    /// dropped.
    pub(crate) async fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.stdout.next().await
    }

    /// Whether it ends by itself in this time, its stdin still open.
    pub(crate) async fn ends_within(&mut self, limit: Duration) -> bool {
        timeout(limit, self.group.child.wait()).await.is_ok()
    }

    /// Closes its stdin, gives it some time to end, then kills the group. `None` when it had to be killed.
    pub(crate) async fn end(&mut self, grace: Duration) -> Option<ExitStatus> {
        self.stdin = None;
        self.group.end(grace).await
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.group.child.try_wait(), Ok(None))
    }

    /// The limit of its sandbox that it passed, known once it has ended.
    pub(crate) fn over(&self) -> Option<Over> {
        self.group.over
    }

    /// How a child that closed its stdout ended, and the end of what it logged.
    pub(crate) async fn post_mortem(&mut self) -> (Option<ExitStatus>, String) {
        let status = self.end(EXIT_GRACE).await;
        (status, self.log.text().await)
    }
}

/// What is left of a child that was run to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended; `None` when it did not within the limit and was killed.
    pub status: Option<ExitStatus>,
    /// The end of what it wrote to stdout.
    pub stdout: String,
    /// The end of what it wrote to stderr.
    pub stderr: String,
    /// The limit of its sandbox that it passed.
    pub over: Option<Over>,
}

impl Finished {
    /// The end of its log: stderr, or stdout when it wrote nothing there.
    pub(crate) fn log(&self) -> &str {
        if self.stderr.is_empty() {
            &self.stdout
        } else {
            &self.stderr
        }
    }
}

/// Runs a child without input to its end, or kills its group at the limit.
pub(crate) async fn run_to_end(launch: Launch<'_>, limit: Duration) -> io::Result<Finished> {
    let mut group = launch.spawn(Stdio::null()).await?;
    finish(&mut group, TAIL, limit).await
}

/// Runs a child that is told something on stdin to its end, or kills its group at the limit. Of stdout, the last `kept` bytes are kept.
pub(crate) async fn run_told(launch: Launch<'_>, told: &str, kept: usize, limit: Duration) -> io::Result<Finished> {
    let mut group = launch.spawn(Stdio::piped()).await?;
    let stdin = group.child.stdin.take();
    let told = told.as_bytes().to_owned();
    // A child that does not read must not keep anybody waiting.
    let telling = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // One that closed its stdin has heard enough.
            drop(stdin.write_all(&told).await);
        }
    });
    let finished = finish(&mut group, kept, limit).await;
    telling.abort();
    finished
}

async fn finish(group: &mut Group, kept: usize, limit: Duration) -> io::Result<Finished> {
    let stdout = Tail::keeping(kept, group.child.stdout.take().ok_or_else(no_pipe)?);
    let stderr = Tail::of(group.child.stderr.take().ok_or_else(no_pipe)?);
    let status = group.end(limit).await;
    Ok(Finished {
        status,
        stdout: stdout.text().await,
        stderr: stderr.text().await,
        over: group.over,
    })
}

fn no_pipe() -> io::Error {
    io::Error::other("the child has no pipe")
}

/// Lines of at most [`MAX_LINE`] bytes.
#[derive(Debug)]
struct Lines<R> {
    reader: R,
    partial: Vec<u8>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<BufReader<R>> {
    fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
            partial: Vec::new(),
            limit: MAX_LINE,
        }
    }

    /// What was read of a line before the future was dropped stays in `partial`.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let room = u64::try_from(self.limit + 1 - self.partial.len()).unwrap_or(u64::MAX);
        (&mut self.reader)
            .take(room)
            .read_until(b'\n', &mut self.partial)
            .await?;
        if self.partial.last() == Some(&b'\n') {
            self.partial.pop();
        } else if self.partial.len() > self.limit {
            let text = format!("wrote a line of more than {} MiB", self.limit / 1024 / 1024);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        } else if self.partial.is_empty() {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.partial)))
    }
}

/// The last bytes of a stream, which is read to its end as fast as it comes.
#[derive(Debug)]
struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: tokio::sync::watch::Receiver<()>,
    reader: AbortHandle,
}

impl Tail {
    fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        Self::keeping(TAIL, stream)
    }

    fn keeping(limit: usize, mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = tokio::sync::watch::channel(());
        let shared = Arc::clone(&kept);
        let reader = tokio::spawn(async move {
            let _end = end;
            let mut chunk = vec![0; TAIL];
            while let Ok(n_read @ 1..) = stream.read(&mut chunk).await {
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&chunk[..n_read]);
                let surplus = kept.len().saturating_sub(limit);
                kept.drain(..surplus);
            }
        });
        Self {
            kept,
            ended,
            reader: reader.abort_handle(),
        }
    }

    /// The text so far, trimmed; waits a moment for the stream's end.
    async fn text(&self) -> String {
        let mut ended = self.ended.clone();
        drop(timeout(EXIT_GRACE, ended.changed()).await);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().to_owned()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &'static [u8], limit: usize) -> Lines<BufReader<&'static [u8]>> {
        Lines {
            limit,
            ..Lines::new(input)
        }
    }

    #[tokio::test]
    async fn lines_are_cut_at_newlines_and_the_last_needs_none() {
        let mut lines = lines(b"one\n\ntwo", 10);
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"two");
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_an_error_and_one_at_the_limit_is_not() {
        assert_eq!(lines(b"1234\n", 4).next().await.unwrap().unwrap(), b"1234");
        let mut long = lines(b"12345\n", 4);
        assert!(long.next().await.is_err());
        assert!(long.partial.capacity() < 100, "memory is bounded by the limit");
    }

    #[tokio::test]
    async fn only_the_end_of_a_log_is_kept() {
        let log = [vec![b'a'; 100_000], b"the end".to_vec()].concat();
        let text = Tail::of(io::Cursor::new(log)).text().await;
        assert_eq!(text.len(), TAIL);
        assert!(text.ends_with("the end"));
    }
}
