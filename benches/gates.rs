//! What the gates make of changes of which the truth is known: of simulated ones of a known size, and of recorded runs of an agent that was not changed.
//!
//! `cargo bench --bench gates` says how often `efficient` and `assured` keep a change of a known size, with how many runs: 50 validation tasks, 200
//! candidates a line. `cargo bench --bench gates -- --data DIR` says how often each mode keeps a change that changes nothing, on recorded trials of
//! agents that waver. No network.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use fs_err as fs;
use serde_json::Value;
use sprag_core::config::{GateConfig, GateMode};
use sprag_core::gate;
use sprag_core::gate::rehearse::{Agent, Idle, Target, idle, rehearse};
use sprag_core::gate::stats::{mean, real, wilson};
use sprag_core::gate::{sequential::Policy, stats::Tally};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

const TASKS: u32 = 50;
const CANDIDATES: u32 = 200;
/// The part of the traffic that fails with the cluster of a simulated candidate.
const SHARE: f64 = 0.1;
/// The level of the simulated agents, and how much their tasks waver: `E[p (1 - p)]`.
const LEVEL: f64 = 0.65;
const NOISE: [(&str, f64); 3] = [("none", 0.0), ("moderate", 0.08), ("heavy", 0.2)];

/// Gates a line, and changes that each is shown.
const WORLDS: u32 = 200;
const TRIES: u32 = 50;
const MODES: [GateMode; 3] = [GateMode::Efficient, GateMode::Assured, GateMode::Strict];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo says `--bench` first.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => simulated(),
        ["--data", folder] => return recorded(Path::new(folder)),
        other => return Err(format!("{other:?}: expected nothing, or --data DIR").into()),
    }
    Ok(())
}

fn policy(mode: GateMode) -> Policy {
    let config = GateConfig {
        mode,
        ..GateConfig::default()
    };
    gate::policy(&config, 1)
}

fn simulated() {
    println!("mode       noise     effect  kept   harm  other  undecided  runs a candidate");
    for mode in [GateMode::Efficient, GateMode::Assured] {
        for (name, noise) in NOISE {
            let before = Agent::with_level(TASKS, LEVEL, noise);
            // How much tasks waver is known by then.
            let usual = policy(mode);
            let policy = Policy {
                noise: (noise, usual.noise.1),
                ..usual
            };
            for points in [-10, -5, 0, 5, 10, 20_i32] {
                // Each fixes its cluster; one that brings less than that has broken something.
                let effect = f64::from(points) / 100.0;
                let fixed = effect.max(SHARE);
                let after = before.changed(fixed, fixed - effect);
                let said = rehearse(&policy, &before, &after, SHARE, CANDIDATES, 1);
                let part = |count: u32| f64::from(count) / f64::from(CANDIDATES);
                println!(
                    "{:10} {name:9} {points:+4}    {:5.3}  {:4.2}  {:5.2}  {:9.2}  {:16.0}",
                    word(mode),
                    said.kept(),
                    part(said.harmful),
                    part(said.rejected),
                    part(said.indecisive),
                    said.runs_each()
                );
            }
        }
    }
}

fn word(mode: GateMode) -> &'static str {
    match mode {
        GateMode::Efficient => "efficient",
        GateMode::Assured => "assured",
        GateMode::Strict => "strict",
    }
}

/// Outcomes of one unchanged agent, by task.
type Trials = BTreeMap<String, Vec<bool>>;

