//! A session with PostgreSQL, as plain as its protocol allows: trust, and simple queries.
//!
//! It shows what a driver would hide: warnings beside a success, and what a statement says whose
//! session is frozen or cut meanwhile.

use std::fmt;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest message that is read: far more than any test asks for.
const LARGEST: usize = 1 << 24;

/// Version 3.0 of the protocol.
const VERSION: u32 = 3 << 16;

/// An error or a warning of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `ERROR`, `WARNING`, ….
    pub severity: String,
    /// Five characters.
    pub code: String,
    /// For people.
    pub message: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.code, self.message)
    }
}

impl std::error::Error for Said {}

/// What statements that succeeded answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// All rows of all statements, as text; no value is `None`.
    pub rows: Vec<Vec<Option<String>>>,
    /// Warnings and notices.
    pub notices: Vec<Said>,
}

impl Answer {
    /// The first column of all rows, a line each, as `psql` prints it.
    pub fn text(&self) -> String {
        let first = self.rows.iter().filter_map(|row| row.first());
        let lines: Vec<&str> = first.map(|value| value.as_deref().unwrap_or_default()).collect();
        lines.join("\n")
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Session {
    stream: BufReader<TcpStream>,
}

impl Session {
    /// Opens one as the user `postgres`.
    pub fn open(address: SocketAddr, database: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no one at {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut session = Self { stream: BufReader::new(stream) };
        let mut hello = VERSION.to_be_bytes().to_vec();
        for word in ["user", "postgres", "database", database, ""] {
            hello.extend_from_slice(word.as_bytes());
            hello.push(0);
        }
        session.send(None, &hello)?;
        session.finish()?;
        Ok(session)
    }

    /// Opens one to a URL as [`crate::Cluster::database`] gives it.
    pub fn to(url: &str) -> Result<Self> {
        let (_, rest) = url.split_once('@').context("a URL names its user")?;
        let (host, database) = rest.split_once('/').context("a URL names its database")?;
        let database = database.split('?').next().unwrap_or_default();
        Self::open(host.parse().context("a URL names an address and a port")?, database)
    }

    /// Runs statements and waits for their answer. An error of PostgreSQL is a [`Said`].
    pub fn ask(&mut self, sql: &str) -> Result<Answer> {
        self.begin(sql)?;
        self.finish()
    }

    /// Sends statements, and waits for nothing.
    pub fn begin(&mut self, sql: &str) -> Result<()> {
        let mut text = sql.as_bytes().to_vec();
        text.push(0);
        self.send(Some(b'Q'), &text)
    }

    /// Waits for the answer to what was begun.
    pub fn finish(&mut self) -> Result<Answer> {
        let (mut answer, mut error) = (Answer::default(), None);
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                b'D' => answer.rows.push(row(&body)?),
                b'N' => answer.notices.push(said(&body)),
                b'R' => ensure!(body == [0; 4], "PostgreSQL wants a password"),
                // Before the session is ready, an error is its end.
                b'E' => {
                    error = Some(said(&body));
                    if self.is_over() {
                        break;
                    }
                }
                b'Z' => break,
                _ => {}
            }
        }
        match error {
            Some(error) => Err(error.into()),
            None => Ok(answer),
        }
    }

    /// Whether nothing more will come, after an error.
    fn is_over(&mut self) -> bool {
        use std::io::BufRead as _;
        self.stream.fill_buf().map_or(true, <[u8]>::is_empty)
    }

    /// A message: its kind (the first has none), the length of the rest, the body.
    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<()> {
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend_from_slice(&u32::try_from(body.len() + 4)?.to_be_bytes());
        message.extend_from_slice(body);
        self.stream.get_mut().write_all(&message).context("the session has ended")
    }

    fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).context("the session has ended")?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length))?.checked_sub(4);
        let length =
            length.filter(|length| *length <= LARGEST).context("a length that none has")?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).context("the session has ended")?;
        Ok((kind, body))
    }
}

/// A row: the number of values, and of each its length (-1: none) and text.
fn row(body: &[u8]) -> Result<Vec<Option<String>>> {
    let (count, mut rest) = body.split_first_chunk::<2>().context("a row has a count")?;
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>().context("a value has a length")?;
        rest = after;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            values.push(None);
            continue;
        };
        let Some((value, after)) = rest.split_at_checked(length) else {
            bail!("a value is shorter than its length")
        };
        values.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Ok(values)
}

/// Fields, each with a letter in front and a zero behind.
fn said(body: &[u8]) -> Said {
    let field = |letter: u8| {
        let mut fields = body.split(|byte| *byte == 0);
        let found = fields.find_map(|field| field.strip_prefix(&[letter]));
        found.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    Said { severity: field(b'V'), code: field(b'C'), message: field(b'M') }
}
