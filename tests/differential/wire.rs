//! A connection, and replies as values that can be compared.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Reply>>),
    /// What only RESP3 has: its first byte, and the line or the bytes.
    Scalar(char, Vec<u8>),
    /// Likewise: a map, a set or a push.
    Aggregate(char, Vec<Reply>),
}

impl Reply {
    /// The same array with its elements (in groups of so many) sorted, and those of the arrays in it.
    pub fn sorted(&self, group: usize) -> Reply {
        let (Reply::Array(Some(items)) | Reply::Aggregate(_, items)) = self else { return self.clone() };
        let inner: Vec<Reply> = items.iter().map(|item| item.sorted(1)).collect();
        let mut groups: Vec<Vec<Reply>> = inner.chunks(group).map(<[Reply]>::to_vec).collect();
        groups.sort();
        match self {
            Reply::Aggregate(kind, _) => Reply::Aggregate(*kind, groups.concat()),
            _ => Reply::Array(Some(groups.concat())),
        }
    }

    /// Only the kind of the reply, and of an array its length.
    pub fn shape(&self) -> String {
        match self {
            Reply::Simple(_) => "+".to_owned(),
            Reply::Error(text) => format!("-{text}"),
            Reply::Int(_) => ":".to_owned(),
            Reply::Bulk(bytes) => format!("${}", bytes.is_some()),
            Reply::Array(items) => format!("*{:?}", items.as_ref().map(Vec::len)),
            Reply::Scalar(kind, _) => kind.to_string(),
            Reply::Aggregate(kind, items) => format!("{kind}{}", items.len()),
        }
    }

    pub fn texts(&self) -> Vec<String> {
        let Reply::Array(Some(items)) = self else { return Vec::new() };
        let text = |item: &Reply| match item {
            Reply::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => other.show(),
        };
        items.iter().map(text).collect()
    }

    pub fn show(&self) -> String {
        match self {
            Reply::Simple(text) => format!("+{text}"),
            Reply::Error(text) => format!("-{text}"),
            Reply::Int(number) => format!(":{number}"),
            Reply::Bulk(None) => "(nil)".to_owned(),
            Reply::Bulk(Some(bytes)) => format!("\"{}\"", bytes.escape_ascii()),
            Reply::Array(None) => "(nil array)".to_owned(),
            Reply::Array(Some(items)) => {
                let texts: Vec<String> = items.iter().map(Reply::show).collect();
                format!("[{}]", texts.join(" "))
            }
            Reply::Scalar(kind, bytes) => format!("{kind}{}", bytes.escape_ascii()),
            Reply::Aggregate(kind, items) => {
                let texts: Vec<String> = items.iter().map(Reply::show).collect();
                format!("{kind}[{}]", texts.join(" "))
            }
        }
    }
}

pub fn show_request(argv: &[Vec<u8>]) -> String {
    argv.iter().map(|arg| format!("\"{}\"", arg.escape_ascii())).collect::<Vec<_>>().join(" ")
}

/// How long a reply may take: what has none is to be told, not waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

pub struct Conn {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Conn {
    pub fn new(stream: TcpStream) -> Conn {
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        Conn { writer: stream.try_clone().expect("a second handle"), reader: BufReader::with_capacity(1 << 16, stream) }
    }

    pub fn ask(&mut self, argv: &[&str]) -> Reply {
        let argv: Vec<Vec<u8>> = argv.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.pipeline(&[argv]).pop().expect("one reply")
    }

    pub fn pipeline(&mut self, requests: &[Vec<Vec<u8>>]) -> Vec<Reply> {
        self.send(requests);
        requests.iter().map(|argv| self.read(argv)).collect()
    }

    fn send(&mut self, requests: &[Vec<Vec<u8>>]) {
        let mut bytes = Vec::new();
        for argv in requests {
            bytes.extend(format!("*{}\r\n", argv.len()).into_bytes());
            for arg in argv {
                bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
                bytes.extend_from_slice(arg);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.writer.write_all(&bytes).expect("the server reads");
    }

    /// Sends requests that may be answered by any number of frames, and returns all frames up to now, messages included.
    pub fn frames(&mut self, requests: &[Vec<Vec<u8>>], token: &str) -> Vec<Reply> {
        self.send(requests);
        // What the requests themselves cause may be told at the end of their turn, and then comes before the second one's reply.
        [format!("{token} 1"), format!("{token} 2")].iter().flat_map(|token| self.frames_until(token)).collect()
    }

    /// The frames before the reply to a PING.
    fn frames_until(&mut self, token: &str) -> Vec<Reply> {
        let ping = vec![b"PING".to_vec(), token.as_bytes().to_vec()];
        self.send(std::slice::from_ref(&ping));
        let token = Reply::Bulk(Some(ping[1].clone()));
        let subscribed = Reply::Array(Some(vec![Reply::Bulk(Some(b"pong".to_vec())), token.clone()]));
        std::iter::repeat_with(|| self.read(&ping))
            .take_while(|frame| *frame != token && *frame != subscribed)
            .collect()
    }

    fn read(&mut self, argv: &[Vec<u8>]) -> Reply {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        assert!(read.is_ok(), "no answer to {}: {read:?}", show_request(argv));
        assert!(line.ends_with(b"\r\n"), "the server hung up after {}", show_request(argv));
        let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
        let number = text.parse::<i64>().unwrap_or(0);
        match line[0] {
            b'+' => Reply::Simple(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Int(number),
            b'$' if number < 0 => Reply::Bulk(None),
            b'$' => {
                let mut bytes = vec![0; number as usize + 2];
                self.reader.read_exact(&mut bytes).expect("the server answers in full");
                bytes.truncate(number as usize);
                Reply::Bulk(Some(bytes))
            }
            b'*' if number < 0 => Reply::Array(None),
            b'*' => Reply::Array(Some((0..number).map(|_| self.read(argv)).collect())),
            kind @ (b'_' | b'#' | b',' | b'(') => Reply::Scalar(char::from(kind), line[1..line.len() - 2].to_vec()),
            b'=' => {
                let mut bytes = vec![0; number as usize + 2];
                self.reader.read_exact(&mut bytes).expect("the server answers in full");
                bytes.truncate(number as usize);
                Reply::Scalar('=', bytes)
            }
            kind @ (b'~' | b'>') => Reply::Aggregate(char::from(kind), (0..number).map(|_| self.read(argv)).collect()),
            b'%' => Reply::Aggregate('%', (0..2 * number).map(|_| self.read(argv)).collect()),
            other => panic!("no reply begins with {:?}, after {}", char::from(other), show_request(argv)),
        }
    }
}
