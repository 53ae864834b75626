//! Reads a value from the file that a setting such as `DATABASE_URL_FILE` names: how orchestrators hand secrets over.

use crate::settings::fault::Fault;
use crate::settings::resolve::Source;

/// A secret is a line; a file that is larger was named by mistake.
const LARGEST_BYTES: u64 = 64 << 10;

/// Returns what the file at `path` holds, without the blanks around it.
///
/// # Errors
/// Names the setting, the file and what is wrong with it; never its contents.
pub fn read(name: &str, path: &str, source: &Source) -> Result<String, Fault> {
    let fault = |what: String, remedy: &str| Fault {
        subject: format!("{name}={path:?} from {}", source.describe()),
        what,
        remedy: remedy.to_owned(),
    };
    let unreadable = |error: std::io::Error| {
        fault(format!("cannot be read: {error}"), "name a file that is there and that this user may read")
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_BYTES {
        return Err(fault(
            format!("has {size} bytes, which is no secret"),
            "name the file that holds the value alone",
        ));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(fault("is not UTF-8 text".to_owned(), "write the value alone into it"));
    };
    match text.trim() {
        "" => Err(fault("is empty".to_owned(), "write the value into it, or leave the setting out")),
        text => Ok(text.to_owned()),
    }
}
