//! What is known of a project, as people look at it: failures, clusters and cases, wherever they were learned.

use crate::book::Book;
use crate::case::{Aside, CaseState, EvalCase, Refusal};
use crate::cluster::{Cluster, ClusterBook, Revision};
use crate::curation::{Curations, Review, Standing};
use crate::fact::{Decision, Fact, What};
use crate::failure::{FailureRecord, RootCause};
use crate::id::{CaseId, ClusterId, RecordId, RunId};
use crate::ledger::{Entry, Event, Known, Plan};
use crate::machine;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Where a failure was learned of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A labelled issue.
    Issue {
        /// Its number.
        number: u64,
    },
    /// An artifact of a workflow run.
    Artifact {
        /// Its id.
        id: u64,
    },
    /// Files that somebody named.
    Files {
        /// As they were named.
        names: Vec<String>,
    },
    /// The traffic of a run.
    Run {
        /// The run; `None` for the one of this folder.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issue { number } => write!(f, "issue #{number}"),
            Self::Artifact { id } => write!(f, "artifact {id}"),
            Self::Files { names } => f.write_str(&names.join(", ")),
            Self::Run { run: Some(run) } => write!(f, "run {run}"),
            Self::Run { run: None } => f.write_str("traffic"),
        }
    }
}

/// Everything that can be looked at.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Failures of all kinds.
    pub records: BTreeMap<RecordId, FailureRecord>,
    /// Where each comes from.
    pub origins: BTreeMap<RecordId, Origin>,
    /// Clusters.
    pub clusters: ClusterBook,
    /// Clusters that a person wants to be worked on first.
    pub preferred: BTreeSet<ClusterId>,
    /// Cases: the regression suite, what is quarantined, and what waits for a fix.
    pub cases: BTreeMap<CaseId, EvalCase>,
    /// When each case that is not counted was set aside, RFC 3339.
    pub aside_since: BTreeMap<CaseId, String>,
    /// What did not become a case, and why.
    pub refused: Vec<Refusal>,
    /// What people and models have decided about new clusters and cases.
    pub curations: Curations,
    /// Who confirms what is new.
    pub review: Review,
}

impl Overview {
    /// What is known of a repository on GitHub. `suite` is the regression suite of the checkout.
    pub fn of_book(book: &Book, suite: &[EvalCase]) -> Self {
        let newest = book.latest_run().and_then(|run| book.run(run));
        let (mut cases, refused) = newest
            .map(|state| (state.cases.cases, state.refused.into_values().collect()))
            .unwrap_or_default();
        cases.extend(book.suite_of(suite).into_iter().map(|case| (case.id.clone(), case)));
        let mut aside_since = BTreeMap::new();
        for entry in book.ledgers().into_iter().flatten() {
            note_aside(&mut aside_since, entry);
        }
        aside_since.extend(book.quarantined.clone());
        aside_since.retain(|id, _| cases.get(id).is_some_and(|case| case.state != CaseState::Promoted));
        Self {
            aside_since,
            records: book.records.clone(),
            origins: book.origins.clone(),
            clusters: book.clusters.clone(),
            preferred: book.preferred.clone(),
            cases,
            refused,
            curations: book.curations.clone(),
            review: newest_plan(book).map(|plan| plan.review).unwrap_or_default(),
        }
    }

