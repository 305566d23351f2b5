//! Whatever goes wrong with any one request of the story, its end is the same, and nothing is there twice.

use crate::support::scene::{REPO, Scene, trace_of};
use crate::support::story::{Trouble, cells, play};
use sprag_testkit::github::Fault;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every so many combinations one is tried. A prime, so that all faults and all requests have their turn.
const STRIDE: usize = 331;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_ends_the_same_whatever_goes_wrong_once() {
    let calm = play(None).await.unwrap();
    assert_eq!(calm.failed_jobs, 0);
    let cells: Vec<(u64, Trouble)> = cells(&calm).into_iter().skip(STRIDE / 2).step_by(STRIDE).collect();
    assert!(cells.len() >= 8, "{} requests", calm.requests.len());
    for (at, trouble) in cells {
        let ending = play(Some((at, trouble))).await;
        let ending = ending.unwrap_or_else(|problem| panic!("{trouble:?} at request {at}: {problem}"));
        let differs = ending
            .page
            .lines()
            .zip(calm.page.lines())
            .find(|(is, should)| is != should);
        assert_eq!(differs, None, "{trouble:?} at request {at}");
        assert_eq!(ending.page.len(), calm.page.len(), "{trouble:?} at request {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_that_comes_as_a_page_or_in_half_is_fetched_again() {
    for fault in [Fault::Html, Fault::HalfJson] {
        let scene = Scene::new().await;
        let url = scene
            .fake
            .repo(REPO)
            .attaches("run.json", trace_of("k00").await.as_bytes());
        let issue = scene.bob.opens_issue("It fails", &url);
        scene.alice.labels(issue, "agent-failure");
        scene.later();
        scene.fake.fault_next("GET", "/user-attachments/{id}", fault);
        assert_eq!(scene.sync().await.unwrap().failures, 1, "{fault:?}");
        assert!(!scene.fake.faults_left());
    }
}

/// How the combinations with one trouble ended: as they should, of them by a new job, and otherwise.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    same: u32,
    by_a_new_job: u32,
    other: u32,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "some 20 minutes: SPRAG_STRIDE=1 cargo test --release --test it -- --ignored --nocapture every_fault"]
#[expect(clippy::print_stdout, reason = "it is run by hand, for its table")]
async fn every_fault_at_every_request() {
    let stride = std::env::var("SPRAG_STRIDE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let calm = Arc::new(play(None).await.unwrap());
    let cells: Arc<Vec<_>> = Arc::new(cells(&calm).into_iter().step_by(stride).collect());
    println!("{} requests, {} combinations to try", calm.requests.len(), cells.len());
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (calm, cells, next) = (Arc::clone(&calm), Arc::clone(&cells), Arc::clone(&next));
        // Each on a thread of its own: a story is not to be sent from one to another.
        workers.spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            let mut counts: BTreeMap<String, Count> = BTreeMap::new();
            while let Some((at, trouble)) = cells.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                let count = counts.entry(format!("{trouble:?}")).or_default();
                match runtime.block_on(play(Some((at, trouble)))) {
                    Ok(ending) if ending.page == calm.page => {
                        count.same += 1;
                        count.by_a_new_job += u32::from(ending.failed_jobs > 0);
                    }
                    Ok(ending) => {
                        count.other += 1;
                        let mut lines = ending.page.lines().zip(calm.page.lines());
                        let differs = lines.find(|(is, should)| is != should);
                        println!("{trouble:?} at request {at}: {differs:?}");
                    }
                    Err(problem) => {
                        count.other += 1;
                        println!("{trouble:?} at request {at}: {problem}");
                    }
                }
            }
            counts
        });
    }
    let mut all: BTreeMap<String, Count> = BTreeMap::new();
    while let Some(counts) = workers.join_next().await {
        for (trouble, count) in counts.unwrap() {
            let sum = all.entry(trouble).or_default();
            sum.same += count.same;
            sum.by_a_new_job += count.by_a_new_job;
            sum.other += count.other;
        }
    }
    println!(
        "{:<28} {:>9} {:>21} {:>10}",
        "what goes wrong", "same end", "of them by a new job", "other end"
    );
    for (trouble, count) in &all {
        println!(
            "{trouble:<28} {:>9} {:>21} {:>10}",
            count.same, count.by_a_new_job, count.other
        );
    }
    let same: u32 = all.values().map(|count| count.same).sum();
    let other: u32 = all.values().map(|count| count.other).sum();
    println!("{same} combinations ended the same, {other} did not");
    assert_eq!(other, 0);
}
