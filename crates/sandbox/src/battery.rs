//! The proof at every start: secrets, sockets and a process are planted outside, and a probe inside tries to reach them.

use crate::launch::{Leash, SUDO, Sandbox};
use crate::order::Order;
use crate::policy::{Limits, Network, Policy};
use crate::probe::{self, ABUSES, Abuse, Line, Targets, Task};
use crate::sys;
use crate::tier::{Choice, Refused, Tier};
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What an attempt tried to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To reach anything of this machine.
    Escape,
    /// To reach the network.
    Egress,
}

/// One attempt and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What it tried to do.
    pub reach: Reach,
    /// How, in a few words.
    pub name: String,
    /// Whether the sandbox held.
    pub held: bool,
}

impl Sandbox {
    /// The first tier of this choice that holds on this machine against the whole [`battery`]. `program` is this binary, whose `main`
    /// calls [`crate::entry`].
    ///
    /// # Errors
    /// When none does: each with what got through, or why it could not be built.
    pub fn select(choice: Choice, program: &Path) -> Result<Self, Refused> {
        let mut tried = Vec::new();
        for &tier in choice.tiers(asks_sudo()) {
            let sandbox = Self::unproven(tier, program);
            if tier == Tier::None {
                return Ok(sandbox);
            }
            let through = match started(&sandbox).and_then(|()| battery(&sandbox)) {
                Ok(probed) => probed
                    .into_iter()
                    .filter(|probed| !probed.held)
                    .map(|probed| probed.name)
                    .collect::<Vec<_>>(),
                Err(error) => vec![error.to_string()],
            };
            if through.is_empty() {
                return Ok(sandbox);
            }
            tried.push((tier, through.join("; ")));
        }
        Err(Refused { tried })
    }
}

/// Whether `sudo` may be asked without being named: on a runner of GitHub, where it wants no password. Elsewhere it would report whom it
/// refuses.
pub fn asks_sudo() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|set| set == "true")
}

/// Whether launchers can be started at all; who has to ask for a password cannot.
fn started(sandbox: &Sandbox) -> io::Result<()> {
    if sandbox.tier() != Tier::Elevated {
        return Ok(());
    }
    let mut asks = Command::new(SUDO);
    asks.args(["-n", "true"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    match asks.stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(sys::other("sudo starts nothing without a password")),
        Err(error) => Err(sys::other(&format!("there is no sudo: {error}"))),
    }
}

/// Tries every way out of a sandbox that is known to us: some 80, in a few dozen milliseconds.
///
/// # Errors
/// When the probe cannot be started or does not come to its end, so that nothing is known.
pub fn battery(sandbox: &Sandbox) -> io::Result<Vec<Probed>> {
    let planted = Planted::new(sandbox)?;
    let task = Task::Reach(Box::new(planted.targets()));
    let network = Network::Proxy {
        port: planted.tcp_at_port.local_addr()?.port(),
    };
    let shown = [planted.shown.clone()];
    let mut probe = Probe::start(sandbox, &planted.work, &shown, &task, network, Limits::default())?;
    let mut found = Vec::new();
    let mut text = String::new();
    probe.output.read_to_string(&mut text)?;
    probe.child.wait()?;
    for line in text.lines() {
        let line: Line = serde_json::from_str(line)?;
        found.push(Probed {
            reach: if line.egress { Reach::Egress } else { Reach::Escape },
            name: line.name,
            held: line.held,
        });
    }
    if found.len() != probe::count() {
        let last = found.last().map_or("the first", |probed| &probed.name);
        return Err(sys::other(&format!("the probe ended after `{last}`")));
    }
    drop(probe);
    found.extend(planted.seen_outside());
    Ok(found)
}

/// What [`resources`] found of one abuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounded {
    /// What was used up, in a few words.
    pub name: String,
    /// Why it ended, in a few words.
    pub ended: String,
    /// How long it took beyond its time, if it was only ended by that; zero for one that was ended by a limit.
    pub late: Duration,
    /// Processes that were left alive.
    pub survivors: usize,
}

/// Uses up memory, processes, disk, output, processor and time under small limits, and ends each after `time`.
///
/// # Errors
/// When a probe cannot be started.
pub fn resources(sandbox: &Sandbox, time: Duration) -> io::Result<Vec<Bounded>> {
    ABUSES.iter().map(|abuse| resource(sandbox, *abuse, time)).collect()
}

