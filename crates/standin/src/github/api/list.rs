//! Lists, a page at a time: by number, by cursor, and as far as GitHub goes.

use super::{Ask, Denied, Outcome, Reply, denied};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// What one page holds if nobody says.
const PER_PAGE: usize = 30;
/// The issues of a repository are paged through by number up to here: with pages of 100, GitHub refuses the hundredth.
const MOST_BY_NUMBER: usize = 10_000;
const BY_CURSOR: &str = "Pagination with the page parameter is not supported for large datasets, please use cursor based pagination (after/before)";
const NO_FURTHER: &str = "In order to keep the API fast for everyone, pagination is limited for this resource.";
/// How GitHub's cursors begin.
const CURSOR: &str = "Y3Vyc29yOnYyOpLP";

impl Ask<'_> {
    /// The number in a query parameter.
    fn numbered(&self, name: &str) -> Option<usize> {
        self.query(name)?.parse().ok()
    }

    /// The most items of a page, and its number.
    fn wanted(&self) -> (usize, usize) {
        let size = self.numbered("per_page").unwrap_or(PER_PAGE).clamp(1, 100);
        (size, self.numbered("page").unwrap_or(1).max(1))
    }

    /// The same list elsewhere: the address asked for, with other `steps` to the page.
    fn link(&self, steps: &[(&str, String)], rel: &str) -> String {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let step = |pair: &&str| ["page=", "after=", "before="].iter().any(|step| pair.starts_with(step));
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !step(pair));
        let steps = steps.iter().map(|(name, value)| format!("{name}={value}"));
        let pairs: Vec<String> = kept.map(str::to_owned).chain(steps).collect();
        format!("<{}{path}?{}>; rel=\"{rel}\"", self.api, pairs.join("&"))
    }

    /// One page of a list, with links to the others.
    fn page<T>(&self, items: &[T], show: impl Fn(&T) -> Value) -> (Vec<Value>, Vec<(String, String)>) {
        let (size, page) = self.wanted();
        let last = items.len().div_ceil(size).max(1);
        let shown = items.iter().skip((page - 1) * size).take(size).map(show).collect();
        let link = |page: usize, rel: &str| self.link(&[("page", page.to_string())], rel);
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        (shown, linked(&links))
    }

    /// One page of a list that GitHub leads through by cursors. Numbers are taken too, but not far; beside a cursor the number says nothing, and
    /// nobody is told which page is the last. `place` is where in the order an item stands: others that come or go do not move it.
    pub(in super::super) fn by_cursor<T>(
        &self,
        items: &[T],
        place: impl Fn(&T) -> Place,
        show: impl Fn(&T) -> Value,
    ) -> Outcome {
        let (size, page) = self.wanted();
        let ascending = self.query("direction") == Some("asc");
        let given = |name: &str| self.query(name).map(place_of).transpose();
        let before = |wanted: Place, also: bool| {
            items.partition_point(|item| match place(item).cmp(&wanted) {
                Ordering::Equal => also,
                order => (order == Ordering::Less) == ascending,
            })
        };
        let from = match (given("after")?, given("before")?) {
            (Some(after), _) => before(after, true),
            (None, Some(wanted)) => before(wanted, false).saturating_sub(size),
            (None, None) if page * size >= MOST_BY_NUMBER => return Err(denied(422, BY_CURSOR)),
            (None, None) => items.len().min((page - 1) * size),
        };
        let shown = &items[from..items.len().min(from + size)];
        let mut links = Vec::new();
        if let Some(last) = shown.last().filter(|_| from + size < items.len()) {
            let steps = [("after", cursor(place(last))), ("page", (page + 1).to_string())];
            links.push(self.link(&steps, "next"));
        }
        if let Some(first) = shown.first().filter(|_| from > 0) {
            let steps = [
                ("page", (page.max(2) - 1).to_string()),
                ("before", cursor(place(first))),
            ];
            links.push(self.link(&steps, "prev"));
        }
        Ok(Reply {
            status: 200,
            body: Some(shown.iter().map(show).collect()),
            headers: linked(&links),
        })
    }

    /// A list that GitHub pages through by number, up to a limit.
    pub(in super::super) fn limited<T>(&self, most: usize, items: &[T], show: impl Fn(&T) -> Value) -> Outcome {
        let (size, page) = self.wanted();
        if page * size > most {
            return Err(denied(422, NO_FURTHER));
        }
        self.list(items, show)
    }

    pub(in super::super) fn list<T>(&self, items: &[T], show: impl Fn(&T) -> Value) -> Outcome {
        let (shown, headers) = self.page(items, show);
        Ok(Reply {
            status: 200,
            body: Some(shown.into()),
            headers,
        })
    }

    /// A list in an object that also says how many there are.
    pub(in super::super) fn counted<T>(&self, name: &str, items: &[T], show: impl Fn(&T) -> Value) -> Outcome {
        let (shown, headers) = self.page(items, show);
        let body = json!({"total_count": items.len(), name: shown});
        Ok(Reply {
            status: 200,
            body: Some(body),
            headers,
        })
    }
}

/// Where in a list an item stands: its time and its number.
type Place = (Timestamp, u64);

/// A place as GitHub writes cursors: opaque, and with characters that a query must escape.
fn cursor((at, number): Place) -> String {
    format!("{CURSOR}{:x}-{number:x}%3D%3D", at.as_second())
}

fn place_of(cursor: &str) -> Result<Place, Denied> {
    let inner = cursor.strip_prefix(CURSOR).and_then(|rest| rest.strip_suffix("=="));
    let place = inner.and_then(|inner| {
        let (at, number) = inner.split_once('-')?;
        let at = Timestamp::from_second(i64::from_str_radix(at, 16).ok()?).ok()?;
        Some((at, u64::from_str_radix(number, 16).ok()?))
    });
    place.ok_or_else(|| denied(422, "The cursor is invalid."))
}

fn linked(links: &[String]) -> Vec<(String, String)> {
    if links.is_empty() {
        return Vec::new();
    }
    vec![("link".to_owned(), links.join(", "))]
}
