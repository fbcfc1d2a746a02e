//! The loop: poll, read and execute, write, accept, sleep. One thread, one turn at a time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use mio::event::Event;
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;

use crate::base::disk::reason;
use crate::base::log;
use crate::config::Config;
use crate::node::{NewConnection, Node};
use crate::server::{Action, Client, ClientId, permission};

use super::connection::{Connection, Socket};
use super::freeing::Freeing;
use super::host::{Changes, Clock};
use super::listener::{Listener, Stream};
use super::sys;
use super::tls;
use super::tls_stream::TlsStream;

/// Bytes read from a connection at one go.
const READ_BUFFER: usize = 64 * 1024;
/// Output buffers kept for the next turn, and how large one may be to be kept.
const POOL_MAX: usize = 256;
const POOL_BUFFER_MAX: usize = 64 * 1024;
const POOL_BUFFER_FIRST: usize = 1024;
/// Slices of one vectored write.
const SLICES: usize = 64;
/// Bytes written to a client in one turn: a socket of the same machine would take megabytes at a time.
const WRITTEN_PER_TURN: usize = 256 * 1024;
/// Times so much, at most, that are written to a client when the server ends: sockets take less.
const WRITES_AT_END: u32 = 64;
/// Steps of TLS handshakes in one turn: one may take a millisecond, for a signature.
const HANDSHAKES_PER_TURN: u32 = 4;
/// Microseconds that a handshake may take.
const HANDSHAKE_US: u64 = 10_000_000;
/// Turns longer than this are recorded with their cause, in microseconds.
const STALL_US: u64 = 1000;

const SIGNALS: Token = Token(usize::MAX);
/// Jobs wake the poll by it.
pub(super) const JOBS: Token = Token(usize::MAX - 1);
const FIRST_LISTENER: usize = usize::MAX - 1000;

/// Everything the loop owns.
pub(super) struct MainLoop {
    node: Node,
    poll: Poll,
    clock: Clock,
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    changes: Rc<RefCell<Changes>>,
    /// What new connections of TLS speak, where there are any.
    tls: Option<Arc<ServerConfig>>,
    /// Connections whose handshake was not over when they were put here, in the order of when it must be.
    handshakes: VecDeque<(u64, usize, ClientId)>,
    handshakes_left: u32,
    reload: Reload,
    signals: UnixStream,
    freeing: Freeing,
    read_buffer: Box<[u8]>,
    /// Connections that have more to read than fitted the buffer, or than could be executed at once.
    unread: VecDeque<(usize, ClientId)>,
    turns: u64,
    /// Listeners whose queue was not emptied within the accept budget.
    unaccepted: bool,
    pool: Vec<Vec<u8>>,
    /// Is a shutdown under way that a signal asked for? Another SIGINT then ends the process at once.
    shutting_down: Arc<AtomicBool>,
    exit_code: Option<u8>,
}

impl MainLoop {
    /// A loop over these listeners; jobs have the poll's waker. `signals` yields one byte, its number, for each signal.
    pub(super) fn new(
        poll: Poll,
        node: Node,
        clock: Clock,
        listeners: Vec<Listener>,
        changes: Rc<RefCell<Changes>>,
        signals: UnixStream,
        shutting_down: Arc<AtomicBool>,
    ) -> io::Result<MainLoop> {
        let freeing = Freeing::start(node.server.keyspace.garbage.counter(), node.server.config.bio_cpulist.clone())?;
        let mut this = MainLoop {
            node,
            poll,
            clock,
            listeners: Vec::new(),
            connections: Vec::new(),
            changes,
            tls: None,
            handshakes: VecDeque::new(),
            handshakes_left: HANDSHAKES_PER_TURN,
            reload: Reload::default(),
            signals,
            freeing,
            read_buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            unread: VecDeque::new(),
            turns: 0,
            unaccepted: false,
            pool: Vec::new(),
            shutting_down,
            exit_code: None,
        };
        this.poll.registry().register(&mut this.signals, SIGNALS, Interest::READABLE)?;
        this.listen(listeners)?;
        this.take_over_changes();
        Ok(this)
    }

    fn listen(&mut self, listeners: Vec<Listener>) -> io::Result<()> {
        for listener in listeners {
            let token = Token(FIRST_LISTENER + self.listeners.len());
            self.listeners.push(listener);
            if let Some(listener) = self.listeners.last_mut() {
                self.poll.registry().register(listener.source(), token, Interest::READABLE)?;
            }
        }
        Ok(())
    }

