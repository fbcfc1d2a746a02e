//! Transcripts: one text, run in-process against a `Node`, over TCP against our program, or against a reference server.
//!
//! ```text
//! > SET k v            a request, split as redis-cli splits it
//! OK                   its reply, in one line
//! > LRANGE l 0 -1
//! [a b "c d"]
//! b> BLPOP l 0         a request of another client (one letter each)
//! ~ 1500               the clock moves on by so many milliseconds (in-process only)
//! < b [l a]            what that client reads next, unasked
//! ```
//! Replies: text as it is (quoted if empty or with spaces, quotes, brackets or bytes that do not print), integers in digits
//! as `(int) 5`, `(nil)`, `(error) ERR ...`, arrays `[a b]`, sets `~[a b]`, maps `{k: v}`, pushes `>[a b]`, doubles
//! `(double) 1.5`, booleans `(true)`, verbatim `(txt) text`. `...` as the whole expectation takes any reply; a trailing
//! `...` takes any rest.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use russet::base::host::{Host, ProcessFacts};
use russet::base::time::{MonoTime, Now};
use russet::config::Config;
use russet::node::{NewConnection, Node};
use russet::resp::parser::split_args;
use russet::server::{Action, ClientId, Identity};

/// The time at which every in-process test begins, microseconds since the epoch.
pub const EPOCH_US: i64 = 1_700_000_000_000_000;

/// A machine of nothing but memory.
#[derive(Clone, Default)]
pub struct TestHost {
    pub files: Rc<RefCell<BTreeMap<PathBuf, Vec<u8>>>>,
    pub clock_us: Rc<RefCell<u64>>,
    /// Microseconds that pass with each reading of the clock while something runs.
    pub tick_us: Rc<Cell<u64>>,
}

impl Host for TestHost {
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.borrow().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.files.borrow_mut().insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn glob(&mut self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn apply(&mut self, _directives: &[&str], _config: &dyn std::any::Any) -> Result<(), String> {
        Ok(())
    }

    fn process_facts(&mut self) -> ProcessFacts {
        ProcessFacts::default()
    }

    fn sleep_us(&mut self, us: u64) {
        *self.clock_us.borrow_mut() += us;
    }

    fn mono_us(&self) -> u64 {
        *self.clock_us.borrow_mut() += self.tick_us.get();
        *self.clock_us.borrow()
    }
}

/// A node with clients, without sockets.
pub struct TestNode {
    pub node: Node,
    pub host: TestHost,
    clients: BTreeMap<String, (ClientId, u32)>,
    inboxes: BTreeMap<String, Vec<u8>>,
}

impl TestNode {
    /// A node with this configuration, as `name value` lines.
    pub fn new(lines: &[(&str, &str)]) -> TestNode {
        let mut config = Config::default();
        for (name, value) in lines {
            let directive = russet::config::Directive::find(name.as_bytes()).expect("a known directive");
            directive.read(&mut config, &[value.as_bytes()], russet::config::Origin::Set).expect("a valid value");
        }
        let host = TestHost::default();
        *host.clock_us.borrow_mut() = 1_000_000;
        let identity = Identity { run_id: "0".repeat(40), started_unix_us: EPOCH_US, ..Identity::default() };
        let now = Now { mono: MonoTime(1_000_000), unix_us: EPOCH_US };
        let node = Node::new(config, 1, now, identity, Box::new(host.clone()));
        TestNode { node, host, clients: BTreeMap::new(), inboxes: BTreeMap::new() }
    }

    /// The time by the node's clock.
    pub fn now(&self) -> Now {
        let mono = *self.host.clock_us.borrow();
        Now { mono: MonoTime(mono), unix_us: EPOCH_US + mono as i64 - 1_000_000 }
    }

