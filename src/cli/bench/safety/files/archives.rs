//! Forty archives that no honest tool makes.

use super::zip::{Entry, archive, end, stored, zeros};

/// An archive and what may be read of it.
pub(super) struct Archive {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Whether its `good.json` must be read all the same.
    pub(super) good: bool,
    /// Names that may be read besides.
    others: &'static [&'static str],
}

impl Archive {
    pub(super) fn may_be_read(&self, name: &str) -> bool {
        name == "good.json" || self.others.contains(&name) || self.others == ["*"]
    }
}

/// With the good entry behind the bad ones.
fn with_good(name: &'static str, mut entries: Vec<Entry>) -> Archive {
    entries.push(stored("good.json", b"{}"));
    Archive {
        name,
        bytes: archive(&entries),
        good: true,
        others: &[],
    }
}

/// Refused as a whole, or read in part: only what is no harm.
fn broken(name: &'static str, bytes: Vec<u8>) -> Archive {
    Archive {
        name,
        bytes,
        good: false,
        others: &[],
    }
}

/// All of them; `quick` makes the largest smaller.
pub(super) fn all(quick: bool) -> Vec<Archive> {
    let mut all = bombs(quick);
    all.extend(names());
    all.extend(kinds());
    all.extend(lies());
    all.extend(shapes(quick));
    all
}

fn bombs(quick: bool) -> Vec<Archive> {
    let (most, large) = if quick { (256, 64) } else { (10_240, 512) };
    let inner = archive(&[zeros("inner.json", large)]);
    let log = archive(&[zeros("log.json", large), stored("header.json", b"{}")]);
    let nested = archive(&[stored("deep.eval", &log)]);
    vec![
        with_good("10 GB of zeros", vec![zeros("a.json", most)]),
        with_good(
            "a bomb that says it has 4 GB",
            vec![Entry {
                size: u32::MAX,
                ..zeros("a.json", large * 2)
            }],
        ),
        with_good(
            "many small bombs",
            (0..40).map(|n| zeros(&format!("{n}.json"), large / 8)).collect(),
        ),
        with_good("an archive within", vec![stored("inner.zip", &inner)]),
        Archive {
            others: &["a.eval/header.json"],
            ..with_good("a bomb in a log", vec![stored("a.eval", &log)])
        },
        with_good("a log in a log", vec![stored("b.eval", &nested)]),
        with_good("an archive that is called a trace", vec![stored("c.gz", &inner)]),
    ]
}

fn names() -> Vec<Archive> {
    let one = |what, name: &[u8]| with_good(what, vec![stored(name, b"{}")]);
    let long = vec![b'a'; 60_000];
    vec![
        one("a name that leads up", b"../a.json"),
        one("a name that leads up further in", b"x/../../../a.json"),
        one("a name that leads up by backslashes", b"..\\..\\a.json"),
        one("an absolute name", b"/etc/a.json"),
        one("a drive", b"C:\\a.json"),
        one("a share", b"\\\\host\\share\\a.json"),
        one("a stream of a file", b"a.json:hidden.json"),
        one("NUL in a name", b"a.json\0.json"),
        one("a line break in a name", b"a\n::add-path::.json"),
        one("a colour in a name", b"\x1b[31ma.json"),
        Archive {
            others: &["*"],
            ..one("a very long name", &[&long[..], b".json"].concat())
        },
        Archive {
            others: &["*"],
            ..one("a name that is no text", b"\xff\xfe.json")
        },
        with_good(
            "two of a name",
            vec![stored("good.json ", b"{}"), stored("inner.zip", b"")],
        ),
        Archive {
            others: &["A.json"],
            ..with_good(
                "names that differ in case",
                vec![stored("A.json", b"1"), stored("a.JSON", b"2")],
            )
        },
    ]
}

fn kinds() -> Vec<Archive> {
    let of = |what, mode| {
        with_good(
            what,
            vec![Entry {
                mode,
                ..stored("a.json", b"/etc/passwd")
            }],
        )
    };
    vec![
        of("a symbolic link", 0o120_777),
        of("a character device", 0o020_666),
        of("a block device", 0o060_666),
        of("a pipe", 0o010_666),
        of("a socket", 0o140_666),
        with_good("a folder with content", vec![stored("a.json/", b"{}")]),
    ]
}

fn lies() -> Vec<Archive> {
    let of = |what, entry: Entry| with_good(what, vec![entry]);
    let plain = || stored("a.json", b"{\"a\": 1}");
    vec![
        of("a wrong sum", Entry { crc: 1, ..plain() }),
        of("an encrypted entry", Entry { flags: 1, ..plain() }),
        of("strong encryption", Entry { flags: 0x41, ..plain() }),
        of("a method that nobody knows", Entry { method: 99, ..plain() }),
        of("text that is said to be packed", Entry { method: 8, ..plain() }),
        // It lies over everything behind it, so nothing is read.
        Archive {
            good: false,
            ..of(
                "zip64 sizes of 16 EB",
                Entry {
                    size: u32::MAX,
                    packed_size: u32::MAX,
                    extra: [&[1, 0, 16, 0][..], &[0xff; 16]].concat(),
                    ..plain()
                },
            )
        },
    ]
}

fn shapes(quick: bool) -> Vec<Archive> {
    let two = || vec![stored("a.json", b"{\"a\": 1}"), stored("good.json", b"{}")];
    let whole = archive(&two());
    let many = if quick { 20_000 } else { 100_000 };
    let mut crowd: Vec<Entry> = (0..many).map(|n| stored(format!("{n}.txt.bin"), b"")).collect();
    crowd[0] = stored("good.json", b"{}");
    let mut lying = whole.clone();
    let ends = lying.len() - 12;
    lying[ends - 2..ends].copy_from_slice(&[0xff, 0x7f]);
    let mut elsewhere = whole.clone();
    let start = elsewhere.len() - 6;
    elsewhere[start..start + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let mut only_end = Vec::new();
    end(&mut only_end, 3, 300, 0);
    vec![
        Archive {
            bytes: archive(&crowd),
            ..with_good("100,000 entries", Vec::new())
        },
        broken(
            "entries that share their bytes",
            archive(&[
                stored("a.json", b"one"),
                Entry {
                    at: Some(0),
                    ..stored("b.json", b"two")
                },
            ]),
        ),
        broken("an archive that is cut off", whole[..whole.len() - 30].to_vec()),
        broken("more entries than it has", lying),
        broken("a directory that is elsewhere", elsewhere),
        broken("an end without a beginning", only_end),
        broken("no archive", b"{\"steps\": []}".to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_forty() {
        assert_eq!(super::all(true).len(), 40);
    }
}