    /// Where a cluster stands.
    pub fn standing(&self, cluster: &ClusterId) -> Standing<'_> {
        self.curations.cluster(self.review, &self.clusters, cluster)
    }

    /// Unresolved clusters that wait for a person, by rank, and why; what waits only since nobody has looked at it has no reason.
    pub fn waiting_clusters(&self) -> Vec<(&Cluster, &str)> {
        let ranked = self.clusters.ranked().into_iter().map(|(_, cluster)| cluster);
        ranked
            .filter_map(|cluster| Some((cluster, self.standing(&cluster.id).waits()?)))
            .collect()
    }

    /// Candidates that wait for a person, and why; see [`Self::waiting_clusters`].
    pub fn waiting_cases(&self) -> Vec<(&EvalCase, &str)> {
        let candidates = self.cases.values().filter(|case| case.state == CaseState::Candidate);
        candidates
            .filter_map(|case| Some((case, self.curations.case(self.review, &case.id).waits()?)))
            .collect()
    }

    /// What is known without GitHub: the ledger of a run, then what was read and decided beside it.
    pub fn local(ledger: &[Entry], facts: impl IntoIterator<Item = Fact>, suite: &[EvalCase]) -> Self {
        let mut overview = Self::default();
        overview
            .cases
            .extend(suite.iter().map(|case| (case.id.clone(), case.clone())));
        let (state, _) = machine::replay(ledger.iter().map(|entry| &entry.event));
        let batch = state.as_ref().map_or(1, |state| state.batch.max(1));
        for entry in ledger {
            overview.take_event(&entry.event);
            note_aside(&mut overview.aside_since, entry);
        }
        if let Some(state) = state {
            overview.clusters = state.clusters;
            overview.review = state.plan.review;
            overview.curations = state.curations;
            overview.cases.extend(state.cases.cases);
            overview.refused.extend(state.refused.into_values());
        }
        for fact in facts {
            overview.take_fact(fact.what, batch);
        }
        overview.clusters.name_parts(&overview.records);
        overview.clusters.weigh();
        overview
    }

    /// What a run on this machine is told.
    pub fn known(&self) -> Known {
        let telling = self.clusters.telling(|_| ());
        let ignored = self.clusters.ignored();
        Known {
            failures: telling
                .into_iter()
                .filter_map(|record| self.records.get(record))
                .cloned()
                .collect(),
            revisions: self.clusters.revisions().to_vec(),
            curations: self.curations.all(),
            decided: self.clusters.decided().clone(),
            busy: ignored.clone(),
            ignored,
            preferred: self.preferred.clone(),
            ..Known::default()
        }
    }

    /// Takes in changes of clusters.
    pub fn revise(&mut self, revisions: &[Revision]) {
        self.clusters.revise(revisions);
        self.clusters.name_parts(&self.records);
    }

    fn take_fact(&mut self, what: What, batch: u32) {
        match what {
            What::FilesRead { files, failures, .. } => {
                let origin = Origin::Files { names: files };
                for record in failures {
                    // Read again beside other runs, it may be explained better than before.
                    if let Some(known) = self.records.get(&record.id) {
                        self.clusters.reread(known, &record);
                    }
                    self.clusters.place(&record, batch, |_| false);
                    self.take(record, &origin);
                }
            }
            What::ClustersRevised { revisions } => self.clusters.revise(&revisions),
            What::Curated { curations } => curations.iter().for_each(|curation| self.curations.take(curation)),
            What::Decided { decisions, .. } => decisions.iter().for_each(|decision| self.decide(decision)),
            _ => {}
        }
    }

    fn decide(&mut self, decision: &Decision) {
        decision.review(&mut self.curations);
        match decision {
            Decision::Ignore { .. } | Decision::Prefer { .. } | Decision::Review { .. } => {
                decision.rank(&mut self.clusters, &mut self.preferred);
            }
            Decision::Quarantine { case } => {
                self.cases
                    .entry(case.clone())
                    .and_modify(|case| (case.state, case.aside) = (CaseState::Quarantined, Some(Aside::Person)));
            }
            Decision::Restore { case } => {
                self.cases
                    .entry(case.clone())
                    .and_modify(|case| (case.state, case.aside, case.note) = (CaseState::Promoted, None, None));
            }
            Decision::Merge { .. } | Decision::Split { .. } | Decision::Rename { .. } => {
                self.clusters.revise(&decision.revision());
            }
            Decision::Reject { .. } | Decision::Retry { .. } => {}
        }
    }

    fn take_event(&mut self, event: &Event) {
        match event {
            Event::Started(plan) => {
                for record in &plan.known.failures {
                    self.records.insert(record.id.clone(), record.clone());
                }
            }
            Event::SignalsRead { findings, .. } => {
                for finding in findings {
                    let origin = Origin::Issue { number: finding.issue };
                    finding
                        .record
                        .iter()
                        .cloned()
                        .for_each(|record| self.take(record, &origin));
                }
            }
            Event::TrafficRan { records, .. } => {
                let origin = Origin::Run { run: None };
                records.iter().cloned().for_each(|record| self.take(record, &origin));
            }
            _ => {}
        }
    }

    fn take(&mut self, record: FailureRecord, origin: &Origin) {
        self.origins.insert(record.id.clone(), origin.clone());
        self.records.insert(record.id.clone(), record);
    }

    /// The cluster with an id, or the one whose id begins so.
    ///
    /// # Errors
    /// Half a sentence, when there is none or more than one.
    pub fn cluster(&self, id: &str) -> Result<ClusterId, String> {
        let current = self.clusters.current(&ClusterId::new(id));
        if self.clusters.clusters.contains_key(&current) {
            return Ok(current);
        }
        let merged = self
            .clusters
            .revisions()
            .iter()
            .flat_map(|revision| revision.change.clusters());
        let ids: BTreeSet<&ClusterId> = self.clusters.clusters.keys().chain(merged).collect();
        let found = one("cluster", id, ids.into_iter().map(ClusterId::as_str))?;
        Ok(self.clusters.current(&ClusterId::new(found)))
    }

    /// The cluster that holds a failure for one of its causes.
    pub fn cluster_of(&self, record: &RecordId, cause: &RootCause) -> Option<ClusterId> {
        let holding = self.clusters.holding(record);
        let shows = |id: &&ClusterId| self.clusters.clusters[*id].shows(&cause.mechanism);
        holding.iter().find(shows).cloned()
    }

    /// The case with an id, or the one whose id begins so.
    ///
    /// # Errors
    /// Half a sentence, when there is none or more than one.
    pub fn case(&self, id: &str) -> Result<CaseId, String> {
        let refused = self.refused.iter().map(|refusal| &refusal.case);
        let ids: BTreeSet<&CaseId> = self.cases.keys().chain(refused).collect();
        let found = one("case", id, ids.into_iter().map(CaseId::as_str))?;
        Ok(CaseId::new(found))
    }

    /// The failure with an id, or the one whose id begins so.
    ///
    /// # Errors
    /// Half a sentence, when there is none or more than one.
    pub fn record(&self, id: &str) -> Result<&FailureRecord, String> {
        let found = one("failure", id, self.records.keys().map(RecordId::as_str))?;
        Ok(&self.records[&RecordId::new(found)])
    }
}

