//! A model that answers as a test says, and what of its answers ends up in the records.

use super::*;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sprag_core::failure::{FailureKind, Mechanism, RootCause};
use sprag_core::id::TaskId;
use sprag_core::mine;
use sprag_core::model::{Embeddings, Fault, Message};
use sprag_core::redact::Redactor;
use sprag_core::trace::{Role, Step, ToolCall};

type Answer = dyn Fn(usize, &ModelRequest) -> Result<String, FaultClass> + Send + Sync;

/// A model that answers as a test says, depending on how many questions came before.
struct Scripted {
    answer: Box<Answer>,
    seen: Mutex<Vec<ModelRequest>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Model for Scripted {
    fn complete<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        let before = {
            let mut seen = lock(&self.seen);
            seen.push(request.clone());
            seen.len() - 1
        };
        let answer = (self.answer)(before, request);
        Box::pin(std::future::ready(match answer {
            Ok(text) => Ok(ModelAnswer {
                text,
                ..ModelAnswer::default()
            }),
            Err(class) => Err(ModelError::Fault {
                host: "here".to_owned(),
                fault: Fault::new(class, ""),
            }),
        }))
    }

    fn embed<'a>(&'a self, request: &'a EmbeddingsRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        let vectors = request.texts.iter().map(|text| {
            if text.contains("refund") {
                vec![1.0, 0.0]
            } else {
                vec![0.0, 1.0]
            }
        });
        let vectors = vectors.collect();
        Box::pin(std::future::ready(Ok(Embeddings { vectors, usage: None })))
    }
}

fn advisor(
    answer: impl Fn(usize, &ModelRequest) -> Result<String, FaultClass> + Send + Sync + 'static,
) -> (Advisor, Arc<Scripted>) {
    let model = Arc::new(Scripted {
        answer: Box::new(answer),
        seen: Mutex::default(),
    });
    let purse = Purse::new(1.0);
    let advisor = Advisor {
        journal: Journal::new(model.clone(), purse.clone(), Redactor::default()),
        model: model.clone(),
        policy: Policy {
            model: "m".to_owned(),
            max_input_tokens: 8_000,
            max_output_tokens: 500,
            temperature: None,
        },
        embeddings: None,
        priced: true,
        purse,
        redactor: Redactor::default(),
        stopped: Mutex::default(),
        counts: Mutex::default(),
    };
    (advisor, model)
}

fn run() -> Trace {
    let step = |role, content: &str| Step {
        role,
        content: content.to_owned(),
        ..Step::default()
    };
    let mut call = step(Role::Assistant, "");
    call.tool_calls.push(ToolCall {
        id: "a".to_owned(),
        name: "cancel_order".to_owned(),
        ..ToolCall::default()
    });
    Trace {
        steps: vec![
            step(Role::User, "Cancel my order, it was shipped."),
            call,
            step(Role::Tool, "ok"),
        ],
        ..Trace::default()
    }
}

fn record(trace: &Trace) -> FailureRecord {
    mine::mine("run", &TaskId::new("t"), trace)
}

fn good() -> String {
    let answer: Value = json!({
        "root_cause": "It cancelled what was shipped.", "decisive_step": 1,
        "evidence": [{"step": 1, "quote": "cancel_order"}], "kind": "agent",
        "mechanism": "extra_write", "subject": "cancel_order", "should": "Say that it cannot be cancelled.", "confidence": 1.0,
    });
    answer.to_string()
}

async fn mined(advisor: &Advisor) -> FailureRecord {
    let trace = run();
    advisor.mine(&[(&trace, record(&trace))]).await.unwrap().remove(0)
}

#[tokio::test]
async fn an_answer_that_holds_joins_the_record() {
    let (advisor, _) = advisor(|_, _| Ok(good()));
    let record = mined(&advisor).await;
    assert_eq!((record.kind, record.causes.len()), (FailureKind::Agent, 1));
    let counts = advisor.account().counts;
    assert_eq!((counts.asked, counts.believed, counts.mended), (1, 1, 0));
}

#[tokio::test]
async fn an_answer_that_does_not_hold_is_mended_once_and_then_the_rules_stand() {
    let bad = |answer: String| answer.replace("\"quote\":\"cancel_order\"", "\"quote\":\"never said\"");
    let (mends, model) = advisor(move |before, _| Ok(if before == 0 { bad(good()) } else { good() }));
    assert_eq!(mined(&mends).await.causes.len(), 1);
    assert_eq!(mends.account().counts.mended, 1);
    let asked = lock(&model.seen)[1].clone();
    assert!(matches!(asked.messages.last(), Some(Message::User { text }) if text.contains("does not say that")));

    let (never, model) = advisor(move |_, _| Ok(bad(good())));
    assert_eq!(mined(&never).await, record(&run()));
    assert_eq!((never.account().counts.wrong, lock(&model.seen).len()), (1, 2));
    let (refuses, _) = advisor(|_, _| Err(FaultClass::Refused));
    assert_eq!(mined(&refuses).await, record(&run()));
    let account = refuses.account();
    assert!(account.counts.unanswered == 1 && account.stopped.is_none());
}

