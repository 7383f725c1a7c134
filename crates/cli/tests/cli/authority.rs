//! An authority of a few prepared answers, for what a real one rarely or never says; and one that
//! answers by a rule, with an identity provider beside it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// Answers as many requests as it has answers, and tells what was asked.
pub(crate) struct Prepared {
    pub(crate) url: String,
    serving: JoinHandle<Vec<Asked>>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Asked {
    /// `GET /path`.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// `GET /path`, without a query.
    pub(crate) fn path(&self) -> &str {
        self.line.split('?').next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// An answer: status line and headers, and a body.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

impl Prepared {
    pub(crate) fn with(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let serving = std::thread::spawn(move || {
            answers
                .iter()
                .map(|answer| serve(&listener.accept().expect("a caller").0, answer))
                .collect()
        });
        Self { url, serving }
    }

    /// What was asked, once every answer was given.
    pub(crate) fn asked(self) -> Vec<Asked> {
        self.serving.join().expect("the requests were well-formed")
    }
}

/// Answers by a rule, until it is dropped.
pub(crate) struct Ruled {
    pub(crate) url: String,
    asked: Receiver<Asked>,
}

impl Ruled {
    /// The rule gets its own address, and what was asked.
    pub(crate) fn by(mut rule: impl FnMut(&str, &Asked) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (send, asked) = channel();
        let own = url.clone();
        // It ends with the process of the tests, or when nobody wants to know any more.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a caller");
                let asked = read(&stream);
                let answer = rule(&own, &asked);
                if send.send(asked).is_err() {
                    return;
                }
                stream.write_all(answer.as_bytes()).expect("the caller listens");
            }
        });
        Self { url, asked }
    }

    /// What was asked since the last time: `GET /path`, without queries.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.path().to_owned()).collect()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.try_iter().collect()
    }
}

fn serve(mut stream: &TcpStream, answer: &str) -> Asked {
    let asked = read(stream);
    stream.write_all(answer.as_bytes()).expect("the caller listens");
    asked
}

fn read(stream: &TcpStream) -> Asked {
    let mut lines = BufReader::new(stream);
    let mut read = || {
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let line = read().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let line = read();
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut asked = Asked { line, headers, body: String::new() };
    let length = asked.header("content-length").map_or(0, |n| n.parse().expect("a number"));
    let mut body = vec![0; length];
    lines.read_exact(&mut body).expect("the body");
    asked.body = String::from_utf8(body).expect("UTF-8");
    asked
}
