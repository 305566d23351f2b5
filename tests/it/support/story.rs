//! The whole story on GitHub, told so that any one request may go wrong: a job that fails is run again, as the next event would.

use super::scene::{REPO, Scene, trace_of, zipped};
use sprag::flow::FlowError;
use sprag_testkit::github::Fault;

/// How often a job may fail before the story is given up.
const PATIENCE: u32 = 4;

/// What goes wrong in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// One answer, which the job outlives.
    Fault(Fault),
    /// GitHub has acted, and the job is gone before it hears of it.
    Kill,
}

/// Everything that is tried at every request.
fn troubles() -> Vec<Trouble> {
    let faults = Fault::ALL.iter().map(|fault| Trouble::Fault(*fault));
    faults.chain([Trouble::Kill]).collect()
}

/// How a story ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// What a person sees at the end.
    pub(crate) page: String,
    /// The requests it took: for each, whether it was git's.
    pub(crate) requests: Vec<bool>,
    /// Jobs that failed on the way.
    pub(crate) failed_jobs: u32,
}

/// Every request with everything that can go wrong with it. libgit2 waits for git's answers for ever, so silence is not tried there.
pub(crate) fn cells(calm: &Ending) -> Vec<(u64, Trouble)> {
    let requests = (1..).zip(&calm.requests);
    requests
        .flat_map(|(at, of_git)| {
            let silent = |trouble: &Trouble| format!("{trouble:?}").contains("Silence");
            let troubles = troubles()
                .into_iter()
                .filter(move |trouble| !(*of_git && silent(trouble)));
            troubles.map(move |trouble| (at, trouble))
        })
        .collect()
}

/// Plays the story. With `trouble`, its request of that number (from 1) goes wrong.
pub(crate) async fn play(trouble: Option<(u64, Trouble)>) -> Result<Ending, String> {
    let scene = Scene::new().await;
    let mut patient = true;
    match trouble {
        Some((at, Trouble::Fault(fault))) => scene.fake.fault(at, fault),
        Some((at, Trouble::Kill)) => {
            scene.fake.fault(at, Fault::ResetAfter);
            patient = false;
        }
        None => {}
    }
    let scene = if patient { scene } else { scene.without_patience() };
    let repo = scene.fake.repo(REPO);
    let url = repo.attaches("run.json", trace_of("k00").await.as_bytes());
    let text = format!("I asked for my money back and got none.\n\n[run.json]({url})");
    let issue = scene.bob.opens_issue("The kiosk keeps the money", &text);
    scene.alice.labels(issue, "agent-failure");
    let run = repo.workflow_run("nightly.yml", "failure", false);
    repo.uploads_artifact(
        run,
        "agent-traces",
        &zipped(&[("nightly.jsonl", &trace_of("k01").await)]),
    );
    scene.alice.comments(issue, "/sprag status");
    scene.later();
    let mut failed_jobs = 0;
    failed_jobs += until_done(async || scene.sync().await.map(drop)).await?;
    scene.later();
    scene.in_workflow_run("the nightly one");
    failed_jobs += until_done(async || scene.run().await.map(drop)).await?;
    let pull = open_pull(&scene.fake.page()).ok_or("there is no pull request")?;
    scene.later();
    scene.alice.readies(pull);
    scene.alice.merges(pull);
    scene.later();
    failed_jobs += until_done(async || scene.sync().await.map(drop)).await?;
    scene.later();
    let again = trace_of("k00").await.replace("\"task\":\"k00\"", "\"task\":\"again\"");
    let again = scene.bob.opens_issue("Again", &format!("```json\n{again}\n```"));
    scene.alice.labels(again, "agent-failure");
    scene.later();
    failed_jobs += until_done(async || scene.sync().await.map(drop)).await?;
    let violations = scene.fake.violations();
    if !violations.is_empty() {
        return Err(violations.join("\n"));
    }
    let requests = scene.fake.log().lines().map(|line| line.contains(".git/")).collect();
    Ok(Ending {
        page: settled(&scene.page()),
        requests,
        failed_jobs,
    })
}

/// Runs a job until it ends well, and says how often it did not.
async fn until_done(job: impl AsyncFn() -> Result<(), FlowError>) -> Result<u32, String> {
    for failed in 0..PATIENCE {
        match job().await {
            Ok(()) => return Ok(failed),
            Err(error) if failed + 1 == PATIENCE => return Err(format!("the job fails again and again: {error}")),
            Err(_) => {}
        }
    }
    unreachable!("the last try returns")
}

fn open_pull(page: &str) -> Option<u64> {
    let line = page.lines().find(|line| line.starts_with("pull request #"))?;
    line["pull request #".len()..].split(' ').next()?.parse().ok()
}

/// Without what may differ when something was done again: ids of comments, whether a text was edited, how the state branch got there.
fn settled(page: &str) -> String {
    let lines = page
        .lines()
        .filter(|line| !line.trim_start().starts_with("sprag/state:"));
    let lines = lines.map(|line| match line.split_once("reply comment=") {
        Some((before, _)) => format!("{before}reply -->"),
        None => line.replace(", edited", ""),
    });
    lines.collect::<Vec<_>>().join("\n")
}
