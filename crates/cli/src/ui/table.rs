//! Tables, drawn exactly as they are documented.

use comfy_table::{
    ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle, Width,
};

use crate::ui::scrub;

const STYLE: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┌', '─', '┬', '┐'))
    .header_lines(ContentLineStyle::new('│', '│', '│'))
    .header_separator(LineStyle::new('├', '─', '┼', '┤'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// A column: its title, and how wide it is at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) at_least: u16,
}

impl Column {
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, at_least: 0 }
    }

    pub(crate) const fn at_least(title: &'static str, at_least: u16) -> Self {
        Self { title, at_least }
    }
}

/// Draws a table. Columns widen to fit.
pub(crate) fn draw(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    const PADDING: u16 = 2;
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.title));
    for row in rows {
        table.add_row(row.iter().map(|cell| scrub::line(cell).into_owned()));
    }
    table.set_constraints(
        columns
            .iter()
            .map(|column| ColumnConstraint::LowerBoundary(Width::Fixed(column.at_least + PADDING))),
    );
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_drawn_as_documented() {
        let columns = [
            Column::at_least("JTI", 19),
            Column::at_least("Created", 19),
            Column::at_least("Expires", 19),
            Column::at_least("Current", 7),
        ];
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["jti_abc123def456", "2024-08-07 10:30:00", "2025-08-07 10:30:00", "✓"]),
            row(["jti_old789xyz012", "2024-06-01 09:15:00", "2025-06-01 09:15:00", ""]),
        ];
        let expected = "\
┌─────────────────────┬─────────────────────┬─────────────────────┬─────────┐
│ JTI                 │ Created             │ Expires             │ Current │
├─────────────────────┼─────────────────────┼─────────────────────┼─────────┤
│ jti_abc123def456    │ 2024-08-07 10:30:00 │ 2025-08-07 10:30:00 │ ✓       │
│ jti_old789xyz012    │ 2024-06-01 09:15:00 │ 2025-06-01 09:15:00 │         │
└─────────────────────┴─────────────────────┴─────────────────────┴─────────┘";
        assert_eq!(draw(&columns, rows), expected);
    }

    #[test]
    fn a_cell_stays_in_its_cell() {
        let drawn = draw(&[Column::new("A")], [vec!["x\n\u{1b}[2Jy".to_owned()]]);
        assert_eq!(drawn.lines().count(), 5);
        assert!(!drawn.contains('\u{1b}'));
    }
}
