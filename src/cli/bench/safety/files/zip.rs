//! Writes archives byte by byte, so that they can lie about everything.

use flate2::{Compress, Compression, Crc, FlushCompress};
use std::sync::LazyLock;

/// An entry as both headers tell of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    /// The bytes as they stand in the archive.
    pub(super) packed: Vec<u8>,
    pub(super) method: u16,
    pub(super) flags: u16,
    pub(super) crc: u32,
    pub(super) packed_size: u32,
    pub(super) size: u32,
    /// The mode of the file, for Unix.
    pub(super) mode: u32,
    pub(super) extra: Vec<u8>,
    /// Where the directory says that it lies; where it is, if not told.
    pub(super) at: Option<u32>,
}

/// An entry that is what it says.
pub(super) fn stored(name: impl AsRef<[u8]>, content: &[u8]) -> Entry {
    let mut crc = Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
    Entry {
        name: name.as_ref().to_vec(),
        packed: content.to_vec(),
        method: 0,
        flags: 0,
        crc: crc.sum(),
        packed_size: size,
        size,
        mode: 0o100_644,
        extra: Vec::new(),
        at: None,
    }
}

/// A megabyte of zeros, packed: the first, and one that may follow it as often as one likes, since it begins and ends at a byte and needs no
/// more than the window before it.
static ZEROS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let block = vec![0; 1 << 20];
    let mut compress = Compress::new(Compression::best(), false);
    [(); 2].map(|()| {
        let mut packed = Vec::with_capacity(1 << 16);
        compress.compress_vec(&block, &mut packed, FlushCompress::Sync).ok();
        packed
    })
});

/// An entry of so many megabytes of zeros. It says nothing true of its size.
pub(super) fn zeros(name: &str, megabytes: usize) -> Entry {
    let [first, next] = &*ZEROS;
    let mut packed = first.clone();
    for _ in 1..megabytes {
        packed.extend_from_slice(next);
    }
    packed.extend([3, 0]);
    Entry {
        method: 8,
        packed_size: u32::try_from(packed.len()).unwrap_or(u32::MAX),
        size: 2,
        packed,
        ..stored(name, b"")
    }
}

/// The archive.
pub(super) fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let at = entry.at.unwrap_or(u32::try_from(out.len()).unwrap_or(u32::MAX));
        out.extend(b"PK\x03\x04");
        out.extend(common(entry));
        out.extend(short(entry.name.len()));
        out.extend([0, 0]);
        out.extend(&entry.name);
        out.extend(&entry.packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(common(entry));
        directory.extend(short(entry.name.len()));
        directory.extend(short(entry.extra.len()));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let (start, length) = (out.len(), directory.len());
    out.extend(directory);
    end(&mut out, entries.len(), length, start);
    out
}

/// The end of an archive: how many entries, and where their directory is.
pub(super) fn end(out: &mut Vec<u8>, entries: usize, length: usize, start: usize) {
    out.extend(b"PK\x05\x06\0\0\0\0");
    // A directory with more entries is told by zip64, without which readers go by its length.
    out.extend(short(entries.min(0xfffe)));
    out.extend(short(entries.min(0xfffe)));
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(u32::try_from(start).unwrap_or(u32::MAX).to_le_bytes());
    out.extend([0, 0]);
}

/// What both headers have: version, flags, method, time, sum and sizes.
fn common(entry: &Entry) -> Vec<u8> {
    let mut out = vec![20, 0];
    out.extend(entry.flags.to_le_bytes());
    out.extend(entry.method.to_le_bytes());
    out.extend([0, 0, 0x21, 0x58]);
    out.extend(entry.crc.to_le_bytes());
    out.extend(entry.packed_size.to_le_bytes());
    out.extend(entry.size.to_le_bytes());
    out
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}
