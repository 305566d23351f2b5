//! A view of one TOML table that knows its key path, collects problems, and remembers which keys were asked for, so that unknown ones fall out.

use super::convert::{Mistake, listed, wrong_type};
use super::problem::{Problem, nearest};
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What all readers of one file share.
pub(super) struct Log<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
    known: RefCell<BTreeSet<String>>,
}

impl<'t> Log<'t> {
    /// An empty log of this text.
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// Notes a problem at a byte of the text.
    pub(super) fn report(&self, offset: usize, key: &str, mistake: Mistake) {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        self.problems.borrow_mut().push(Problem {
            line,
            key: key.to_owned(),
            what: mistake.what,
            fix: mistake.fix,
        });
    }

    /// All problems in the order of their lines, and every key that was asked for.
    pub(super) fn finish(self) -> (Vec<Problem>, BTreeSet<String>) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        (problems, self.known.into_inner())
    }
}

/// One table. A table that is absent reads as an empty one.
pub(super) struct Reader<'t> {
    log: &'t Log<'t>,
    table: Option<&'t DeTable<'t>>,
    path: String,
    start: usize,
}

impl<'t> Reader<'t> {
    /// Reads the whole file; keys that nobody asked for are problems.
    pub(super) fn root<T>(log: &'t Log<'t>, table: &'t DeTable<'t>, read: impl FnOnce(&Self) -> T) -> T {
        Self {
            log,
            table: Some(table),
            path: String::new(),
            start: 0,
        }
        .close_after(read)
    }

    /// The value of a key; `None` when it is absent or wrong, which is then noted.
    pub(super) fn one<T>(&self, key: &str, convert: impl FnOnce(&DeValue<'_>) -> Result<T, Mistake>) -> Option<T> {
        self.converted(key, self.get(key)?, convert)
    }

    /// The values of a list; wrong ones are noted, each at its own line, and left out.
    pub(super) fn many<T>(&self, key: &str, convert: impl Fn(&DeValue<'_>) -> Result<T, Mistake>) -> Option<Vec<T>> {
        let value = self.get(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.problem(key, wrong_type(value.get_ref(), "a list", "a list, such as [\"…\"]"));
            return None;
        };
        Some(
            items
                .iter()
                .filter_map(|item| self.converted(key, item, &convert))
                .collect(),
        )
    }

    /// The values of a list that may not be empty.
    pub(super) fn some<T>(&self, key: &str, convert: impl Fn(&DeValue<'_>) -> Result<T, Mistake>) -> Option<Vec<T>> {
        let empty = self
            .get(key)?
            .get_ref()
            .as_array()
            .is_some_and(|items| items.is_empty());
        if empty {
            self.problem(
                key,
                Mistake::new("is an empty list", "name at least one, or take the key out"),
            );
        }
        self.many(key, convert)
    }

    /// Reads an inner table; keys of it that `read` did not ask for are problems.
    pub(super) fn table<T>(&self, key: &str, read: impl FnOnce(&Self) -> T) -> T {
        let found = self.get(key);
        let table = found.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (found, table) {
            self.problem(
                key,
                wrong_type(
                    value.get_ref(),
                    "a table",
                    &format!("[{}] and its keys below it", self.name(key)),
                ),
            );
        }
        let start = self.offset(key);
        Self {
            log: self.log,
            table,
            path: self.name(key),
            start,
        }
        .close_after(read)
    }

    /// Reads an array of tables.
    pub(super) fn tables<T>(&self, key: &str, read: impl Fn(&Self) -> T) -> Vec<T> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let items: Option<Vec<_>> = value.get_ref().as_array().map(|items| items.iter().collect());
        let items = items.filter(|items| items.iter().all(|item| item.get_ref().is_table()));
        let Some(items) = items else {
            self.problem(
                key,
                wrong_type(value.get_ref(), "a list of tables", &format!("[[{}]]", self.name(key))),
            );
            return Vec::new();
        };
        let one = |item: &'t Spanned<DeValue<'t>>| {
            let inner = Self {
                log: self.log,
                table: item.get_ref().as_table(),
                path: self.name(key),
                start: item.span().start,
            };
            inner.close_after(&read)
        };
        items.into_iter().map(one).collect()
    }

    /// Notes a problem at the line of a key, or at the head of the table when the key is absent.
    pub(super) fn problem(&self, key: &str, mistake: Mistake) {
        self.log.report(self.offset(key), &self.name(key), mistake);
    }

    /// Notes a key that must be there and is not.
    pub(super) fn require(&self, key: &str, fix: impl Into<String>) {
        if !self.has(key) {
            self.problem(key, Mistake::new("is missing", fix));
        }
    }

    /// Whether nothing wrong has been found in the whole file so far.
    pub(super) fn is_clean(&self) -> bool {
        self.log.problems.borrow().is_empty()
    }

    /// Whether the key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    fn converted<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        convert: impl FnOnce(&DeValue<'_>) -> Result<T, Mistake>,
    ) -> Option<T> {
        match convert(value.get_ref()) {
            Ok(converted) => Some(converted),
            Err(mistake) => {
                self.log.report(value.span().start, &self.name(key), mistake);
                None
            }
        }
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.log.known.borrow_mut().insert(self.name(key));
        self.table?.get(key)
    }

    fn offset(&self, key: &str) -> usize {
        self.table
            .and_then(|table| table.get_key_value(key))
            .map_or(self.start, |(name, _)| name.span().start)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn close_after<T>(self, read: impl FnOnce(&Self) -> T) -> T {
        let out = read(&self);
        let known = self.log.known.borrow().clone();
        let prefix = self.name("");
        let siblings: Vec<&str> = known
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix))
            .filter(|name| !name.contains('.'))
            .collect();
        for key in self
            .table
            .into_iter()
            .flat_map(DeTable::keys)
            .map(|key| key.get_ref().as_ref())
            .filter(|key| !siblings.contains(key))
        {
            let place = if self.path.is_empty() {
                "sprag.toml".to_owned()
            } else {
                format!("[{}]", self.path)
            };
            let fix = match nearest(key, siblings.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("take it out; {place} has {}", listed(&siblings)),
            };
            self.problem(key, Mistake::new(format!("is not a key of {place}"), fix));
        }
        out
    }
}
