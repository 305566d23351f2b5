//! What gets out of the sandbox, what it uses up and what it leaves behind: in every tier that this machine has, and in tier B as on the
//! kernels that have an older Landlock.

use super::{Attempt, Ground, Outcome, Tally, Way};
use sprag_sandbox::{Choice, Reach, Sandbox, Tier, asks_sudo, battery, daemons, resources};
use std::time::Duration;

pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        promise: "P11",
        way: Way::Blocking(|ground| reach(ground, Reach::Escape)),
    },
    Attempt {
        promise: "P12",
        way: Way::Blocking(|ground| reach(ground, Reach::Egress)),
    },
    Attempt {
        promise: "P13",
        way: Way::Blocking(bounds),
    },
];

/// How long a process may run that has to be ended, and in the quick part.
const TIME: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(100)];
/// How long it may take to end it.
const LATE: Duration = Duration::from_secs(1);
/// Daemons of one program.
const DAEMONS: usize = 5;
/// The versions of Landlock before the one that holds signals: Linux 5.13, 5.19, 6.2, 6.7 and 6.10.
const OLDER: [u8; 5] = [1, 2, 3, 4, 5];

/// The tiers that hold here. Of the others the tally says why they do not.
fn tiers(ground: &Ground, tally: &mut Tally) -> Vec<Sandbox> {
    let mut held = Vec::new();
    for choice in [Choice::A, Choice::Sudo, Choice::B] {
        if choice == Choice::Sudo && !asks_sudo() {
            let tier = Tier::Elevated;
            tally.untried(&format!("tier {tier}, which is for the runners of GitHub"));
            continue;
        }
        match Sandbox::select(choice, &ground.program) {
            Ok(sandbox) => held.push(sandbox),
            Err(refused) => {
                for (tier, why) in refused.tried {
                    tally.untried(&format!("tier {tier}: {why}"));
                }
            }
        }
    }
    held
}

fn reach(ground: &Ground, wanted: Reach) -> Outcome {
    let mut tally = Tally::default();
    for sandbox in tiers(ground, &mut tally) {
        let tier = sandbox.tier();
        let mut as_on = vec![(tier.to_string(), sandbox.clone())];
        if tier == Tier::Filters && !ground.quick {
            as_on.extend(OLDER.map(|version| {
                (
                    format!("{tier}, with Landlock {version}"),
                    sandbox.with_landlock(version),
                )
            }));
        }
        for (name, sandbox) in as_on {
            for probed in battery(&sandbox)?.into_iter().filter(|probed| probed.reach == wanted) {
                let outcome = if probed.held {
                    Ok(())
                } else {
                    Err("it got through".to_owned())
                };
                tally.case(format!("tier {name}: {}", probed.name), outcome);
            }
        }
    }
    Ok(tally)
}

fn bounds(ground: &Ground) -> Outcome {
    let mut tally = Tally::default();
    for sandbox in tiers(ground, &mut tally) {
        let tier = sandbox.tier();
        for bounded in resources(&sandbox, TIME[usize::from(ground.quick)])? {
            let outcome = match (bounded.late < LATE, bounded.survivors) {
                (true, 0) => Ok(()),
                (false, _) => Err(format!("it ended {} ms late", bounded.late.as_millis())),
                (true, left) => Err(format!("{left} processes outlived it")),
            };
            tally.case(format!("tier {tier}: {} ({})", bounded.name, bounded.ended), outcome);
        }
        for round in 0..if ground.quick { 2 } else { 20 } {
            let alive = daemons(&sandbox)?;
            for daemon in 0..DAEMONS {
                let outcome = if daemon < alive {
                    Err("it lives on".to_owned())
                } else {
                    Ok(())
                };
                tally.case(format!("tier {tier}: daemon {daemon} of program {round}"), outcome);
            }
        }
    }
    Ok(tally)
}
