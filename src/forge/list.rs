//! Lists over many pages. GitHub's pages are numbered, so a list that changes while it is read shifts below the reader.

use super::Forge;
use super::call::Call;
use super::error::ForgeError;
use serde::Deserialize;
use std::collections::BTreeMap;

/// GitHub gives no more on one page.
const PER_PAGE: usize = 100;
/// How often a list is read that changes all the time.
const MAX_READS: usize = 3;

/// One page of a list.
pub(super) trait Page: for<'de> Deserialize<'de> {
    type Item;

    fn items(self) -> Vec<Self::Item>;
}

impl<T: for<'de> Deserialize<'de>> Page for Vec<T> {
    type Item = T;

    fn items(self) -> Self {
        self
    }
}

impl Forge {
    /// Every item of a list, as it came, until `stop` knows one; that one and what follows it are left out.
    pub(super) async fn list<P: Page>(
        &self,
        call: &Call,
        stop: impl Fn(&P::Item) -> bool + Send,
    ) -> Result<Vec<P::Item>, ForgeError> {
        let mut all = Vec::new();
        for number in 1_u64.. {
            let page = call.clone().query("per_page", PER_PAGE).query("page", number);
            let (page, link): (P, _) = self.read_page(&page).await?;
            let items = page.items();
            let count = items.len();
            for item in items {
                if stop(&item) {
                    return Ok(all);
                }
                all.push(item);
            }
            // Only whether there is a next page is taken from `Link`, never its address. Without the header a full page may have one.
            let more = match link {
                Some(link) => link.contains("rel=\"next\""),
                None => count >= PER_PAGE,
            };
            if !more || count == 0 {
                break;
            }
        }
        Ok(all)
    }

    /// Every item of a list that is sorted by update, oldest first. An item that is updated meanwhile moves to the end, and what was behind it
    /// moves one up, maybe over the edge of a page that was read already. Then the item is seen twice, and the list is read again.
    pub(super) async fn list_by_update<T>(
        &self,
        call: &Call,
        key: impl Fn(&T) -> u64 + Send,
    ) -> Result<Vec<T>, ForgeError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let mut seen: BTreeMap<u64, (usize, T)> = BTreeMap::new();
        let mut order = 0;
        for _ in 0..MAX_READS {
            let items = self.list::<Vec<T>>(call, |_| false).await?;
            let count = items.len();
            let mut read: BTreeMap<u64, (usize, T)> = BTreeMap::new();
            for item in items {
                order += 1;
                read.insert(key(&item), (order, item));
            }
            let shifted = read.len() < count;
            seen.append(&mut read);
            if !shifted {
                break;
            }
        }
        let mut items: Vec<(usize, T)> = seen.into_values().collect();
        items.sort_by_key(|(order, _)| *order);
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }
}

/// The items of a list that is newest first, oldest first and each once: new ones push the others onto the next page.
pub(super) fn oldest_first<T>(items: Vec<T>, id: impl Fn(&T) -> u64) -> Vec<T> {
    let by_id: BTreeMap<u64, T> = items.into_iter().map(|item| (id(&item), item)).collect();
    by_id.into_values().collect()
}
