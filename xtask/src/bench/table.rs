//! The table of results.

use std::fmt::Write as _;

use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    what: String,
    /// souk's figure.
    measured: String,
    /// The peer or the limit, with its figure.
    against: String,
    /// souk's figure over the other one, where both are of this run.
    ratio: Option<f64>,
    /// What is wanted.
    target: String,
    /// Whether it is reached; `None` where nothing is wanted.
    reached: Option<bool>,
}

impl Row {
    /// Begins a row.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            against: String::new(),
            ratio: None,
            target: String::new(),
            reached: None,
        }
    }

    /// A row for what could not be measured.
    pub fn missing(what: impl Into<String>, why: &str) -> Self {
        /// As much of an error as a column takes; the whole of it is on stderr.
        const SHOWN: usize = 60;
        let why: String = why.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
        Self { reached: Some(false), ..Self::new(what, "not measured") }.against(why)
    }

    /// Says what the figure is held against.
    pub fn against(self, against: impl Into<String>) -> Self {
        Self { against: against.into(), ..self }
    }

    /// Asks for a ratio of at least `least`.
    pub fn at_least(self, ratio: f64, least: f64) -> Self {
        Self { ratio: Some(ratio), target: format!("≥ {least} ×"), reached: Some(ratio >= least), ..self }
    }

    /// Asks for a ratio of at most `most`.
    pub fn at_most(self, ratio: f64, most: f64) -> Self {
        Self { ratio: Some(ratio), target: format!("≤ {most} ×"), reached: Some(ratio <= most), ..self }
    }

    /// Says the ratio, without asking for one.
    pub fn ratio(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    /// Asks for something that is no ratio.
    pub fn target(self, target: impl Into<String>, reached: bool) -> Self {
        Self { target: target.into(), reached: Some(reached), ..self }
    }
}

/// Renders rows in columns as wide as they need to be.
pub fn render(rows: &[Row]) -> String {
    let head = ["what", "measured", "against", "ratio", "target", "reached"].map(str::to_owned);
    let cells = |row: &Row| {
        [
            row.what.clone(),
            row.measured.clone(),
            row.against.clone(),
            row.ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
            row.target.clone(),
            row.reached.map(|reached| if reached { "yes" } else { "NO" }).unwrap_or_default().to_owned(),
        ]
    };
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let joined = padded.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", joined.trim_end()).expect("text does not fail to be written");
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            writeln!(text, "{}", rule.join("  ")).expect("text does not fail to be written");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [Row::new("creates", "31,000/s").against("pgbench 9,000/s").at_least(3.44, 2.0)];
        assert_eq!(
            render(&rows),
            "what     measured  against          ratio   target  reached\n\
             -------  --------  ---------------  ------  ------  -------\n\
             creates  31,000/s  pgbench 9,000/s  3.44 ×  ≥ 2 ×   yes\n"
        );
    }

    #[test]
    fn what_could_not_be_measured_is_not_reached() {
        assert_eq!(Row::missing("x", "no wrk").reached, Some(false));
    }
}
