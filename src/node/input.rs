//! Requests: from bytes to executed commands. All complete requests of what was read are parsed first, the buckets and
//! entries of their keys are asked for, then they are executed in order, for a slice of time: what is left of a long
//! pipeline waits until the other clients had their turn.

use smallvec::SmallVec;

use crate::dispatch::{Flow, deliver, execute_request, memory};
use crate::resp::parser::{ArgAt, RequestLimits, Status};
use crate::resp::{Parser, ProtocolError};
use crate::server::client::Partial;
use crate::server::context::BigArg;
use crate::server::{ClientFlags, Server};
use crate::storage::{Incoming, Shared};

use super::{Node, log_closing};

/// Requests parsed before the first of them is executed.
const BATCH_MAX: usize = 64;
/// Room for so many arguments is kept from one batch to the next.
const BATCH_ARGS_KEPT: usize = 64 * 1024;
/// From this much waiting output on, the output limit is looked at after each request.
const OUTPUT_WATCH: usize = 64 * 1024;
/// Microseconds of requests in one turn, whoever sent them: clients that come later are served in the next one, before others.
const TURN_US: u64 = 500;
/// Microseconds that a client gets at a time. What is left of a pipeline goes on when the others had theirs.
const SHARE_US: u64 = 100;

/// Room for the requests of one batch, kept between turns.
#[derive(Debug, Default)]
pub(super) struct Batch {
    requests: Vec<Request>,
    /// Start and length of each argument in the buffer.
    args: Vec<(usize, usize)>,
    hashes: Vec<u64>,
    parser: Parser,
    /// When the client in hand came to its turn, and when it must let others come in between.
    slice_start_us: u64,
    slice_end_us: u64,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    start: usize,
    end: usize,
    first_arg: usize,
    args: usize,
}

/// How far a buffer was used.
enum Used {
    /// This many bytes are done; what follows is an unfinished request.
    Until(usize),
    /// This many bytes are done; the client takes no further request for now.
    Stopped(usize),
    /// This many bytes are done; the client's slice of the turn is used up.
    Later(usize),
    /// A long argument follows: bytes up to the second number belong to its request, the rest is its beginning.
    Big { start: usize, data: usize, len: usize },
    /// The bytes are no request.
    Broken(ProtocolError),
}

impl Node {
    /// Takes bytes read from the client at `place` and executes what is complete.
    pub fn receive(&mut self, place: u32, bytes: &[u8]) {
        let Some(client) = self.server.clients.at(place) else { return };
        client.net_input_bytes += bytes.len() as u64;
        self.server.stats.total_net_input_bytes += bytes.len() as u64;
        self.server.stats.total_reads_processed += 1;
        client.last_interaction = self.server.now.mono;
        if client.partial.is_none() && !client.flags.has(stopped()) {
            self.begin_slice();
            let mut parser = std::mem::take(&mut self.batch.parser);
            parser.reset();
            let used = self.execute_all(place, bytes, 0, &mut parser);
            self.keep_rest(place, bytes, parser, used);
            self.finish_input(place);
        } else {
            client.partial.get_or_insert_default().buf.extend_from_slice(bytes);
            self.resume(place);
        }
    }

    /// Goes on with clients whose input was more than a slice, one after the other, for as long as the turn's time allows, but
    /// with one at least. The others came first.
    pub fn go_on(&mut self) {
        while let Some(id) = self.input_left.pop_front() {
            let Some(place) = self.server.clients.place(id) else { continue };
            if let Some(client) = self.server.clients.at(place) {
                client.flags = client.flags.without(ClientFlags::INPUT_LEFT);
            }
            self.resume(place);
            if self.is_turn_spent() {
                return;
            }
        }
    }

    /// Have the requests of this turn taken their time?
    pub fn is_turn_spent(&self) -> bool {
        self.server.host.mono_us() >= self.server.now.mono.0 + TURN_US
    }

    /// The same as far as the last client served tells, without a look at the clock.
    pub fn seems_turn_spent(&self) -> bool {
        self.batch.slice_start_us >= self.server.now.mono.0 + TURN_US
    }

    /// Has the client at `place` sent more than it may have executed for now? Then nothing more is to be read from it.
    pub fn has_input_left(&mut self, place: u32) -> bool {
        self.server.clients.at(place).is_some_and(|client| client.flags.has(ClientFlags::INPUT_LEFT))
    }

    fn begin_slice(&mut self) {
        let now = self.server.host.mono_us();
        self.batch.slice_start_us = now;
        self.batch.slice_end_us = now + SHARE_US;
    }

