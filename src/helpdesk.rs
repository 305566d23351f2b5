//! stub
pub fn serve(_: impl std::io::BufRead, _: impl std::io::Write) -> std::io::Result<()> { Ok(()) }
pub fn project_files() -> Vec<(&'static str, &'static str)> { Vec::new() }
pub fn issues() -> Vec<sprag_core::signal::Issue> { Vec::new() }