fn recorded(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut sets: BTreeMap<String, Trials> = BTreeMap::new();
    tau(&folder.join("tau/traces.jsonl.zst"), &mut sets)?;
    let gates = folder.join("gates");
    baselines("cap-evolve, airline", &gates.join("cap_evolve_tau2_airline"), &mut sets)?;
    baselines(
        "cap-evolve, skillsbench",
        &gates.join("cap_evolve_skillsbench"),
        &mut sets,
    )?;
    sets.retain(|_, tasks| !tasks.is_empty() && tasks.values().all(|trials| trials.len() > 1));
    println!("An agent that was not changed, shown to a gate {TRIES} times as a change; {WORLDS} gates a line.");
    println!("Each run is one of the recorded trials of its task, drawn anew.\n");
    println!(
        "set                      tasks trials level wavering  mode                  kept at the first try   within {TRIES}   kept each   claimed - true   runs each"
    );
    for (name, tasks) in &sets {
        let rates: Vec<f64> = tasks
            .values()
            .map(|trials| real(trials.iter().filter(|passed| **passed).count()) / real(trials.len()))
            .collect();
        let wavering = rates.iter().filter(|rate| **rate > 0.0 && **rate < 1.0).count();
        let trials: usize = tasks.values().map(Vec::len).sum::<usize>() / tasks.len();
        let agent = Agent {
            rates,
            cases: Vec::new(),
        };
        for mode in MODES {
            line(
                &format!(
                    "{name:24} {:5} {trials:6} {:5.3} {wavering:8}",
                    tasks.len(),
                    agent.level()
                ),
                &agent,
                mode,
                Target::Cluster,
            );
        }
        // The rule of the public experiment has no screen before it.
        line(
            &format!("{:24} {:5} {:6} {:5} {:8}", "", "", "", "", ""),
            &agent,
            GateMode::Strict,
            Target::Nothing,
        );
    }
    Ok(())
}

fn line(of: &str, agent: &Agent, mode: GateMode, target: Target) {
    let told: Vec<Idle> = (0..u64::from(WORLDS))
        .map(|seed| idle(&policy(mode), agent, target, TRIES, seed))
        .collect();
    let first = real(told.iter().filter(|one| one.first).count());
    let within = real(told.iter().filter(|one| one.accepted > 0).count());
    let of_all = |passed: f64| {
        let tally = Tally {
            passed,
            failed: f64::from(WORLDS) - passed,
        };
        let (low, high) = wilson(tally, 0.95).unwrap_or_default();
        format!("{:.2} ({low:.2}-{high:.2})", passed / f64::from(WORLDS))
    };
    let kept = mean(told.iter().map(|one| f64::from(one.accepted)));
    let claimed = mean(told.iter().map(|one| one.claimed - agent.level()));
    let runs = mean(told.iter().map(|one| real(one.runs) / f64::from(TRIES)));
    let name = match (mode, target) {
        (GateMode::Strict, Target::Nothing) => "strict, no screen",
        (mode, _) => word(mode),
    };
    println!(
        "{of}  {name:20}  {:>22}  {:>10}  {kept:10.2}  {claimed:+15.3}  {runs:10.1}",
        of_all(first),
        of_all(within)
    );
}

/// Runs of the public benchmark with several trials a task: one set an agent and domain.
fn tau(path: &Path, sets: &mut BTreeMap<String, Trials>) -> Result<(), Box<dyn Error>> {
    let bytes = zstd::decode_all(&fs::read(path)?[..])?;
    for line in String::from_utf8(bytes)?.lines() {
        let run: Value = serde_json::from_str(line)?;
        let word = |key: &str| run[key].as_str().map_or_else(|| run[key].to_string(), str::to_owned);
        let passed = run["passed"].as_bool().ok_or("a run without a verdict")?;
        let set = sets.entry(word("source")).or_default();
        set.entry(word("task_id")).or_default().push(passed);
    }
    Ok(())
}

/// The validation runs of the agent that recorded searches began with: every `baseline.json` of a folder.
fn baselines(name: &str, folder: &Path, sets: &mut BTreeMap<String, Trials>) -> Result<(), Box<dyn Error>> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("baseline.json") {
                let told: Value = serde_json::from_slice(&fs::read(path)?)?;
                for task in told["val"]["per_task"].as_array().into_iter().flatten() {
                    let trials = task["trial_rewards"].as_array().into_iter().flatten();
                    let passed = trials.filter_map(Value::as_f64).map(|reward| reward >= 0.5);
                    let set = sets.entry(name.to_owned()).or_default();
                    set.entry(task["task_id"].to_string()).or_default().extend(passed);
                }
            }
        }
    }
    Ok(())
}
