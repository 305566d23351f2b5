//! A model's advice: why runs failed, which clusters are one, several, or badly named. Whatever it cannot say leaves what the rules said.

use crate::model::{Journal, Model, ModelError, Purse, Tally, Tape, open};
use futures_util::future::join_all;
use serde::Serialize;
use sprag_core::case::judge;
use sprag_core::cluster::{ClusterBook, Likeness, Question, Revision, ask, questions, read_answer, texts};
use sprag_core::config::ModelConfig;
use sprag_core::curation::{self, About, Curation, Curations};
use sprag_core::failure::FailureRecord;
use sprag_core::id::{ClusterId, RecordId};
use sprag_core::mine::model::{Policy, joined, read, repair, request, wanted};
use sprag_core::mine::{self, Run};
use sprag_core::model::{EmbeddingsRequest, FaultClass, ModelAnswer, ModelRequest, Prices};
use sprag_core::redact::Redactor;
use sprag_core::trace::Trace;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// So many questions are made at a time; how many are asked at a time, the model decides.
const AT_A_TIME: usize = 32;
/// The most clusters that a model is asked about each time that failures were read.
const CURATED: usize = 20;

/// A model with its money.
#[derive(Debug)]
pub struct Advisor {
    model: Arc<dyn Model>,
    /// The model, and what a killed process had asked of it in the step that is made again.
    journal: Journal,
    policy: Policy,
    embeddings: Option<String>,
    priced: bool,
    purse: Arc<Purse>,
    /// A model can spell out what nobody saw in a trace, so what it says comes in by the same door.
    redactor: Redactor,
    /// Why nothing more is asked.
    stopped: Mutex<Option<ModelError>>,
    counts: Mutex<Counts>,
}

/// How often a model was asked and believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Questions.
    pub asked: u32,
    /// Answers that held.
    pub believed: u32,
    /// Of these, those that held only after they were mended.
    pub mended: u32,
    /// Answers that did not hold, also after they were to be mended.
    pub wrong: u32,
    /// Questions without an answer: refused, empty, too long, not asked any more.
    pub unanswered: u32,
}

/// What became of a model's advice, for a person.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// How often it was asked and believed.
    #[serde(flatten)]
    pub counts: Counts,
    /// What it cost.
    #[serde(flatten)]
    pub tally: Tally,
    /// Whether anybody knows its price.
    pub priced: bool,
    /// Why nothing more was asked.
    #[serde(skip)]
    pub stopped: Option<ModelError>,
}

impl Advisor {
    /// The model of `[model]`, which may spend so many US dollars. `env` gives the value of an environment variable.
    ///
    /// # Errors
    /// See [`open`].
    pub fn new(
        config: &ModelConfig,
        tape: &Tape,
        redactor: Redactor,
        usd: f64,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ModelError> {
        let purse = Purse::new(usd);
        let priced = config.price.is_some() || Prices::shipped().of(config.provider, &config.name).is_some();
        let model = open(config, tape, redactor.clone(), purse.clone(), env)?;
        Ok(Self {
            journal: Journal::new(model.clone(), purse.clone(), redactor.clone()),
            model,
            redactor,
            policy: Policy::from(config),
            embeddings: config.embeddings.clone(),
            priced,
            purse,
            stopped: Mutex::default(),
            counts: Mutex::default(),
        })
    }

    /// From now on so many US dollars are left.
    pub fn allow(&self, left: f64) {
        self.purse.allow(left);
    }

    /// US dollars since this was last called.
    pub fn paid(&self) -> f64 {
        self.purse.take().usd
    }

    /// The same, for what is kept with the record of a run, which is never made again.
    pub fn paid_for_run(&self) -> f64 {
        self.journal.leave_out();
        self.paid()
    }

    /// The run in the folder `out` stands behind the entry `head` of its ledger.
    ///
    /// # Errors
    /// See [`Journal::stand`].
    pub fn stand(&self, out: &Path, head: &str) -> std::io::Result<()> {
        self.journal.stand(&out.join(".sprag/asked.jsonl"), head)
    }

    /// What became of all that was asked.
    pub fn account(&self) -> Account {
        Account {
            counts: *lock(&self.counts),
            tally: self.purse.total(),
            priced: self.priced,
            stopped: lock(&self.stopped).clone(),
        }
    }

    /// How it is asked.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// One answer in a conversation that somebody else leads. A conversation that would only fail again is not gone on with.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    pub async fn answer(&self, request: &ModelRequest) -> Result<ModelAnswer, ModelError> {
        if let Some(stopped) = lock(&self.stopped).clone() {
            return Err(stopped);
        }
        lock(&self.counts).asked += 1;
        let answer = self.journal.complete(request).await;
        match &answer {
            Ok(_) => lock(&self.counts).believed += 1,
            Err(error) => {
                lock(&self.counts).unanswered += 1;
                if error.is_final() && !error.is_loud() {
                    self.stop(error.clone());
                }
            }
        }
        answer
    }

