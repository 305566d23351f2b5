//! `[proposer]`: who proposes changes, and how much of a model or a coding agent that may take.

use super::convert::{Mistake, choice, duration, text, whole};
use super::read::count;
use super::reader::Reader;
use super::{EditLimits, ProposerConfig, ProposerKind, agent_model};

/// The keys that mean something for one kind alone.
const OF_A_KIND: [(ProposerKind, &str, &[&str]); 2] = [
    (ProposerKind::Model, "model", &["steps", "runs", "tokens"]),
    (
        ProposerKind::Command,
        "command",
        &["command", "env", "model", "timeout"],
    ),
];

/// `has_model` says whether there is a `[model]`.
pub(super) fn read(table: &Reader<'_>, has_model: bool) -> ProposerConfig {
    let kind = table
        .one(
            "kind",
            choice(&[
                ("recipes", Some(ProposerKind::Recipes)),
                ("model", Some(ProposerKind::Model)),
                ("command", Some(ProposerKind::Command)),
            ]),
        )
        .unwrap_or(ProposerKind::Recipes);
    if kind == ProposerKind::Model && !has_model {
        let mistake = Mistake::new(
            "needs a model, and there is no [model]",
            "write [model] (docs/model.md), or kind = \"recipes\"",
        );
        table.problem("kind", mistake);
    }
    if kind == ProposerKind::Command {
        table.require(
            "command",
            "write the coding agent and its arguments, such as [\"codex\", \"exec\", \"-\"] (docs/proposers.md)",
        );
    }
    for (_, word, keys) in OF_A_KIND.iter().filter(|(of, ..)| *of != kind) {
        for key in keys.iter().filter(|key| table.has(key)) {
            let what = format!("has a meaning for kind \"{word}\" alone");
            table.problem(
                key,
                Mistake::new(what, format!("take it out, or write kind = \"{word}\"")),
            );
        }
    }
    let usual = EditLimits::default();
    let env = table.many("env", text).unwrap_or_default();
    ProposerConfig {
        kind,
        command: table.some("command", text).unwrap_or_default(),
        model: agent_model::read(table, &env),
        env,
        timeout_ms: table.one("timeout", duration).unwrap_or(15 * 60_000),
        limits: EditLimits {
            steps: count(table, "steps", u64::from(usual.steps), 1, 1_000),
            runs: count(table, "runs", u64::from(usual.runs), 0, 1_000),
            tokens: table.one("tokens", whole(1_000, 1_000_000_000)).unwrap_or(usual.tokens),
        },
    }
}