    /// The place of a client, which is connected if it was not.
    pub fn place(&mut self, name: &str) -> u32 {
        if let Some(&(_, place)) = self.clients.get(name) {
            return place;
        }
        let connection = NewConnection {
            addr: format!("127.0.0.1:{}", 50_000 + self.clients.len()),
            laddr: "127.0.0.1:6379".to_owned(),
            is_loopback: true,
            ..NewConnection::default()
        };
        let added = self.node.accept(connection).expect("room for a client");
        self.clients.insert(name.to_owned(), added);
        added.1
    }

    /// Sends bytes as a client and runs one turn.
    pub fn send(&mut self, client: &str, bytes: &[u8]) {
        let place = self.place(client);
        self.node.begin_turn(self.now());
        self.node.receive(place, bytes);
        self.settle();
    }

    /// Runs one turn in which nobody sends anything.
    pub fn turn(&mut self) {
        self.node.begin_turn(self.now());
        self.settle();
    }

    /// Moves the clock on, turn by turn.
    pub fn advance_ms(&mut self, ms: u64) {
        for step in 0..ms.min(20) {
            let part = ms / ms.min(20) + if step == 0 { ms % ms.min(20) } else { 0 };
            *self.host.clock_us.borrow_mut() += part * 1000;
            self.turn();
        }
    }

    fn settle(&mut self) {
        self.node.go_on();
        self.node.end_turn();
        self.node.cron();
        // As the reactor asks after each turn: whatever clients set, the answer must be a time.
        assert!(self.node.sleep_us(self.now().mono) <= 10_000_000);
        let done = self.node.server.keyspace.garbage.counter();
        self.node.take_garbage().into_iter().for_each(|waste| waste.free(&done));
        if !self.node.server.awaiting_freed.is_empty() {
            self.node.end_turn();
        }
        self.node.server.pending_writes.clear();
        for (name, (_, place)) in &self.clients {
            if let Some(client) = self.node.server.clients.at(*place) {
                client.pending_write = false;
                let bytes = client.out.to_vec();
                client.out.advance(bytes.len());
                self.inboxes.entry(name.clone()).or_default().extend(bytes);
            }
        }
        for action in self.node.take_actions() {
            if let Action::Close { client, .. } = action {
                self.node.disconnect(client);
                self.clients.retain(|_, (id, _)| *id != client);
            }
        }
    }

    /// The next reply that a client has, rendered; None if there is none.
    pub fn read(&mut self, client: &str) -> Option<String> {
        let inbox = self.inboxes.entry(client.to_owned()).or_default();
        let (text, used) = render(inbox)?;
        inbox.drain(..used);
        Some(text)
    }

    /// Everything that a client has to read, byte for byte.
    pub fn read_raw(&mut self, client: &str) -> Vec<u8> {
        self.inboxes.remove(client).unwrap_or_default()
    }

    /// Is this client's connection open?
    pub fn is_connected(&self, client: &str) -> bool {
        self.clients.contains_key(client)
    }

    /// The content of the next reply, a bulk string.
    pub fn take_bulk(&mut self, client: &str) -> Vec<u8> {
        let inbox = self.inboxes.entry(client.to_owned()).or_default();
        let end = inbox.windows(2).position(|pair| pair == b"\r\n").expect("a bulk string");
        let len: usize = String::from_utf8_lossy(&inbox[1..end]).parse().expect("its length");
        let content = inbox[end + 2..end + 2 + len].to_vec();
        inbox.drain(..end + 4 + len);
        content
    }