    /// The records of failed runs with what the model adds to each; see [`joined`].
    ///
    /// # Errors
    /// When an exchange that should be on record is not. All else leaves the rules' records.
    pub async fn mine(&self, failures: &[(&Trace, FailureRecord)]) -> Result<Vec<FailureRecord>, ModelError> {
        let mut records = Vec::with_capacity(failures.len());
        for chunk in failures.chunks(AT_A_TIME) {
            let mined = join_all(chunk.iter().map(|(trace, record)| self.mine_one(trace, record))).await;
            for record in mined {
                records.push(record?);
            }
        }
        Ok(records)
    }

    async fn mine_one(&self, trace: &Trace, record: &FailureRecord) -> Result<FailureRecord, ModelError> {
        if !wanted(record, trace) {
            return Ok(record.clone());
        }
        let question = |policy: &Policy| request(trace, record, policy);
        let reading = self
            .asked(&self.journal, question, |answer| read(answer, trace))
            .await?;
        Ok(reading.map_or_else(|| record.clone(), |reading| joined(record, trace, &reading)))
    }

    /// Whether a run does what each rubric says, in their order, up to the first that does not hold; `None` where the model gives no answer
    /// that holds.
    ///
    /// # Errors
    /// See [`Advisor::mine`].
    pub async fn judge(&self, trace: &Trace, rubrics: &[String]) -> Result<Option<Vec<bool>>, ModelError> {
        let mut holds = Vec::new();
        for rubric in rubrics {
            let question = |policy: &Policy| judge::request(rubric, trace, policy);
            let Some(judged) = self
                .asked(&*self.model, question, |answer| judge::read(answer, trace))
                .await?
            else {
                return Ok(None);
            };
            tracing::debug!("judged: {}", judged.why);
            holds.push(judged.holds);
            if !judged.holds {
                break;
            }
        }
        // What was not asked any more does not hold either.
        holds.resize(rubrics.len(), false);
        Ok(Some(holds))
    }

    /// What the model would change of the clusters.
    ///
    /// # Errors
    /// See [`Advisor::mine`].
    pub async fn curate(
        &self,
        book: &ClusterBook,
        records: &BTreeMap<RecordId, FailureRecord>,
    ) -> Result<Vec<Revision>, ModelError> {
        let vectors = self.vectors(&texts(book, records)).await?;
        let likeness = vectors.as_ref().map_or(Likeness::Words, Likeness::Vectors);
        // One after the other: what an answer changes, the next question need not ask.
        let mut changed = book.clone();
        let mut revisions = Vec::new();
        for question in questions(book, records, likeness) {
            if !stands(&question, &changed) {
                continue;
            }
            let asked = |policy: &Policy| ask(&question, &changed, records, policy);
            let read = |answer: &ModelAnswer| read_answer(&question, answer, &changed, records);
            let wanted = self.asked(&self.journal, asked, read).await?.unwrap_or_default();
            changed.revise(&wanted);
            revisions.extend(wanted);
        }
        Ok(revisions)
    }

    /// What becomes of new clusters and cases; what the model gives no answer for that holds is left out.
    ///
    /// # Errors
    /// See [`Advisor::mine`].
    pub async fn decide(&self, about: &[About]) -> Result<Vec<Curation>, ModelError> {
        let mut decided = Vec::new();
        for chunk in about.chunks(AT_A_TIME) {
            let asked = chunk.iter().map(|about| {
                let question = |policy: &Policy| curation::ask(about, policy);
                self.asked(&self.journal, question, |answer| curation::read(about, answer))
            });
            for decision in join_all(asked).await {
                decided.extend(decision?);
            }
        }
        Ok(decided)
    }

    /// What becomes of the clusters that nobody has decided about, the first by rank.
    ///
    /// # Errors
    /// See [`Advisor::mine`].
    pub async fn curations(
        &self,
        book: &ClusterBook,
        records: &BTreeMap<RecordId, FailureRecord>,
        decided: &Curations,
    ) -> Result<Vec<Curation>, ModelError> {
        let new = decided.undecided(book).into_iter().take(CURATED);
        let about: Vec<About> = new.map(|id| About::cluster(book, records, id)).collect();
        self.decide(&about).await
    }

