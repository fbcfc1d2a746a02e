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
//! > CLIENT KILL ID $b  `$b` is the number of that client's connection, in replies too
//! !sockets ends: why        from here on in-process only (as from where the clock moves on)
//! !sockets differs: why     the next reply is another over TCP
//! !reference ends: why      from here on not on the reference server
//! !reference differs: why   the next reply is another there
//! ```
//! Replies: text as it is (quoted if empty or with spaces, quotes, brackets or bytes that do not print), integers in digits
//! as `(int) 5`, `(nil)`, `(error) ERR ...`, arrays `[a b]`, sets `~[a b]`, maps `{k: v}`, pushes `>[a b]`, doubles
//! `(double) 1.5`, booleans `(true)`, verbatim `(txt) text`. `...` stands for anything.

use std::collections::BTreeMap;
use std::path::Path;

use russet::base::disk::{MemoryDisk, read_all};
use russet::base::time::{MonoTime, Now};
use russet::node::{NewConnection, Node};
use russet::resp::Parser;
use russet::resp::Proto;
use russet::resp::parser::{ArgAt, RequestLimits, Status, split_args};
use russet::server::{Action, ClientId};

use crate::node::{self, EPOCH_US, TestHost};
use crate::remote::Remote;

/// How often a client's output is written in a turn, so that a reply without end does not keep the test.
const WRITES_MAX: usize = 100;

/// A node with clients, without sockets.
pub struct TestNode {
    pub node: Node,
    pub host: TestHost,
    clients: BTreeMap<String, (ClientId, u32)>,
    inboxes: BTreeMap<String, Vec<u8>>,
    /// By how much the wall clock was set forwards or back, in microseconds.
    pub wall_us: i64,
    /// Set when the server ends.
    pub exit_code: Option<u8>,
}

impl TestNode {
    /// A node with this configuration, as `name value` lines.
    pub fn new(lines: &[(&str, &str)]) -> TestNode {
        TestNode::started(node::new(lines))
    }

    /// A node that starts with what a disk holds, and has loaded it. Its disk is `host.disk`.
    pub fn start_on(disk: MemoryDisk, lines: &[(&str, &str)]) -> TestNode {
        TestNode::started(node::new_on(disk, lines))
    }

    fn started((node, host): (Node, TestHost)) -> TestNode {
        let mut this =
            TestNode { node, host, clients: BTreeMap::new(), inboxes: BTreeMap::new(), wall_us: 0, exit_code: None };
        this.node.begin_turn(this.now());
        this.node.load_at_start();
        this.settle();
        while this.node.server.persistence.loading.is_some() {
            this.node.begin_turn(this.now());
            this.settle();
        }
        this
    }

