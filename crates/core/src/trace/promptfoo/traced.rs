//! The spans that promptfoo keeps beside its rows when tracing is on: what the agent called while a row was made.

use super::super::json::{Node, Object};
use super::super::read::Warning;
use super::super::{Role, Step, otlp};
use std::collections::BTreeMap;

/// Whose a span is; the spans of graders are no part of the run.
const GRADER: (&str, &str) = ("promptfoo.span.role", "grader");

/// The traces of a file, which are kept while its rows are read.
pub(in super::super) struct Traced {
    /// The spans of each as they were written, by the trace's id.
    spans: BTreeMap<String, String>,
    /// The ids, by the test's and the prompt's index, for rows that name no trace.
    places: BTreeMap<(String, String), String>,
}

impl Traced {
    pub(super) fn of(file: &Object<'_>, warnings: &mut Vec<Warning>) -> Self {
        let mut traced = Self {
            spans: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        for trace in file.objects("traces", warnings) {
            let Some(id) = trace.word("traceId") else {
                continue;
            };
            if let Some(place) = trace
                .node("metadata")
                .and_then(|metadata| place(&metadata.as_object()?))
            {
                traced.places.insert(place, id.clone());
            }
            if let Some(spans) = trace.node("spans") {
                traced.spans.insert(id, spans.raw.to_owned());
            }
        }
        traced
    }

    /// The steps of a row: what its spans tell if they know of tools, since the row itself tells only what was asked and answered.
    pub(super) fn beside(&self, row: &Object<'_>, told: Vec<Step>, warnings: &mut Vec<Warning>) -> Vec<Step> {
        let named = row.word("traceId");
        let Some(id) = named.or_else(|| self.places.get(&place(row)?).cloned()) else {
            return told;
        };
        let spans = self
            .spans
            .get(&id)
            .and_then(|spans| Node::of_text("traces.spans", spans)?.as_list());
        let spans: Vec<Object<'_>> = spans
            .into_iter()
            .flatten()
            .filter_map(|span| span.object(warnings))
            .collect();
        let mut steps = otlp::said(&spans, &id, GRADER, warnings);
        if !steps.iter().any(|step| !step.tool_calls.is_empty()) {
            return told;
        }
        let said = |steps: &[Step], one: &Step| {
            steps
                .iter()
                .any(|step| step.role == one.role && step.content == one.content)
        };
        let asked: Vec<Step> = told
            .iter()
            .filter(|step| step.role != Role::Assistant)
            .cloned()
            .collect();
        if !steps.iter().any(|step| step.role == Role::User) {
            steps.splice(0..0, asked);
        }
        let answers: Vec<Step> = told
            .into_iter()
            .filter(|step| step.role == Role::Assistant && !step.content.is_empty() && !said(&steps, step))
            .collect();
        steps.extend(answers.into_iter().next_back());
        steps
    }
}

fn place(row: &Object<'_>) -> Option<(String, String)> {
    Some((row.word("testIdx")?, row.word("promptIdx")?))
}
