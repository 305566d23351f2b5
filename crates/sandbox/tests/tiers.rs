//! Every tier that this machine has, against every probe. Has a `main` of its own, which is launcher and probe as well.
#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::print_stdout,
        clippy::unwrap_used,
        reason = "a test with a `main` of its own says what it tested, and stops when anything fails"
    )
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = sprag_sandbox::entry() {
        return code;
    }
    #[cfg(target_os = "linux")]
    tests::run();
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
mod tests {
    use sprag_sandbox::{Choice, Order, Policy, Reach, Sandbox, Tier, battery, daemons, resources};
    use std::path::Path;
    use std::time::{Duration, Instant};

    pub(crate) fn run() {
        let program = std::env::current_exe().unwrap();
        without_a_sandbox_much_gets_through(&program);
        let mut held = Vec::new();
        for choice in [Choice::A, Choice::Sudo, Choice::B] {
            let begun = Instant::now();
            match Sandbox::select(choice, &program) {
                Ok(sandbox) => {
                    println!("{}: proven in {} ms", sandbox.tier(), begun.elapsed().as_millis());
                    holds(&sandbox);
                    held.push(sandbox.tier());
                    if sandbox.tier() == Tier::Filters {
                        as_on_older_kernels(&sandbox);
                    }
                }
                Err(refused) => println!("NOT TESTED, as this machine lacks it: {refused}"),
            }
        }
        assert!(!held.is_empty(), "no tier works here: nothing of the sandbox is tested");
        assert!(
            held.contains(&Tier::Filters) || !has_landlock(),
            "this kernel has Landlock and seccomp, and tier B does not work"
        );
    }

    /// A probe that never gets anywhere proves nothing.
    fn without_a_sandbox_much_gets_through(program: &Path) {
        let none = Sandbox::select(Choice::None, program).unwrap();
        let probed = battery(&none).unwrap();
        let through: Vec<&str> = probed
            .iter()
            .filter(|probed| !probed.held)
            .map(|probed| probed.name.as_str())
            .collect();
        println!("none: {} of {} get through", through.len(), probed.len());
        let certain = [
            "inherited descriptors",
            "environment of other processes",
            "signal to another process",
            "limits of another process",
            "file outside",
            "write to .git/hooks",
            "symbolic link outside",
            "seen outside: nothing in shared folders",
            "setuid programs",
            "program in memory",
            "TCP to another port",
            "UDP",
            "Unix socket by its path",
            "Unix socket by its abstract name",
            "Unix datagram by its path, from a pair",
            "signal to a thread of another process",
            "signal with data to another process",
            "signal by a descriptor of another process",
            "truncate a file that may be read",
            "truncate a file by opening it to be read",
            "seen outside: no connection",
            "seen outside: the file is as it was",
            "seen outside: the other process lives",
        ];
        let missing: Vec<_> = certain.iter().filter(|name| !through.contains(name)).collect();
        assert!(
            missing.is_empty(),
            "these do not get through even without a sandbox: {missing:?}"
        );
    }

    /// What Landlock did not hold before, the filter does.
    fn as_on_older_kernels(sandbox: &Sandbox) {
        for version in 1..=5 {
            let probed = battery(&sandbox.with_landlock(version)).unwrap();
            let through: Vec<_> = probed.iter().filter(|probed| !probed.held).collect();
            assert!(through.is_empty(), "with Landlock {version}: {through:#?}");
            its_own_may_be_signalled(&sandbox.with_landlock(version));
        }
        let none = battery(&sandbox.with_landlock(0));
        assert!(none.is_err(), "without Landlock nothing starts: {none:?}");
    }

    /// A child, a group and itself, in the words of a shell.
    fn its_own_may_be_signalled(sandbox: &Sandbox) {
        let folder = tempfile::tempdir().unwrap();
        let work = std::fs::canonicalize(folder.path()).unwrap();
        let script =
            "sleep 60 & kill $! && { wait $!; test $? = 143; } && kill -0 $$ && kill -s 0 -- -$$ && kill -9 $$";
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        let order = Order {
            command: &command,
            env: &[],
            dir: &work,
            policy: &Policy::writing([work.clone()]),
        };
        let (mut command, ticket) = sandbox.prepare(&order).unwrap();
        let mut child = command.spawn().unwrap();
        let _leash = ticket.redeem().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9),
            "{status}"
        );
    }

    /// Landlock, which tier B needs.
    fn has_landlock() -> bool {
        let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut parts = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        let new = (parts.next(), parts.next()) >= (Some(5), Some(13));
        let modules = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_else(|_| "landlock".to_owned());
        new && modules.contains("landlock")
    }

    fn holds(sandbox: &Sandbox) {
        let tier = sandbox.tier();
        let probed = battery(sandbox).unwrap();
        let through: Vec<_> = probed.iter().filter(|probed| !probed.held).collect();
        assert!(through.is_empty(), "{tier}: {through:#?}");
        let count = |reach| probed.iter().filter(|probed| probed.reach == reach).count();
        println!(
            "{tier}: {} escapes and {} ways to the network, all held",
            count(Reach::Escape),
            count(Reach::Egress)
        );
        assert!(count(Reach::Escape) >= 40 && count(Reach::Egress) >= 25);

        for bounded in resources(sandbox, Duration::from_millis(400)).unwrap() {
            println!("{tier}: {bounded:?}");
            assert!(bounded.late < Duration::from_secs(1), "{tier}: {bounded:?}");
            assert_eq!(bounded.survivors, 0, "{tier}: {bounded:?}");
        }
        let survivors: usize = (0..20).map(|_| daemons(sandbox).unwrap()).sum();
        assert_eq!(survivors, 0, "{tier}: of 100 daemons");
    }
}
