//! Reads `.env` files.

use std::path::{Path, PathBuf};

use crate::settings::fault::Fault;

/// What a `.env` file holds, in its order.
#[derive(Debug, Default)]
pub struct DotEnv {
    pub path: PathBuf,
    pub entries: Vec<(String, String)>,
}

/// Reads the file that was asked for, or `./.env` when it is there.
///
/// # Errors
/// When the file that was asked for cannot be read, or a line of it is none.
pub fn read(asked_for: Option<&Path>) -> Result<DotEnv, Fault> {
    let path = asked_for.unwrap_or(Path::new(".env"));
    let entries = match dotenvy::from_path_iter(path) {
        Ok(entries) => entries,
        Err(dotenvy::Error::Io(error))
            if asked_for.is_none() && error.kind() == std::io::ErrorKind::NotFound =>
        {
            return Ok(DotEnv::default());
        }
        Err(error) => return Err(unreadable(path, asked_for, &error)),
    };
    let entries =
        entries.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(path, asked_for, &error))?;
    Ok(DotEnv { path: path.to_owned(), entries })
}

fn unreadable(path: &Path, asked_for: Option<&Path>, error: &dotenvy::Error) -> Fault {
    let (what, remedy) = match error {
        // The line itself stays out: it may hold a secret.
        dotenvy::Error::LineParse(line, at) => (
            format!("has a line that is no NAME=value, unreadable at its character {at}"),
            format!(
                "mend the line that begins with {:?}; put values with spaces in quotes",
                first_word(line)
            ),
        ),
        other => (
            format!("cannot be read: {other}"),
            if asked_for.is_some() {
                "give --env-file a file that is there and readable".to_owned()
            } else {
                "make it readable, or move it away".to_owned()
            },
        ),
    };
    Fault { subject: path.display().to_string(), what, remedy }
}

fn first_word(line: &str) -> String {
    line.chars().take_while(|c| *c != '=' && !c.is_whitespace()).take(40).collect()
}
