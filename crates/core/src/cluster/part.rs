//! What a cluster that was split off another is called: by what its own members share.

use super::explain::unlike;
use super::{ClusterBook, title};
use crate::failure::FailureRecord;
use crate::id::{ClusterId, RecordId};
use std::collections::BTreeMap;

/// How many words tell a part from the whole.
const WORDS: usize = 3;

/// The title while nobody knows what the part's members say.
pub(super) fn untold(title: &str) -> String {
    format!("{title} (split off)")
}

impl ClusterBook {
    /// Gives each cluster that was split off, and that nobody has named, a title that says what its own members share: their mechanism, and,
    /// where what they left is called the same, the words that tell them from it.
    pub fn name_parts(&mut self, records: &BTreeMap<RecordId, FailureRecord>) {
        let parts: BTreeMap<ClusterId, ClusterId> = self
            .moved
            .iter()
            .map(|((whole, _), part)| (part.clone(), whole.clone()))
            .filter(|(part, _)| !self.titles.contains_key(part))
            .collect();
        for (part, whole) in parts {
            let Some(cluster) = self.clusters.get(&part) else {
                continue;
            };
            let plain = title::of(&cluster.mechanism);
            let whole = self.clusters.get(&self.current(&whole));
            let named = match whole.filter(|whole| title::of(&whole.mechanism) == plain) {
                None => plain,
                Some(whole) => match unlike(cluster, whole, records).as_slice() {
                    [] => untold(&plain),
                    words => format!("{plain} ({})", words[..words.len().min(WORDS)].join(", ")),
                },
            };
            if let Some(cluster) = self.clusters.get_mut(&part) {
                cluster.title = named;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::record;
    use crate::cluster::{Author, Change, Revision};

    fn split(cluster: &ClusterId, records: &[&str]) -> Revision {
        Revision {
            change: Change::Split {
                cluster: cluster.clone(),
                records: records.iter().map(|id| RecordId::new(*id)).collect(),
            },
            by: Author::Person,
            reason: String::new(),
        }
    }

    #[test]
    fn a_part_is_called_by_what_its_own_members_share() {
        let mut book = ClusterBook::default();
        let mut records = BTreeMap::new();
        let mut whole = None;
        for (id, tool, asked) in [
            ("a", "refund", "refund my lamp"),
            ("b", "refund", "refund the lamp of order 7"),
            ("c", "refund", "refund the voucher, please"),
            ("d", "ship", "where is it?"),
        ] {
            let mut failure = record(id, id, &[("missing_action", tool)]);
            asked.clone_into(&mut failure.context);
            let joined = book.join(&failure, 1).remove(0);
            whole.get_or_insert(joined.clone());
            if tool == "ship" {
                let into = whole.clone().unwrap();
                book.revise(&[Revision {
                    change: Change::Merge { into, from: joined },
                    by: Author::Person,
                    reason: String::new(),
                }]);
            }
            records.insert(failure.id.clone(), failure);
        }
        let whole = whole.unwrap();
        book.revise(&[split(&whole, &["c"]), split(&whole, &["d"])]);
        book.name_parts(&records);
        let title = |id: &str| {
            let holding = book.holding(&RecordId::new(id));
            book.clusters[&holding[0]].title.clone()
        };
        assert_eq!(title("a"), "never does `refund` when it is needed");
        assert_eq!(title("c"), "never does `refund` when it is needed (please, voucher)");
        assert_eq!(
            title("d"),
            "never does `ship` when it is needed",
            "it never was about refunds"
        );
    }
}
