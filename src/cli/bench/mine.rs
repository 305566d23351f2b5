//! `sprag bench mine`: what the miner and the clusters are worth, set by set, beside what simple methods reach.

use super::data::{self, Label, Run, TauTruth};
use crate::error::CommandError;
use serde_json::{Value, json};
use sprag_core::agreement::{self, Located, Partition};
use sprag_core::cluster;
use sprag_core::failure::{FailureKind, FailureRecord};
use sprag_core::mine;
use sprag_core::render::bench::Row;
use sprag_core::similar::{Index, Rarity};
use sprag_core::trace::read::ReadTrace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A mechanism with fewer failures than this is no class: nothing can be right about it.
const CLASS: usize = 5;
/// How many duplicates are looked for.
const DEEPEST: usize = 10;
/// The sets with labels of people, and what is known to reach which exact step, one step around it, and which category.
const LABELLED: [(&str, &str, &str); 4] = [
    (
        "agentrx_tau",
        "truth difference .24; two teams agree .35",
        "truth difference .34; two teams agree .47",
    ),
    ("agentrx_magentic", "two teams agree .35", "two teams agree .47"),
    ("whowhen_algo", "always step 1 .270; model judges .41-.45", ""),
    ("whowhen_hand_extra", "best constant .155", ""),
];

/// Everything that was measured.
pub(super) struct Measured {
    without: Clusters,
    with: Clusters,
    labelled: Vec<Steps>,
    infra: Option<Infra>,
    issues: [f64; 3],
    questions: usize,
}

struct Clusters {
    /// The title of each cluster with the labels of its members and how often each occurs, the largest cluster first.
    told: Vec<(String, Vec<(String, usize)>)>,
    scores: Partition,
    failures: usize,
    classes: usize,
    clusters: usize,
    kinds: BTreeMap<FailureKind, usize>,
}

struct Steps {
    set: &'static str,
    failures: usize,
    located: Located,
    category: Option<f64>,
    kind: Option<f64>,
}

/// Runs that the machinery broke.
struct Infra {
    runs: usize,
    /// The tasks that a miner would blame if it took each for a failure of the agent.
    tasks: usize,
    /// The share that is called a failure of the infrastructure.
    kind: f64,
}

pub(super) fn measure(dir: &Path) -> Result<Measured, CommandError> {
    let (runs, truths) = data::tau(dir)?;
    let judged = mine::Judged::new(runs.iter().map(|run| (&run.task, &run.trace, run.passed)));
    let without = clusters(&runs, &truths, |failed| {
        let mut records: Vec<FailureRecord> = failed
            .iter()
            .map(|run| mine::mine_beside(&run.id, &run.task, &run.trace, &judged))
            .collect();
        mine::settle(&mut records);
        records
    });
    let with = clusters(&runs, &truths, |failed| {
        failed.iter().map(|run| with_truth(run, &truths)).collect()
    });
    let mut labelled = Vec::new();
    for (set, ..) in LABELLED {
        let (runs, labels) = data::labelled(dir, set)?;
        labelled.push(steps(set, &runs, &labels, &judged));
    }
    let infra = infra(dir, &judged)?;
    let (issues, questions) = duplicates(dir)?;
    Ok(Measured {
        without,
        with,
        labelled,
        infra,
        issues,
        questions,
    })
}

/// The one place where the miner is given what was expected.
fn with_truth(run: &Run, truths: &BTreeMap<String, TauTruth>) -> FailureRecord {
    let mut trace = run.trace.clone();
    if let Some(truth) = truths.get(&run.id) {
        trace.expected = Some(truth.expected.clone());
        trace.checks.clone_from(&truth.checks);
    }
    mine::mine_beside(&run.id, &run.task, &trace, &mine::Judged::default())
}

