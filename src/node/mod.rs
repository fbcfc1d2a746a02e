//! One whole server as a value: time, chance and the machine are handed to it, bytes go in, bytes come out. The reactor
//! drives it with sockets, tests and the simulator without. Deliberately absent: sockets, threads, clocks.
//!
//! One turn: `begin_turn`, then `receive` for each connection that has bytes, `go_on`, `end_turn`, `cron`,
//! `write_append_only_file`; then the owner writes the outputs of `pending_writes` (of each client no more than is
//! `sendable`) and carries out `actions`, calls `wait_for_quick_sync` and writes once more.

mod cron;
mod input;

use std::collections::VecDeque;

use crate::acl::{Acl, DEFAULT_USER};
use crate::base::host::Host;
use crate::base::log;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::commands;
use crate::config::{Config, ShutdownFlags};
use crate::dispatch::{appending, deliver, loading, memory, saving, script, transaction, unblock};
use crate::keyspace::Keyspace;
use crate::keyspace::lazyfree::Waste;
use crate::persistence::Persistence;
use crate::pubsub::Kind;
use crate::server::apply::apply_config;
use crate::server::wake::wake_freed;
use crate::server::{
    Action, Blocking, Client, ClientFlags, ClientId, Clients, CommandTable, DebugSwitches, Eviction, Identity, Pause,
    Propagation, Server, ShutdownRequest, Stats, permission, tracking,
};
use crate::tracking::Tracking;

/// A new connection, as the reactor accepted it.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct NewConnection {
    pub addr: String,
    pub laddr: String,
    pub fd: i64,
    pub is_unix: bool,
    /// Does it come from this machine?
    pub is_loopback: bool,
    /// Can it be told nothing before a handshake? `admit` follows that then.
    pub is_handshaking: bool,
}

/// A server.
pub struct Node {
    /// Its state.
    pub server: Server,
    batch: input::Batch,
    /// Clients whose input is not all executed, though nothing but other clients' turns stands in the way.
    input_left: VecDeque<ClientId>,
    cron: cron::Cron,
    /// Commands processed when the turn began.
    commands_before_turn: u64,
}

const PROTECTED_MODE: &str = "DENIED Redis is running in protected mode because protected mode is enabled and no password \
     is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to \
     connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode \
     sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same \
     host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG \
     REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis \
     configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started \
     the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication \
     password for the default user. NOTE: You only need to do one of the above things in order for the server to start \
     accepting connections from the outside.";

impl Node {
    /// A server with an empty keyspace.
    pub fn new(config: Config, seed: u64, now: Now, identity: Identity, host: Box<dyn Host>) -> Node {
        let keyspace = Keyspace::new(config.databases as usize, seed);
        let commands = CommandTable::new(commands::FAMILIES);
        let mut server = Server {
            keyspace,
            tracking: Tracking::new(seed ^ 0x7ac4),
            acl: Acl::new(permission::catalog(&commands)),
            commands,
            clients: Clients::default(),
            pubsub: Default::default(),
            blocking: Blocking::default(),
            scripting: Default::default(),
            watches: Default::default(),
            propagation: Propagation::default(),
            persistence: Persistence::new(now),
            stats: Stats::default(),
            commandlog: Default::default(),
            latency: Default::default(),
            monitors: Vec::new(),
            pause: Pause::default(),
            eviction: Eviction::default(),
            debug: DebugSwitches::default(),
            identity,
            certificates: Default::default(),
            host,
            rng: Rng::new(seed ^ 0x00dd),
            now,
            clock_us: now.mono.0,
            actions: Vec::new(),
            pending_writes: Vec::new(),
            unblocked: Vec::new(),
            awaiting_freed: Default::default(),
            awaiting_orders: Default::default(),
            awaiting_sync: Vec::new(),
            held: Vec::new(),
            pooled_bytes: 0,
            shutdown: None,
            shutdown_asap: None,
            redacted: Vec::new(),
            replid: String::new(),
            startup_memory: 0,
            client_memory: 0,
            config,
        };
        server.keyspace.now = now.unix();
        server.replid = server.rng.hex_digits(40);
        server.startup_memory = server.used_memory();
        apply_config(&mut server);
        let password = server.config.requirepass.to_vec();
        server.acl.set_default_password(&password);
        Node {
            server,
            batch: input::Batch::default(),
            input_left: VecDeque::new(),
            cron: cron::Cron::default(),
            commands_before_turn: 0,
        }
    }

