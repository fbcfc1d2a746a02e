//! A server in a process of its own, to which transcripts talk over TCP.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use russet::resp::Proto;

use crate::runner::{Target, Where, encode, render};
use crate::server::Server;

/// How long a reply may take before the test says that there is none.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Remote {
    place: Where,
    server: Server,
    proto: Proto,
    /// Answers once what others sent before has been executed.
    witness: Connection,
    clients: BTreeMap<String, Connection>,
}

impl Remote {
    /// Starts a server with this configuration; its clients speak this protocol.
    pub fn start(place: Where, program: &str, config: &[(&str, &str)], proto: Proto) -> Remote {
        let names: Vec<String> = config.iter().map(|(name, _)| format!("--{name}")).collect();
        let values = config.iter().map(|(_, value)| *value);
        let options: Vec<&str> = names.iter().zip(values).flat_map(|(name, value)| [name.as_str(), value]).collect();
        let server = Server::start(program, &options);
        let witness = Connection::new(&server);
        Remote { place, server, proto, witness, clients: BTreeMap::new() }
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
    /// it, the second is a turn later.
    fn settle(&mut self) {
        for _ in 0..2 {
            self.witness.ask(&["PING"]).expect("the server lives");
        }
    }
}

impl Target for Remote {
    fn place(&self) -> Where {
        self.place
    }

    fn request(&mut self, client: &str, argv: &[Vec<u8>]) {
        self.settle();
        let bytes = encode(argv);
        self.client(client).stream.write_all(&bytes).expect("the server reads");
    }

    fn reply(&mut self, client: &str, expected: &str) -> Option<String> {
        if expected == "(none)" {
            self.settle();
            let connection = self.client(client);
            connection.is_closed();
            return connection.take();
        }
        self.client(client).wait()
    }

    fn client_id(&mut self, client: &str) -> String {
        let reply = self.client(client).ask(&["CLIENT", "ID"]).expect("a number");
        reply.trim_start_matches("(int) ").to_owned()
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

    fn ask(&mut self, argv: &[&str]) -> Option<String> {
        let argv: Vec<Vec<u8>> = argv.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.stream.write_all(&encode(&argv)).expect("the server reads");
        self.wait()
    }

    /// The next reply, as soon as it is complete.
    fn wait(&mut self) -> Option<String> {
        loop {
            if let Some(reply) = self.take() {
                return Some(reply);
            }
            if self.fill() == 0 {
                return None;
            }
        }
    }

    fn take(&mut self) -> Option<String> {
        let (text, used) = render(&self.inbox)?;
        self.inbox.drain(..used);
        Some(text)
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
