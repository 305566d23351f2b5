//! Ways to use up what a machine has. Each goes on until it is stopped.

use crate::sys::{self, Fork};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::time::Duration;

/// What to use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Abuse {
    /// Memory, in one process.
    Memory,
    /// Memory, in many processes.
    MemoryOfMany,
    /// Processes that make processes.
    ForkBomb,
    /// Threads.
    Threads,
    /// One file.
    LargeFile,
    /// Many small files.
    SmallFiles,
    /// A file with holes, longer than the disk.
    SparseFile,
    /// Standard output.
    Flood,
    /// A processor.
    Spin,
    /// Time.
    Sleep,
    /// Open files.
    Descriptors,
    /// Processes that leave their group and session, and stay.
    Daemons,
}

/// All of them.
pub(crate) const EVERY: &[Abuse] = &[
    Abuse::Memory,
    Abuse::MemoryOfMany,
    Abuse::ForkBomb,
    Abuse::Threads,
    Abuse::LargeFile,
    Abuse::SmallFiles,
    Abuse::SparseFile,
    Abuse::Flood,
    Abuse::Spin,
    Abuse::Sleep,
    Abuse::Descriptors,
    Abuse::Daemons,
];

/// Does it in the working directory. An error means that the system refused to go on.
pub(super) fn commit(abuse: Abuse) -> io::Result<()> {
    match abuse {
        Abuse::Memory => memory(),
        Abuse::MemoryOfMany => {
            for _ in 0..16 {
                child(memory)?;
            }
            memory()
        }
        Abuse::ForkBomb => loop {
            // The children go on with the loop.
            fork_on();
        },
        Abuse::Threads => loop {
            std::thread::Builder::new().spawn(|| wait(Duration::MAX))?;
        },
        Abuse::LargeFile => fill(&mut File::create("large")?),
        Abuse::SmallFiles => (0_u64..).try_for_each(|number| {
            let folder = format!("many-{}", number / 1000);
            fs::create_dir_all(&folder)?;
            fs::write(format!("{folder}/{number}"), "x")
        }),
        Abuse::SparseFile => {
            let mut file = File::create("sparse")?;
            file.seek(SeekFrom::Start(1 << 42))?;
            file.write_all(b"x")
        }
        Abuse::Flood => fill(&mut io::stdout().lock()),
        Abuse::Spin => loop {
            black_box(0);
        },
        Abuse::Sleep => wait(Duration::MAX),
        Abuse::Descriptors => {
            let mut kept = Vec::new();
            loop {
                kept.push(File::open("/dev/null")?);
            }
        }
        Abuse::Daemons => {
            for _ in 0..5 {
                daemon()?;
            }
            writeln!(io::stdout(), "ready")?;
            wait(Duration::MAX)
        }
    }
}

/// Says so, and waits.
pub(super) fn stay() -> io::Result<()> {
    writeln!(io::stdout(), "ready")?;
    wait(Duration::MAX)
}

fn wait(time: Duration) -> io::Result<()> {
    std::thread::sleep(time);
    Ok(())
}

/// Ends by itself when there is no more.
fn memory() -> io::Result<()> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 16 << 20]));
    }
}

fn fill(into: &mut impl io::Write) -> io::Result<()> {
    let block = vec![b'x'; 1 << 20];
    loop {
        into.write_all(&block)?;
    }
}

/// One that is refused is tried again.
fn fork_on() {
    sys::fork().ok();
}

fn child(work: fn() -> io::Result<()>) -> io::Result<()> {
    match sys::fork()? {
        Fork::Child => {
            work().ok();
            sys::leave(0)
        }
        Fork::Parent(_) => Ok(()),
    }
}

/// Forks twice, with a session in between, as programs do that want to outlive whoever started them.
fn daemon() -> io::Result<()> {
    match sys::fork()? {
        Fork::Parent(_) => Ok(()),
        Fork::Child => {
            sys::new_session().ok();
            if let Ok(Fork::Child) = sys::fork() {
                wait(Duration::MAX).ok();
            }
            sys::leave(0)
        }
    }
}