    /// Takes a new connection in.
    ///
    /// # Errors
    /// The line to send before closing it, if it cannot be served.
    pub fn accept(&mut self, connection: NewConnection) -> Result<(ClientId, u32), String> {
        let server = &mut self.server;
        if server.clients.len() >= server.config.maxclients as usize {
            server.stats.rejected_connections += 1;
            return Err("-ERR max number of clients reached\r\n".to_owned());
        }
        if !connection.is_handshaking {
            self.admit(connection.is_unix || connection.is_loopback)?;
        }
        let server = &mut self.server;
        let mut flags = permission::initial_flags(&server.acl);
        if connection.is_unix {
            flags = flags.or(ClientFlags::UNIX_SOCKET);
        }
        let proto =
            if server.config.client_default_resp == 3 { crate::resp::Proto::Resp3 } else { crate::resp::Proto::Resp2 };
        Ok(server.clients.add(Client {
            flags,
            proto,
            user: DEFAULT_USER.to_vec(),
            addr: connection.addr,
            laddr: connection.laddr,
            fd: connection.fd,
            created: server.now.mono,
            last_interaction: server.now.mono,
            ..Client::default()
        }))
    }

    /// Lets a connection in, from this machine or from another.
    ///
    /// # Errors
    /// The line to send before closing it, if protected mode keeps it out.
    pub fn admit(&mut self, is_local: bool) -> Result<(), String> {
        let server = &mut self.server;
        if server.config.protected_mode && server.acl.default_user().no_password && !is_local {
            server.stats.rejected_connections += 1;
            return Err(format!("-{PROTECTED_MODE}\r\n"));
        }
        server.stats.total_connections_received += 1;
        Ok(())
    }

    /// Forgets a connection that is gone.
    pub fn disconnect(&mut self, id: ClientId) {
        let server = &mut self.server;
        let Some(place) = server.clients.place(id) else { return };
        if let Some(running) = &mut server.scripting.parked
            && running.client == id
        {
            // Its script goes on to its end, and takes it along.
            running.is_orphan = true;
            return;
        }
        unblock::forget_blocked(server, id);
        transaction::discard(server, place);
        tracking::leave(server, id);
        memory::forget_memory(server, id);
        server.monitors.retain(|&monitor| monitor != id);
        let Some(client) = server.clients.remove(id) else { return };
        if let Some(subscriptions) = client.subscriptions {
            let kinds = [
                (Kind::Channel, subscriptions.channels),
                (Kind::Pattern, subscriptions.patterns),
                (Kind::Shard, subscriptions.shard_channels),
            ];
            for (kind, names) in kinds {
                names.iter().for_each(|name| server.pubsub.unsubscribe(kind, name, id.0));
            }
        }
    }

    /// Begins a turn at this time.
    pub fn begin_turn(&mut self, now: Now) {
        self.server.now = now;
        self.server.keyspace.now = now.unix();
        self.server.clock_us = now.mono.0;
        self.server.eviction.spent_us = 0;
        self.server.eviction.told_bytes = 0;
        self.server.stats.eventloop_cycles += 1;
        self.commands_before_turn = self.server.stats.total_commands_processed;
    }

    /// Ends a turn: clients whose waiting ended go on, due keys go, limits are enforced.
    pub fn end_turn(&mut self) {
        if self.is_script_parked() {
            self.go_on_with_script();
        }
        if self.is_script_parked() {
            return self.resume_unblocked();
        }
        let now = self.server.now.mono;
        unblock::handle_deadlines(&mut self.server, now);
        wake_freed(&mut self.server);
        self.expire_due();
        self.evict_left_over();
        self.end_pause();
        self.resume_unblocked();
        tracking::broadcast(&mut self.server);
        memory::evict_clients(&mut self.server);
        let stats = &mut self.server.stats;
        let commands = stats.total_commands_processed.saturating_sub(self.commands_before_turn);
        stats.eventloop_cmd_per_cycle_max = stats.eventloop_cmd_per_cycle_max.max(commands);
    }

