//! What was measured, as a page.

use std::fmt::Write as _;

use nt_token::clock::{Clock as _, SystemClock};

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

/// The results, and what people have written below them.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<String>, String);

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
        let range = range.filter(|_| found.ratios.len() > 1);
        let range = range.map(|range| format!(" ({range})")).unwrap_or_default();
        println!("    {what}: {} {unit}, ratio {ratio:.2}", figure(found.system));
        self.0.push(format!(
            "| {what} | {} {unit} | {control} | {} {unit} | **{ratio:.2}**{range} | {aim} | {} |",
            figure(found.system),
            figure(found.control),
            today(),
        ));
    }

    /// A figure that nothing can stand beside, against a limit if there is one.
    pub(crate) fn note(&mut self, what: &str, value: f64, unit: &str, limit: Option<f64>) {
        let aim = limit.map_or_else(
            || "–".to_owned(),
            |limit| format!("≤ {limit:.0} {unit}, {}", word(value <= limit)),
        );
        println!("    {what}: {} {unit}", figure(value));
        self.0.push(format!(
            "| {what} | {} {unit} | – | – | – | {aim} | {} |",
            figure(value),
            today()
        ));
    }

    /// Puts the rows of an earlier page that were not measured now among those that were, and keeps
    /// what stands below them.
    pub(crate) fn keep(&mut self, page: &str) {
        let name = |row: &str| row.split('|').nth(1).map(str::trim).unwrap_or_default().to_owned();
        let mut new = std::mem::take(&mut self.0);
        let old = page.lines().filter(|line| line.starts_with("| ")).skip(1);
        for row in old {
            let again = new.iter().position(|new| name(new) == name(row));
            self.0.push(again.map_or_else(|| row.to_owned(), |at| new.remove(at)));
        }
        self.0.append(&mut new);
        page.find("\n## ").map(|at| &page[at..]).unwrap_or_default().clone_into(&mut self.1);
    }

    /// The whole page.
    pub(crate) fn page(&self, machine: &str) -> String {
        let mut page = format!(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench` (release profile). Each figure stands beside a control \
             that does the least that could be done; control and system are measured in turn, \
             {ROUNDS} times each, and the ratio is the median of the {ROUNDS} ratios (with the \
             smallest and the largest); what is the same each time is measured once. Absolute figures are of this machine and of what else ran \
             on it; clients, servers and database share its cores:\n\n{machine}\n\n\
             | what | measured | control | measured | ratio | aim | when |\n\
             |---|---|---|---|---|---|---|\n"
        );
        for row in &self.0 {
            writeln!(page, "{row}").expect("a String takes all");
        }
        page.push_str(&self.1);
        page
    }
}

fn today() -> String {
    SystemClock.now().to_string().chars().take("2026-11-22".len()).collect()
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

#[test]
fn a_row_that_was_measured_again_takes_the_place_of_the_old_one_and_others_stay() {
    let mut table = Table::default();
    table.note("b", 2.0, "ms", None);
    table.note("c", 3.0, "ms", Some(2.0));
    let old = "# Title\n\n| what | aim |\n|---|---|\n| a | 1 |\n| b | 1 |\n";
    table.keep(old);
    assert_eq!(table.0[0], "| a | 1 |");
    assert!(table.0[1].starts_with("| b | 2.00 ms |"), "{:?}", table.0);
    assert!(table.0[2].contains("≤ 2 ms, **missed**"), "{:?}", table.0);
    assert_eq!(table.0.len(), 3);
}

#[test]
fn what_people_have_written_below_the_table_stays() {
    let mut table = Table::default();
    table.note("b", 2.0, "ms", None);
    table.keep(&format!("{}\n## Why\nBecause.\n", Table::default().page("- machine")));
    let again = table.page("- machine");
    assert!(again.ends_with("|\n\n## Why\nBecause.\n"), "{again}");
    table.keep(&again);
    assert_eq!(table.page("- machine"), again);
}
