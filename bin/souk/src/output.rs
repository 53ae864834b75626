//! Writes to the standard output, where a reader that goes away early is no failure.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

/// Prints `text` as it is.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // `souk config | head` closes the pipe: there is nobody left to tell.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints `text` as whole lines.
pub fn print_line(text: &str) {
    print(&format!("{}\n", text.trim_end()));
}

/// Prints `document` as indented JSON.
pub fn print_json(document: &impl Serialize) {
    let mut text = serde_json::to_string_pretty(document).expect("documents of ours have text keys");
    text.push('\n');
    print(&text);
}

/// Tells whether people read the standard output.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Tells whether colours are wanted on a terminal (<https://no-color.org>).
pub fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