fn resource(sandbox: &Sandbox, abuse: Abuse, time: Duration) -> io::Result<Bounded> {
    let folder = tempfile::tempdir()?;
    let work = fs::canonicalize(folder.path())?;
    let limits = Limits {
        memory: 256 << 20,
        processes: 64,
        disk: 64 << 20,
        files: 5_000,
    };
    let mut probe = Probe::start(sandbox, &work, &[], &Task::Abuse(abuse), Network::None, limits)?;
    // A flood is read as fast as it comes, and thrown away.
    let mut output = probe.output.into_inner();
    let reader = std::thread::spawn(move || io::copy(&mut output, &mut io::sink()).ok());
    let begun = Instant::now();
    let mut status = None;
    while status.is_none() && begun.elapsed() < time {
        std::thread::sleep(Duration::from_millis(5));
        status = probe.child.try_wait()?;
    }
    let over = probe.leash.over();
    probe.leash.let_go();
    let status_at_end = probe.child.wait()?;
    reader.join().ok();
    let ended = match (over, status) {
        (Some(over), _) => over.to_string(),
        (None, Some(status)) => format!("ended by itself ({status})"),
        (None, None) => format!("was killed at its time limit ({status_at_end})"),
    };
    Ok(Bounded {
        name: format!("{abuse:?}"),
        ended,
        late: begun.elapsed().saturating_sub(time),
        survivors: survivors(&work),
    })
}

/// Starts a program that makes five daemons, kills it, and counts the daemons that live on.
///
/// # Errors
/// When the probe cannot be started.
pub fn daemons(sandbox: &Sandbox) -> io::Result<usize> {
    let folder = tempfile::tempdir()?;
    let work = fs::canonicalize(folder.path())?;
    let task = Task::Abuse(Abuse::Daemons);
    let mut probe = Probe::start(sandbox, &work, &[], &task, Network::None, Limits::default())?;
    probe.output.read_line(&mut String::new())?;
    probe.leash.let_go();
    probe.child.wait()?;
    Ok(survivors(&work))
}

/// Processes whose working directory is in a folder, or was.
fn survivors(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let folders = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    folders.filter(|at| at.starts_with(folder)).count()
}

/// A probe that runs in a sandbox.
struct Probe {
    child: Child,
    output: BufReader<ChildStdout>,
    leash: Leash,
}

impl Probe {
    fn start(
        sandbox: &Sandbox,
        work: &Path,
        read: &[PathBuf],
        task: &Task,
        network: Network,
        limits: Limits,
    ) -> io::Result<Self> {
        let program = sandbox.program().to_owned();
        let command = [
            program.to_string_lossy().into_owned(),
            crate::PROBE.to_owned(),
            serde_json::to_string(task)?,
        ];
        let policy = Policy {
            read: [&[fs::canonicalize(&program)?, program], read].concat(),
            network,
            limits,
            ..Policy::writing([work.to_owned()])
        };
        let env: Vec<(OsString, OsString)> = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let order = Order {
            command: &command,
            env: &env,
            dir: work,
            policy: &policy,
        };
        let (mut command, ticket) = sandbox.prepare(&order)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().map(BufReader::new);
        match (ticket.redeem(), output) {
            (Ok(leash), Some(output)) => Ok(Self { child, output, leash }),
            (leash, _) => {
                drop(child.wait());
                Err(leash.err().unwrap_or_else(|| sys::other("the probe has no output")))
            }
        }
    }
}

/// What lies outside of the sandbox, to be looked for in vain.
struct Planted {
    _folders: [TempDir; 3],
    outside: PathBuf,
    work: PathBuf,
    shown: PathBuf,
    secret: String,
    mark: String,
    bystander: Bystander,
    named: UnixListener,
    unix: [UnixListener; 2],
    datagrams: UnixDatagram,
    tcp: TcpListener,
    tcp_at_port: TcpListener,
    tcp6: Option<TcpListener>,
    udp: UdpSocket,
    segment: sys::Segment,
    beyond: bool,
    /// Open, and not to be closed when another program takes over.
    _open: fs::File,
}

/// A process of the same user, with a secret in its environment.
struct Bystander(Child);

