//! A git server on loopback with one empty repository: real git behind HTTP, which wants a token and can be told to misbehave.
#![expect(clippy::disallowed_methods, reason = "a test's own server, not sprag's")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// The token that opens the server.
pub const TOKEN: &str = "right-token";
/// `x-access-token:right-token` in base64.
const BASIC: &str = "Basic eC1hY2Nlc3MtdG9rZW46cmlnaHQtdG9rZW4=";

/// What the server does to the next push, instead of doing what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// Answers with this status and changes nothing.
    Status(u16),
    /// Does it, and hangs up without an answer.
    LoseReply,
}

/// A running server. Its threads end with the process.
#[derive(Debug)]
pub struct GitServer {
    url: String,
    dir: TempDir,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    mischief: Mutex<Option<Mischief>>,
    requests: Mutex<Vec<String>>,
}

impl GitServer {
    /// Starts one.
    ///
    /// # Panics
    /// When git or a port of loopback is missing.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let made = Command::new("git")
            .args(["init", "--quiet", "--bare"])
            .arg(dir.path().join("r.git"))
            .status();
        assert!(made.expect("git runs").success());
        // As GitHub has it.
        for key in ["uploadpack.allowTipSHA1InWant", "uploadpack.allowReachableSHA1InWant"] {
            let set = Command::new("git")
                .args(["config", key, "true"])
                .current_dir(dir.path().join("r.git"))
                .status();
            assert!(set.expect("git runs").success());
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/r.git", listener.local_addr().expect("its address"));
        let shared = Arc::new(Shared::default());
        let (root, of_thread) = (dir.path().to_owned(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, shared) = (root.clone(), Arc::clone(&of_thread));
                std::thread::spawn(move || serve(&stream, &root, &shared));
            }
        });
        Self { url, dir, shared }
    }

    /// The repository's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The repository on disk.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("r.git")
    }

    /// Does this to the next push.
    pub fn misbehave(&self, mischief: Mischief) {
        *locked(&self.shared.mischief) = Some(mischief);
    }

    /// Every request so far: method, target, and whether it brought credentials.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.shared.requests).clone()
    }
}

fn serve(stream: &TcpStream, root: &Path, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let authorization = header("authorization");
    let credentials = if authorization.is_some() {
        " with credentials"
    } else {
        ""
    };
    locked(&shared.requests).push(format!("{method} {target}{credentials}"));
    if header("expect").is_some() {
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let body = if header("transfer-encoding").is_some() {
        chunks(&mut reader)?
    } else {
        let length = header("content-length").map_or(Ok(0), |length| length.parse()).ok()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        body
    };
    if authorization.map(String::as_str) != Some(BASIC) {
        return answer(
            stream,
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"git\"\r\n",
            b"",
        );
    }
    let push = method == "POST" && target.ends_with("/git-receive-pack");
    let mischief = push.then(|| locked(&shared.mischief).take()).flatten();
    if let Some(Mischief::Status(status)) = mischief {
        return answer(stream, &format!("{status} No"), "", b"no");
    }
    let content_type = header("content-type").map_or("", String::as_str);
    let protocol = header("git-protocol").map_or("", String::as_str);
    let output = backend(root, &method, &target, [content_type, protocol], &body)?;
    if mischief == Some(Mischief::LoseReply) {
        return None;
    }
    let end = output.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
    answer(
        stream,
        status.unwrap_or("200 OK"),
        &format!("{head}\r\n"),
        &output[end + 4..],
    )
}

fn backend(root: &Path, method: &str, target: &str, types: [&str; 2], body: &[u8]) -> Option<Vec<u8>> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "x-access-token")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", types[0])
        .env("GIT_PROTOCOL", types[1])
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let body = body.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok();
    Some(output.stdout)
}

fn chunks(reader: &mut impl std::io::BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let start = body.len();
        body.resize(start + length, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        reader.read_line(&mut String::new()).ok()?;
        if length == 0 {
            return Some(body);
        }
    }
}

fn answer(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8]) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