    /// Begins to load what the last run left.
    pub(super) fn load(&mut self) {
        self.node.load_at_start();
        self.carry_out_actions();
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> &Config {
        &self.node.server.config
    }

    /// Turns until the server is told to end. Returns the process's exit code.
    pub(super) fn run(&mut self) -> u8 {
        let mut events = Events::with_capacity(1024);
        loop {
            if let Some(code) = self.exit_code {
                return code;
            }
            let now = self.clock.now();
            let must_go_on = !self.unread.is_empty() || self.unaccepted;
            let wait = if must_go_on { 0 } else { self.node.sleep_us(now.mono) };
            // epoll counts in milliseconds: mio rounds up, so a wait is never cut short to a busy loop.
            if let Err(error) = self.poll.poll(&mut events, Some(Duration::from_micros(wait)))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::warning(&format!("poll failed: {}", reason(&error)));
            }
            self.turn(&events);
        }
    }

    fn turn(&mut self, events: &Events) {
        let start = self.clock.now();
        self.turns += 1;
        self.node.begin_turn(start);
        // A system call, which turns outside saves need not pay for.
        let worked = self.node.server.persistence.running.as_ref().and_then(|_| sys::thread_cpu_us());
        let mut phases = Phases { clock: self.clock.clone(), last: start.mono.0, worst: ("", 0), worked };
        self.handshakes_left = HANDSHAKES_PER_TURN;
        let mut accepts = std::mem::take(&mut self.unaccepted);
        // Who waits since the last turn comes first.
        self.read_on();
        for event in events {
            match event.token() {
                SIGNALS => self.handle_signals(),
                // The turn that this begins looks at what jobs did.
                JOBS => {}
                Token(number) if number >= FIRST_LISTENER => accepts = true,
                Token(place) => self.handle_event(place, event),
            }
        }
        self.node.go_on();
        phases.end("command");
        self.node.end_turn();
        phases.end("expire-cycle");
        self.node.cron();
        phases.end("cron");
        self.node.write_append_only_file();
        phases.end("aof-write");
        self.write_pending();
        self.carry_out_actions();
        phases.end("write");
        if !self.node.server.held.is_empty() {
            self.node.wait_for_quick_sync();
            phases.end("aof-fsync-always");
            self.write_pending();
            phases.end("write");
        }
        self.node.work_on_files();
        phases.end("snapshot");
        // Established clients come before new ones.
        if accepts {
            self.accept();
            phases.end("accept");
        }
        let garbage = self.node.take_garbage();
        if !garbage.is_empty() {
            self.freeing.send(garbage);
        }
        self.take_over_changes();
        self.end_late_handshakes(start.mono.0);
        self.reload_tls(start.mono.0);
        self.finish_turn(start.mono.0, phases);
    }

    fn finish_turn(&mut self, start: u64, phases: Phases) {
        let server = &mut self.node.server;
        let us = phases.last - start;
        server.stats.eventloop_duration_sum_us += us;
        server.stats.eventloop_duration_max_us = server.stats.eventloop_duration_max_us.max(us);
        if us >= STALL_US {
            let worked = phases.worked.and_then(|before| Some(sys::thread_cpu_us()?.saturating_sub(before)));
            server.stats.stalls.record(phases.worst.0, us, worked);
            let threshold = server.config.latency_monitor_threshold.max(0) as u64;
            server.latency.add_if_slow("event-loop", us / 1000, threshold, server.now.unix().seconds());
        }
        if server.shutdown.take().is_some() {
            self.shut_down();
        } else if server.shutdown_asap.is_none() {
            self.shutting_down.store(false, Ordering::Relaxed);
        }
    }

    fn handle_event(&mut self, place: usize, event: &Event) {
        let ended = event.is_read_closed() || event.is_error();
        if ended && let Some(Some(connection)) = self.connections.get_mut(place) {
            connection.ended = true;
        }
        if event.is_writable() {
            self.write(place);
        }
        let was_read = |connection: &Connection| connection.read_on_in == self.turns;
        if ended || event.is_readable() && !self.connections.get(place).and_then(Option::as_ref).is_some_and(was_read) {
            if self.node.seems_turn_spent() {
                self.read_later(place);
            } else {
                self.read(place);
            }
        }
    }

