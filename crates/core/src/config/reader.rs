//! A view of one TOML table that knows its key path, collects problems, and remembers which keys were asked for, so that unknown ones fall out.

use super::problem::{Problem, nearest};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a value, and what would be right.
pub(super) struct Mistake {
    /// To be read after the key.
    pub(super) what: String,
    /// An order: "write …".
    pub(super) fix: String,
}

impl Mistake {
    /// A mistake.
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into() }
    }
}

/// What all readers of one file share.
pub(super) struct Log<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
    known: RefCell<BTreeSet<String>>,
}

impl<'t> Log<'t> {
    /// An empty log of this text.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::default(), known: RefCell::default() }
    }

    /// Notes a problem at a byte of the text.
    pub(super) fn report(&self, offset: usize, key: &str, mistake: Mistake) {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        self.problems.borrow_mut().push(Problem { line, key: key.to_owned(), what: mistake.what, fix: mistake.fix });
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
        Self { log, table: Some(table), path: String::new(), start: 0 }.close_after(read)
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
        Some(items.iter().filter_map(|item| self.converted(key, item, &convert)).collect())
    }

    /// The values of a list that may not be empty.
    pub(super) fn some<T>(&self, key: &str, convert: impl Fn(&DeValue<'_>) -> Result<T, Mistake>) -> Option<Vec<T>> {
        let empty = self.get(key)?.get_ref().as_array().is_some_and(|items| items.is_empty());
        if empty {
            self.problem(key, Mistake::new("is an empty list", "name at least one, or take the key out"));
        }
        self.many(key, convert)
    }

    /// Reads an inner table; keys of it that `read` did not ask for are problems.
    pub(super) fn table<T>(&self, key: &str, read: impl FnOnce(&Self) -> T) -> T {
        let found = self.get(key);
        let table = found.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (found, table) {
            self.problem(key, wrong_type(value.get_ref(), "a table", &format!("[{}] and its keys below it", self.name(key))));
        }
        let start = self.offset(key);
        Self { log: self.log, table, path: self.name(key), start }.close_after(read)
    }

    /// Reads an array of tables.
    pub(super) fn tables<T>(&self, key: &str, read: impl Fn(&Self) -> T) -> Vec<T> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let items: Option<Vec<_>> = value.get_ref().as_array().map(|items| items.iter().collect());
        let items = items.filter(|items| items.iter().all(|item| item.get_ref().is_table()));
        let Some(items) = items else {
            self.problem(key, wrong_type(value.get_ref(), "a list of tables", &format!("[[{}]]", self.name(key))));
            return Vec::new();
        };
        let one = |item: &'t Spanned<DeValue<'t>>| {
            let inner = Self { log: self.log, table: item.get_ref().as_table(), path: self.name(key), start: item.span().start };
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

    fn converted<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, convert: impl FnOnce(&DeValue<'_>) -> Result<T, Mistake>) -> Option<T> {
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
        self.table.and_then(|table| table.get_key_value(key)).map_or(self.start, |(name, _)| name.span().start)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn close_after<T>(self, read: impl FnOnce(&Self) -> T) -> T {
        let out = read(&self);
        let known = self.log.known.borrow().clone();
        let prefix = self.name("");
        let siblings: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix(&prefix)).filter(|name| !name.contains('.')).collect();
        for key in self.table.into_iter().flat_map(DeTable::keys).map(|key| key.get_ref().as_ref()).filter(|key| !siblings.contains(key)) {
            let place = if self.path.is_empty() { "sprag.toml".to_owned() } else { format!("[{}]", self.path) };
            let fix = match nearest(key, siblings.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("take it out; {place} has {}", listed(&siblings)),
            };
            self.problem(key, Mistake::new(format!("is not a key of {place}"), fix));
        }
        out
    }
}

/// A text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Mistake> {
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Err(Mistake::new("is empty", "write a text between the quotes")),
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong_type(value, "a text", "a text in quotes")),
    }
}

/// A whole number within bounds.
pub(super) fn whole(least: u64, most: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, Mistake> {
    move |value| {
        let right = format!("a whole number from {least} to {most}");
        let Some(integer) = value.as_integer() else { return Err(wrong_type(value, "a whole number", &right)) };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
        match u64::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(Mistake::new(format!("is {}, which is too {}", integer.as_str(), if number < i128::from(least) { "small" } else { "large" }), format!("write {right}"))),
        }
    }
}

/// A number within bounds; `right` says which.
pub(super) fn number(least: f64, most: f64, right: &'static str) -> impl Fn(&DeValue<'_>) -> Result<f64, Mistake> {
    move |value| {
        let written = value.as_float().map(toml::de::DeFloat::as_str).or_else(|| value.as_integer().map(toml::de::DeInteger::as_str));
        let Some(written) = written else { return Err(wrong_type(value, "a number", right)) };
        match written.parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(Mistake::new(format!("is {written}, which is not {right}"), format!("write {right}"))),
        }
    }
}

/// A time such as `"120s"`, in milliseconds.
pub(super) fn duration(value: &DeValue<'_>) -> Result<u64, Mistake> {
    const RIGHT: &str = "a time such as \"500ms\", \"120s\", \"2m\" or \"3h\"";
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let Some(written) = value.as_str() else { return Err(wrong_type(value, "a time", RIGHT)) };
    let digits = written.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(written.len());
    let amount = written[..digits].parse::<u64>().ok();
    let unit = UNITS.iter().find(|(unit, _)| *unit == written[digits..].trim()).map(|(_, ms)| *ms);
    match amount.zip(unit).and_then(|(amount, unit)| amount.checked_mul(unit)) {
        Some(0) => Err(Mistake::new(format!("is \"{written}\", which is no time at all"), format!("write {RIGHT}"))),
        Some(ms) => Ok(ms),
        None => Err(Mistake::new(format!("is \"{written}\", which is not a time"), format!("write {RIGHT}"))),
    }
}

/// One of some words; a word without a value is known but not in this version.
pub(super) fn choice<T: Copy>(words: &'static [(&'static str, Option<T>)]) -> impl Fn(&DeValue<'_>) -> Result<T, Mistake> {
    move |value| {
        let here: Vec<&str> = words.iter().filter(|(_, meaning)| meaning.is_some()).map(|(word, _)| *word).collect();
        let right = here.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
        let Some(written) = value.as_str() else { return Err(wrong_type(value, "a text", &right)) };
        match words.iter().find(|(word, _)| *word == written) {
            Some((_, Some(meaning))) => Ok(*meaning),
            Some((_, None)) => Err(Mistake::new(format!("is \"{written}\", which this version does not have yet"), format!("write {right}, the only choice so far"))),
            None => {
                let fix = nearest(written, here.iter().copied()).map_or_else(|| format!("write {right}"), |meant| format!("did you mean \"{meant}\"?"));
                Err(Mistake::new(format!("is \"{written}\", which is not one of the choices"), fix))
            }
        }
    }
}

/// Any value, its keys in the order of the file.
pub(super) fn anything(value: &DeValue<'_>) -> Result<Value, Mistake> {
    Ok(json(value))
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Null, Value::from),
        DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            Value::Object(entries.into_iter().map(|(key, inner)| (key.get_ref().to_string(), json(inner.get_ref()))).collect::<Map<_, _>>())
        }
    }
}

/// The mistake of a value of another type than `wanted`.
pub(super) fn wrong_type(value: &DeValue<'_>, wanted: &str, right: &str) -> Mistake {
    let found = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Mistake::new(format!("is {found}, but {wanted} is needed"), format!("write {right}"))
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