/// Mines all failures, and compares the clusters of those whose label is a class with the labels.
fn clusters(
    runs: &[Run],
    truths: &BTreeMap<String, TauTruth>,
    mined: impl Fn(&[&Run]) -> Vec<FailureRecord>,
) -> Clusters {
    let failed: Vec<&Run> = runs
        .iter()
        .filter(|run| !run.passed && !run.trace.steps.is_empty())
        .collect();
    let records = mined(&failed);
    let label = |run: &Run| truths.get(&run.id).and_then(|truth| truth.mechanism.as_deref());
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    failed
        .iter()
        .filter_map(|run| label(run))
        .for_each(|label| *sizes.entry(label).or_default() += 1);
    let (mut labels, mut predicted, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
    let mut told: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (run, record) in failed.iter().zip(&records) {
        let Some(label) = label(run).filter(|label| sizes[label] >= CLASS) else {
            continue;
        };
        let title =
            cluster::signature(record).map_or_else(|| "not explained".to_owned(), |found| cluster::title(&found));
        *told.entry(title).or_default().entry(label.to_owned()).or_default() += 1;
        labels.push(label);
        // What no rule explains is a cluster of its own.
        predicted.push(cluster::signature(record).map_or_else(|| record.id.to_string(), |found| found.to_string()));
        tasks.push(run.task.as_str());
    }
    let mut kinds: BTreeMap<FailureKind, usize> = BTreeMap::new();
    records
        .iter()
        .for_each(|record| *kinds.entry(record.kind).or_default() += 1);
    Clusters {
        told: sorted(told),
        scores: agreement::partition(&labels, &predicted, &tasks),
        failures: labels.len(),
        classes: labels.iter().collect::<BTreeSet<_>>().len(),
        clusters: predicted.iter().collect::<BTreeSet<_>>().len(),
        kinds,
    }
}

fn sorted(told: BTreeMap<String, BTreeMap<String, usize>>) -> Vec<(String, Vec<(String, usize)>)> {
    let by_count = |labels: BTreeMap<String, usize>| {
        let mut labels: Vec<(String, usize)> = labels.into_iter().collect();
        labels.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        labels
    };
    let mut told: Vec<_> = told
        .into_iter()
        .map(|(title, labels)| (title, by_count(labels)))
        .collect();
    told.sort_by_key(|(_, labels)| std::cmp::Reverse(labels.iter().map(|(_, count)| count).sum::<usize>()));
    told
}

fn steps(set: &'static str, runs: &[Run], labels: &[Label], judged: &mine::Judged) -> Steps {
    let by_id: BTreeMap<&str, &Run> = runs.iter().map(|run| (run.id.as_str(), run)).collect();
    let (mut found, mut categories, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for label in labels {
        let Some(run) = by_id.get(label.id.as_str()) else {
            continue;
        };
        let record = mine::mine_beside(&run.id, &run.task, &run.trace, judged);
        if let Some(step) = label.step {
            found.push((step, record.decisive_step()));
        }
        if let Some(category) = &label.category {
            categories.push(mine::category(&record).is_some_and(|named| named.word() == category));
        }
        kinds.extend(label.kind.map(|kind| kind == record.kind));
    }
    Steps {
        set,
        failures: labels.len(),
        located: agreement::located(&found),
        category: share_of(&categories),
        kind: share_of(&kinds),
    }
}

/// The share of labels that were met; `None` where there are none.
fn share_of(met: &[bool]) -> Option<f64> {
    let right = met.iter().filter(|met| **met).count();
    (!met.is_empty()).then(|| agreement::share(right, met.len()))
}

/// What runs that the machinery broke are taken for. What a file says itself outweighs the miner, as in `sprag ingest`; what cannot be read is wrong.
fn infra(dir: &Path, judged: &mine::Judged) -> Result<Option<Infra>, CommandError> {
    let (runs, count) = data::infrastructure(dir)?;
    let kind = |run: &ReadTrace| {
        let mined = mine::mine_beside(&run.source, &run.task, &run.trace, judged);
        run.kind_hint.unwrap_or(mined.kind)
    };
    let right = runs.iter().filter(|run| kind(run) == FailureKind::Infrastructure);
    let tasks: BTreeSet<_> = runs.iter().map(|run| &run.task).collect();
    Ok((count > 0).then(|| Infra {
        runs: count,
        tasks: tasks.len(),
        kind: agreement::share(right.count(), count),
    }))
}

/// For each issue that is a duplicate of others, how far down the nearest issues the first of them stands.
fn duplicates(dir: &Path) -> Result<([f64; 3], usize), CommandError> {
    let (issues, pairs) = data::issues(dir)?;
    let texts: Vec<String> = issues.iter().map(data::Issue::text).collect();
    let rarity = Rarity::of(texts.iter().map(String::as_str));
    let mut index = Index::default();
    for text in &texts {
        index.add(rarity.vector(text));
    }
    let number: BTreeMap<&str, usize> = issues
        .iter()
        .enumerate()
        .map(|(at, issue)| (issue.id.as_str(), at))
        .collect();
    let mut partners: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (left, right) in &pairs {
        let (Some(&left), Some(&right)) = (number.get(left.as_str()), number.get(right.as_str())) else {
            continue;
        };
        partners.entry(left).or_default().insert(right);
        partners.entry(right).or_default().insert(left);
    }
    let ranks: Vec<Option<usize>> = partners
        .iter()
        .map(|(&issue, partners)| {
            let near = index.nearest(&rarity.vector(&texts[issue]), DEEPEST + 1);
            let others = near.iter().map(|(other, _)| other).filter(|other| **other != issue);
            others.take(DEEPEST).position(|other| partners.contains(other))
        })
        .collect();
    Ok(([1, 5, DEEPEST].map(|k| agreement::recall_at(k, &ranks)), ranks.len()))
}

impl Measured {
    /// The object that `--json` prints.
    pub(super) fn json(&self) -> Value {
        let tau = |found: &Clusters| {
            let scores = found.scores;
            json!({"ari": scores.ari, "ami": scores.ami, "cross_task_f1": scores.cross_task.f1})
        };
        let mut object = json!({"tau": {"without_truth": tau(&self.without), "with_truth": tau(&self.with)}});
        for found in &self.labelled {
            let located = found.located;
            object[found.set] = json!({"step_exact": located.exact, "step_within_1": located.within_one, "category": found.category, "kind": found.kind});
        }
        if let Some(found) = &self.infra {
            object["infra"] = json!({"kind": found.kind});
        }
        let [first, five, ten] = self.issues;
        object["issues"] = json!({"recall_at_1": first, "recall_at_5": five, "recall_at_10": ten});
        object
    }

    /// What stands in the clusters of the τ set that were made without ground truth.
    pub(super) fn clusters(&self) -> &[(String, Vec<(String, usize)>)] {
        &self.without.told
    }

    /// The lines of the table.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |set: &str, measure, value, beside| {
            rows.push(Row {
                set: set.to_owned(),
                measure,
                value,
                beside,
            });
        };
        for (mode, found, [ari, ami, f1]) in [
            (
                "without truth",
                &self.without,
                [
                    "rule key .458 here, .253 of 556",
                    "rule key .536 of 556",
                    "rule key .456 here, .248 of 556; text .163-.238",
                ],
            ),
            (
                "with truth",
                &self.with,
                ["words of the difference .553 of 532", "", ""],
            ),
        ] {
            let kinds: Vec<String> = found
                .kinds
                .iter()
                .map(|(kind, count)| format!("{count} {kind}"))
                .collect();
            let set = format!(
                "tau, {mode} ({} failures, {} classes, {} clusters; {})",
                found.failures,
                found.classes,
                found.clusters,
                kinds.join(", ")
            );
            add(&set, "adjusted Rand", Some(found.scores.ari), ari);
            add(&set, "adjusted mutual information", Some(found.scores.ami), ami);
            add(&set, "cross-task F1", Some(found.scores.cross_task.f1), f1);
        }
        for (found, (_, exact, within)) in self.labelled.iter().zip(LABELLED) {
            let set = format!("{} ({})", found.set, found.failures);
            add(&set, "decisive step, exact", Some(found.located.exact), exact);
            add(
                &set,
                "decisive step, within one",
                Some(found.located.within_one),
                within,
            );
            add(&set, "category", found.category, "");
            add(&set, "failure kind", found.kind, "");
        }
        if let Some(found) = &self.infra {
            let set = format!("infra ({} results of {} tasks)", found.runs, found.tasks);
            add(
                &set,
                "failure kind",
                Some(found.kind),
                "each task a failure of its own: .000",
            );
        }
        let set = format!("issues ({} duplicates)", self.questions);
        for (measure, value) in ["recall at 1", "recall at 5", "recall at 10"]
            .into_iter()
            .zip(self.issues)
        {
            add(&set, measure, Some(value), "");
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fs_err as fs;

    const REFUND: &str = r#"{"role":"assistant","content":null,"tool_calls":[{"name":"refund","args":{"order":"O-7731"},"requestor":"assistant"}]},{"role":"tool","content":"ok"}"#;

    /// A folder with two failures of one mechanism in each of three tasks, a passing run of each, and one labelled group chat.
    fn folder(expected: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let (mut traces, mut gold) = (String::new(), String::new());
        for task in ["a", "b", "c"] {
            for (trial, passed, steps) in [("1", false, ""), ("2", false, ""), ("3", true, REFUND)] {
                let ask = format!(r#"{{"role":"user","content":"please refund order O-7731 of {task}"}}"#);
                let steps = if steps.is_empty() {
                    ask
                } else {
                    format!("{ask},{steps}")
                };
                let end = r#"{"role":"assistant","content":"Done."}"#;
                traces += &format!(
                    r#"{{"id":"{task}{trial}","domain":"shop","task_id":"{task}","passed":{passed},"termination":"user_stop","steps":[{steps},{end},{{"role":"user","content":"ok"}},{end}]}}"#
                );
                traces.push('\n');
                let label = if passed {
                    ""
                } else {
                    r#","det":{"mechanism":"no_action|refund"}"#
                };
                gold += &format!(
                    r#"{{"id":"{task}{trial}","expected_actions":[{expected}],"checks":{{"db":0.0}}{label}}}"#
                );
                gold.push('\n');
            }
        }
        write("tau/traces.jsonl", &traces);
        write("tau/gold.jsonl", &gold);
        for (set, ..) in LABELLED {
            let chat = r#"{"id":"1","history":[{"role":"assistant","name":"Boss","content":"The task"},{"role":"user","name":"Expert","content":"import this, then count all of it"},{"role":"user","name":"Computer_terminal","content":"exitcode: 1 (execution failed)"}]}"#;
            write(&format!("labels/{set}.traces.jsonl"), chat);
            let label = r#"{"id":"1","mistake_step":"1","root_category":null}"#;
            write(&format!("labels/{set}.gold.jsonl"), label);
        }
        let result = r#"{"trial_name":"t","task_id":"t","is_resolved":false,"failure_mode":"unknown_agent_error","parser_results":{"works":"failed"},"total_output_tokens":null,"agent_started_at":"2026-04-08T21:17:58.6+00:00","agent_ended_at":"2026-04-08T21:17:58.7+00:00"}"#;
        let ran = result.replace("58.7", "59.9").replace("null", "700");
        write("infra/results.jsonl", &format!("{result}\n{ran}\n"));
        let issues = [
            "disk is full",
            "the disk is full again",
            "no such user",
            "colour of the lamp",
        ];
        let lines = issues
            .iter()
            .enumerate()
            .map(|(at, title)| format!(r#"{{"id":"{at}","title":"{title}"}}"#));
        write("clustering/gitbugs_hadoop.jsonl", &lines.collect::<Vec<_>>().join("\n"));
        write(
            "clustering/gitbugs_hadoop_duplicates.csv",
            "Issue id,Duplicate id\n0,\"1, 9\"\n",
        );
        dir
    }

    #[test]
    fn a_small_folder_is_measured_and_truth_stays_in_its_mode() {
        let right = r#"{"name":"refund","args":{"order":"O-7731"},"requestor":"assistant","compare_args":null}"#;
        let told = measure(folder(right).path()).unwrap().json();
        assert_eq!(told["tau"]["without_truth"]["ari"], 1.0);
        assert_eq!(told["tau"]["with_truth"]["cross_task_f1"], 1.0);
        assert_eq!(told["whowhen_algo"]["step_exact"], 1.0, "the code that fails decides");
        assert!(told["whowhen_algo"]["category"].is_null());
        assert_eq!(told["infra"]["kind"], 0.5, "the second agent ran");
        assert!(told["whowhen_algo"]["kind"].is_null(), "nobody said");
        assert_eq!(told["issues"]["recall_at_1"], 1.0);
        let other = measure(folder(r#"{"name":"notify","args":{}}"#).path()).unwrap();
        assert_eq!(other.json()["tau"]["without_truth"], told["tau"]["without_truth"]);
        assert_eq!(other.clusters()[0].0, "changes nothing where `refund` is needed");
        assert_eq!(other.clusters()[0].1, [("no_action|refund".to_owned(), 6)]);
    }

    #[test]
    fn a_folder_that_lacks_something_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = measure(dir.path()).err().unwrap().to_string();
        assert!(error.contains("traces.jsonl") && error.contains("--data"), "{error}");
    }
}