    /// Goes on with what a client sent while it could not be served.
    pub(super) fn resume(&mut self, place: u32) {
        let Some(client) = self.server.clients.at(place) else { return };
        if !client.flags.has(stopped())
            && let Some(partial) = client.partial.take()
        {
            self.begin_slice();
            self.use_partial(place, partial);
        }
        self.finish_input(place);
    }

    /// Executes what is complete of what a client sent before, and keeps the rest.
    fn use_partial(&mut self, place: u32, mut partial: Box<Partial>) {
        loop {
            if partial.big.is_some() {
                return self.put_back(place, partial);
            }
            if partial.parser.is_complete() {
                // All arguments of a request with long ones are there.
                match self.execute_partial(place, partial) {
                    Some(rest) => partial = rest,
                    None => return,
                }
            }
            if partial.bigs.is_empty() {
                let Partial { buf, done, parser, .. } = &mut *partial;
                let used = self.execute_all(place, buf, *done, parser);
                return self.keep_rest_of(place, partial, used);
            }
            match partial.parser.parse(&partial.buf, self.limits(place)) {
                Ok(Status::Complete { .. }) => {}
                Ok(Status::Big { consumed, len }) => {
                    partial.big = Some(Incoming::new(&partial.buf[consumed..], len + 2));
                    partial.buf.truncate(consumed);
                }
                Ok(_) => return self.put_back(place, partial),
                Err(error) => return self.protocol_error(place, &error),
            }
        }
    }

    fn put_back(&mut self, place: u32, partial: Box<Partial>) {
        if let Some(client) = self.server.clients.at(place) {
            client.partial = Some(partial);
        }
    }

    fn limits(&mut self, place: u32) -> RequestLimits {
        let authenticated = self.server.clients.at(place).is_some_and(|client| client.is_authenticated());
        RequestLimits { bulk_max: self.server.config.proto_max_bulk_len as i64, authenticated }
    }

    /// Executes the requests in `buf` from `pos` on, of which `parser` may have begun with the first.
    fn execute_all(&mut self, place: u32, buf: &[u8], mut pos: usize, parser: &mut Parser) -> Used {
        loop {
            self.batch.requests.clear();
            self.batch.args.clear();
            if self.batch.args.capacity() > BATCH_ARGS_KEPT {
                self.batch.args = Vec::new();
            }
            let limits = self.limits(place);
            let begin = pos;
            let mut ending = None;
            while self.batch.requests.len() < BATCH_MAX {
                match parser.parse(&buf[pos..], limits) {
                    Ok(Status::Complete { consumed }) => {
                        let first_arg = self.batch.args.len();
                        for arg in &parser.args {
                            if let ArgAt::Buffer { start, len } = *arg {
                                self.batch.args.push((pos + start, len));
                            }
                        }
                        let args = self.batch.args.len() - first_arg;
                        self.batch.requests.push(Request { start: pos, end: pos + consumed, first_arg, args });
                        pos += consumed;
                        parser.reset();
                        // Until AUTH is executed, nothing is known of what may follow it.
                        if !limits.authenticated {
                            break;
                        }
                    }
                    other => {
                        ending = Some(other);
                        break;
                    }
                }
            }
            if !self.batch.requests.is_empty()
                && let Some(used) = self.execute_batch(place, buf)
            {
                parser.reset();
                return used;
            }
            match ending {
                None => {}
                Some(Ok(Status::Incomplete)) => return Used::Until(pos),
                Some(Ok(Status::Nothing { consumed })) => {
                    pos += consumed;
                    parser.reset();
                }
                Some(Ok(Status::Inline { consumed, argv })) => {
                    let argv: SmallVec<[&[u8]; 8]> = argv.iter().map(Vec::as_slice).collect();
                    let flow = execute_request(&mut self.server, place, &argv, &[]);
                    parser.reset();
                    match flow {
                        Flow::Next => pos += consumed,
                        Flow::Stop => return Used::Stopped(pos + consumed),
                        Flow::Postpone => {
                            self.mark_paused(place);
                            return Used::Stopped(pos);
                        }
                    }
                }
                Some(Ok(Status::Big { consumed, len })) => {
                    return Used::Big { start: pos, data: pos + consumed, len };
                }
                Some(Ok(Status::Complete { .. })) => unreachable!("complete requests are in the batch"),
                Some(Err(error)) => return Used::Broken(error),
            }
            debug_assert!(pos > begin);
            if self.server.host.mono_us() >= self.batch.slice_end_us {
                return Used::Later(pos);
            }
        }
    }

