//! `sprag state`: what was exported is imported elsewhere, and nothing that was changed is.

use crate::support::program::Place;

#[test]
fn a_state_is_carried_to_another_folder_and_a_changed_file_is_refused() {
    let place = Place::new();
    let ran = place.sprag(&["demo", "--json", "--batches", "1", "--out", "a"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let checked = place.sprag(&["state", "check", "--json", "--out", "a"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let entries = checked.json()["entries"].as_u64().unwrap();
    assert!(entries > 5, "{checked:?}");
    assert_eq!(
        place.sprag(&["state", "export", "--out", "a", "state.zst"]).code,
        Some(0)
    );
    for new in [entries, 0] {
        let told = place.sprag(&["state", "import", "--json", "--out", "b", "state.zst"]);
        assert_eq!(told.json()["new_entries"], new, "{told:?}");
        assert_eq!(told.json()["entries"], entries);
    }
    let same = place.sprag(&["state", "check", "--json", "--out", "b"]);
    assert_eq!(same.json(), checked.json());
    // Where another run stands, it does not fit.
    let other = place.sprag(&["demo", "--json", "--batches", "1", "--seed", "2", "--out", "c"]);
    assert_eq!(other.code, Some(0), "{other:?}");
    let told = place.sprag(&["state", "import", "--out", "c", "state.zst"]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stderr.contains("another run"), "{told:?}");
    place.write("changed.zst", "hello");
    let told = place.sprag(&["state", "import", "--out", "b", "../changed.zst"]);
    assert!(
        told.code == Some(3) && told.stderr.contains("no exported state"),
        "{told:?}"
    );
}