    /// Does a script take so long that the turns go on without it? Then nothing changes data but the script itself: what it did is
    /// seen, written and told when it has ended.
    pub fn is_script_parked(&self) -> bool {
        self.server.scripting.parked.is_some()
    }

    fn go_on_with_script(&mut self) {
        match script::go_on(&mut self.server) {
            Some((id, true)) => self.disconnect(id),
            Some((id, false)) => self.server.unblocked.push(id),
            None => {}
        }
    }

    /// Lets clients go on that no longer wait.
    fn resume_unblocked(&mut self) {
        // A client that goes on may unblock others: until nobody is left, but for a bound per turn.
        for _ in 0..1000 {
            let ids = std::mem::take(&mut self.server.unblocked);
            if ids.is_empty() {
                break;
            }
            for id in ids {
                if let Some(place) = self.server.clients.place(id) {
                    self.resume(place);
                }
            }
        }
    }

    /// Takes what the turn wrote on to the append-only file. Replies go out after it.
    pub fn write_append_only_file(&mut self) {
        if !self.is_script_parked() {
            appending::write_turn(&mut self.server);
        }
    }

    /// After the replies that wait for nothing went out: waits a little for the sync that this turn asked for, if it may be quick.
    pub fn wait_for_quick_sync(&mut self) {
        // What the turn of a script that takes long wrote is not gathered.
        if !self.server.held.is_empty() && !self.is_script_parked() {
            appending::wait_for_quick_sync(&mut self.server);
        }
    }

    /// Begins to load what the last run left on the disk.
    pub fn load_at_start(&mut self) {
        loading::begin_at_start(&mut self.server);
    }

    /// After the replies of a turn went out: goes on with loading or a snapshot for a slice of time.
    pub fn work_on_files(&mut self) {
        let turn_us = self.server.host.mono_us().saturating_sub(self.server.now.mono.0);
        if self.is_script_parked() {
            // A cut is of the instant at which it began: what the script changes is taken before. Nothing begins or is put in
            // place meanwhile, as it would hold half of what the script does.
            return saving::slice(&mut self.server, turn_us);
        }
        loading::work(&mut self.server);
        saving::settle(&mut self.server);
        saving::slice(&mut self.server, turn_us);
    }

    /// SIGINT (or else SIGTERM) came: the next cron ends as the configuration says.
    pub fn shut_down_by_signal(&mut self, is_interrupt: bool) {
        let config = &self.server.config;
        let flags = if is_interrupt { config.shutdown_on_sigint } else { config.shutdown_on_sigterm };
        let request = ShutdownRequest {
            nosave: flags.contains(ShutdownFlags::NOSAVE),
            save: flags.contains(ShutdownFlags::SAVE),
            now: flags.contains(ShutdownFlags::NOW),
            force: flags.contains(ShutdownFlags::FORCE),
            abort: false,
        };
        if self.server.persistence.loading.is_some() {
            log::warning("Received shutdown signal during loading, exiting now.");
            self.server.actions.push(Action::Exit { code: 0 });
            return;
        }
        self.server.shutdown_asap = Some(request);
    }

    /// Lets clients that a pause held back go on once it is over.
    fn end_pause(&mut self) {
        let server = &mut self.server;
        if server.pause.until.is_none_or(|until| server.now.mono < until) {
            return;
        }
        server.pause = Pause::default();
        server.follow_pause();
        for id in server.clients.ids() {
            if let Some(client) = server.clients.get_mut(id)
                && client.flags.has(ClientFlags::PAUSED)
            {
                client.flags = client.flags.without(ClientFlags::PAUSED);
                server.unblocked.push(id);
            }
        }
    }

    /// Values to be freed by another thread.
    pub fn take_garbage(&mut self) -> Vec<Waste> {
        self.server.keyspace.garbage.take()
    }

    /// What the owner is to do.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.server.actions)
    }
}

/// Carries on what background work left in the keyspace's queues.
fn settle(server: &mut Server) {
    if !server.keyspace.events.is_quiet() {
        deliver::after_command(server);
    }
}

/// Logs that a client is closed, and why.
fn log_closing(client: &Client, why: &str) {
    log::verbose(&format!("Closing client id={} addr={}: {why}", client.id.0, client.addr));
}
