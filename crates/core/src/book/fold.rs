//! How each fact changes the book.

use super::{Book, CommandEntry, IssueEntry, PullEntry, PullState};
use crate::cluster::{Change, ClusterState, Revision};
use crate::curation::{self, Review, Subject};
use crate::fact::{DASHBOARD, Decision, Fact, Reading, What};
use crate::failure::FailureRecord;
use crate::id::{CaseId, ClusterId, RecordId, RunId};
use crate::ledger::{Entry, Event, Finding};
use crate::overview::Origin;
use std::collections::{BTreeMap, BTreeSet};

impl Book {
    /// Adds a fact that was learned after all others.
    pub fn learn(&mut self, fact: &Fact) {
        self.take(fact);
        self.clusters.name_parts(&self.records);
        self.clusters.weigh();
    }

    /// The same, but the clusters are not weighed anew.
    pub(super) fn take(&mut self, fact: &Fact) {
        match &fact.what {
            What::IssueRead {
                issue,
                digest,
                opened_at,
                told_at,
                reading,
                ..
            } => {
                let told = |record: &RecordId| told_at.get(record).unwrap_or(opened_at).clone();
                self.read_issue(*issue, digest, told, reading);
            }
            What::ArtifactRead {
                artifact,
                ran_at,
                failures,
                ..
            } => {
                self.artifacts.insert(*artifact);
                let origin = Origin::Artifact { id: *artifact };
                failures.iter().for_each(|record| self.join(record, ran_at, &origin));
            }
            What::FilesRead { files, failures, .. } => {
                let origin = Origin::Files { names: files.clone() };
                failures.iter().for_each(|record| self.join(record, &fact.at, &origin));
            }
            What::Decided { decisions, .. } => decisions.iter().for_each(|decision| self.decide(decision, &fact.at)),
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
                self.hear(*comment, entry, decisions, &fact.at);
            }
            What::Pressed { decisions, .. } => decisions.iter().for_each(|decision| self.decide(decision, &fact.at)),
            What::RunEntry { run, entry } => self.take_entry(run, entry),
            What::PullOpened { pull, .. } => {
                if let Some(opened) = opened(&fact.what) {
                    self.open(*pull, opened);
                }
            }
            What::PullSettled {
                pull,
                merged,
                settled_at,
                reason,
            } => self.settle(*pull, merged.as_ref(), settled_at, reason.as_ref()),
            What::PullReopened { pull, closed_at } => self.reopen(*pull, closed_at),
            What::RevertOffered { pull, revert } => {
                self.pulls.entry(*pull).and_modify(|pull| pull.revert = Some(*revert));
            }
            What::RevertSettled {
                pull,
                revert,
                taken_back,
                settled_at,
            } => self.settle_revert(*pull, *revert, *taken_back, settled_at),
            What::SuiteMeasured { sha, card } => self.suite.push((sha.clone(), card.clone())),
            What::TestOpened { release, sealed, .. } => {
                self.opened
                    .entry(release.clone())
                    .or_insert_with(|| (fact.at.clone(), sealed.clone()));
            }
            What::ClustersRevised { revisions } => self.revise(revisions),
            What::Curated { curations } => curations.iter().for_each(|curation| self.curations.take(curation)),
            What::Ticked { clusters, cases } => self.tick(clusters, cases),
            What::Answered { thing, digest, .. } => self.answer(thing, digest),
        }
    }

    fn hear(&mut self, comment: u64, entry: CommandEntry, decisions: &[Decision], at: &str) {
        if self.commands.insert(comment, entry).is_none() {
            decisions.iter().for_each(|decision| self.decide(decision, at));
        }
    }

    fn tick(&mut self, clusters: &BTreeMap<ClusterId, bool>, cases: &BTreeMap<CaseId, bool>) {
        for (case, accepted) in cases {
            self.curations.by_person(Subject::Case(case.clone()), *accepted, "");
        }
        for (cluster, ticked) in clusters {
            let cluster = self.clusters.current(cluster);
            if *ticked {
                self.curations.by_person(Subject::Cluster(cluster.clone()), true, "");
                self.preferred.insert(cluster);
            } else {
                self.preferred.remove(&cluster);
            }
        }
        // Its text is not what was written there.
        self.answered.remove(DASHBOARD);
    }

    fn answer(&mut self, thing: &str, digest: &str) {
        if self.answered.insert(thing.to_owned(), digest.to_owned()).as_deref() == Some(digest) {
            self.doubled.insert(thing.to_owned());
        } else {
            self.doubled.remove(thing);
        }
    }

    fn open(&mut self, number: u64, mut pull: PullEntry) {
        pull.cluster = self.clusters.current(&pull.cluster);
        let known = self.pulls.remove(&number);
        self.clusters.mark(&pull.cluster, ClusterState::InProgress);
        self.preferred.remove(&pull.cluster);
        let reasons = known.map(|known| known.reasons).unwrap_or_default();
        let measured = self.clusters.clusters.get(&pull.cluster);
        let mechanisms = measured.map(|cluster| cluster.also.iter().chain([&cluster.mechanism]).cloned());
        self.pulls.insert(
            number,
            PullEntry {
                reasons,
                mechanisms: mechanisms.into_iter().flatten().collect(),
                ..pull
            },
        );
    }

    fn read_issue(&mut self, issue: u64, digest: &str, told: impl Fn(&RecordId) -> String, reading: &Reading) {
        self.retry.remove(&issue);
        let entry = self.issues.entry(issue).or_insert_with(|| IssueEntry {
            digest: String::new(),
            reading: reading.clone(),
            records: Vec::new(),
        });
        digest.clone_into(&mut entry.digest);
        entry.reading = reading.clone();
        match reading {
            Reading::Failures { records } => {
                for record in records
                    .iter()
                    .filter(|record| !entry.records.contains(&record.id))
                    .collect::<Vec<_>>()
                {
                    entry.records.push(record.id.clone());
                }
                let origin = Origin::Issue { number: issue };
                records
                    .iter()
                    .for_each(|record| self.join(record, &told(&record.id), &origin));
            }
            Reading::Withdrawn => self.withdraw(issue),
            Reading::Task { .. } | Reading::NoTrace { .. } | Reading::Unconfirmed { .. } => {}
        }
    }

    /// What only this issue tells of was no failure after all.
    fn withdraw(&mut self, issue: u64) {
        self.confirmed.remove(&issue);
        let told = self
            .issues
            .get_mut(&issue)
            .map(|entry| std::mem::take(&mut entry.records));
        for record in told.unwrap_or_default() {
            let elsewhere = self.issues.values().any(|entry| entry.records.contains(&record));
            if !elsewhere {
                self.records.remove(&record);
                self.happened.remove(&record);
                self.origins.remove(&record);
                self.clusters.leave(&record);
            }
        }
    }

    /// A failure that is older than the merge that resolved its cluster is resolved with it; a younger one reopens the cluster.
    fn join(&mut self, record: &FailureRecord, happened: &str, origin: &Origin) {
        match self.records.insert(record.id.clone(), record.clone()) {
            // Read again beside other runs, it may be explained better than before.
            Some(known) if !self.clusters.reread(&known, record) => return,
            Some(_) | None => {}
        }
        self.happened.insert(record.id.clone(), happened.to_owned());
        self.origins.entry(record.id.clone()).or_insert_with(|| origin.clone());
        let fixed_since = |cluster: &ClusterId| {
            let mut of_cluster = self.pulls.values().filter(|pull| pull.cluster == *cluster);
            of_cluster.any(|pull| {
                matches!(&pull.state, PullState::Merged { at, .. } if at.as_str() >= happened) && pull.is_for(record)
            })
        };
        self.clusters.place(record, self.n_runs.max(1), fixed_since);
    }

    fn take_entry(&mut self, run: &RunId, entry: &Entry) {
        let ledger = self.runs.entry(run.clone()).or_default();
        // A ledger that two jobs wrote at once goes on with whichever entry comes first; the other was work done twice.
        if !entry.follows(ledger.last()) {
            return;
        }
        ledger.push(entry.clone());
        // All of a run is run on the harness that it began with.
        let begun = ledger[0].at.clone();
        let review = match &ledger[0].event {
            Event::Started(plan) => plan.review,
            _ => Review::default(),
        };
        match &entry.event {
            Event::Started(_) => self.n_runs += 1,
            Event::TrafficRan { records, .. } => {
                let origin = Origin::Run { run: Some(run.clone()) };
                records.iter().for_each(|record| self.join(record, &begun, &origin));
            }
            Event::ClustersRevised { revisions, .. } => self.revise(revisions),
            Event::Curated { curations, .. } => {
                curations.iter().for_each(|curation| self.curations.take(curation));
                self.revise(&curation::merges(review, curations));
            }
            Event::SignalsRead { findings, .. } => {
                findings.iter().for_each(|finding| self.take_finding(finding, &begun));
            }
            _ => {}
        }
    }

    /// What running the task that an issue names has shown.
    fn take_finding(&mut self, finding: &Finding, at: &str) {
        if let Some(record) = &finding.record {
            let origin = Origin::Issue { number: finding.issue };
            self.join(record, at, &origin);
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

    fn decide(&mut self, decision: &Decision, at: &str) {
        decision.review(&mut self.curations);
        match decision {
            Decision::Ignore { .. } | Decision::Prefer { .. } | Decision::Review { .. } => {
                decision.rank(&mut self.clusters, &mut self.preferred);
            }
            Decision::Merge { .. } | Decision::Split { .. } | Decision::Rename { .. } => {
                self.revise(decision.revision().as_slice());
            }
            Decision::Quarantine { case } => {
                self.restored.remove(case);
                self.quarantined.entry(case.clone()).or_insert_with(|| at.to_owned());
            }
            Decision::Restore { case } => {
                self.quarantined.remove(case);
                self.restored.insert(case.clone(), self.n_runs);
            }
            Decision::Reject { pull, reason } => {
                if let Some(pull) = self.pulls.get_mut(pull)
                    && !pull.reasons.contains(reason)
                {
                    pull.reasons.push(reason.clone());
                }
            }
            Decision::Retry { issue } => {
                self.retry.insert(*issue);
                self.confirmed.insert(*issue);
            }
        }
    }

    /// What becomes part of a cluster while a change for it waits was not measured with it.
    fn note_unmeasured(&mut self, change: &Change) {
        let Change::Merge { into, from } = change else {
            return;
        };
        let (into, from) = (self.clusters.current(into), self.clusters.current(from));
        let open = self.pulls.values_mut().filter(|pull| pull.state == PullState::Open);
        for pull in open {
            let other = match () {
                () if into == from => continue,
                () if pull.cluster == into => &from,
                () if pull.cluster == from => &into,
                () => continue,
            };
            let new = self.clusters.clusters.get(other).into_iter();
            pull.unmeasured
                .extend(new.flat_map(|cluster| cluster.members.keys().cloned()));
        }
    }

    /// Whatever was said of a cluster that goes is said of the one that stays.
    fn revise(&mut self, revisions: &[Revision]) {
        for revision in revisions {
            self.note_unmeasured(&revision.change);
            self.clusters.revise(std::slice::from_ref(revision));
        }
        for pull in self.pulls.values_mut() {
            pull.cluster = self.clusters.current(&pull.cluster);
        }
        let preferred = std::mem::take(&mut self.preferred);
        self.preferred = preferred.iter().map(|cluster| self.clusters.current(cluster)).collect();
        let busy = revisions.iter().filter_map(|revision| match &revision.change {
            Change::Merge { into, .. } => Some(self.clusters.current(into)),
            Change::Split { .. } | Change::Rename { .. } => None,
        });
        for cluster in busy
            .filter(|cluster| self.open_pull(cluster).is_some())
            .collect::<Vec<_>>()
        {
            self.clusters.mark(&cluster, ClusterState::InProgress);
        }
    }

    /// The person who opens it again has another mind about it.
    fn reopen(&mut self, number: u64, closed_at: &str) {
        let Some(pull) = self.pulls.get_mut(&number) else {
            return;
        };
        if matches!(&pull.state, PullState::Closed { at } if at == closed_at) {
            pull.state = PullState::Open;
            pull.reasons.clear();
            let cluster = pull.cluster.clone();
            self.clusters.mark(&cluster, ClusterState::InProgress);
        }
    }

    /// What was taken back resolves nothing any more.
    fn settle_revert(&mut self, number: u64, revert: u64, taken_back: bool, at: &str) {
        let Some(pull) = self.pulls.get_mut(&number) else {
            return;
        };
        pull.revert = None;
        if !taken_back {
            return;
        }
        pull.state = PullState::TakenBack {
            by: revert,
            at: at.to_owned(),
        };
        pull.reasons.push(format!(
            "It was merged, and #{revert} took it back: the regression suite failed with it."
        ));
        let cluster = pull.cluster.clone();
        self.clusters.reopen(&cluster);
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
            let (happened, records, pull) = (&self.happened, &self.records, &*pull);
            self.clusters.resolve_members(&cluster, |record| {
                happened.get(record).is_none_or(|happened| happened.as_str() <= at)
                    && records.get(record).is_some_and(|record| pull.is_for(record))
            });
            // What failed between the measurement and the merge fails still.
            if self.state_of(&cluster) == Some(ClusterState::InProgress) {
                self.clusters.mark(&cluster, ClusterState::Reopened);
            }
        } else {
            pull.state = PullState::Closed { at: at.to_owned() };
            // Whoever said to leave the cluster alone still means it; and another change may wait for it.
            let waits = self.open_pull(&cluster).is_some();
            if !waits && self.state_of(&cluster) == Some(ClusterState::InProgress) {
                self.clusters.mark(&cluster, ClusterState::Open);
            }
        }
    }
}

/// The pull request that a fact tells was opened.
fn opened(what: &What) -> Option<PullEntry> {
    let What::PullOpened {
        cluster,
        run,
        experiment,
        branch,
        head_sha,
        base_sha,
        ..
    } = what
    else {
        return None;
    };
    Some(PullEntry {
        cluster: cluster.clone(),
        run: run.clone(),
        experiment: experiment.clone(),
        branch: branch.clone(),
        head_sha: head_sha.clone(),
        base_sha: base_sha.clone(),
        state: PullState::Open,
        mechanisms: BTreeSet::new(),
        unmeasured: BTreeSet::new(),
        reasons: Vec::new(),
        revert: None,
    })
}