    /// The commands in a file of the append-only form, one a line.
    pub fn commands_of(&self, path: &str) -> Vec<String> {
        let bytes = read_all(&self.host.disk, Path::new(path)).expect("the file");
        let mut lines = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let mut parser = Parser::default();
            let limits = RequestLimits { bulk_max: 1 << 20, authenticated: true };
            match parser.parse(rest, limits) {
                Ok(Status::Complete { consumed }) => {
                    let arg = |arg: &ArgAt| match *arg {
                        ArgAt::Buffer { start, len } => String::from_utf8_lossy(&rest[start..start + len]).into_owned(),
                        ArgAt::Big(_) => panic!("no long arguments here"),
                    };
                    lines.push(parser.args.iter().map(arg).collect::<Vec<_>>().join(" "));
                    rest = &rest[consumed..];
                }
                Ok(Status::Inline { consumed, argv }) => {
                    lines.push(String::from_utf8_lossy(&argv[0]).into_owned());
                    rest = &rest[consumed..];
                }
                other => panic!("no command: {other:?}"),
            }
        }
        lines
    }

    /// The time by the node's clock.
    pub fn now(&self) -> Now {
        let mono = *self.host.clock_us.borrow();
        Now { mono: MonoTime(mono), unix_us: EPOCH_US + mono as i64 - 1_000_000 + self.wall_us }
    }

    /// The place of a client, which is connected if it was not.
    pub fn client(&mut self, name: &str) -> u32 {
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
        let place = self.client(client);
        self.node.begin_turn(self.now());
        self.node.receive(place, bytes);
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

    /// Runs one turn in which nobody sends anything.
    pub fn turn(&mut self) {
        self.node.begin_turn(self.now());
        self.settle();
    }

    fn end_turn(&mut self) {
        self.node.go_on();
        self.node.end_turn();
        self.node.cron();
        self.node.write_append_only_file();
        self.node.wait_for_quick_sync();
        self.node.work_on_files();
    }

    /// Runs turns until nothing goes on.
    pub fn settle(&mut self) {
        self.end_turn();
        self.host.run_jobs();
        // What the jobs did is seen in the turn that they cause.
        self.node.work_on_files();
        let has_aof = |node: &Node| node.server.persistence.aof.background.is_some();
        for _ in 0..4 {
            if has_aof(&self.node) {
                self.node.begin_turn(self.now());
                self.end_turn();
                self.host.run_jobs();
            }
        }
        if has_aof(&self.node) {
            self.end_turn();
        }
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
                let inbox = self.inboxes.entry(name.clone()).or_default();
                for _ in 0..WRITES_MAX {
                    client.out.write_on();
                    let (slices, count) = client.out.slices::<64>(client.sendable());
                    let before = inbox.len();
                    slices[..count].iter().for_each(|slice| inbox.extend_from_slice(slice));
                    if inbox.len() == before {
                        break;
                    }
                    client.out.advance(inbox.len() - before);
                }
            }
        }
        for action in self.node.take_actions() {
            match action {
                Action::Close { client, .. } => {
                    self.node.disconnect(client);
                    self.clients.retain(|_, (id, _)| *id != client);
                }
                Action::Exit { code } => self.exit_code = Some(code),
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

/// Runs a transcript with the default configuration.
pub fn check(transcript: &str) {
    check_everywhere(&[], Proto::Resp2, transcript);
}

/// As `check`, with clients that speak RESP3.
pub fn check3(transcript: &str) {
    check_everywhere(&[], Proto::Resp3, transcript);
}

/// Runs a transcript with this configuration.
pub fn check_with(config: &[(&str, &str)], transcript: &str) {
    check_everywhere(config, Proto::Resp2, transcript);
}

/// In-process, then over TCP, then, if there is one, on the reference server.
fn check_everywhere(config: &[(&str, &str)], proto: Proto, transcript: &str) {
    let resp3 = [("client-default-resp", "3")];
    let local = if proto == Proto::Resp3 { [config, &resp3].concat() } else { config.to_vec() };
    run(&mut TestNode::new(&local), transcript);
    if !reaches(transcript, Where::Sockets) {
        return;
    }
    let mut ours = Remote::start(Where::Sockets, env!("CARGO_BIN_EXE_russet"), config, proto);
    run(&mut ours, transcript);
    if let Ok(program) = std::env::var("RUSSET_TEST_ORACLE")
        && reaches(transcript, Where::Reference)
    {
        let mut theirs = Remote::start(Where::Reference, &program, config, proto);
        run(&mut theirs, transcript);
        // The same text may still be a simple string here and a bulk string there.
        for (ours, theirs) in ours.replies.iter().zip(&theirs.replies).filter(|(ours, theirs)| ours.text == theirs.text)
        {
            assert_eq!(ours.kinds, theirs.kinds, "kinds of the elements (ours, theirs) of {}", ours.text);
        }
    }
}

/// Where a transcript runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// In a node without sockets.
    Process,
    /// On our program.
    Sockets,
    /// On a real server.
    Reference,
}

impl Where {
    /// Does `!sockets ...` or `!reference ...` speak of this place? What our own program does not do over TCP, the
    /// reference does not do either.
    fn is_meant(self, mark: &str) -> bool {
        match mark {
            "sockets" => self >= Where::Sockets,
            "reference" => self == Where::Reference,
            other => panic!("neither sockets nor reference: {other}"),
        }
    }
}

/// A server that a transcript talks to.
pub trait Target {
    fn place(&self) -> Where;

    /// Sends a request as a client.
    fn request(&mut self, client: &str, argv: &[Vec<u8>]);

    /// The next reply of a client, rendered; None if there is none.
    fn reply(&mut self, client: &str, expected: &str) -> Option<String>;

    /// The number of a client's connection.
    fn client_id(&mut self, client: &str) -> String;

    fn advance(&mut self, ms: u64);
}

impl Target for TestNode {
    fn place(&self) -> Where {
        Where::Process
    }

    fn request(&mut self, client: &str, argv: &[Vec<u8>]) {
        self.send(client, &encode(argv));
    }

    fn reply(&mut self, client: &str, _expected: &str) -> Option<String> {
        self.read(client)
    }

    fn client_id(&mut self, client: &str) -> String {
        self.client(client);
        self.clients.get(client).map(|(id, _)| id.0.to_string()).expect("a client that has connected")
    }

    fn advance(&mut self, ms: u64) {
        self.advance_ms(ms);
    }
}

/// What a line of a transcript says.
enum Line<'a> {
    Request {
        client: &'a str,
        request: &'a str,
    },
    Unasked {
        client: &'a str,
        expected: &'a str,
    },
    Advance {
        ms: u64,
    },
    /// `!sockets differ: why`, `!reference ends: why`.
    Mark {
        place: &'a str,
        word: &'a str,
    },
    Reply(&'a str),
}

fn lines(transcript: &str) -> impl Iterator<Item = Line<'_>> {
    let lines = transcript.lines().map(str::trim_start);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        if let Some((client, request)) = request_of(line) {
            Line::Request { client, request }
        } else if let Some(ms) = line.strip_prefix("~ ") {
            Line::Advance { ms: ms.trim().parse().expect("milliseconds") }
        } else if let Some(rest) = line.strip_prefix("< ") {
            let (client, expected) = rest.split_once(' ').expect("a client and what it reads");
            Line::Unasked { client, expected }
        } else if let Some(mark) = line.strip_prefix('!') {
            let (mark, why) = mark.split_once(": ").expect("a mark and its reason");
            assert!(!why.is_empty(), "no reason for {mark}");
            let (place, word) = mark.split_once(' ').expect("a place and a verb");
            Line::Mark { place, word }
        } else {
            Line::Reply(line)
        }
    })
}

