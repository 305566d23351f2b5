//! The two check runs of an evaluated change, as GitHub's "create a check run" takes them.

mod places;

use super::evidence;
use super::markdown::{Markdown, escape, inline_code, plain, truncate, within};
use super::suite;
use super::view::CheckView;
use super::words;
use crate::candidate::{Experiment, Said, Stage, Verdict};
use crate::case::EvalCase;
use crate::config::GateMode;
use crate::id::TaskId;
use crate::score::Scorecard;
use crate::webhook::Button;
use places::{broken_places, changed_places};
use serde::{Deserialize, Serialize};

/// GitHub takes no more in one request.
const MAX_ANNOTATIONS: usize = 50;
/// GitHub takes 65,535 characters of `summary` and of `text`; bytes are counted here to be safe.
const MAX_TEXT: usize = 65_535;
/// Tasks named in a list.
const MAX_NAMES: usize = 200;

/// The body of "create a check run".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRun {
    /// `sprag / regression` or `sprag / validation`.
    pub name: String,
    /// The commit.
    pub head_sha: String,
    /// How far it is.
    pub status: CheckStatus,
    /// What it means for a merge; `None` until it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    /// By this sprag finds the check run again: `sprag:E007:regression`.
    pub external_id: String,
    /// What a person reads.
    pub output: CheckOutput,
    /// The buttons on it, at most 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<CheckAction>,
}

/// A button on a check run. Pressing it sends the event `check_run.requested_action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAction {
    /// At most 20 characters.
    pub label: String,
    /// At most 40 characters.
    pub description: String,
    /// At most 20 characters.
    pub identifier: String,
}

/// How far a check run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It is being measured.
    InProgress,
    /// It has a conclusion.
    Completed,
}

/// What a check run says about the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Measured, and at or above what was needed.
    Success,
    /// Measured, and below.
    Failure,
    /// There was nothing to measure: never green, and no obstacle.
    Neutral,
    /// It could not be measured, or not completely: a person must see to it before the merge.
    ActionRequired,
    /// The change does not touch the harness.
    Skipped,
}

impl Conclusion {
    /// The word for it on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::ActionRequired => "action_required",
            Self::Skipped => "skipped",
        }
    }

    fn needs_a_person(self) -> bool {
        matches!(self, Self::Failure | Self::ActionRequired)
    }
}

/// What a person reads of a check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutput {
    /// One line of plain text.
    pub title: String,
    /// What is said of it first.
    pub summary: Markdown,
    /// The rest.
    pub text: Markdown,
    /// At most 50.
    pub annotations: Vec<Annotation>,
}

/// A remark at lines of a changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file.
    pub path: String,
    /// From 1.
    pub start_line: u32,
    /// See `start_line`.
    pub end_line: u32,
    /// How loud it is.
    pub annotation_level: AnnotationLevel,
    /// Plain text.
    pub message: String,
    /// Plain text.
    pub title: String,
}

/// How loud an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    /// For information.
    Notice,
    /// Something to look at.
    Warning,
    /// What made the check fail.
    Failure,
}

/// `sprag / regression` and `sprag / validation`, in this order.
pub fn check_runs(view: &CheckView) -> Vec<CheckRun> {
    vec![check_run(view, Stage::Regression), check_run(view, Stage::Validation)]
}

/// What the two check runs of a change say, regression first, once both have come to a conclusion.
pub fn conclusions(runs: &[CheckRun]) -> Option<[Conclusion; 2]> {
    match runs {
        [regression, validation] => Some([regression.conclusion?, validation.conclusion?]),
        _ => None,
    }
}

/// One gate of the two, with what it measured and what it needed.
struct Gate<'a> {
    stage: Stage,
    name: &'static str,
    card: Option<&'a Scorecard>,
    /// What `strict` needs.
    needed: Option<(&'static str, f64)>,
}

