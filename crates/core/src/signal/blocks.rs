//! Fenced code blocks of a Markdown text.

/// The contents of the fenced blocks, in their order. A block that is never closed ends with the text.
pub(super) fn fenced(text: &str) -> Vec<String> {
    split(text).1
}

/// The text without its fenced blocks (each is an empty line), and the contents of the blocks.
pub(super) fn split(text: &str) -> (String, Vec<String>) {
    let mut prose = String::new();
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        let start = line.trim();
        match open.as_mut() {
            None => match fence(start) {
                Some(fence) => {
                    open = Some((fence, String::new()));
                    prose.push('\n');
                }
                None => {
                    prose.push_str(line);
                    prose.push('\n');
                }
            },
            Some((fence, _)) if start.len() >= fence.len() && start.chars().all(|c| fence.starts_with(c)) => {
                blocks.extend(open.take().map(|(_, block)| block));
            }
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks.extend(open.map(|(_, block)| block));
    (prose, blocks)
}

/// The ticks or tildes that a line begins a block with.
fn fence(line: &str) -> Option<String> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let fence: String = line.chars().take_while(|&c| c == mark).collect();
    // Ticks later on the line make it a code span.
    let span = mark == '`' && line[fence.len()..].contains('`');
    (fence.len() >= 3 && !span).then_some(fence)
}
