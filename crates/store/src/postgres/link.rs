//! A connection that is asked by plain functions: a thread of its own waits for each answer.
//!
//! The thread drives its connection while it waits, so that an answer crosses no other thread; every
//! wait has an end; and a connection that was lost is made anew by whoever next begins something.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Error, Row};

use super::fault::{Fault, told};
use super::known::Known;
use super::options::PostgresOptions;
use super::session::{Param, Session};
use crate::error::StoreError;
use crate::sql::db::{Bind, Value};

/// How long an answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(6);

/// A connection that belongs to a thread.
pub(crate) struct Link {
    // Declared before the runtime that its task lives in.
    session: Option<Session>,
    runtime: Runtime,
    options: Arc<PostgresOptions>,
    woken: Option<Arc<Notify>>,
    patience: Duration,
}

impl Link {
    pub(super) fn new(options: Arc<PostgresOptions>) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|source| StoreError::File { what: "making a runtime for a thread", source })?;
        Ok(Self { session: None, runtime, options, woken: None, patience: PATIENCE })
    }

    /// The same, whose owner is woken by what the database announces.
    pub(super) fn listening(mut self, woken: Arc<Notify>) -> Self {
        self.woken = Some(woken);
        self
    }

    /// The same, for statements that take long.
    pub(super) fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the connection anew if it was lost; answers whether it is a new one.
    pub(super) fn connect(&mut self) -> Result<bool, StoreError> {
        if self.session.as_ref().is_some_and(|session| !session.is_closed()) {
            return Ok(false);
        }
        self.session = None;
        let opened = self.runtime.block_on(async {
            timeout(PATIENCE, Session::open(&self.options, self.woken.clone())).await
        });
        self.session = Some(opened.map_err(|_| late("connecting"))??);
        Ok(true)
    }

    /// The same, and that what answers is the database that is known. What is found out there is
    /// written down there.
    pub(super) fn connect_to(&mut self, known: &Known) -> Result<bool, StoreError> {
        let is_new = self.connect()?;
        if is_new && let Err(error) = known.confirm(self) {
            self.disconnect();
            return Err(error);
        }
        Ok(is_new)
    }

    pub(super) fn disconnect(&mut self) {
        self.session = None;
    }

    /// Waits for something that is not the database's answer, while the connection is kept going.
    pub(super) fn idle<T>(&self, awaited: impl Future<Output = T>) -> T {
        self.runtime.block_on(awaited)
    }

    fn session(&self) -> Result<&Session, StoreError> {
        self.session.as_ref().ok_or_else(|| StoreError::Unavailable("not connected".to_owned()))
    }

    /// Waits for an answer.
    pub(super) fn wait<'a, T, F>(
        &'a self,
        limit: Duration,
        ask: impl FnOnce(&'a Session) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>> + 'a,
    {
        let session = self.session()?;
        let asked = ask(session);
        let answer = self.runtime.block_on(async { timeout(limit, asked).await });
        let answer = answer.map_err(|_| {
            session.note(Fault::Lost);
            late("the database")
        })?;
        answer.map_err(|error| told(&error))
    }

    pub(super) fn batch(&self, text: &str) -> Result<(), StoreError> {
        self.wait(self.patience, |session| session.batch(text))
    }

    /// The rows of an answer to what no other database is asked.
    pub(super) fn rows_of(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.wait(self.patience, |session| session.rows(sql, params))
    }

    /// The rows of an answer.
    pub(crate) fn rows(&self, sql: &str, params: &[&dyn Bind]) -> Result<Vec<Row>, StoreError> {
        let values: Vec<_> = params.iter().map(|param| param.value()).collect();
        self.rows_of(sql, &typed(&values))
    }

    /// How many rows a statement has changed.
    pub(crate) fn change(&self, sql: &str, params: &[&dyn Bind]) -> Result<u64, StoreError> {
        let values: Vec<_> = params.iter().map(|param| param.value()).collect();
        let params = typed(&values);
        self.wait(self.patience, |session| session.change(sql, &params))
    }

    pub(super) fn send_ahead(&self, text: &'static str) {
        if let Some(session) = &self.session {
            session.send_ahead(text);
        }
    }

    pub(super) fn take_ahead(&self) -> Option<&'static str> {
        self.session.as_ref()?.take_ahead()
    }

    /// Has a fault found by whoever asks next.
    pub(super) fn note(&self, fault: Fault) {
        if let Some(session) = &self.session {
            session.note(fault);
        }
    }

    /// The worst that has happened since it was last asked.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        match &self.session {
            Some(session) if session.is_closed() => Some(Fault::Lost),
            Some(session) => session.take_fault(),
            None => Some(Fault::Lost),
        }
    }

    /// Whether the server has warned since this was last asked.
    pub(super) fn take_warning(&self) -> bool {
        self.session.as_ref().is_some_and(Session::take_warning)
    }
}

fn late(what: &str) -> StoreError {
    StoreError::Unavailable(format!("{what} did not answer in time"))
}

fn typed<'a>(values: &'a [Value<'a>]) -> Vec<Param<'a>> {
    values.iter().map(|value| (value as &(dyn ToSql + Sync), value.kind())).collect()
}

impl Value<'_> {
    fn kind(&self) -> Type {
        match self {
            // Decided by where it stands.
            Self::Null => Type::UNKNOWN,
            Self::Int(_) => Type::INT8,
            Self::Bool(_) => Type::BOOL,
            Self::Text(_) => Type::TEXT,
            Self::Blob(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(ty, out),
            Self::Bool(truth) => truth.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Blob(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::BOOL, Type::TEXT, Type::VARCHAR, Type::BYTEA, Type::UNKNOWN].contains(ty)
    }

    to_sql_checked!();
}