fn check_run(view: &CheckView, stage: Stage) -> CheckRun {
    let experiment = &view.experiment;
    let needed = |what, score| (view.gate.mode == GateMode::Strict).then_some((what, score));
    let gate = match stage {
        Stage::Cluster | Stage::Regression => Gate {
            stage: Stage::Regression,
            name: "regression",
            card: experiment.regression.as_ref(),
            needed: needed("threshold", view.gate.regression_threshold),
        },
        Stage::Validation => Gate {
            stage,
            name: "validation",
            card: experiment.validation.as_ref(),
            needed: needed("best seen", experiment.best_before),
        },
    };
    let conclusion = gate.conclusion(experiment);
    CheckRun {
        name: format!("sprag / {}", gate.name),
        head_sha: view.head_sha.clone(),
        status: CheckStatus::Completed,
        conclusion: Some(conclusion),
        external_id: external_id(&view.head_sha, experiment, gate.name),
        output: CheckOutput {
            title: gate.title(experiment, conclusion),
            summary: Markdown::new(within(gate.summary(view, conclusion), MAX_TEXT)),
            text: Markdown::new(within(gate.text(view, conclusion), MAX_TEXT)),
            annotations: gate.annotations(view, conclusion),
        },
        actions: if view.buttons {
            actions(conclusion, gate.card)
        } else {
            Vec::new()
        },
    }
}

/// By this sprag finds a check run again: `sprag:E007:regression` for a change of its own, `sprag:gate:<commit>:regression` for another.
fn external_id(head_sha: &str, experiment: &Experiment, gate: &str) -> String {
    if experiment.id.as_str().starts_with('E') {
        format!("sprag:{}:{gate}", experiment.id)
    } else {
        format!("sprag:gate:{}:{gate}", head_sha.get(..12).unwrap_or(head_sha))
    }
}

/// Measuring again makes sense where something has no verdict or failed; taking a case out, where one broke.
fn actions(conclusion: Conclusion, card: Option<&Scorecard>) -> Vec<CheckAction> {
    let action = |label: &str, description: &str, button: Button| CheckAction {
        label: label.to_owned(),
        description: description.to_owned(),
        identifier: button.identifier().to_owned(),
    };
    let mut actions = Vec::new();
    if conclusion.needs_a_person() {
        actions.push(action("Measure again", "Run this gate once more", Button::Rerun));
    }
    if conclusion == Conclusion::Failure && card.is_some_and(|card| !card.broken_tasks.is_empty()) {
        actions.push(action(
            "Quarantine",
            "Stop counting the broken cases",
            Button::Quarantine,
        ));
    }
    actions
}

/// Both check runs while a stage is being measured: what is done is told, what is under way says so.
pub fn in_progress(view: &CheckView, stage: Stage) -> Vec<CheckRun> {
    let order = [Stage::Regression, Stage::Validation];
    let mut runs = check_runs(view);
    for (run, of) in runs.iter_mut().zip(order) {
        if of < stage {
            continue;
        }
        let title = if of == stage {
            format!("Measuring the {of}")
        } else {
            format!("Waiting for the {stage}")
        };
        run.status = CheckStatus::InProgress;
        run.conclusion = None;
        run.actions = Vec::new();
        run.output = CheckOutput {
            summary: Markdown::new(format!("{title} on this commit and on its base.")),
            title,
            text: Markdown::default(),
            annotations: Vec::new(),
        };
    }
    runs
}

/// Both check runs of a commit that does not touch the harness.
pub fn skipped(head_sha: &str, why: &str) -> Vec<CheckRun> {
    unmeasured(head_sha, Conclusion::Skipped, "Not needed", why)
}

/// Both check runs of a commit that cannot be measured until a person has done something about it.
pub fn blocked(head_sha: &str, why: &str) -> Vec<CheckRun> {
    unmeasured(head_sha, Conclusion::ActionRequired, "Not measured", why)
}