impl Bystander {
    fn start(program: &Path, secret: &str) -> io::Result<Self> {
        let task = serde_json::to_string(&Task::Wait)?;
        let mut command = Command::new(program);
        command
            .arg(crate::PROBE)
            .arg(task)
            .env_clear()
            .env("SPRAG_CANARY", secret);
        Ok(Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Planted {
    fn new(sandbox: &Sandbox) -> io::Result<Self> {
        let folders = [
            tempfile::Builder::new().prefix("sprag-outside-").tempdir()?,
            tempfile::tempdir()?,
            tempfile::tempdir()?,
        ];
        let [outside, work, shown] = [0, 1, 2].map(|at| fs::canonicalize(&folders[at]));
        let [outside, work, shown] = [outside?, work?, shown?.join("file")];
        fs::create_dir_all(outside.join(".git/hooks"))?;
        let mark = outside
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace("outside", "mark");
        let secret = format!("canary of {mark}");
        let file = outside.join("secret");
        fs::write(&file, &secret)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        fs::write(&shown, &secret)?;
        let open = fs::File::open(&file)?;
        sys::inherit_by_all(&open)?;
        let named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(mark.as_bytes())?)?;
        let unix = ["socket", "docker.sock"].map(|name| UnixListener::bind(outside.join(name)));
        let [first, second] = unix;
        Ok(Self {
            bystander: Bystander::start(sandbox.program(), &secret)?,
            named,
            unix: [first?, second?],
            datagrams: UnixDatagram::bind(outside.join("datagrams"))?,
            tcp: TcpListener::bind("127.0.0.1:0")?,
            tcp_at_port: TcpListener::bind("127.0.0.2:0")?,
            tcp6: TcpListener::bind("[::1]:0").ok(),
            udp: UdpSocket::bind("127.0.0.1:0")?,
            segment: sys::Segment::new()?,
            beyond: sandbox.tier() != Tier::None,
            _folders: folders,
            outside,
            work,
            shown,
            secret,
            mark,
            _open: open,
        })
    }

    fn targets(&self) -> Targets {
        let unbound = || std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        let at = |listener: &TcpListener| listener.local_addr().unwrap_or_else(|_| unbound());
        Targets {
            outside: self.outside.clone(),
            shown: self.shown.clone(),
            work: self.work.clone(),
            home: std::env::home_dir(),
            secret: self.secret.clone(),
            pid: i32::try_from(self.bystander.0.id()).unwrap_or_default(),
            name: self.mark.clone(),
            mark: self.mark.clone(),
            tcp: at(&self.tcp),
            tcp_at_port: at(&self.tcp_at_port),
            tcp6: self.tcp6.as_ref().map(at),
            udp: self.udp.local_addr().unwrap_or_else(|_| unbound()),
            segment: self.segment.id(),
            beyond: self.beyond,
        }
    }

    /// What a probe may have left outside without knowing it.
    fn seen_outside(mut self) -> Vec<Probed> {
        let unix = self.unix.iter().chain([&self.named]);
        let tcp = [Some(&self.tcp), Some(&self.tcp_at_port), self.tcp6.as_ref()]
            .into_iter()
            .flatten();
        let no_connection = unix.map(no_unix).chain(tcp.map(no_tcp)).collect::<Vec<_>>();
        let file = self.outside.join("secret");
        let whole = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text == self.secret);
        let unchanged = whole(&file)
            && whole(&self.shown)
            && fs::metadata(&file).is_ok_and(|found| found.permissions().mode() & 0o777 == 0o600);
        let hooks = fs::read_dir(self.outside.join(".git/hooks")).is_ok_and(|mut hooks| hooks.next().is_none());
        let folders = [std::env::temp_dir(), "/var/tmp".into(), "/dev/shm".into()];
        let marks: Vec<PathBuf> = folders
            .iter()
            .map(|folder| folder.join(&self.mark))
            .filter(|mark| mark.exists())
            .collect();
        for mark in &marks {
            fs::remove_file(mark).ok();
        }
        let alive = matches!(self.bystander.0.try_wait(), Ok(None));
        let silent = self.udp.set_nonblocking(true).is_ok()
            && self.udp.recv(&mut [0]).is_err()
            && self.datagrams.set_nonblocking(true).is_ok()
            && self.datagrams.recv(&mut [0]).is_err();
        let probed = |reach, name: &str, held| Probed {
            reach,
            name: format!("seen outside: {name}"),
            held,
        };
        vec![
            probed(
                Reach::Egress,
                "no connection",
                no_connection.into_iter().all(|none| none),
            ),
            probed(Reach::Egress, "no datagram", silent),
            probed(Reach::Escape, "the file is as it was", unchanged && hooks),
            probed(Reach::Escape, "nothing in shared folders", marks.is_empty()),
            probed(Reach::Escape, "the other process lives", alive),
        ]
    }
}

fn no_unix(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).is_ok() && listener.accept().is_err()
}

fn no_tcp(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).is_ok() && listener.accept().is_err()
}
