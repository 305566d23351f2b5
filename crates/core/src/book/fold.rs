//! How each fact changes the book.

use super::{Book, CommandEntry, IssueEntry, PullEntry, PullState};
use crate::cluster::ClusterState;
use crate::fact::{Decision, Fact, Reading, What};
use crate::failure::FailureRecord;
use crate::id::{RecordId, RunId};
use crate::ledger::{Entry, Event, Finding};

impl Book {
    /// Adds a fact that was learned after all others.
    pub fn learn(&mut self, fact: &Fact) {
        match &fact.what {
            What::IssueRead {
                issue,
                digest,
                opened_at,
                reading,
            } => self.read_issue(*issue, digest, opened_at, reading),
            What::ArtifactRead {
                artifact,
                made_at,
                failures,
                ..
            } => {
                self.artifacts.insert(*artifact);
                failures.iter().for_each(|record| self.join(record, made_at));
            }
            What::ReadUntil { stream, cursor } => {
                let kept = self.cursors.entry(stream.clone()).or_default();
                *kept = cursor.max(kept).clone();
            }
            What::Commanded {
                comment,
                on,
                decisions,
                reply,
                refused,
                ..
            } => {
                let entry = CommandEntry {
                    on: *on,
                    reply: reply.clone(),
                    refused: *refused,
                };
                if self.commands.insert(*comment, entry).is_none() {
                    decisions.iter().for_each(|decision| self.decide(decision));
                }
            }
            What::RunEntry { run, entry } => self.take_entry(run, entry),
            What::PullOpened {
                pull,
                cluster,
                run,
                experiment,
                branch,
                head_sha,
                base_sha,
            } => {
                let opened = PullEntry {
                    cluster: cluster.clone(),
                    run: run.clone(),
                    experiment: experiment.clone(),
                    branch: branch.clone(),
                    head_sha: head_sha.clone(),
                    base_sha: base_sha.clone(),
                    state: PullState::Open,
                    reasons: Vec::new(),
                };
                self.open(*pull, opened);
            }
            What::PullSettled {
                pull,
                merged,
                settled_at,
                reason,
            } => self.settle(*pull, merged.as_ref(), settled_at, reason.as_ref()),
            What::SuiteMeasured { sha, card } => self.suite.push((sha.clone(), card.clone())),
            What::Ticked { clusters } => self.preferred.clone_from(clusters),
            What::Answered { thing, digest, .. } => {
                if self.answered.insert(thing.clone(), digest.clone()).as_ref() == Some(digest) {
                    self.doubled.insert(thing.clone());
                } else {
                    self.doubled.remove(thing);
                }
            }
        }
    }

    fn open(&mut self, number: u64, pull: PullEntry) {
        let reasons = self.pulls.remove(&number).map(|known| known.reasons);
        self.clusters.mark(&pull.cluster, ClusterState::InProgress);
        self.preferred.remove(&pull.cluster);
        let reasons = reasons.unwrap_or_default();
        self.pulls.insert(number, PullEntry { reasons, ..pull });
    }

    fn read_issue(&mut self, issue: u64, digest: &str, opened_at: &str, reading: &Reading) {
        let records: Vec<RecordId> = match reading {
            Reading::Failures { records } => {
                records.iter().for_each(|record| self.join(record, opened_at));
                records.iter().map(|record| record.id.clone()).collect()
            }
            _ => Vec::new(),
        };
        let entry = self.issues.entry(issue).or_insert_with(|| IssueEntry {
            digest: String::new(),
            opened_at: opened_at.to_owned(),
            reading: reading.clone(),
            records: Vec::new(),
            retry: false,
        });
        digest.clone_into(&mut entry.digest);
        entry.reading = reading.clone();
        entry.retry = false;
        for record in records {
            if !entry.records.contains(&record) {
                entry.records.push(record);
            }
        }
    }

