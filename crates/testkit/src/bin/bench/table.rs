//! What was measured, as a page.

use std::fmt::Write as _;

use crate::compare::{Comparison, ROUNDS};

/// What is aimed at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    /// The system takes at most this many times what the control takes.
    AtMost(f64),
    /// The system does at least this share of what the control does.
    AtLeast(f64),
    /// It is shown beside the control; nothing is aimed at.
    None,
}

/// The results.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<String>);

impl Table {
    pub(crate) fn add(
        &mut self,
        what: &str,
        control: &str,
        unit: &str,
        aim: Aim,
        found: &Comparison,
    ) {
        let ratio = found.ratio();
        let aim = match aim {
            Aim::AtMost(limit) => format!("≤ {limit:.2}, {}", word(ratio <= limit)),
            Aim::AtLeast(limit) => format!("≥ {limit:.2}, {}", word(ratio >= limit)),
            Aim::None => "–".to_owned(),
        };
        let (least, most) = (found.ratios.first(), found.ratios.last());
        let range = least.zip(most).map(|(least, most)| format!("{least:.2} to {most:.2}"));
        println!("    {what}: {} {unit}, ratio {ratio:.2}", figure(found.system));
        self.0.push(format!(
            "| {what} | {} {unit} | {control} | {} {unit} | **{ratio:.2}** ({}) | {aim} |",
            figure(found.system),
            figure(found.control),
            range.unwrap_or_default(),
        ));
    }

    /// The whole page.
    pub(crate) fn page(&self, machine: &str) -> String {
        let mut page = format!(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench` (release profile). Each figure stands beside a control \
             that does the least that could be done; control and system are measured in turn, \
             {ROUNDS} times each, and the ratio is the median of the {ROUNDS} ratios (with the \
             smallest and the largest). Absolute figures are of this machine and of what else ran \
             on it; clients, servers and database share its cores:\n\n{machine}\n\n\
             | what | measured | control | measured | ratio | aim |\n|---|---|---|---|---|---|\n"
        );
        for row in &self.0 {
            writeln!(page, "{row}").expect("a String takes all");
        }
        page
    }
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

/// Three figures that mean something, thousands set apart.
fn figure(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[test]
fn figures_are_readable() {
    assert_eq!(figure(1.234), "1.23");
    assert_eq!(figure(1_234_567.8), "1,234,568");
    assert_eq!(figure(123.4), "123");
}
