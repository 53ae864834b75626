//! What became of a turn, for people.

use std::fmt;

use souk_ports::Keeper;

use super::Turned;

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.comparison.fmt(f)?;
        let seconds = self.downtime_seconds;
        match (self.ok, self.keeper) {
            (false, Keeper::Source) => {
                write!(f, "\nnot cut over: the old system writes again, after {seconds:.1} s")
            }
            (false, Keeper::Souk) => write!(f, "\nnot rolled back: souk writes again, after {seconds:.1} s"),
            (true, Keeper::Source) => write!(
                f,
                "\nthe old system keeps the products; nobody could write for {seconds:.1} s\nnext: souk migrate follow unless it \
                 runs, so that souk stays up to date"
            ),
            (true, Keeper::Souk) => {
                writeln!(f, "\nsouk keeps the products; nobody could write for {seconds:.1} s")?;
                writeln!(
                    f,
                    "the front end's one line: SSE_URL = http://localhost:3001/events/stream, before on port 3000"
                )?;
                write!(f, "(souk up --monolith serves the stream on port 3000, and the line stays)")?;
                if self.one_way {
                    return write!(f, "\nthere is no way back; next: souk migrate finish");
                }
                write!(
                    f,
                    "\nnext: souk migrate follow unless it runs, which keeps the old table up to date; souk migrate rollback \
                     gives it back"
                )
            }
        }
    }
}