/// Is there anything to run in this place before the transcript ends there?
fn reaches(transcript: &str, place: Where) -> bool {
    let is_end = |line: &Line<'_>| match line {
        Line::Mark { place: mark, word: "ends" } => place.is_meant(mark),
        Line::Advance { .. } => place != Where::Process,
        _ => false,
    };
    lines(transcript).take_while(|line| !is_end(line)).any(|line| matches!(line, Line::Reply(_)))
}

/// Runs a transcript on a server, up to where it ends for it.
pub fn run(target: &mut dyn Target, transcript: &str) {
    let mut asked: Option<(String, String)> = None;
    let mut may_differ = false;
    for line in lines(transcript) {
        match line {
            Line::Request { client, request } => {
                assert!(asked.is_none(), "no reply is expected for {asked:?}");
                let request = with_ids(target, request);
                target.request(client, &split_args(request.as_bytes()).expect("a request that can be split"));
                asked = Some((client.to_owned(), request));
            }
            Line::Advance { .. } if target.place() != Where::Process => return,
            Line::Advance { ms } => target.advance(ms),
            Line::Unasked { client, expected } => {
                let got = target.reply(client, expected);
                compare(target, got, expected, &format!("unasked by {client}"), std::mem::take(&mut may_differ));
            }
            Line::Mark { place, word } if !target.place().is_meant(place) => {
                assert!(["differs", "ends"].contains(&word), "neither differs nor ends: {word}");
            }
            Line::Mark { word, .. } => match word {
                "ends" => return,
                _ => may_differ = true,
            },
            Line::Reply(expected) => {
                let (client, request) = asked.take().unwrap_or_else(|| panic!("a reply without a request: {expected}"));
                let got = target.reply(&client, expected);
                if target.place() == Where::Reference && is_too_new(&request, got.as_deref()) {
                    return;
                }
                compare(target, got, expected, &request, std::mem::take(&mut may_differ));
            }
        }
    }
}

