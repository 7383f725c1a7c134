//! The operator's sessions: a table of them, and ending them.

use nt_api::sessions::{SessionRecord, SessionsEnded};

use crate::arguments::Format;
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

const COLUMNS: [Column; 7] = [
    Column::new("Session"),
    Column::new("Began"),
    Column::new("Last used"),
    Column::new("Ends"),
    Column::new("From"),
    Column::new("Client"),
    Column::new("This one"),
];

pub(super) fn table(sessions: Vec<SessionRecord>) -> String {
    let rows = sessions.into_iter().map(|session| {
        vec![
            session.id,
            session.created_at.0.civil(),
            session.last_used_at.0.civil(),
            session.expires_at.0.civil(),
            session.from.map(|ip| ip.to_string()).unwrap_or_default(),
            session.client.unwrap_or_default(),
            if session.current { "✓".to_owned() } else { String::new() },
        ]
    });
    table::draw(&COLUMNS, rows)
}

pub(super) fn end(id: &str, format: Format, context: &Context) -> Result<(), Error> {
    let ended = context.operator("ending sessions")?.end_session_of(id)?;
    print(&ended, &format!("Session {id} ended."), format)
}

pub(super) fn end_others(format: Format, context: &Context) -> Result<(), Error> {
    let ended = context.operator("ending sessions")?.end_other_sessions()?;
    let told = match ended.count {
        0 => "There are no other sessions.".to_owned(),
        1 => "1 other session ended.".to_owned(),
        count => format!("{count} other sessions ended."),
    };
    print(&ended, &told, format)
}

fn print(ended: &SessionsEnded, told: &str, format: Format) -> Result<(), Error> {
    if format == Format::Json { ui::json(ended) } else { ui::data(told) }
}
