//! Answers that GitHub need not send again: bodies by target, with their `ETag`. A `304` costs nothing of the rate limit.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Answers kept.
const MAX_ENTRIES: usize = 512;
/// Bytes of their bodies.
const MAX_BYTES: usize = 16 << 20;

/// An answer that is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) etag: String,
    pub(super) body: Arc<[u8]>,
    pub(super) link: Option<String>,
}

/// The newest answers, bounded in number and bytes.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<String, (u64, Kept)>,
    /// Grows with every use, so that the least is what was not wanted for longest.
    used: u64,
    bytes: usize,
}

impl Cache {
    /// What was kept of this target.
    pub(super) fn get(&mut self, target: &str) -> Option<Kept> {
        self.used += 1;
        let (used, kept) = self.entries.get_mut(target)?;
        *used = self.used;
        Some(kept.clone())
    }

    /// Keeps an answer, and drops those that were not wanted for longest.
    pub(super) fn keep(&mut self, target: String, kept: Kept) {
        self.remove(&target);
        if kept.body.len() > MAX_BYTES {
            return;
        }
        self.used += 1;
        self.bytes += kept.body.len();
        self.entries.insert(target, (self.used, kept));
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(target, _)| target.clone()) else {
                return;
            };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, target: &str) {
        if let Some((_, kept)) = self.entries.remove(target) {
            self.bytes -= kept.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: usize) -> Kept {
        Kept {
            etag: "\"e\"".to_owned(),
            body: vec![0; bytes].into(),
            link: None,
        }
    }

    #[test]
    fn it_is_bounded_in_number_and_drops_what_was_not_wanted_for_longest() {
        let mut cache = Cache::default();
        for n in 0..MAX_ENTRIES {
            cache.keep(n.to_string(), kept(1));
        }
        assert!(cache.get("0").is_some());
        cache.keep("new".to_owned(), kept(1));
        assert!(cache.get("0").is_some(), "it was just used");
        assert!(cache.get("1").is_none(), "it was not");
        assert_eq!((cache.entries.len(), cache.bytes), (MAX_ENTRIES, MAX_ENTRIES));
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let mut cache = Cache::default();
        cache.keep("a".to_owned(), kept(MAX_BYTES - 1));
        cache.keep("b".to_owned(), kept(2));
        assert!(cache.get("a").is_none() && cache.get("b").is_some());
        cache.keep("huge".to_owned(), kept(MAX_BYTES + 1));
        assert!(cache.get("huge").is_none() && cache.get("b").is_some());
        assert_eq!(cache.bytes, 2);
    }
}