fn unmeasured(head_sha: &str, conclusion: Conclusion, title: &str, why: &str) -> Vec<CheckRun> {
    ["regression", "validation"]
        .map(|gate| CheckRun {
            name: format!("sprag / {gate}"),
            head_sha: head_sha.to_owned(),
            status: CheckStatus::Completed,
            conclusion: Some(conclusion),
            external_id: format!("sprag:gate:{}:{gate}", head_sha.get(..12).unwrap_or(head_sha)),
            output: CheckOutput {
                title: title.to_owned(),
                summary: Markdown::new(format!("Nothing was measured: {}.", escape(why))),
                text: Markdown::default(),
                annotations: Vec::new(),
            },
            actions: Vec::new(),
        })
        .into()
}

impl Gate<'_> {
    fn conclusion(&self, experiment: &Experiment) -> Conclusion {
        match experiment.said(self.stage) {
            Said::Passed => Conclusion::Success,
            Said::Failed => Conclusion::Failure,
            Said::Undecided => Conclusion::ActionRequired,
            Said::NotRun => Conclusion::Neutral,
        }
    }

    fn title(&self, experiment: &Experiment, conclusion: Conclusion) -> String {
        let Some(card) = self.card else {
            return "Not run".to_owned();
        };
        if card.total() == 0 {
            return "Nothing to measure".to_owned();
        }
        let reason = || {
            experiment
                .verdict
                .as_ref()
                .map(|(_, reason)| truncate(&plain(reason), 200))
        };
        let decided_here = self.stage == Stage::Validation || conclusion == Conclusion::Failure;
        match (conclusion, self.needed, reason().filter(|_| decided_here)) {
            (Conclusion::Success | Conclusion::Failure, Some((what, needed)), _) => {
                format!("{} pass, {what} {}", words::result(card), words::score(needed))
            }
            (Conclusion::Success | Conclusion::Failure, None, Some(reason)) => capitalized(&reason),
            (Conclusion::Success, None, None) => format!("{} pass, none broke", words::result(card)),
            _ if card.errored > 0 => format!(
                "Not decided: {} of {} have no verdict",
                card.errored,
                words::count(card.total(), "run")
            ),
            _ => format!("Not decided: {}", words::result(card)),
        }
    }

    fn summary(&self, view: &CheckView, conclusion: Conclusion) -> String {
        let mut text = match conclusion {
            Conclusion::Success => "**Passed.** ".to_owned(),
            Conclusion::Failure => "**Failed.** ".to_owned(),
            Conclusion::Neutral | Conclusion::ActionRequired | Conclusion::Skipped => "**Not decided.** ".to_owned(),
        };
        text += &match self.card {
            None => self.not_run(view),
            Some(card) if card.total() == 0 => "There was nothing to run, and an empty gate proves nothing.".to_owned(),
            Some(card) => match self.needed {
                Some((what, needed)) => format!(
                    "The {} measured {}; the {what} is {}.",
                    self.stage,
                    words::result(card),
                    words::score(needed)
                ),
                None => format!("On the {}, {} pass.", self.stage, words::result(card)),
            },
        };
        if let Some(remark) = &view.experiment.remark {
            text += &format!(
                "\n\n**Look at this before you merge.** {} Of a change of its own sprag would not allow that: it can raise the score without making the agent better.",
                escape(&format!("{}.", truncate(remark, 600)))
            );
        }
        if let Some(card) = self.card.filter(|card| card.total() > 0) {
            text += &format!(
                "\n\n| fixed | broken | unchanged | wavering | no verdict |\n|---:|---:|---:|---:|---:|\n| {} | {} | {} | {} | {} |",
                card.fixed,
                card.broken,
                words::unchanged(card),
                card.wavering,
                card.errored
            );
            if card.errored > 0 {
                text += "\n\nRuns without a verdict are errors of the machinery, not failures of the agent. Run the check again when they are mended.";
            }
        }
        text
    }

    fn not_run(&self, view: &CheckView) -> String {
        let reason = view
            .experiment
            .verdict
            .as_ref()
            .map(|(_, reason)| escape(&truncate(reason, 400)));
        if matches!(view.experiment.verdict, Some((Verdict::Accepted, _))) {
            return format!(
                "The {} has no cases yet, so nothing could regress. The first ones join it with this change.",
                self.stage
            );
        }
        let reason = reason
            .filter(|reason| !reason.is_empty())
            .map_or_else(String::new, |reason| format!(" The reason: {reason}"));
        format!(
            "The {} was not run, because the change fell before that, or could not be measured.{reason}",
            self.stage
        )
    }

    fn text(&self, view: &CheckView, conclusion: Conclusion) -> String {
        let experiment = &view.experiment;
        let mut text = format!(
            "**{}**\n\n{}\n",
            escape(&truncate(&experiment.candidate.title, 160)),
            escape(&truncate(&experiment.candidate.hypothesis, 600))
        );
        match (self.stage, self.card) {
            (Stage::Validation, _) => {
                text += "\nThe validation tasks are held out: only counts leave the gate, never a task.\n";
            }
            (Stage::Cluster | Stage::Regression, Some(card)) => {
                text += &names("Broken by this change", &card.broken_tasks);
                text += &names("Fixed by this change", &card.fixed_tasks);
                let left_out: Vec<String> = view.left_out.iter().map(ToString::to_string).collect();
                text += &names("Not counted", &left_out);
            }
            (Stage::Cluster | Stage::Regression, None) => {}
        }
        if self.stage == Stage::Regression {
            text += &suite::table(&view.suite, self.card);
        }
        let table = evidence::table(experiment);
        if !table.is_empty() {
            text += &format!("\n{table}");
        }
        if conclusion.needs_a_person() {
            text += "\nTo measure it again, comment `/sprag gate` on the pull request.";
            text += match self.stage {
                Stage::Validation => "\n",
                Stage::Cluster | Stage::Regression => {
                    " A case that wavers for another reason is left out by `/sprag quarantine <case>`.\n"
                }
            };
        }
        text += &format!(
            "\n---\n\nExperiment {} of batch {}, {}, gate mode `{}`. {}{}\n",
            inline_code(experiment.id.as_str()),
            experiment.batch,
            words::count(experiment.task_runs, "task run"),
            words::gate_mode(view.gate.mode),
            words::gate_caveat(view.gate.mode),
            words::sandbox(view.gate.sandbox)
        );
        text
    }

    /// One remark a changed place. The validation gate makes none: it has nothing to say about a line.
    fn annotations(&self, view: &CheckView, conclusion: Conclusion) -> Vec<Annotation> {
        let experiment = &view.experiment;
        let Some(card) = self
            .card
            .filter(|card| card.total() > 0 && self.stage != Stage::Validation)
        else {
            return Vec::new();
        };
        let annotation_level = match conclusion {
            Conclusion::Failure => AnnotationLevel::Failure,
            Conclusion::Success if card.broken == 0 => AnnotationLevel::Notice,
            _ => AnnotationLevel::Warning,
        };
        let mut message = format!("{} of the regression suite pass with this change.", words::result(card));
        if card.broken > 0 {
            let broken: Vec<String> = card
                .broken_tasks
                .iter()
                .map(|task| plain(&truncate(task, 120)))
                .collect();
            message += &format!(
                " It breaks {}: {}.",
                words::count(card.broken, "case"),
                words::list(&broken, 10)
            );
        }
        let title = truncate(&plain(&experiment.candidate.title), 120);
        let broken = broken_places(card);
        let places = broken.into_iter().chain(changed_places(&experiment.candidate.diff));
        places
            .take(MAX_ANNOTATIONS)
            .map(|place| Annotation {
                path: format!("{}{}", view.folder, place.path),
                start_line: place.start,
                end_line: place.end,
                annotation_level,
                message: message.clone(),
                title: title.clone(),
            })
            .collect()
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn names(title: &str, tasks: &[String]) -> String {
    if tasks.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### {title}\n\n");
    for task in tasks.iter().take(MAX_NAMES) {
        let case = EvalCase::id_of(&TaskId::new(task.clone()));
        text += &format!("- {}, `{case}`\n", inline_code(&truncate(task, 120)));
    }
    if tasks.len() > MAX_NAMES {
        text += &format!("- and {} more\n", tasks.len() - MAX_NAMES);
    }
    text
}

#[cfg(test)]
mod tests;