    /// Executes the batch. Some if the client stopped, or must let others come in between.
    fn execute_batch(&mut self, place: u32, buf: &[u8]) -> Option<Used> {
        self.prefetch(place, buf);
        let mut argv: SmallVec<[&[u8]; 24]> = SmallVec::new();
        for index in 0..self.batch.requests.len() {
            let request = self.batch.requests[index];
            argv.clear();
            let args = &self.batch.args[request.first_arg..request.first_arg + request.args];
            argv.extend(args.iter().map(|&(start, len)| &buf[start..start + len]));
            match execute_request(&mut self.server, place, &argv, &[]) {
                Flow::Next => {}
                Flow::Stop => return Some(Used::Stopped(request.end)),
                Flow::Postpone => {
                    self.mark_paused(place);
                    return Some(Used::Stopped(request.start));
                }
            }
            if let Some(client) = self.server.clients.at(place)
                && client.out.len() > OUTPUT_WATCH
            {
                deliver::check_output_limit(&mut self.server, place);
                if self.server.clients.at(place).is_none_or(|client| client.flags.has(ClientFlags::CLOSING)) {
                    return Some(Used::Stopped(request.end));
                }
            }
            if self.server.clock_us >= self.batch.slice_end_us {
                return Some(Used::Later(request.end));
            }
        }
        None
    }

    /// Asks for the buckets, then for the entries, of the keys that the batch is about to look up.
    fn prefetch(&mut self, place: u32, buf: &[u8]) {
        if self.batch.requests.len() < 2 {
            return;
        }
        let Some(db) = self.server.clients.at(place).map(|client| client.db) else { return };
        let Batch { requests, args, hashes, .. } = &mut self.batch;
        hashes.clear();
        for request in requests.iter().filter(|request| request.args > 1) {
            let (start, len) = args[request.first_arg + 1];
            hashes.push(self.server.keyspace.prefetch_bucket(db, &buf[start..start + len]));
        }
        for &hash in hashes.iter() {
            self.server.keyspace.prefetch_entry(db, hash);
        }
    }

    fn mark_paused(&mut self, place: u32) {
        if let Some(client) = self.server.clients.at(place) {
            client.flags = client.flags.or(ClientFlags::PAUSED);
        }
    }

    /// Keeps what could not be executed yet of bytes that were just read.
    fn keep_rest(&mut self, place: u32, buf: &[u8], parser: Parser, used: Used) {
        let done = match used {
            Used::Until(done) | Used::Stopped(done) | Used::Later(done) => done,
            Used::Big { start, .. } => start,
            Used::Broken(error) => return self.protocol_error(place, &error),
        };
        if done == buf.len() {
            self.batch.parser = parser;
            return;
        }
        let rest = Box::new(Partial { buf: buf[done..].to_vec(), parser, ..Partial::default() });
        let used = match used {
            Used::Big { start, data, len } => Used::Big { start: 0, data: data - start, len },
            Used::Later(_) => Used::Later(0),
            _ => Used::Until(0),
        };
        self.keep_rest_of(place, rest, used);
    }

    /// Keeps what could not be executed yet of what was kept before.
    fn keep_rest_of(&mut self, place: u32, mut partial: Box<Partial>, used: Used) {
        match used {
            Used::Until(done) | Used::Stopped(done) | Used::Later(done) => {
                if done == partial.buf.len() {
                    return;
                }
                partial.done = done;
                // What is executed goes when it is the greater part: each byte is copied once, however long the rest waits.
                if done > partial.buf.len() / 2 {
                    partial.buf = partial.buf[done..].to_vec();
                    partial.done = 0;
                }
            }
            Used::Big { start, data, len } => {
                let big = Incoming::new(&partial.buf[data..], len + 2);
                partial.buf.truncate(data);
                partial.buf.drain(..start);
                partial.buf.shrink_to_fit();
                partial.done = 0;
                partial.big = Some(big);
            }
            Used::Broken(error) => return self.protocol_error(place, &error),
        }
        let Some(client) = self.server.clients.at(place) else { return };
        if client.flags.has(ClientFlags::CLOSING) {
            return;
        }
        client.partial = Some(partial);
        if matches!(used, Used::Later(_)) && !client.flags.has(ClientFlags::INPUT_LEFT) {
            client.flags = client.flags.or(ClientFlags::INPUT_LEFT);
            self.input_left.push_back(client.id);
        }
    }