    /// A failure that is older than the merge that resolved its cluster is resolved with it; a younger one reopens the cluster.
    fn join(&mut self, record: &FailureRecord, happened: &str) {
        if self.records.insert(record.id.clone(), record.clone()).is_some() {
            return;
        }
        self.happened.insert(record.id.clone(), happened.to_owned());
        for cluster in self.clusters.join(record, self.n_runs.max(1)) {
            let merged = self.pulls.values().filter(|pull| pull.cluster == cluster);
            let fixed_since = merged
                .filter_map(|pull| match &pull.state {
                    PullState::Merged { at, .. } => Some(at),
                    PullState::Open | PullState::Closed { .. } => None,
                })
                .any(|at| at.as_str() >= happened);
            if fixed_since {
                self.clusters.resolve_record(&cluster, &record.id);
            }
        }
    }

    fn take_entry(&mut self, run: &RunId, entry: &Entry) {
        let ledger = self.runs.entry(run.clone()).or_default();
        // A ledger that two jobs wrote at once goes on with whichever entry comes first; the other was work done twice.
        if !entry.follows(ledger.last()) {
            return;
        }
        ledger.push(entry.clone());
        match &entry.event {
            Event::Started(_) => self.n_runs += 1,
            Event::TrafficRan { records, .. } => records.iter().for_each(|record| self.join(record, &entry.at)),
            Event::SignalsRead { findings, .. } => {
                findings
                    .iter()
                    .for_each(|finding| self.take_finding(finding, &entry.at));
            }
            _ => {}
        }
    }

    /// What running the task that an issue names has shown.
    fn take_finding(&mut self, finding: &Finding, at: &str) {
        if let Some(record) = &finding.record {
            self.join(record, at);
        }
        let Some(issue) = self.issues.get_mut(&finding.issue) else {
            return;
        };
        match &finding.record {
            Some(record) if !issue.records.contains(&record.id) => issue.records.push(record.id.clone()),
            Some(_) => {}
            None => {
                issue.reading = Reading::NoTrace {
                    instead: finding.instead.clone(),
                }
            }
        }
    }

    fn decide(&mut self, decision: &Decision) {
        match decision {
            Decision::Ignore { cluster } => {
                self.clusters.mark(cluster, ClusterState::Ignored);
                self.preferred.remove(cluster);
            }
            Decision::Prefer { cluster } => {
                self.clusters.mark(cluster, ClusterState::Open);
                self.preferred.insert(cluster.clone());
            }
            Decision::Merge { into, from } => self.clusters.merge(into, from),
            Decision::Split { cluster, records } => self.clusters.split(cluster, records),
            Decision::Quarantine { case } => {
                self.quarantined.insert(case.clone());
            }
            Decision::Reject { pull, reason } => {
                if let Some(pull) = self.pulls.get_mut(pull)
                    && !pull.reasons.contains(reason)
                {
                    pull.reasons.push(reason.clone());
                }
            }
            Decision::Retry { issue } => {
                if let Some(issue) = self.issues.get_mut(issue) {
                    issue.retry = true;
                }
            }
        }
    }

    fn settle(&mut self, number: u64, merged: Option<&String>, at: &str, reason: Option<&String>) {
        let Some(pull) = self.pulls.get_mut(&number) else {
            return;
        };
        if let Some(reason) = reason.filter(|reason| !pull.reasons.contains(reason)) {
            pull.reasons.push(reason.clone());
        }
        let cluster = pull.cluster.clone();
        if let Some(sha) = merged {
            pull.state = PullState::Merged {
                sha: sha.clone(),
                at: at.to_owned(),
            };
            let happened = &self.happened;
            self.clusters.resolve_members(&cluster, |record| {
                happened.get(record).is_none_or(|happened| happened.as_str() <= at)
            });
            // What failed between the measurement and the merge fails still.
            if self.state_of(&cluster) == Some(ClusterState::InProgress) {
                self.clusters.mark(&cluster, ClusterState::Reopened);
            }
        } else {
            pull.state = PullState::Closed { at: at.to_owned() };
            self.clusters.mark(&cluster, ClusterState::Open);
        }
    }
}
