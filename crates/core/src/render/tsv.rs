//! `results.tsv`: one line an experiment, for spreadsheets and scripts.

use crate::candidate::{Experiment, Prediction};
use crate::gate::purchase::{Evidence, Purpose};
use crate::score::Scorecard;

const HEADER: &str = "experiment\tbatch\tcluster\tcandidate\torigin\tverdict\tcluster_cases\tregression\tvalidation\tbest\ttask_runs\treason\tpredicted\tcame_true\tfixed\tground\tlevel\teffect\tbetter";

/// The experiments in the order given, under a line of column names.
///
/// Scores go from 0 to 1 and are empty where nothing was measured; `best` is the validation score that had to be reached.
/// `predicted`, `came_true` and `fixed` count train tasks: those that the proposer said it would fix, those of them that it did, and all
/// that it did.
/// `ground` is what the verdict rests on; `level`, `effect` and `better` are what the gate expects of the change: the score with it, the change of the score, and
/// how probable it is that keeping it is right. `verdict` is empty while an experiment runs. A tab, line break or backslash in a text is written `\t`, `\n`, `\r` or `\\`.
pub fn results(experiments: &[Experiment]) -> String {
    let lines = experiments.iter().map(line);
    std::iter::once(HEADER.to_owned())
        .chain(lines)
        .map(|line| line + "\n")
        .collect()
}

fn line(experiment: &Experiment) -> String {
    let candidate = &experiment.candidate;
    let (verdict, reason) = experiment
        .verdict
        .as_ref()
        .map_or_else(Default::default, |(verdict, reason)| {
            (verdict.to_string(), reason.clone())
        });
    let prediction = experiment.prediction();
    let counted = |of: fn(&Prediction) -> u32| prediction.as_ref().map_or_else(String::new, |one| of(one).to_string());
    let cells = [
        experiment.id.to_string(),
        experiment.batch.to_string(),
        candidate.cluster.to_string(),
        candidate.id.to_string(),
        candidate.origin.clone(),
        verdict,
        score(experiment.cluster_cases.as_ref()),
        score(experiment.regression.as_ref()),
        score(experiment.validation.as_ref()),
        format!("{:.4}", experiment.best_before),
        experiment.task_runs.to_string(),
        reason,
        counted(|one| one.predicted),
        counted(|one| one.came_true),
        counted(|one| one.fixed),
        experiment.ground.map_or_else(String::new, |ground| ground.to_string()),
        expected(experiment, |evidence| Some(evidence.val_score)),
        expected(experiment, |evidence| Some(evidence.effect)),
        expected(experiment, |evidence| evidence.better),
    ];
    cells.map(|cell| escape(&cell)).join("\t")
}

fn score(card: Option<&Scorecard>) -> String {
    card.and_then(Scorecard::score)
        .map_or_else(String::new, |score| format!("{score:.4}"))
}

/// What the gate expects, once the validation set was asked.
fn expected(experiment: &Experiment, of: impl Fn(&Evidence) -> Option<f64>) -> String {
    let evidence = experiment.evidence.as_deref();
    let asked = evidence.filter(|evidence| evidence.runs.contains_key(&Purpose::Validation));
    asked
        .and_then(of)
        .map_or_else(String::new, |value| format!("{value:.4}"))
}

fn escape(cell: &str) -> String {
    cell.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::evidence::tests::with_evidence;
    use crate::render::fixtures;

    #[test]
    fn every_experiment_is_a_line_of_nineteen_cells() {
        let mut broken = fixtures::rejected("E002", "a\tb\nc\\d");
        broken.verdict.as_mut().unwrap().1 = "fell\r\n\ttwice".to_owned();
        let text = results(&[with_evidence("E001"), broken]);
        insta::assert_snapshot!(text, @r"
        experiment	batch	cluster	candidate	origin	verdict	cluster_cases	regression	validation	best	task_runs	reason	predicted	came_true	fixed	ground	level	effect	better
        E001	4	c-lost-parcel	cand-E001	recipes: add-step, position=before_last	accepted	0.8000	0.9444	0.7500	0.6750	62	9 in 10 that this is better; +1.9 to +7.1 points	3	2	4	gain	0.7200	0.0450	0.9300
        E002	4	c-lost-parcel	cand-E002	recipes: add-step, position=before_last	rejected	0.2000	0.7222		0.6750	21	fell\r\n\ttwice	3	1	1	regression			
        ");
        assert!(text.lines().all(|line| line.split('\t').count() == 19));
    }
}
