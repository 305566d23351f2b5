//! The loop in two jobs: what the one that measures hands over, and what the one that writes lets in.

use crate::support::scene::Scene;
use sprag::bundle::{Bundle, INDEX};
use sprag_core::candidate::Candidate;
use sprag_core::fact::{Fact, What};
use sprag_core::harness::FileChange;
use sprag_core::id::{ClusterId, RunId};
use sprag_core::ledger::{Entry, Event, Plan};
use std::path::Path;

async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.in_workflow_run("17");
    scene.reports("k00").await;
    scene.reports("k01").await;
    scene.later();
    scene
}

/// What people see, but for the branch that only sprag reads.
fn seen(scene: &Scene) -> String {
    let page = scene.page();
    let lines = page.lines().filter(|line| !line.contains("sprag/state"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_do_what_one_does() {
    let (one, two) = (scene().await, scene().await);
    assert_eq!(one.run().await.unwrap().pulls.len(), 1);
    let bundle = two.optimize().await.unwrap();
    assert!(!two.page().contains("pull request #"), "{}", two.page());
    assert_eq!(two.publish(&bundle).await.unwrap().pulls.len(), 1);
    assert_eq!(seen(&two), seen(&one));
    let before = two.page();
    assert_eq!(two.publish(&bundle).await.unwrap().pulls, [], "nothing is done twice");
    assert_eq!(two.page(), before);
    assert_eq!(two.fake.violations(), [""; 0]);
}

/// A bundle whose entries were changed by somebody who knows how they are chained.
fn forged(bundle: &Bundle, mut change: impl FnMut(&mut Event)) -> Bundle {
    let mut forged = bundle.clone();
    let mut last: Option<Entry> = None;
    for fact in &mut forged.facts {
        if let What::RunEntry { entry, .. } = &mut fact.what {
            let mut event = entry.event.clone();
            change(&mut event);
            let new = Entry::after(last.as_ref(), entry.at.clone(), event);
            **entry = new.clone();
            last = Some(new);
        }
    }
    forged
}

/// What only a job that reads GitHub may note.
fn cursor(bundle: &Bundle) -> Fact {
    Fact {
        at: bundle.facts[0].at.clone(),
        what: What::ReadUntil {
            stream: "issues".to_owned(),
            cursor: "9".to_owned(),
        },
    }
}

fn forgeries(bundle: &Bundle) -> Vec<(&'static str, Bundle)> {
    let other = |change: &dyn Fn(&mut Bundle)| {
        let mut other = bundle.clone();
        change(&mut other);
        other
    };
    let planned = |change: &dyn Fn(&mut Plan)| {
        forged(bundle, |event| {
            if let Event::Started(plan) = event {
                change(plan);
            }
        })
    };
    let proposed = |change: &dyn Fn(&mut Candidate)| {
        forged(bundle, |event| {
            if let Event::Proposed { candidate, .. } = event {
                change(candidate);
            }
        })
    };
    let workflow = FileChange {
        path: ".github/workflows/x.yml".to_owned(),
        text: Some("on: push\n".to_owned()),
    };
    vec![
        ("does not follow", other(&|bundle| drop(bundle.facts.remove(2)))),
        (
            "for the repository",
            other(&|bundle| "acme/other".clone_into(&mut bundle.repository)),
        ),
        ("for the commit", other(&|bundle| bundle.commit = "0".repeat(40))),
        ("may not write", other(&|bundle| bundle.facts.push(cursor(bundle)))),
        (
            "no run that could be begun",
            other(&|bundle| bundle.run = RunId::new("../x")),
        ),
        (
            "from the future",
            other(&|bundle| "2999-01-01T00:00:00Z".clone_into(&mut bundle.facts[0].at)),
        ),
        (
            "another configuration",
            planned(&|plan| "0".clone_into(&mut plan.config)),
        ),
        ("another gate", planned(&|plan| plan.gate.regression_threshold = 0.0)),
        ("another budget", planned(&|plan| plan.limits.usd = 1e9)),
        (
            "may not be changed",
            proposed(&|candidate| candidate.changes.push(workflow.clone())),
        ),
        (
            "looks like a secret",
            proposed(&|candidate| candidate.hypothesis = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3))),
        ),
        (
            "not what the run had to do next",
            proposed(&|candidate| candidate.cluster = ClusterId::new("state")),
        ),
        (
            "another branch or tree",
            forged(bundle, |event| {
                if let Event::Published { branch, .. } = event {
                    "sprag/state".clone_into(branch);
                }
            }),
        ),
        (
            "another branch or tree",
            forged(bundle, |event| {
                if let Event::Published { tree, .. } = event {
                    *tree = "0".repeat(40);
                }
            }),
        ),
    ]
}

/// Changes a file of a bundle behind its seal.
fn edit(folder: &Path, name: &str, change: impl Fn(String) -> String) {
    let path = folder.join(name);
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, change(text)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_not_believed_writes_nothing() {
    let scene = scene().await;
    let honest = scene.optimize().await.unwrap();
    let bundle = Bundle::read(&honest).unwrap();
    let before = scene.page();
    let folder = scene.folder().join("forged");
    for (told, forged) in forgeries(&bundle) {
        forged.write(&folder).unwrap();
        let error = scene.publish(&folder).await.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(scene.page(), before, "{told}");
    }
    type Edit = (&'static str, &'static str, fn(String) -> String);
    let edits: [Edit; 4] = [
        ("its digest is not", "facts.jsonl", |text| {
            text.replacen("k00", "k01", 1)
        }),
        ("its digest does not fit", INDEX, |text| {
            text.replacen("acme", "acne", 1)
        }),
        ("has format 2", INDEX, |text| {
            text.replacen("\"format\": 1", "\"format\": 2", 1)
        }),
        ("are allowed", INDEX, |text| text + &" ".repeat(70_000)),
    ];
    for (told, name, change) in edits {
        bundle.write(&folder).unwrap();
        edit(&folder, name, change);
        let error = scene.publish(&folder).await.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(scene.page(), before, "{told}");
    }
    bundle.write(&folder).unwrap();
    assert_eq!(
        scene.publish(&folder).await.unwrap().pulls.len(),
        1,
        "the honest one is believed"
    );
}