/// Commands that a reference server may be too old for, or of another house, and where they are known. A transcript
/// ends there at the first of them.
const NEWER: [(&str, &str); 8] = [
    ("MSETEX", "Redis 8.4"),
    ("DIGEST", "Redis 8.4"),
    ("LMOVEM", "Redis 8.10"),
    ("BLMOVEM", "Redis 8.10"),
    ("INCREX", "Redis 8.10"),
    ("SDIFFCARD", "Redis 8.10"),
    ("SUNIONCARD", "Redis 8.10"),
    ("COMMANDLOG", "Valkey 8.1"),
];

fn is_too_new(request: &str, got: Option<&str>) -> bool {
    let command = request.split(' ').next().unwrap_or_default();
    let is_unknown = got.is_some_and(|got| got.starts_with("(error) ERR unknown command"));
    is_unknown && NEWER.iter().any(|(name, _)| name.eq_ignore_ascii_case(command))
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

/// The text with the number of the client's connection for each `$b`.
fn with_ids(target: &mut dyn Target, text: &str) -> String {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letters = part.len() - part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).len();
        let name = &part[..letters];
        if request_of(&format!("{name}> ")).is_some() && letters == 1 {
            out += &target.client_id(name);
            out += &part[letters..];
        } else {
            out.push('$');
            out += part;
        }
    }
    out
}

/// Does the text fit a pattern in which `...` stands for anything?
fn fits(text: &str, pattern: &str) -> bool {
    // From the end: of four points the last three are the gap.
    let (text, mut parts) = (text.trim_end(), pattern.trim_end().rsplit("..."));
    let Some(mut rest) = text.strip_suffix(parts.next().unwrap_or_default()) else { return false };
    let mut first = None;
    for part in parts {
        if let Some(middle) = first.replace(part) {
            let Some((before, _)) = rest.rsplit_once::<&str>(middle) else { return false };
            rest = before;
        }
    }
    first.map_or(rest.is_empty(), |start| rest.starts_with(start))
}

fn compare(target: &mut dyn Target, got: Option<String>, expected: &str, request: &str, may_differ: bool) {
    let got = got.unwrap_or_else(|| "(none)".to_owned());
    let expected = &with_ids(target, expected);
    let place = target.place();
    let fits = fits(&got, expected) || may_differ || (place != Where::Process && is_alike(&got, expected, request));
    assert!(fits, "\n on: {place:?}\n request: {request}\nexpected: {expected}\n     got: {got}\n");
}

/// Requests whose replies come in an order of the server's own.
const UNORDERED: [&str; 12] = [
    "SMEMBERS", "SUNION", "SINTER", "SDIFF", "KEYS", "HGETALL", "HKEYS", "HVALS", "SSCAN", "HSCAN", "PUBSUB", "CONFIG",
];
/// Requests whose replies tell how many milliseconds are left.
const COUNTING_DOWN: [&str; 2] = ["PTTL", "HPTTL"];
/// How long a transcript may take between the two, in milliseconds.
const LATE_MS_MAX: i64 = 10_000;

/// Does a server with a seed and a clock of its own answer what it should?
fn is_alike(got: &str, expected: &str, request: &str) -> bool {
    let command = request.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    let words = |text: &str| {
        let marks = |c: char| "[]{}~,:".contains(c);
        text.split(' ').map(|word| word.trim_matches(marks).to_owned()).collect::<Vec<_>>()
    };
    let (mut got, mut expected) = (words(got), words(expected));
    if COUNTING_DOWN.contains(&command.as_str()) {
        let is_late = |(got, expected): (&String, &String)| {
            let late = expected.parse::<i64>().unwrap_or(0) - got.parse::<i64>().unwrap_or(0);
            got == expected || (0..LATE_MS_MAX).contains(&late)
        };
        return got.len() == expected.len() && got.iter().zip(&expected).all(is_late);
    }
    got.sort();
    expected.sort();
    UNORDERED.contains(&command.as_str()) && got == expected
}

fn text(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"[]{}".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"))
}

/// The types of a complete reply and of its elements, by their first bytes.
pub fn kinds(bytes: &[u8]) -> String {
    let (mut kinds, mut rest) = (String::new(), bytes);
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        kinds.push(char::from(rest[0]));
        let number = String::from_utf8_lossy(&rest[1..end]).parse::<usize>().ok();
        let content = number.filter(|_| b"$=".contains(&rest[0])).map_or(0, |len| len + 2);
        rest = &rest[end + 2 + content..];
    }
    kinds
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