    /// Reads from the connections that had more to read, each once, as far as the turn's time allows.
    fn read_on(&mut self) {
        for _ in 0..self.unread.len() {
            let Some((place, client)) = self.unread.pop_front() else { return };
            if let Some(Some(connection)) = self.connections.get_mut(place)
                && connection.client == client
            {
                connection.more_to_read = false;
                connection.read_on_in = self.turns;
                self.read(place);
            }
            if self.node.is_turn_spent() {
                return;
            }
        }
    }

    /// Notes that a connection is to be read again without a new event.
    fn read_later(&mut self, place: usize) {
        if let Some(Some(connection)) = self.connections.get_mut(place)
            && !connection.more_to_read
        {
            connection.more_to_read = true;
            self.unread.push_back((place, connection.client));
        }
    }

    /// Reads what a connection has and lets the node execute it.
    fn read(&mut self, place: usize) {
        if self.node.has_input_left(place as u32) {
            return self.read_later(place);
        }
        let Some(Some(connection)) = self.connections.get_mut(place) else { return };
        if connection.closing || connection.more_to_read {
            return;
        }
        let (client, ended) = (connection.client, connection.ended);
        if connection.socket.is_handshaking() && !self.shake_hands(place) {
            return;
        }
        let Some(Some(connection)) = self.connections.get_mut(place) else { return };
        if let Some(client) = self.node.server.clients.at(place as u32)
            && client.out.tail().capacity() == 0
        {
            let pooled = self.pool.pop();
            self.node.server.pooled_bytes -= pooled.as_ref().map_or(0, Vec::capacity);
            client.out.lend(pooled.unwrap_or_else(|| Vec::with_capacity(POOL_BUFFER_FIRST)));
        }
        let mut room = 0;
        let socket = &mut connection.socket;
        let in_place = self.node.fill_big(place as u32, |space| {
            room = space.len();
            socket.read(space)
        });
        let result = match in_place {
            Some(result) => result,
            None => {
                room = self.read_buffer.len();
                let result = connection.socket.read(&mut self.read_buffer);
                if let Ok(count @ 1..) = result {
                    self.node.receive(place as u32, &self.read_buffer[..count]);
                }
                result
            }
        };
        let may_hold_more = ended || connection.socket.may_hold_more();
        if connection.socket.wants_write() {
            self.watch_own_bytes(place);
        }
        match result {
            Ok(0) => self.close(place, client),
            Ok(count) if count < room && !may_hold_more => self.reclaim(place),
            Ok(_) => self.read_later(place),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.reclaim(place),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.read_later(place),
            Err(_) => self.close(place, client),
        }
    }

