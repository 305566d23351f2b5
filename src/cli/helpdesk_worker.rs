//! `sprag helpdesk-worker`: the agent of the demo, as a worker.

use crate::error::CommandError;
use crate::helpdesk;
use std::io;
use std::process::ExitCode;

pub(super) fn serve() -> Result<ExitCode, CommandError> {
    helpdesk::serve(io::stdin().lock(), io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