    /// Sends a request and returns its reply.
    pub fn ask(&mut self, request: &str) -> String {
        let argv = split_args(request.as_bytes()).expect("a request that can be split");
        self.send("a", &encode(&argv));
        self.read("a").unwrap_or_else(|| "(none)".to_owned())
    }
}

/// A request in RESP.
pub fn encode(argv: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", argv.len()).into_bytes();
    for arg in argv {
        bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Runs a transcript in-process with the default configuration.
pub fn check(transcript: &str) {
    check_with(&[], transcript);
}

/// As `check`, with clients that speak RESP3.
pub fn check3(transcript: &str) {
    check_with(&[("client-default-resp", "3")], transcript);
}

/// Runs a transcript in-process with this configuration.
pub fn check_with(config: &[(&str, &str)], transcript: &str) {
    let mut node = TestNode::new(config);
    run(&mut node, transcript);
}

/// Runs a transcript on a node.
pub fn run(node: &mut TestNode, transcript: &str) {
    let mut asked: Option<(String, String)> = None;
    for line in transcript.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((client, request)) = request_of(line) {
            assert!(asked.is_none(), "no reply is expected for {asked:?}");
            let argv = split_args(request.as_bytes()).expect("a request that can be split");
            node.send(client, &encode(&argv));
            asked = Some((client.to_owned(), request.to_owned()));
        } else if let Some(ms) = line.strip_prefix("~ ") {
            node.advance_ms(ms.trim().parse().expect("milliseconds"));
        } else if let Some(rest) = line.strip_prefix("< ") {
            let (client, expected) = rest.split_once(' ').expect("a client and what it reads");
            let got = node.read(client);
            compare(got, expected, &format!("unasked by {client}"));
        } else {
            let (client, request) = asked.take().unwrap_or_else(|| panic!("a reply without a request: {line}"));
            let got = node.read(&client);
            compare(got, line, &request);
        }
    }
}

/// `> request` or `b> request`.
fn request_of(line: &str) -> Option<(&str, &str)> {
    let (client, request) = line.split_once("> ")?;
    match client.len() {
        0 => Some(("a", request)),
        1 if client.chars().all(|c| c.is_ascii_lowercase()) => Some((client, request)),
        _ => None,
    }
}

fn compare(got: Option<String>, expected: &str, request: &str) {
    let got = got.unwrap_or_else(|| "(none)".to_owned());
    let fits = match expected.strip_suffix("...") {
        Some(start) => got.starts_with(start),
        None => got.trim_end() == expected.trim_end(),
    };
    assert!(fits, "\n request: {request}\nexpected: {expected}\n     got: {got}\n");
}

fn text(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"[]{}".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"))
}

/// One reply as text, and how many bytes it took; None if it is not complete.
pub fn render(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (kind, line, mut used) = (bytes[0], &bytes[1..end], end + 2);
    let word = String::from_utf8_lossy(line).into_owned();
    let number = word.parse::<i64>().unwrap_or(0);
    let mut items = |count: usize| {
        let mut texts = Vec::new();
        for _ in 0..count {
            let (item, more) = render(&bytes[used..])?;
            used += more;
            texts.push(item);
        }
        Some((texts, used))
    };
    let rendered = match kind {
        b'+' => word,
        b'-' => format!("(error) {word}"),
        b':' => format!("(int) {word}"),
        b'_' => "(nil)".to_owned(),
        b',' => format!("(double) {word}"),
        b'(' => format!("(big) {word}"),
        b'#' => if word == "t" { "(true)" } else { "(false)" }.to_owned(),
        b'$' | b'=' if number < 0 => "(nil)".to_owned(),
        b'$' | b'=' => {
            let content = bytes.get(used..used + number as usize)?;
            bytes.get(used + number as usize + 1)?;
            used += number as usize + 2;
            if kind == b'=' {
                format!("({}) {}", String::from_utf8_lossy(&content[..3]), text(&content[4..]))
            } else {
                text(content)
            }
        }
        b'*' if number < 0 => "(nil)".to_owned(),
        b'*' | b'~' | b'>' => {
            let (texts, _) = items(number as usize)?;
            let mark = match kind {
                b'*' => "",
                b'~' => "~",
                _ => ">",
            };
            format!("{mark}[{}]", texts.join(" "))
        }
        b'%' | b'|' => {
            let (texts, _) = items(number as usize * 2)?;
            let pairs: Vec<String> = texts.chunks(2).map(|pair| format!("{}: {}", pair[0], pair[1])).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => panic!("not RESP: {:?}", char::from(other)),
    };
    Some((rendered, used))
}