/// Takes in when cases were set aside, or came back.
fn note_aside(since: &mut BTreeMap<CaseId, String>, entry: &Entry) {
    let mut note = |case: &CaseId, becomes: CaseState, aside: bool| match becomes {
        CaseState::Promoted | CaseState::Resolved => drop(since.remove(case)),
        // What is run again and goes on wavering has wavered since it was set aside.
        _ if aside => drop(since.entry(case.clone()).or_insert_with(|| entry.at.clone())),
        _ => {}
    };
    match &entry.event {
        Event::SuiteRevised { changes } => {
            changes
                .iter()
                .for_each(|change| note(&change.case, change.becomes, change.aside.is_some()));
        }
        Event::Promoted { cases, .. } => {
            cases
                .iter()
                .for_each(|case| note(&case.case, case.becomes, case.becomes == CaseState::Quarantined));
        }
        _ => {}
    }
}

fn newest_plan(book: &Book) -> Option<&Plan> {
    match &book.runs.get(book.latest_run()?)?.first()?.event {
        Event::Started(plan) => Some(plan),
        _ => None,
    }
}

/// The one name that begins with what was given.
fn one<'a>(what: &str, given: &str, names: impl Iterator<Item = &'a str>) -> Result<&'a str, String> {
    let mut found: Vec<&str> = names
        .filter(|name| !given.is_empty() && name.starts_with(given))
        .collect();
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(format!("there is no {what} `{given}`")),
        (Some(only), []) => Ok(only),
        (Some(last), _) if last == given => Ok(last),
        (Some(last), [first, ..]) => Err(format!("`{given}` is the beginning of several: `{first}`, `{last}`, …")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterState;
    use crate::cluster::tests::record;

    fn read(at: &str, records: &[FailureRecord]) -> Fact {
        Fact {
            at: at.to_owned(),
            what: What::FilesRead {
                digest: at.to_owned(),
                files: vec!["runs.json".to_owned()],
                part: 0,
                traces: 9,
                failures: records.to_vec(),
            },
        }
    }

    fn decided(at: &str, decision: Decision) -> Fact {
        Fact {
            at: at.to_owned(),
            what: What::Decided {
                by: "alice".to_owned(),
                decisions: vec![decision],
            },
        }
    }

    #[test]
    fn what_people_decided_holds_for_what_is_read_later() {
        let one = record("aa1", "t1", &[("missing_action", "refund")]);
        let two = record("ab2", "t2", &[("missing_action", "cancel")]);
        let three = record("ac3", "t3", &[("missing_action", "cancel")]);
        let first = Overview::local(&[], [read("1", &[one.clone(), two.clone()])], &[]);
        let id = |tool: &str| {
            let of = first
                .clusters
                .clusters
                .values()
                .find(|cluster| cluster.mechanism.subject == tool);
            of.unwrap().id.clone()
        };
        let (refund, cancel) = (id("refund"), id("cancel"));
        let merge = Decision::Merge {
            into: refund.clone(),
            from: cancel.clone(),
        };
        let ignore = Decision::Ignore {
            cluster: cancel.clone(),
        };
        let facts = [
            read("1", &[one, two]),
            decided("2", merge),
            decided("3", ignore),
            read("4", &[three]),
        ];
        let overview = Overview::local(&[], facts, &[]);
        assert_eq!(overview.clusters.clusters.len(), 1);
        let cluster = &overview.clusters.clusters[&refund];
        assert_eq!((cluster.total_failures(), cluster.state), (3, ClusterState::Ignored));
        assert_eq!(
            overview.cluster(cancel.as_str()),
            Ok(refund),
            "the old id still leads there"
        );
        assert_eq!(overview.origins.len(), 3);
        assert!(matches!(overview.clusters.revisions(), [Revision { .. }]));
    }

    #[test]
    fn the_beginning_of_an_id_is_enough_if_it_is_the_only_one() {
        let records = ["aa1", "ab2", "b"].map(|id| record(id, id, &[("missing_action", "refund")]));
        let overview = Overview::local(&[], [read("1", &records)], &[]);
        assert_eq!(overview.record("ab").unwrap().id.as_str(), "ab2");
        assert!(overview.record("a").unwrap_err().contains("several"));
        assert!(overview.record("x").is_err() && overview.record("").is_err());
    }
}
