//! What `assured` can prove: how often it accepts a change of a known size, and with how many runs.
//!
//! `cargo bench --bench gates`. 50 validation tasks, 200 candidates a line, default settings; no file, no network.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use sprag_core::candidate::Verdict;
use sprag_core::gate::assured::Proof;
use sprag_core::gate::purchase::{Arm, Ask, Outcome, Proposal, Purpose, Seen};
use sprag_core::gate::sequential::{Policy, Rule, Sequential};
use sprag_core::gate::stats::draw;

const TASKS: u32 = 50;
const CANDIDATES: u32 = 200;
/// Pass rates that repeat over the tasks; all have 0.65 as their mean or near it.
const NOISE: [(&str, [f64; 4]); 3] = [
    ("none", [0.0, 1.0, 1.0, 0.6]),
    ("moderate", [0.1, 0.7, 0.9, 0.9]),
    ("heavy", [0.5, 0.6, 0.7, 0.8]),
];

fn main() {
    println!("noise     effect  accepted  harm  no gain  undecided  runs a candidate");
    for (name, rates) in NOISE {
        for points in [-10, -5, 0, 5, 10, 20] {
            line(name, rates, points);
        }
    }
}

fn line(name: &str, rates: [f64; 4], points: i32) {
    let policy = Policy {
        rule: Rule::Assured(Proof::default()),
        ..Policy::default()
    };
    let mut gate = Sequential::new(policy, TASKS);
    let mut world = World {
        rates,
        effect: f64::from(points) / 100.0,
        runs: 0,
    };
    world.drive(&mut gate);
    gate.traffic(&[0, 1].map(|task| Seen {
        task,
        passed: false,
        clusters: vec![0],
    }));
    world.drive(&mut gate);
    world.runs = 0;
    let (mut accepted, mut harm, mut idle) = (0_u32, 0_u32, 0_u32);
    for _ in 0..CANDIDATES {
        gate.candidate(Proposal {
            cluster: Some(0),
            visible: vec![0],
            hidden: vec![1],
            share: 0.1,
            ..Proposal::default()
        });
        if let Ask::Decide(judgement) = world.drive(&mut gate) {
            match judgement.verdict() {
                Verdict::Accepted => accepted += 1,
                Verdict::Rejected if judgement.reason.starts_with("proven worse") => harm += 1,
                Verdict::Rejected => idle += 1,
                Verdict::Indecisive | Verdict::Invalid => {}
            }
        }
    }
    let part = |count: u32| f64::from(count) / f64::from(CANDIDATES);
    let left = CANDIDATES - accepted - harm - idle;
    println!(
        "{name:9} {points:+4}    {:8.3}  {:4.2}  {:7.2}  {:9.2}  {:16}",
        part(accepted),
        part(harm),
        part(idle),
        part(left),
        world.runs / u64::from(CANDIDATES)
    );
}

struct World {
    rates: [f64; 4],
    effect: f64,
    runs: u64,
}

impl World {
    fn drive(&mut self, gate: &mut Sequential) -> Ask {
        while let Ask::Run(request) = gate.ask().clone() {
            let validation = matches!(request.purpose, Purpose::Baseline | Purpose::Validation);
            let outcomes: Vec<Outcome> = request
                .tasks
                .iter()
                .map(|task| {
                    self.runs += 1;
                    let rate = match (validation, request.arm) {
                        (false, arm) => f64::from(u8::from(arm == Arm::Candidate)),
                        (true, arm) => self.rate(*task, arm),
                    };
                    let passed = f64::from(draw(1, self.runs, 1_000_000)) < 1e6 * rate;
                    if passed { Outcome::Passed } else { Outcome::Failed }
                })
                .collect();
            gate.take(&outcomes);
        }
        gate.ask().clone()
    }

    /// The effect is spread over the tasks that can still move.
    fn rate(&self, task: u32, arm: Arm) -> f64 {
        let of = usize::try_from(task).map_or(0.0, |task| self.rates[task % self.rates.len()]);
        let room = |rate: f64| if self.effect > 0.0 { 1.0 - rate } else { rate };
        let all: f64 = self.rates.iter().map(|rate| room(*rate)).sum::<f64>() / 4.0;
        match arm {
            Arm::Incumbent => of,
            Arm::Candidate => of + self.effect * room(of) / all,
        }
    }
}
