//! A step of a run that is killed and made again: nothing is asked twice, and what was paid stays paid.

use super::*;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use proptest::prelude::*;
use sprag_core::model::{FaultClass, Message};

/// A provider with numbered answers. It outlives the processes that ask it.
#[derive(Debug, Default)]
struct Provider {
    /// The hashes of the questions that it has answered.
    answered: Mutex<Vec<String>>,
    paid: Mutex<f64>,
}

/// The way of one process to the provider. It is killed while it waits for the answer after the last.
#[derive(Debug)]
struct Way {
    provider: Arc<Provider>,
    purse: Arc<Purse>,
    /// What a request may cost, and the share of it that it does cost.
    price: (f64, f64),
    answers: Mutex<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Model for Way {
    fn complete<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        Box::pin(async move {
            let (most, share) = self.price;
            let mut reservation = self.purse.reserve(Some(most)).await?;
            let last = {
                let mut answers = lock(&self.answers);
                let last = *answers == 0;
                *answers = answers.saturating_sub(1);
                last
            };
            if last {
                std::future::pending::<()>().await;
            }
            let hash = request.hash();
            let text = {
                let mut answered = lock(&self.provider.answered);
                answered.push(hash.clone());
                let nth = answered.iter().filter(|one| **one == hash).count();
                format!("{hash} {nth}")
            };
            *lock(&self.provider.paid) += most * share;
            reservation.sent();
            reservation.settle(most * share, 0);
            if matches!(&request.messages[0], Message::User { text } if text == "refused") {
                return Err(ModelError::Fault {
                    host: "there".to_owned(),
                    fault: Fault::new(FaultClass::Refused, "no"),
                });
            }
            Ok(ModelAnswer {
                text,
                ..ModelAnswer::default()
            })
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbeddingsRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        lock(&self.provider.answered).push("texts".to_owned());
        let vectors = vec![vec![0.5]; request.texts.len()];
        Box::pin(std::future::ready(Ok(Embeddings { vectors, usage: None })))
    }
}

/// A process: its journal and its purse.
fn process(provider: &Arc<Provider>, limit: f64, price: (f64, f64), answers: usize) -> (Journal, Arc<Purse>) {
    let purse = Purse::new(limit);
    let model = Arc::new(Way {
        provider: provider.clone(),
        purse: purse.clone(),
        price,
        answers: Mutex::new(answers),
    });
    (Journal::new(model, purse.clone(), Redactor::default()), purse)
}

fn question(text: &str) -> ModelRequest {
    ModelRequest {
        messages: vec![Message::User { text: text.to_owned() }],
        ..ModelRequest::default()
    }
}

/// What a step hears that puts these questions, so many at a time; nothing when its process was killed.
fn step(journal: &Journal, questions: &[u8], at_a_time: usize) -> Option<Vec<Result<String, String>>> {
    let work = async {
        let mut heard = Vec::new();
        for chunk in questions.chunks(at_a_time) {
            let requests: Vec<ModelRequest> = chunk
                .iter()
                .map(|one| {
                    question(if *one == 0 {
                        "refused"
                    } else {
                        ["a", "b", "c"][usize::from(*one) % 3]
                    })
                })
                .collect();
            let answers = join_all(requests.iter().map(|request| journal.complete(request))).await;
            heard.extend(answers.into_iter().map(|answer| match answer {
                Ok(answer) => Ok(answer.text),
                Err(ModelError::Fault { fault, .. }) => Err(format!("{:?}", fault.class)),
                Err(_) => Err("budget".to_owned()),
            }));
        }
        heard
    };
    work.now_or_never()
}

proptest! {
    #[test]
    fn a_step_that_is_killed_again_and_again_asks_nothing_twice_and_stays_within_its_budget(
        questions in prop::collection::vec(0..6_u8, 1..25),
        at_a_time in 1..5_usize,
        price in (0.01..1.0_f64, 0.0..=1.0_f64),
        limit in 0.0..12.0_f64,
        kills in prop::collection::vec(0..8_usize, 0..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("asked.jsonl");
        let undisturbed = Arc::new(Provider::default());
        let (journal, _) = process(&undisturbed, limit, price, usize::MAX);
        let wanted = step(&journal, &questions, at_a_time).unwrap();

        let provider = Arc::new(Provider::default());
        let mut heard = None;
        for answers in kills.into_iter().chain([usize::MAX]) {
            let (journal, purse) = process(&provider, limit, price, answers);
            journal.stand(&path, "head").unwrap();
            purse.allow(limit);
            heard = step(&journal, &questions, at_a_time);
            let paid = *lock(&provider.paid);
            prop_assert!((purse.total().usd - paid).abs() < 1e-9, "{} of {paid} are known", purse.total().usd);
            prop_assert!(paid <= limit + 1e-9);
            if heard.is_some() {
                break;
            }
        }
        prop_assert_eq!(heard, Some(wanted));
        let count = |provider: &Provider| lock(&provider.answered).len();
        prop_assert_eq!(count(&provider), count(&undisturbed));
    }
}

#[test]
fn the_next_entry_of_the_ledger_ends_what_is_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/asked.jsonl");
    let provider = Arc::new(Provider::default());
    let ask = |journal: &Journal| step(journal, &[1], 1).unwrap().remove(0).unwrap();
    let (journal, _) = process(&provider, 9.0, (0.5, 1.0), usize::MAX);
    journal.stand(&path, "one").unwrap();
    let first = ask(&journal);
    journal.stand(&path, "two").unwrap();
    assert!(!path.exists(), "it is in the ledger");
    assert_ne!(ask(&journal), first, "a fresh step hears a fresh answer");

    let (journal, purse) = process(&provider, 9.0, (0.5, 1.0), usize::MAX);
    journal.stand(&path, "two").unwrap();
    assert!(purse.take().usd.abs() < 1e-9, "nobody was told yet");
    journal.stand(&path, "three").unwrap();
    assert!(
        (purse.take().usd - 0.5).abs() < 1e-9,
        "paid, though nobody asked for it again"
    );
    let (journal, _) = process(&provider, 9.0, (0.5, 1.0), usize::MAX);
    journal.stand(&path, "two").unwrap();
    let texts = EmbeddingsRequest {
        model: "m".to_owned(),
        texts: vec!["text".to_owned()],
    };
    let vectors = journal.embed(&texts).now_or_never().unwrap().unwrap();
    let (journal, _) = process(&provider, 9.0, (0.5, 1.0), usize::MAX);
    journal.stand(&path, "two").unwrap();
    assert_eq!(journal.embed(&texts).now_or_never().unwrap().unwrap(), vectors);
    assert_eq!(lock(&provider.answered).iter().filter(|one| *one == "texts").count(), 1);
}

#[test]
fn a_line_that_was_cut_off_is_asked_for_again_and_spoils_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("asked.jsonl");
    let provider = Arc::new(Provider::default());
    let (journal, _) = process(&provider, 9.0, (0.5, 1.0), usize::MAX);
    journal.stand(&path, "head").unwrap();
    let heard = step(&journal, &[1, 2], 1).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let again = |answers| {
        let (journal, _) = process(&provider, 9.0, (0.5, 1.0), answers);
        journal.stand(&path, "head").unwrap();
        step(&journal, &[1, 2], 1)
    };
    let mended = again(usize::MAX).unwrap();
    assert_eq!(mended[0], heard[0]);
    assert_ne!(mended[1], heard[1]);
    assert_eq!(again(0), Some(mended), "both are there now");
}

#[test]
fn what_is_kept_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("asked.jsonl");
    let (journal, _) = process(&Arc::default(), 9.0, (0.5, 1.0), 0);
    journal.stand(&path, "head").unwrap();
    let answer = ModelAnswer {
        text: "write to bob@company.com".to_owned(),
        ..ModelAnswer::default()
    };
    journal.keep("hash".to_owned(), Said::Answer(answer)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("write to") && !text.contains("bob@"), "{text}");
}