    /// The vectors of the clusters' texts; `None` where there is no model for them, or it does not answer.
    async fn vectors(
        &self,
        texts: &BTreeMap<ClusterId, String>,
    ) -> Result<Option<BTreeMap<ClusterId, Vec<f32>>>, ModelError> {
        let Some(model) = self.embeddings.clone().filter(|_| texts.len() > 1) else {
            return Ok(None);
        };
        let mut vectors = BTreeMap::new();
        let texts: Vec<(&ClusterId, &String)> = texts.iter().collect();
        for chunk in texts.chunks(AT_A_TIME) {
            let request = EmbeddingsRequest {
                model: model.clone(),
                texts: chunk.iter().map(|(_, text)| (*text).clone()).collect(),
            };
            match self.journal.embed(&request).await {
                Ok(answer) => vectors.extend(chunk.iter().map(|(id, _)| (*id).clone()).zip(answer.vectors)),
                Err(error) if error.is_loud() => return Err(error),
                Err(error) => {
                    self.stop(error);
                    return Ok(None);
                }
            }
        }
        Ok(Some(vectors))
    }

    /// Asks a question until its answer holds, once more if it does not, in fewer words if it is too long.
    async fn asked<T>(
        &self,
        model: &dyn Model,
        question: impl Fn(&Policy) -> ModelRequest,
        read: impl Fn(&ModelAnswer) -> Result<T, Vec<String>>,
    ) -> Result<Option<T>, ModelError> {
        if lock(&self.stopped).is_some() {
            lock(&self.counts).unanswered += 1;
            return Ok(None);
        }
        lock(&self.counts).asked += 1;
        let mut policy = self.policy.clone();
        loop {
            let error = match self.answered(model, &question(&policy), &read).await {
                Ok(held) => return Ok(held),
                Err(error) if error.is_loud() => return Err(error),
                Err(error) => error,
            };
            let smaller = policy
                .smaller()
                .filter(|_| error.class() == Some(FaultClass::ContextLength));
            if let Some(smaller) = smaller {
                policy = smaller;
                continue;
            }
            tracing::info!("no answer of the model: {error}");
            lock(&self.counts).unanswered += 1;
            if error.is_final() {
                self.stop(error);
            }
            return Ok(None);
        }
    }

    async fn answered<T>(
        &self,
        model: &dyn Model,
        request: &ModelRequest,
        read: &impl Fn(&ModelAnswer) -> Result<T, Vec<String>>,
    ) -> Result<Option<T>, ModelError> {
        let answer = self.complete(model, request).await?;
        let problems = match read(&answer) {
            Ok(held) => {
                lock(&self.counts).believed += 1;
                return Ok(Some(held));
            }
            Err(problems) => problems,
        };
        let again = self.complete(model, &repair(request, &answer, &problems)).await?;
        let held = read(&again);
        let mut counts = lock(&self.counts);
        match &held {
            Ok(_) => {
                counts.believed += 1;
                counts.mended += 1;
            }
            Err(problems) => {
                counts.wrong += 1;
                tracing::debug!("the model's answer does not hold: {}", problems.join("; "));
            }
        }
        Ok(held.ok())
    }

    /// What the model answers, without secrets.
    async fn complete(&self, model: &dyn Model, request: &ModelRequest) -> Result<ModelAnswer, ModelError> {
        let mut answer = model.complete(request).await?;
        answer.text = self.redactor.text(&answer.text).into_owned();
        Ok(answer)
    }

    fn stop(&self, error: ModelError) {
        lock(&self.stopped).get_or_insert(error);
    }
}

/// The records of those runs that `counts` takes for failures, in their order: by the rules, and then by the model, if there is one.
///
/// # Errors
/// See [`Advisor::mine`].
pub async fn together(
    advisor: Option<&Advisor>,
    runs: &[Run<'_>],
    counts: impl Fn(&Run<'_>) -> bool,
) -> Result<Vec<FailureRecord>, ModelError> {
    let records = mine::together(runs, &counts);
    let Some(advisor) = advisor else { return Ok(records) };
    let failed = runs.iter().filter(|run| counts(run)).map(|run| run.trace);
    let failures: Vec<(&Trace, FailureRecord)> = failed.zip(records).collect();
    advisor.mine(&failures).await
}

/// What the rules would change of the clusters, and then the model, if there is one.
///
/// # Errors
/// See [`Advisor::mine`].
pub async fn revisions(
    advisor: Option<&Advisor>,
    book: &ClusterBook,
    records: &BTreeMap<RecordId, FailureRecord>,
) -> Result<Vec<Revision>, ModelError> {
    let mut revisions = book.alike();
    if let Some(advisor) = advisor {
        let mut book = book.clone();
        book.revise(&revisions);
        revisions.extend(advisor.curate(&book, records).await?);
    }
    Ok(revisions)
}

/// Whether a question is still one after other answers.
fn stands(question: &Question, book: &ClusterBook) -> bool {
    let there = |id: &ClusterId| book.clusters.contains_key(id);
    match question {
        Question::Same(one, other) => there(one) && there(other),
        Question::Split(cluster, _) => there(cluster),
        Question::Title(cluster) => book
            .clusters
            .get(cluster)
            .is_some_and(sprag_core::cluster::Cluster::is_untitled),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
