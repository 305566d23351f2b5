//! Bytes that can be gone through more than once, from the beginning: a file, packed or not, or an entry of an archive.

use fs_err as fs;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use tempfile::SpooledTempFile;

/// The first bytes of what zstd has packed.
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
/// The most bytes that a packed file may unpack to. Nothing of it is kept, but it takes time.
const UNPACKED: u64 = 4_000_000_000;

/// Something that holds a file.
pub(super) trait Source {
    /// Its bytes, from the first on.
    fn begin(&mut self) -> io::Result<Box<dyn Read + '_>>;
}

/// A file on the disk, unpacked if it is packed by zstd.
pub(super) struct OnDisk {
    path: PathBuf,
    packed: bool,
}

impl OnDisk {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            packed: starts_with(path, &[ZSTD])?,
        })
    }
}

impl Source for OnDisk {
    fn begin(&mut self) -> io::Result<Box<dyn Read + '_>> {
        let file = fs::File::open(&self.path)?;
        if !self.packed {
            return Ok(Box::new(file));
        }
        let unpacked = zstd::Decoder::new(file)?;
        Ok(Box::new(Bounded {
            inner: unpacked,
            left: UNPACKED,
        }))
    }
}

impl Source for SpooledTempFile {
    fn begin(&mut self) -> io::Result<Box<dyn Read + '_>> {
        self.rewind()?;
        Ok(Box::new(self))
    }
}

/// Fails where there is more than is allowed.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let most = UNPACKED / 1_000_000_000;
            io::Error::other(format!("it unpacks to more than {most} GB, and is not read to its end"))
        })?;
        Ok(read)
    }
}

/// All bytes, if they are not more than `most`.
pub(super) fn beginning(source: &mut dyn Source, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.begin()?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

/// Hands over all bytes, some at a time.
pub(super) fn chunks(source: &mut dyn Source, size: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut bytes = source.begin()?;
    let mut chunk = vec![0; size];
    loop {
        match bytes.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a file begins with one of some marks.
pub(super) fn starts_with(path: &Path, marks: &[&[u8]]) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(marks.contains(&head.as_slice()))
}
