use super::*;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

type Writer = ZipWriter<Cursor<Vec<u8>>>;

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn zip(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut writer);
    writer.finish().unwrap().into_inner()
}

fn add(writer: &mut Writer, name: &str, content: &[u8]) {
    writer.start_file(name, stored()).unwrap();
    writer.write_all(content).unwrap();
}

/// What is read of an archive, and what is told.
fn opened(bytes: &[u8], limits: ArchiveLimits) -> Result<(Vec<String>, Listing), ArchiveError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.zip");
    fs::write(&path, bytes).unwrap();
    let mut names = Vec::new();
    let listing = read(&path, &limits, |name, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        names.push(format!("{name} {}", bytes.len()));
    })?;
    // Nothing was written beside it.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    Ok((names, listing))
}

fn problems(bytes: &[u8]) -> Vec<String> {
    let (_, listing) = opened(bytes, ArchiveLimits::default()).unwrap();
    listing.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn traces_are_read_and_other_files_counted() {
    let bytes = zip(|writer| {
        writer.add_directory("runs/", stored()).unwrap();
        add(writer, "runs/a.json", b"{}");
        writer.start_file("runs/B.JSONL", deflated()).unwrap();
        writer.write_all(&b"{}\n".repeat(1000)).unwrap();
        add(writer, "screenshot.png", b"x");
    });
    let (names, listing) = opened(&bytes, ArchiveLimits::default()).unwrap();
    assert_eq!(names, ["runs/a.json 2", "runs/B.JSONL 3000"]);
    assert_eq!((listing.read, listing.others, listing.problems.len()), (2, 1, 0));
}

#[test]
fn entries_whose_sizes_stand_behind_them_are_read_as_githubs_own_packer_writes_them() {
    let mut out = Vec::new();
    let mut writer = ZipWriter::new_stream(&mut out);
    writer.start_file("a.json", deflated()).unwrap();
    writer.write_all(b"{\"steps\": []}").unwrap();
    writer.finish().unwrap();
    assert_ne!(out[6] & 8, 0, "the flag of a data descriptor");
    assert_eq!(opened(&out, ArchiveLimits::default()).unwrap().0, ["a.json 13"]);
}

#[test]
fn names_that_lead_elsewhere_are_told_and_the_rest_is_read() {
    let hostile = [
        "../a.json",
        "/etc/b.json",
        "x/../../c.json",
        "d\\..\\e.json",
        "C:f.json",
        "g\0.json",
        "h\n.json",
    ];
    let bytes = zip(|writer| {
        hostile.iter().for_each(|name| add(writer, name, b"{}"));
        add(writer, "good.json", b"{}");
    });
    let (names, listing) = opened(&bytes, ArchiveLimits::default()).unwrap();
    assert_eq!(names, ["good.json 2"]);
    assert_eq!(listing.problems.len(), hostile.len(), "{:?}", listing.problems);
    assert!(
        listing
            .problems
            .iter()
            .all(|problem| problem.what == "has a name that no trace has")
    );
}

#[test]
fn links_devices_archives_and_names_that_clash_are_not_read() {
    let bytes = zip(|writer| {
        writer.add_symlink("link.json", "/etc/passwd", stored()).unwrap();
        add(writer, "inner.zip", b"PK");
        add(writer, "a.json", b"{}");
        add(writer, "A.json", b"{}");
    });
    assert_eq!(
        problems(&bytes),
        [
            "link.json: is no regular file",
            "inner.zip: is an archive inside of the archive, and not opened",
            "A.json: has the name of another entry",
        ]
    );
}

#[test]
fn a_bomb_ends_early() {
    let bytes = zip(|writer| {
        writer.start_file("bomb.json", deflated()).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..300).for_each(|_| writer.write_all(&zeros).unwrap());
        add(writer, "good.json", b"{}");
    });
    assert!(bytes.len() < 1_000_000);
    let (names, listing) = opened(&bytes, ArchiveLimits::default()).unwrap();
    assert_eq!(names, ["good.json 2"]);
    assert_eq!(
        listing.problems[0].to_string(),
        "bomb.json: is packed too tightly to be a trace"
    );
}

#[test]
fn each_limit_is_obeyed() {
    let limits = ArchiveLimits {
        bytes_packed: 100_000,
        bytes_unpacked: 25,
        entry_bytes: 20,
        entries: 4,
        ratio: 200,
    };
    let bytes = zip(|writer| {
        for (name, length) in [
            ("a.json", 20),
            ("b.json", 21),
            ("c.json", 5),
            ("d.json", 1),
            ("e.json", 1),
        ] {
            add(writer, name, &vec![b' '; length]);
        }
    });
    let (names, listing) = opened(&bytes, limits).unwrap();
    assert_eq!(names, ["a.json 20"]);
    let told: Vec<String> = listing.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "b.json: is too large");
    assert_eq!(told.last().unwrap(), "it has 5 entries; the last 1 are not read");
    let large = opened(&vec![0; 100_001], limits).unwrap_err();
    assert_eq!(large.to_string(), "it has 100001 bytes, and 100000 are read");
}

#[test]
fn a_hundred_thousand_entries_are_not_walked() {
    let bytes = zip(|writer| (0..20_000).for_each(|n| writer.start_file(format!("{n}.json"), stored()).unwrap()));
    let (names, listing) = opened(&bytes, ArchiveLimits::default()).unwrap();
    assert_eq!(names.len(), 10_000);
    assert_eq!(
        listing.problems[0].what,
        "it has 20000 entries; the last 10000 are not read"
    );
}

#[test]
fn what_is_damaged_is_told_and_the_rest_is_read() {
    let whole = zip(|writer| {
        add(writer, "a.json", b"first");
        add(writer, "b.json", b"second");
    });
    let mut flipped = whole.clone();
    let at = flipped.windows(5).position(|window| window == b"first").unwrap();
    flipped[at] ^= 1;
    let (names, listing) = opened(&flipped, ArchiveLimits::default()).unwrap();
    assert_eq!(names, ["b.json 6"]);
    assert!(
        listing.problems[0].what.starts_with("cannot be unpacked"),
        "{:?}",
        listing.problems
    );
    for bytes in [&whole[..whole.len() - 30], b"{\"steps\": []}", b""] {
        assert!(matches!(
            opened(bytes, ArchiveLimits::default()),
            Err(ArchiveError::NoZip(_))
        ));
    }
}

#[test]
fn an_encrypted_entry_is_told() {
    let mut bytes = zip(|writer| {
        add(writer, "a.json", b"{}");
        add(writer, "b.json", b"{}");
    });
    // Bit 0 of the flags, in the local header and in the central directory.
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[6] |= 1;
    bytes[central + 8] |= 1;
    let (names, listing) = opened(&bytes, ArchiveLimits::default()).unwrap();
    assert_eq!(names, ["b.json 2"]);
    assert_eq!(listing.problems.len(), 1);
}

#[test]
fn entries_that_share_their_bytes_are_refused() {
    let mut bytes = zip(|writer| {
        add(writer, "a.json", b"one");
        add(writer, "b.json", b"two");
    });
    let headers: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect();
    // The second entry of the directory points at the first one's bytes.
    let offset: Vec<u8> = bytes[headers[0] + 42..headers[0] + 46].to_vec();
    bytes[headers[1] + 42..headers[1] + 46].copy_from_slice(&offset);
    let (names, listing) = opened(&bytes, ArchiveLimits::default()).unwrap();
    assert_eq!(names, [""; 0]);
    assert_eq!(
        listing.problems[0].what,
        "its entries lie over each other, so none is read"
    );
}
