//! One connection, with its statements: what is asked without waiting.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, Error, Row, Statement};

use super::fault::Fault;
use super::options::{Pooling, PostgresOptions};
use super::tls;
use crate::error::StoreError;

/// A parameter, and what it is of where nobody is asked.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A statement that was asked before.
#[derive(Clone)]
enum Known {
    /// The server has it, under a name.
    Named(Statement),
    /// A pooler may hand the next transaction to a server that has not.
    Text(Arc<str>),
}

/// A connection.
pub(super) struct Session {
    client: Client,
    pooling: Pooling,
    known: RefCell<HashMap<Box<str>, Known>>,
    /// What is sent ahead of the next statement, without waiting for its answer.
    ahead: Cell<Option<&'static str>>,
    fault: Cell<Option<Fault>>,
    warned: Arc<AtomicBool>,
    driver: JoinHandle<()>,
}

impl Session {
    pub(super) async fn open(
        options: &PostgresOptions,
        woken: Option<Arc<Notify>>,
    ) -> Result<Self, StoreError> {
        let tls = tls::connector(options)?;
        let connected = options.config.connect(tls).await;
        let (client, connection) = connected.map_err(|error| super::fault::told(&error))?;
        let warned = Arc::<AtomicBool>::default();
        let driver = tokio::spawn(drive(connection, Arc::clone(&warned), woken));
        Ok(Self {
            client,
            pooling: options.pooling,
            known: RefCell::default(),
            ahead: Cell::new(None),
            fault: Cell::new(None),
            warned,
            driver,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.fault.get() == Some(Fault::Lost)
    }

    /// The worst that has happened since it was last asked.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.fault.take()
    }

    pub(super) fn note(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    /// Whether the server has warned since this was last asked that a commit was not waited for.
    pub(super) fn take_warning(&self) -> bool {
        self.warned.swap(false, Ordering::SeqCst)
    }

    /// Sends this ahead of the next statement.
    pub(super) fn send_ahead(&self, text: &'static str) {
        self.ahead.set(Some(text));
    }

    pub(super) fn take_ahead(&self) -> Option<&'static str> {
        self.ahead.take()
    }

    pub(super) async fn batch(&self, text: &str) -> Result<(), Error> {
        self.noted(self.client.batch_execute(text).await)
    }

    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let answer = match self.known(sql).await? {
            Known::Named(statement) => {
                let params: Vec<_> = params.iter().map(|(value, _)| *value).collect();
                self.after_ahead(self.client.query(&statement, &params)).await
            }
            Known::Text(text) => self.after_ahead(self.client.query_typed(&text, params)).await,
        };
        self.noted(answer)
    }

    pub(super) async fn change(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
        let answer = match self.known(sql).await? {
            Known::Named(statement) => {
                let params: Vec<_> = params.iter().map(|(value, _)| *value).collect();
                self.after_ahead(self.client.execute(&statement, &params)).await
            }
            Known::Text(text) => self.after_ahead(self.client.execute_typed(&text, params)).await,
        };
        self.noted(answer)
    }

    /// Makes a statement known, so that it is sent at once when it is asked.
    pub(super) async fn prepare(&self, sql: &str) -> Result<(), Error> {
        self.known(sql).await.map(|_| ())
    }

    /// Prepares a statement the first time; `?1` is `$1` here.
    async fn known(&self, sql: &str) -> Result<Known, Error> {
        let found = self.known.borrow().get(sql).cloned();
        if let Some(known) = found {
            return Ok(known);
        }
        let text = sql.replace('?', "$");
        let known = match self.pooling {
            Pooling::Transactions => Known::Text(text.into()),
            Pooling::Direct => {
                let prepared = self.after_ahead(self.client.prepare(&text)).await;
                Known::Named(self.noted(prepared)?)
            }
        };
        self.known.borrow_mut().insert(sql.into(), known.clone());
        Ok(known)
    }

    /// What is to be sent ahead goes out first; both are on their way before either is answered.
    async fn after_ahead<T>(
        &self,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(ahead) = self.ahead.take() else { return asked.await };
        let (ahead, answer) =
            futures_util::future::join(self.client.batch_execute(ahead), asked).await;
        ahead?;
        answer
    }

    fn noted<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &answer {
            let fault = Fault::of(error);
            if self.fault.get() != Some(Fault::Lost) {
                self.fault.set(Some(fault));
            }
        }
        answer
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Moves what is sent and received, and takes note of what was not asked for.
async fn drive<S, T>(
    mut connection: Connection<S, T>,
    warned: Arc<AtomicBool>,
    woken: Option<Arc<Notify>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            // "canceling wait for synchronous replication": what was committed here may be lost.
            Some(Ok(AsyncMessage::Notice(notice))) if *notice.code() == SqlState::WARNING => {
                tracing::warn!(notice = notice.message(), "the database warns");
                warned.store(true, Ordering::SeqCst);
            }
            Some(Ok(AsyncMessage::Notification(_))) => {
                if let Some(woken) = &woken {
                    woken.notify_one();
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}
