//! A server in a process of its own, to which transcripts talk over TCP.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use russet::resp::Proto;

use crate::runner::{Target, Where, encode, kinds, render};
use crate::server::Server;

/// How long a reply may take before the test says that there is none.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reply that a transcript has seen.
pub struct Seen {
    pub text: String,
    pub kinds: String,
}

pub struct Remote {
    pub replies: Vec<Seen>,
    place: Where,
    server: Server,
    proto: Proto,
    /// Answers once what others sent before has been executed.
    witness: Connection,
    clients: BTreeMap<String, Connection>,
    /// Was the last request one that may close connections?
    is_killing: bool,
}

impl Remote {
    /// Starts a server with this configuration; its clients speak this protocol.
    pub fn start(place: Where, program: &str, config: &[(&str, &str)], proto: Proto) -> Remote {
        let names: Vec<String> = config.iter().map(|(name, _)| format!("--{name}")).collect();
        let values = config.iter().map(|(_, value)| *value);
        let options: Vec<&str> = names.iter().zip(values).flat_map(|(name, value)| [name.as_str(), value]).collect();
        let server = Server::start(program, &options);
        let witness = Connection::new(&server);
        Remote { replies: Vec::new(), place, server, proto, witness, clients: BTreeMap::new(), is_killing: false }
    }

    fn client(&mut self, name: &str) -> &mut Connection {
        let Remote { server, proto, clients, .. } = self;
        if clients.get_mut(name).is_some_and(|connection| connection.is_closed()) {
            clients.remove(name);
        }
        clients.entry(name.to_owned()).or_insert_with(|| {
            let mut connection = Connection::new(server);
            if *proto == Proto::Resp3 {
                connection.ask(&["HELLO", "3"]);
            }
            connection
        })
    }

    /// Waits until the server has executed what was sent so far. The first answer may leave in the turn that executes
    /// it, the second is a turn later. A witness that was killed has a successor.
    fn settle(&mut self) {
        let mut answers = 0;
        while answers < 2 {
            if self.witness.ask(&["PING"]).is_some() {
                answers += 1;
            } else {
                self.witness = Connection::new(&self.server);
            }
        }
    }
}

impl Target for Remote {
    fn place(&self) -> Where {
        self.place
    }

    fn request(&mut self, client: &str, argv: &[Vec<u8>]) {
        if std::mem::take(&mut self.is_killing) {
            self.settle();
        }
        self.is_killing = argv.iter().any(|arg| arg.eq_ignore_ascii_case(b"KILL"));
        let bytes = encode(argv);
        self.client(client).stream.write_all(&bytes).expect("the server reads");
    }

    fn reply(&mut self, client: &str, expected: &str) -> Option<String> {
        if expected == "(none)" {
            self.settle();
            let connection = self.client(client);
            connection.is_closed();
            return connection.take().map(|seen| seen.text);
        }
        let seen = self.client(client).wait()?;
        let text = seen.text.clone();
        self.replies.push(seen);
        Some(text)
    }

    fn client_id(&mut self, client: &str) -> String {
        let address = self.client(client).stream.local_addr().expect("an address");
        let list = self.witness.ask(&["CLIENT", "LIST"]).expect("the list of clients").text;
        let behind = list.split("id=").find(|line| line.contains(&format!(" addr={address} ")));
        behind.and_then(|line| line.split(' ').next()).expect("the client among them").to_owned()
    }

    fn advance(&mut self, _ms: u64) {
        unreachable!("a real server has a clock of its own");
    }
}

struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
}

impl Connection {
    fn new(server: &Server) -> Connection {
        let stream = server.connect();
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        Connection { stream, inbox: Vec::new() }
    }

    fn ask(&mut self, argv: &[&str]) -> Option<Seen> {
        let argv: Vec<Vec<u8>> = argv.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.stream.write_all(&encode(&argv)).ok()?;
        self.wait()
    }

    /// The next reply, as soon as it is complete.
    fn wait(&mut self) -> Option<Seen> {
        loop {
            if let Some(reply) = self.take() {
                return Some(reply);
            }
            if self.fill() == 0 {
                return None;
            }
        }
    }

    fn take(&mut self) -> Option<Seen> {
        let (text, used) = render(&self.inbox)?;
        let kinds = kinds(&self.inbox[..used]);
        self.inbox.drain(..used);
        Some(Seen { text, kinds })
    }

    /// Reads what has come; no bytes at all means that the other side closed, or too long a wait.
    fn fill(&mut self) -> usize {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer).unwrap_or(0);
        self.inbox.extend_from_slice(&buffer[..count]);
        count
    }

    /// Has the server closed the connection? Takes in what has come meanwhile.
    fn is_closed(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket option");
        let mut buffer = [0; 16 * 1024];
        let result = self.stream.read(&mut buffer);
        self.stream.set_nonblocking(false).expect("a socket option");
        match result {
            Ok(0) => self.inbox.is_empty(),
            Ok(count) => {
                self.inbox.extend_from_slice(&buffer[..count]);
                false
            }
            Err(error) => error.kind() != ErrorKind::WouldBlock && self.inbox.is_empty(),
        }
    }
}