    /// Goes on with a handshake. True if it is over: the client is then who its certificate says.
    #[cold]
    fn shake_hands(&mut self, place: usize) -> bool {
        if self.handshakes_left == 0 {
            self.read_later(place);
            return false;
        }
        self.handshakes_left -= 1;
        let Some(Some(connection)) = self.connections.get_mut(place) else { return false };
        let Socket::Tls(stream) = &mut connection.socket else { return true };
        let (id, result) = (connection.client, stream.handshake());
        match result {
            Ok(()) => {
                // One whose address cannot be told is gone.
                let is_local = stream.stream().peer_addr().is_ok_and(is_loopback);
                if let Err(line) = self.node.admit(is_local) {
                    let _ = stream.write_vectored(&[io::IoSlice::new(line.as_bytes())]);
                    self.close(place, id);
                    return false;
                }
                let field = self.node.server.config.tls_auth_clients_user;
                if let Some(names) = stream.certificate().and_then(|shown| tls::user_names(field, shown)) {
                    permission::log_in_by_certificate(&mut self.node.server, id, &names);
                }
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.watch_own_bytes(place),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.read_later(place),
            Err(error) => self.give_up_handshake(place, id, &error.to_string()),
        }
        false
    }

    fn give_up_handshake(&mut self, place: usize, id: ClientId, why: &str) {
        if let Some(client) = self.node.server.clients.at(place as u32) {
            let (addr, laddr) = (&client.addr, &client.laddr);
            log::verbose(&format!("Error accepting a client connection: {why} (addr={addr} laddr={laddr})"));
        }
        self.close(place, id);
    }

    /// Closes connections whose handshake takes too long.
    fn end_late_handshakes(&mut self, now: u64) {
        while let Some(&(deadline, place, id)) = self.handshakes.front() {
            let of_same = |connection: &&Connection| connection.client == id;
            let socket =
                self.connections.get(place).and_then(Option::as_ref).filter(of_same).map(|found| &found.socket);
            let goes_on = matches!(socket, Some(Socket::Tls(stream)) if stream.is_handshaking());
            if goes_on && now < deadline {
                return;
            }
            self.handshakes.pop_front();
            if goes_on {
                self.give_up_handshake(place, id, "the handshake took too long");
            }
        }
    }

    /// Has the poll tell when the socket takes what it has of its own to send.
    fn watch_own_bytes(&mut self, place: usize) {
        if let Some(Some(connection)) = self.connections.get_mut(place)
            && connection.socket.wants_write()
            && connection.watch_write(self.poll.registry(), Token(place), true).is_err()
        {
            let id = connection.client;
            self.close(place, id);
        }
    }

    /// Takes the output buffer back from a client that has nothing to send.
    fn reclaim(&mut self, place: usize) {
        let Some(client) = self.node.server.clients.at(place as u32) else { return };
        if let Some(buffer) = client.out.reclaim()
            && self.pool.len() < POOL_MAX
            && buffer.capacity() <= POOL_BUFFER_MAX
        {
            self.node.server.pooled_bytes += buffer.capacity();
            self.pool.push(buffer);
        }
    }

    fn write_pending(&mut self) {
        let places = std::mem::take(&mut self.node.server.pending_writes);
        for &place in &places {
            if let Some(client) = self.node.server.clients.at(place) {
                client.pending_write = false;
            }
            self.write(place as usize);
        }
        if self.node.server.pending_writes.is_empty() {
            // Keep the allocation.
            self.node.server.pending_writes = places;
            self.node.server.pending_writes.clear();
        }
    }

    /// Writes as much of a client's output as its socket takes, up to a bound. Would the socket take more?
    fn write(&mut self, place: usize) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(place) else { return false };
        let Some(client) = self.node.server.clients.at(place as u32) else { return false };
        let id = connection.client;
        let (mut failed, mut is_blocked) = (false, false);
        let mut written = 0;
        client.out.write_on();
        if let Err(error) = connection.socket.flush() {
            is_blocked = true;
            failed = error.kind() != io::ErrorKind::WouldBlock;
        }
        // A bound per turn, so that one fast reader of much does not hold up the others.
        while !is_blocked && written < WRITTEN_PER_TURN {
            let (slices, count) = client.out.slices::<SLICES>(client.sendable().min(WRITTEN_PER_TURN - written));
            if count == 0 {
                break;
            }
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            match connection.socket.write_vectored(&slices[..count]) {
                Ok(0) => is_blocked = true,
                Ok(sent) => {
                    written += sent;
                    client.out.advance(sent);
                    is_blocked = sent < offered && connection.socket.is_blocked();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        client.net_output_bytes += written as u64;
        // What is held back waits for the disk, not for the socket.
        let (waits, is_empty) = (client.sendable() > 0, client.out.is_empty());
        // The next slice of a long reply, or what was too much for one turn, is for the next turn, not for the socket to
        // ask for.
        let goes_on = !failed && (client.out.awaits_writing() || (waits && !is_blocked));
        if goes_on && !client.pending_write {
            client.pending_write = true;
            self.node.server.pending_writes.push(place as u32);
        }
        self.node.server.stats.total_net_output_bytes += written as u64;
        self.node.server.stats.total_writes_processed += 1;
        let (closing, owes) = (connection.closing, connection.socket.wants_write());
        let asks = owes || (waits && !goes_on);
        if failed
            || (closing && is_empty && !owes)
            || connection.watch_write(self.poll.registry(), Token(place), asks).is_err()
        {
            self.close(place, id);
            return false;
        }
        if is_empty {
            self.reclaim(place);
        }
        goes_on
    }

    fn carry_out_actions(&mut self) {
        for action in self.node.take_actions() {
            match action {
                Action::Close { client, flush } => {
                    let Some(place) = self.node.server.clients.place(client) else { continue };
                    let place = place as usize;
                    let has_output = |client: &mut Client| !client.out.is_empty();
                    let owes = |connection: &Connection| connection.socket.wants_write();
                    let waits = self.node.server.clients.at(place as u32).is_some_and(has_output)
                        || self.connections.get(place).and_then(Option::as_ref).is_some_and(owes);
                    if !flush || !waits {
                        self.close(place, client);
                    } else if let Some(Some(connection)) = self.connections.get_mut(place) {
                        connection.closing = true;
                        self.write(place);
                    }
                }
                Action::Exit { code } => self.exit_code = Some(code),
            }
        }
    }

    fn close(&mut self, place: usize, id: ClientId) {
        let Some(slot) = self.connections.get_mut(place) else { return };
        if slot.as_ref().is_none_or(|connection| connection.client != id) {
            return;
        }
        if let Some(mut connection) = slot.take() {
            connection.socket.say_goodbye();
            // Closing the socket deregisters it in any case.
            let _ = self.poll.registry().deregister(connection.socket.source());
        }
        self.node.disconnect(id);
    }

    fn accept(&mut self) {
        let config = &self.node.server.config;
        let mut plain_left = config.max_new_connections_per_cycle.max(1);
        let mut tls_left = config.max_new_tls_connections_per_cycle.max(1);
        for index in 0..self.listeners.len() {
            loop {
                let listener = &self.listeners[index];
                let left = if matches!(listener, Listener::Tls(_)) { &mut tls_left } else { &mut plain_left };
                if *left == 0 {
                    self.unaccepted = true;
                    break;
                }
                match listener.accept() {
                    Ok(stream) => {
                        *left -= 1;
                        self.add_connection(stream);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        log::warning(&format!("Accepting client connection: {}", reason(&error)));
                        break;
                    }
                }
            }
        }
    }

    fn add_connection(&mut self, stream: Stream) {
        use std::os::fd::AsRawFd;
        let is_tls = matches!(stream, Stream::Tls(..));
        let (mut socket, connection) = match stream {
            Stream::Tcp(stream, addr) | Stream::Tls(stream, addr) => {
                // A reply that waits for more bytes helps nobody; failure costs only latency.
                let _ = stream.set_nodelay(true);
                let keepalive = self.node.server.config.tcp_keepalive;
                if keepalive > 0 {
                    let time = Duration::from_secs(keepalive as u64);
                    let probes = socket2::TcpKeepalive::new()
                        .with_time(time)
                        .with_interval((time / 3).max(Duration::from_secs(1)))
                        .with_retries(3);
                    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&probes);
                }
                let laddr = stream.local_addr().map(|addr| addr.to_string()).unwrap_or_default();
                let connection = NewConnection {
                    addr: addr.to_string(),
                    laddr,
                    fd: i64::from(stream.as_raw_fd()),
                    is_unix: false,
                    is_loopback: is_loopback(addr),
                    is_handshaking: is_tls,
                };
                let socket = match (is_tls, &self.tls) {
                    (false, _) => Socket::Tcp(stream),
                    (true, None) => return,
                    (true, Some(tls)) => match TlsStream::accept(stream, tls.clone()) {
                        Ok(stream) => Socket::Tls(Box::new(stream)),
                        Err(error) => {
                            return log::warning(&format!("Accepting client connection: {error}"));
                        }
                    },
                };
                (socket, connection)
            }
            Stream::Unix(stream, path) => {
                let connection = NewConnection {
                    addr: format!("{path}:0"),
                    laddr: format!("{path}:0"),
                    fd: i64::from(stream.as_raw_fd()),
                    is_unix: true,
                    is_loopback: true,
                    is_handshaking: false,
                };
                (Socket::Unix(stream), connection)
            }
        };
        let (client, place) = match self.node.accept(connection) {
            Ok(added) => added,
            Err(line) => {
                // The connection is closed whether or not the line gets through; without a handshake it cannot.
                let _ = socket.write_vectored(&[io::IoSlice::new(line.as_bytes())]);
                return;
            }
        };
        let place = place as usize;
        if let Err(error) = self.poll.registry().register(socket.source(), Token(place), Interest::READABLE) {
            log::warning(&format!("Error registering fd event for the new client: {}", reason(&error)));
            self.node.disconnect(client);
            return;
        }
        if self.connections.len() <= place {
            self.connections.resize_with(place + 1, || None);
        }
        let connection = Connection {
            socket,
            client,
            wants_write: false,
            closing: false,
            more_to_read: false,
            ended: false,
            read_on_in: 0,
        };
        self.connections[place] = Some(connection);
        if is_tls {
            self.handshakes.push_back((self.node.server.now.mono.0 + HANDSHAKE_US, place, client));
        }
    }

    /// Takes over what CONFIG SET of ports, addresses and directives of TLS made: listeners replace others of their kind.
    fn take_over_changes(&mut self) {
        let Changes { tcp_listeners, tls_listeners, tls } = std::mem::take(&mut *self.changes.borrow_mut());
        if let Some(made) = tls {
            self.tls = Some(made.server);
            self.node.server.certificates = made.certificates;
            self.reload.times = made.times;
        }
        if tcp_listeners.is_none() && tls_listeners.is_none() {
            return;
        }
        let mut all = Vec::new();
        for mut listener in std::mem::take(&mut self.listeners) {
            if let Err(error) = self.poll.registry().deregister(listener.source()) {
                log::warning(&format!("Closing a listening socket: {}", reason(&error)));
            }
            let is_replaced = match &listener {
                Listener::Tcp(_) => tcp_listeners.is_some(),
                Listener::Tls(_) => tls_listeners.is_some(),
                Listener::Unix(..) => false,
            };
            if !is_replaced {
                all.push(listener);
            }
        }
        all.extend(tcp_listeners.into_iter().chain(tls_listeners).flatten());
        if let Err(error) = self.listen(all) {
            log::warning(&format!("Listening after CONFIG SET: {}", reason(&error)));
        }
        self.unaccepted = true;
    }

    /// Reads the files of TLS anew where `tls-auto-reload-interval` has passed and they have changed.
    fn reload_tls(&mut self, now: u64) {
        let config = &self.node.server.config;
        let interval = u64::try_from(config.tls_auto_reload_interval).unwrap_or(0) * 1_000_000;
        if interval == 0 || self.tls.is_none() || now < self.reload.last + interval {
            return;
        }
        self.reload.last = now;
        let times = tls::file_times(config);
        if times == self.reload.times {
            return;
        }
        self.reload.times = times;
        match tls::configure(config) {
            Ok(Some(made)) => {
                self.tls = Some(made.server);
                self.node.server.certificates = made.certificates;
                log::notice("The files of TLS have changed and are read anew.");
            }
            Ok(None) => {}
            Err(()) => log::warning("The files of TLS have changed; the ones read before stay in use."),
        }
    }

    fn handle_signals(&mut self) {
        let mut bytes = [0; 16];
        while let Ok(count @ 1..) = self.signals.read(&mut bytes) {
            for &signal in &bytes[..count] {
                let name = if i32::from(signal) == libc::SIGINT { "SIGINT" } else { "SIGTERM" };
                log::warning(&format!("Received {name} scheduling shutdown..."));
                self.node.shut_down_by_signal(i32::from(signal) == libc::SIGINT);
            }
        }
    }

    fn shut_down(&mut self) {
        let config = &self.node.server.config;
        if !config.pidfile.is_empty() {
            log::notice("Removing the pid file.");
            // It may be gone already.
            let _ = std::fs::remove_file(config.pidfile.display().as_ref());
        }
        // Whoever is told goodbye may come back at once, and is to find nobody. Closing a listener deregisters it.
        for listener in std::mem::take(&mut self.listeners) {
            if let Listener::Unix(_, path) = &listener {
                log::notice("Removing the unix socket file.");
                let _ = std::fs::remove_file(path);
            }
        }
        // What clients have been answered reaches them, as far as their sockets take it.
        for place in 0..self.connections.len() {
            let mut left = WRITES_AT_END;
            while left > 0 && self.write(place) {
                left -= 1;
            }
            if let Some(Some(connection)) = self.connections.get_mut(place) {
                connection.socket.say_goodbye();
            }
        }
        log::warning("Russet is now ready to exit, bye bye...");
        self.exit_code = Some(0);
    }
}

/// Is this address one of the machine itself?
fn is_loopback(addr: SocketAddr) -> bool {
    addr.ip().to_canonical().is_loopback()
}

/// When the files of TLS were last looked at, and when they were written then.
#[derive(Default)]
struct Reload {
    last: u64,
    times: Vec<Option<SystemTime>>,
}

/// Which part of a turn took longest.
struct Phases {
    clock: Clock,
    last: u64,
    worst: (&'static str, u64),
    /// Processor time of the thread at the beginning, if it is measured.
    worked: Option<u64>,
}

impl Phases {
    fn end(&mut self, name: &'static str) {
        let now = self.clock.mono_us();
        if now - self.last > self.worst.1 {
            self.worst = (name, now - self.last);
        }
        self.last = now;
    }
}