    /// Reads on in the long argument that the client at `place` is sending, if it is, straight to where it will lie.
    /// Returns what `read` returned.
    pub fn fill_big<E>(
        &mut self,
        place: u32,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Option<Result<usize, E>> {
        let client = self.server.clients.at(place)?;
        let result = client.partial.as_mut()?.big.as_mut()?.read(read);
        let count = *result.as_ref().unwrap_or(&0);
        client.net_input_bytes += count as u64;
        client.last_interaction = self.server.now.mono;
        self.server.stats.total_net_input_bytes += count as u64;
        if count > 0 && self.keep_query_limit(place) {
            self.big_complete(place);
            self.finish_input(place);
        }
        Some(result)
    }

    /// If the long argument is complete, goes on with its request.
    fn big_complete(&mut self, place: u32) {
        let Some(client) = self.server.clients.at(place) else { return };
        let Some(partial) = client.partial.as_mut() else { return };
        let Some(big) = partial.big.take_if(|big| big.missing() == 0) else { return };
        // More than the argument may have been read into the shared buffer together with its beginning.
        let (mut bytes, rest) = big.into_bytes();
        bytes.truncate(bytes.len() - 2);
        bytes.shrink_to_fit();
        partial.bigs.push(Shared::new(bytes));
        partial.parser.big_done();
        partial.buf.extend_from_slice(&rest);
        self.resume(place);
    }

    /// Executes a request with long arguments. Returns what follows it, unless the client takes nothing more for now.
    fn execute_partial(&mut self, place: u32, mut partial: Box<Partial>) -> Option<Box<Partial>> {
        let mut bigs: SmallVec<[BigArg; 2]> = SmallVec::new();
        let flow = {
            let mut argv: SmallVec<[&[u8]; 16]> = SmallVec::new();
            for (index, arg) in partial.parser.args.iter().enumerate() {
                match *arg {
                    ArgAt::Buffer { start, len } => argv.push(&partial.buf[start..start + len]),
                    ArgAt::Big(number) => {
                        bigs.push((index, partial.bigs[number].clone()));
                        argv.push(&partial.bigs[number]);
                    }
                }
            }
            execute_request(&mut self.server, place, &argv, &bigs)
        };
        if flow == Flow::Postpone {
            self.mark_paused(place);
            self.put_back(place, partial);
            return None;
        }
        let buf = partial.buf.split_off(partial.parser.parsed());
        if buf.is_empty() {
            return None;
        }
        let rest = Box::new(Partial { buf, ..Partial::default() });
        if flow == Flow::Next {
            return Some(rest);
        }
        self.put_back(place, rest);
        None
    }

    fn protocol_error(&mut self, place: u32, error: &ProtocolError) {
        let Some(client) = self.server.clients.at(place) else { return };
        log_closing(client, &error.to_string());
        client.flags = client.flags.or(ClientFlags::PROTOCOL_ERROR);
        let id = client.id;
        crate::dispatch::write_error(&mut self.server, place, &error.to_string());
        self.server.close_client(id, true);
    }

    /// What follows when a client's bytes are used: its output is noted, its memory counted, its limits kept.
    fn finish_input(&mut self, place: u32) {
        let server: &mut Server = &mut self.server;
        deliver::note_output_at(server, place);
        let Some(client) = server.clients.at(place) else { return };
        let query = client.query_bytes();
        self.keep_query_limit(place);
        let server: &mut Server = &mut self.server;
        if server.config.maxmemory_clients.bytes(server.config.maxmemory) > 0 || query > 0 {
            memory::count_sender(server, place);
        }
    }
}

impl Node {
    /// Closes a client whose unfinished request exceeds client-query-buffer-limit. False if it does.
    fn keep_query_limit(&mut self, place: u32) -> bool {
        let server = &mut self.server;
        let Some(client) = server.clients.at(place) else { return false };
        let query = client.query_bytes();
        server.stats.client_recent_max_input_buffer = server.stats.client_recent_max_input_buffer.max(query);
        if query as u64 <= server.config.client_query_buffer_limit {
            return true;
        }
        crate::base::log::warning(&format!(
            "Closing client that reached max query buffer length: id={} addr={} qbuf={query}",
            client.id.0, client.addr
        ));
        let id = client.id;
        server.stats.client_query_buffer_limit_disconnections += 1;
        server.close_client(id, false);
        false
    }
}

/// A client with one of these takes no request.
fn stopped() -> ClientFlags {
    ClientFlags::BLOCKED
        .or(ClientFlags::CLOSING)
        .or(ClientFlags::CLOSE_AFTER_REPLY)
        .or(ClientFlags::PAUSED)
        .or(ClientFlags::PROTOCOL_ERROR)
        .or(ClientFlags::SCRIPT)
}