#[tokio::test]
async fn a_secret_that_the_model_spells_out_does_not_reach_the_record() {
    let leaky = good().replace(
        "It cancelled what was shipped.",
        "It wrote to ann@example.com that it cancelled.",
    );
    let (advisor, _) = advisor(move |_, _| Ok(leaky.clone()));
    let record = mined(&advisor).await;
    assert_eq!(record.causes[0].finding, "It wrote to [email-1] that it cancelled.");
}

#[tokio::test]
async fn a_run_is_judged_by_rubrics_until_one_does_not_hold_and_not_at_all_by_what_is_made_up() {
    let answer = |holds: bool, quote: &str| {
        json!({"reason": "So it is.", "step": 1, "quote": quote, "holds": holds}).to_string()
    };
    let (advisor, model) = advisor(move |before, request| {
        let made_up = format!("{request:?}").contains("is quick");
        Ok(answer(before == 0, if made_up { "never said" } else { "cancel_order" }))
    });
    let rubrics = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let judged = advisor
        .judge(&run(), &rubrics(&["cancels", "is polite", "is brief"]))
        .await
        .unwrap();
    assert_eq!(judged, Some(vec![true, false, false]));
    assert_eq!(lock(&model.seen).len(), 2, "the third could not save it");
    assert_eq!(advisor.judge(&run(), &rubrics(&["is quick"])).await.unwrap(), None);
    assert_eq!(advisor.account().counts.wrong, 1);
}

#[tokio::test]
async fn a_request_that_is_too_long_is_made_shorter() {
    let long = |request: &ModelRequest| request.most_input_tokens() > 9_000;
    let (advisor, model) = advisor(move |_, request| {
        if long(request) {
            Err(FaultClass::ContextLength)
        } else {
            Ok(good())
        }
    });
    let mut trace = run();
    trace.steps[2].content = "word ".repeat(50_000);
    let records = advisor.mine(&[(&trace, record(&trace))]).await.unwrap();
    assert_eq!(records[0].causes.len(), 1);
    assert_eq!(lock(&model.seen).len(), 3);
}

#[tokio::test]
async fn after_a_fault_that_stays_nothing_more_is_asked() {
    let (advisor, model) = advisor(|_, _| Err(FaultClass::Auth));
    mined(&advisor).await;
    assert_eq!(mined(&advisor).await, record(&run()));
    assert_eq!(lock(&model.seen).len(), 1);
    let account = advisor.account();
    assert_eq!(account.counts.unanswered, 2);
    assert_eq!(account.stopped.unwrap().class(), Some(FaultClass::Auth));
}

#[tokio::test]
async fn a_miss_of_a_replay_is_loud() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[model]\nprovider = \"openai\"\nname = \"m\"\n";
    let config = sprag_core::config::parse(text).unwrap().model.unwrap();
    let tape = Tape::Replay(dir.path().to_owned());
    let advisor = Advisor::new(&config, &tape, Redactor::default(), 1.0, |_| None).unwrap();
    let trace = run();
    let missed = advisor.mine(&[(&trace, record(&trace))]).await;
    assert!(matches!(missed, Err(ModelError::NotRecorded { .. })));
}

fn named(id: &str, subject: &str) -> FailureRecord {
    let mut named = record(&run());
    named.id = RecordId::new(id);
    named.kind = FailureKind::Agent;
    named.causes = vec![RootCause {
        mechanism: Mechanism {
            rule: "other".to_owned(),
            subject: subject.to_owned(),
        },
        finding: subject.to_owned(),
        evidence: Vec::new(),
        confidence: 0.7,
        should: String::new(),
        action: None,
    }];
    named
}

#[tokio::test]
async fn neighbours_become_one_and_are_not_asked_about_twice() {
    let records = [
        named("a", "refunds the late order twice"),
        named("b", "pays a refund for the late order again"),
        named("c", "answers in another language"),
    ];
    let mut book = ClusterBook::default();
    book.join_all(&records, 1);
    let records: BTreeMap<RecordId, FailureRecord> =
        records.into_iter().map(|record| (record.id.clone(), record)).collect();
    let one = json!({"reason": "Both refund twice.", "same": true, "title": "refunds a late order twice"}).to_string();
    let (mut advisor, model) = advisor(move |_, _| Ok(one.clone()));
    advisor.embeddings = Some("e".to_owned());
    let revisions = advisor.curate(&book, &records).await.unwrap();
    assert_eq!(lock(&model.seen).len(), 1, "by their vectors the third is no neighbour");
    book.revise(&revisions);
    assert_eq!(book.clusters.len(), 2);
    assert!(
        book.clusters
            .values()
            .any(|cluster| cluster.title == "refunds a late order twice")
    );
    assert!(advisor.curate(&book, &records).await.unwrap().is_empty());
    assert_eq!(lock(&model.seen).len(), 1);
}
