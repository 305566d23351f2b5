//! Check runs on a commit, and the ones that sprag keeps there.

use super::call::Call;
use super::error::{ErrorClass, ForgeError};
use super::issues::same;
use super::list::Page;
use super::wire::CheckWire;
use super::{Forge, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use sprag_core::github::CheckRunSeen;
use sprag_core::render::check::CheckRun;
use std::collections::BTreeSet;

/// GitHub takes no more in one request, and appends those of the next.
const MAX_ANNOTATIONS: usize = 50;

#[derive(Deserialize)]
struct Checks {
    check_runs: Vec<CheckWire>,
}

impl Page for Checks {
    type Item = CheckWire;

    fn items(self) -> Vec<CheckWire> {
        self.check_runs
    }
}

/// A check run as it is to be.
struct Wanted {
    /// The body of "create a check run", without annotations.
    body: Value,
    annotations: Vec<Value>,
}

impl Wanted {
    /// Goes by how the check run serialises. GitHub takes no null, so what is null is left out.
    fn new(check: &CheckRun) -> Result<Self, serde_json::Error> {
        let mut body = serde_json::to_value(check)?;
        drop_nulls(&mut body);
        let annotations = body
            .get_mut("output")
            .and_then(Value::as_object_mut)
            .and_then(|output| output.shift_remove("annotations"));
        Ok(Self {
            body,
            annotations: match annotations {
                Some(Value::Array(annotations)) => annotations,
                _ => Vec::new(),
            },
        })
    }

    fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether GitHub shows what it should, all annotations included.
    fn is_shown(&self, seen: &CheckWire) -> bool {
        let state = seen.seen();
        state.status == self.text("/status")
            && state.conclusion.as_deref().unwrap_or_default() == self.text("/conclusion")
            && same(
                seen.output.title.as_deref().unwrap_or_default(),
                self.text("/output/title"),
            )
            && same(
                seen.output.summary.as_deref().unwrap_or_default(),
                self.text("/output/summary"),
            )
            && seen.output.annotations_count >= self.annotations.len()
    }

    /// The body with the annotations behind the first `sent`, as many as GitHub takes.
    fn part(&self, sent: usize) -> (Value, usize) {
        let mut body = self.body.clone();
        let rest = self.annotations.get(sent..).unwrap_or_default();
        let part = &rest[..rest.len().min(MAX_ANNOTATIONS)];
        if !part.is_empty()
            && let Some(output) = body.get_mut("output").and_then(Value::as_object_mut)
        {
            output.insert("annotations".to_owned(), json!(part));
        }
        (body, sent + part.len())
    }
}

impl Forge {
    /// All check runs on a commit, whoever made them.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn check_runs(&self, sha: &str) -> Result<Vec<CheckRunSeen>, ForgeError> {
        Ok(self.checks_of(sha).await?.iter().map(CheckWire::seen).collect())
    }

    /// The files that one of our check runs on a commit points at; none when it is not ours, or not on that commit.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn annotated_files(&self, sha: &str, check: u64) -> Result<BTreeSet<String>, ForgeError> {
        #[derive(Deserialize)]
        struct Annotation {
            path: String,
        }
        if !self.our_checks(sha).await?.iter().any(|ours| ours.id == check) {
            return Ok(BTreeSet::new());
        }
        let call = self.call(endpoint::ANNOTATIONS, &[&check]);
        let annotations = self.list::<Vec<Annotation>>(&call, |_| false).await?;
        Ok(annotations.into_iter().map(|annotation| annotation.path).collect())
    }

    /// The one check run of ours with this commit, name and external id: created, updated where it differs, or left. Annotations beyond those
    /// that one request takes follow in further ones; GitHub only ever appends them, so those that are there already are not sent again.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn keep_check(&self, check: &CheckRun) -> Result<CheckRunSeen, ForgeError> {
        let wanted = Wanted::new(check)
            .map_err(|error| ForgeError::refused(endpoint::NEW_CHECK, ErrorClass::Invalid, error.to_string()))?;
        let mut turn = self.turn().await;
        let mut patience = self.patience();
        let mut seen = self.our_check(&wanted).await?;
        if let Some(seen) = seen.as_ref().filter(|seen| wanted.is_shown(seen)) {
            return Ok(seen.seen());
        }
        loop {
            let there = seen.as_ref().map_or(0, |seen| seen.output.annotations_count);
            let (call, sent) = self.check_call(&wanted, seen.as_ref().map(|seen| seen.id), there);
            match self.change_once::<CheckWire>(&mut turn, &call).await {
                Ok(answer) if sent >= wanted.annotations.len() => return Ok(answer.seen()),
                Ok(mut answer) => {
                    answer.output.annotations_count = sent;
                    seen = Some(answer);
                }
                Err(error) => {
                    patience.after(error).await?;
                    // What was heard of the request, and how many annotations, only GitHub knows.
                    seen = self.our_check(&wanted).await?;
                    if let Some(seen) = seen.as_ref().filter(|seen| wanted.is_shown(seen)) {
                        return Ok(seen.seen());
                    }
                }
            }
        }
    }

    /// The request that creates or changes the check run, and how many annotations it has then.
    fn check_call(&self, wanted: &Wanted, id: Option<u64>, there: usize) -> (Call, usize) {
        let (mut body, sent) = wanted.part(there);
        let call = match id {
            None => self.call(endpoint::NEW_CHECK, &[]),
            Some(id) => {
                // The commit of a check run cannot be changed.
                body.as_object_mut().map(|body| body.shift_remove("head_sha"));
                self.call(endpoint::CHANGE_CHECK, &[&id])
            }
        };
        (call.body(body), sent)
    }

    /// The newest one that is to be so.
    async fn our_check(&self, wanted: &Wanted) -> Result<Option<CheckWire>, ForgeError> {
        let ours = self.our_checks(wanted.text("/head_sha")).await?;
        let same = ours.into_iter().filter(|check| {
            let seen = check.seen();
            seen.name == wanted.text("/name") && seen.external_id == wanted.text("/external_id")
        });
        Ok(same.max_by_key(|check| check.id))
    }

    /// Those that are ours: another app's cannot be changed, whatever it is called.
    async fn our_checks(&self, sha: &str) -> Result<Vec<CheckWire>, ForgeError> {
        let mut checks = self.checks_of(sha).await?;
        let me = self.myself().await?.login;
        checks.retain(|check| {
            let slug = check.app.as_ref().and_then(|app| app.slug.as_deref());
            slug.is_none_or(|slug| me == format!("{slug}[bot]"))
        });
        Ok(checks)
    }

    async fn checks_of(&self, sha: &str) -> Result<Vec<CheckWire>, ForgeError> {
        let call = self.call(endpoint::CHECKS_OF, &[&sha]).query("filter", "all");
        self.list::<Checks>(&call, |_| false).await
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
