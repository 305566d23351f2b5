//! Lists over many pages. The way from a page to the next is what GitHub says it is: a number, or for long lists a cursor. Where pages are
//! numbered, a list that changes while it is read shifts below the reader; where GitHub ends the paging of a long list, time leads on.

use super::Forge;
use super::call::Call;
use super::error::{ErrorClass, ForgeError};
use reqwest::Url;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// GitHub gives no more on one page.
const PER_PAGE: usize = 100;
/// How often a list is read that changes all the time.
const MAX_READS: usize = 3;
/// A list that ends with a full page after so many items may have been cut: GitHub gives 30,000 or 40,000 comments, whatever there are.
pub(super) const LONG: usize = 10_000;

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

/// As much of a list as GitHub gives.
pub(super) struct Read<T> {
    pub(super) items: Vec<T>,
    /// Why there may be more.
    pub(super) cut: Option<ForgeError>,
}

impl Forge {
    /// Every item of a list, as it came, until `stop` knows one; that one and what follows it are left out.
    pub(super) async fn list<P: Page>(
        &self,
        call: &Call,
        stop: impl Fn(&P::Item) -> bool + Send,
    ) -> Result<Vec<P::Item>, ForgeError> {
        let read = self.read_list::<P>(call, stop).await?;
        match read.cut {
            Some(error) => Err(error),
            None => Ok(read.items),
        }
    }

    /// The same, and no error where GitHub refuses to page any further.
    pub(super) async fn read_list<P: Page>(
        &self,
        call: &Call,
        stop: impl Fn(&P::Item) -> bool + Send,
    ) -> Result<Read<P::Item>, ForgeError> {
        let first = call.clone().query("per_page", PER_PAGE);
        let mut page = first.clone();
        let mut items = Vec::new();
        for number in 1_u64.. {
            let (read, link): (P, _) = match self.read_page(&page).await {
                // The first page was taken, so it is not the request that is wrong.
                Err(error) if number > 1 && error.class() == ErrorClass::Invalid => {
                    return Ok(Read {
                        items,
                        cut: Some(error),
                    });
                }
                read => read?,
            };
            let read = read.items();
            let count = read.len();
            for item in read {
                if stop(&item) {
                    return Ok(Read { items, cut: None });
                }
                items.push(item);
            }
            let next = match link {
                Some(link) => next_of(&link, self.inner.transport.base()).map(|steps| follow(&first, steps, number)),
                // Without the header a full page may have a next one.
                None => (count >= PER_PAGE).then(|| first.clone().query("page", number + 1)),
            };
            match next {
                Some(next) if count > 0 => page = next,
                _ => break,
            }
        }
        Ok(Read { items, cut: None })
    }

    /// Every item of a list that is sorted by update, oldest first. An item that is updated meanwhile moves to the end, and what was behind it
    /// moves one up, maybe over the edge of a page that was read already. Then the item is seen twice, and the list is read again.
    ///
    /// `stamp` is what an item is known by, and when it was updated last.
    pub(super) async fn list_by_update<T>(
        &self,
        call: &Call,
        stamp: impl Fn(&T) -> (u64, &str) + Send + Sync,
    ) -> Result<Vec<T>, ForgeError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let mut seen: BTreeMap<u64, (usize, T)> = BTreeMap::new();
        let mut order = 0;
        for _ in 0..MAX_READS {
            let items = self.read_by_update(call, &stamp).await?;
            let count = items.len();
            let mut read: BTreeMap<u64, (usize, T)> = BTreeMap::new();
            for item in items {
                order += 1;
                read.insert(stamp(&item).0, (order, item));
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

    /// Such a list once. Where GitHub pages no further, it is asked for what was updated since the last item.
    async fn read_by_update<T>(
        &self,
        call: &Call,
        stamp: &(impl Fn(&T) -> (u64, &str) + Send + Sync),
    ) -> Result<Vec<T>, ForgeError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let mut call = call.clone();
        let mut all: Vec<T> = Vec::new();
        let mut known: BTreeSet<(u64, String)> = BTreeSet::new();
        loop {
            let Read { mut items, cut } = self.read_list::<Vec<T>>(&call, |_| false).await?;
            let may_be_cut = cut.is_some() || (items.len() >= LONG && items.len().is_multiple_of(PER_PAGE));
            let own = |item: &T| {
                let (key, at) = stamp(item);
                (key, at.to_owned())
            };
            let until = items.last().map(own);
            items.retain(|item| !known.contains(&own(item)));
            all.append(&mut items);
            match (until, cut) {
                (Some((_, until)), _) if may_be_cut && call.asked("since") != Some(&until) => {
                    // What was updated in that very second comes once more.
                    known = all.iter().map(own).filter(|(_, at)| *at == until).collect();
                    call = call.query("since", until);
                }
                (_, Some(error)) => return Err(error),
                (_, None) => return Ok(all),
            }
        }
    }
}

/// The parameters of the address that a `Link` header names as the next page.
fn next_of(link: &str, base: &Url) -> Option<Vec<(String, String)>> {
    let mut links = link.split('<').filter_map(|part| part.split_once('>'));
    let (address, _) = links.find(|(_, relation)| relation.contains("rel=\"next\""))?;
    let pairs = base.join(address).ok()?.query_pairs().into_owned().collect();
    Some(pairs)
}

/// The next page: what was asked for stays as it was asked; what GitHub adds (`page`, `after`) leads on. Host and path are never taken over.
fn follow(first: &Call, steps: Vec<(String, String)>, number: u64) -> Call {
    let mut next = first.clone();
    for (key, value) in steps {
        if first.asked(&key).is_none() {
            next = next.query(&key, value);
        }
    }
    if next.target() == first.target() {
        return next.query("page", number + 1);
    }
    next
}

/// The items of a list that is newest first, oldest first and each once: new ones push the others onto the next page.
pub(super) fn oldest_first<T>(items: Vec<T>, id: impl Fn(&T) -> u64) -> Vec<T> {
    let by_id: BTreeMap<u64, T> = items.into_iter().map(|item| (id(&item), item)).collect();
    by_id.into_values().collect()
}
