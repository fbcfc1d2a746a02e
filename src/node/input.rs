//! Requests: from bytes to executed commands. All complete requests of what was read are parsed first, the buckets and
//! entries of their keys are asked for, then they are executed in order.

use smallvec::SmallVec;

use crate::dispatch::{Flow, deliver, execute_request, memory};
use crate::resp::parser::{ArgAt, RequestLimits, Status};
use crate::resp::{Parser, ProtocolError};
use crate::server::client::Partial;
use crate::server::context::BigArg;
use crate::server::{ClientFlags, Server};
use crate::storage::Shared;

use super::{Node, log_closing};

/// Requests parsed before the first of them is executed.
const BATCH_MAX: usize = 64;
/// Room for so many arguments is kept from one batch to the next.
const BATCH_ARGS_KEPT: usize = 64 * 1024;
/// From this much waiting output on, the output limit is looked at after each request.
const OUTPUT_WATCH: usize = 64 * 1024;
/// What a long argument's allocation begins with; it doubles up to the argument's length as bytes come in.
const BIG_FIRST: usize = 256 * 1024;

/// Room for the requests of one batch, kept between turns.
#[derive(Debug, Default)]
pub(super) struct Batch {
    requests: Vec<Request>,
    /// Start and length of each argument in the buffer.
    args: Vec<(usize, usize)>,
    hashes: Vec<u64>,
    parser: Parser,
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
            let mut parser = std::mem::take(&mut self.batch.parser);
            parser.reset();
            let used = self.execute_all(place, bytes, &mut parser);
            self.keep_rest(place, bytes, parser, used);
        } else {
            let mut partial = client.partial.take().unwrap_or_default();
            partial.buf.extend_from_slice(bytes);
            client.partial = Some(partial);
            self.resume(place);
        }
        self.finish_input(place);
    }

    /// Goes on with what a client sent while it could not be served.
    pub(super) fn resume(&mut self, place: u32) {
        let Some(client) = self.server.clients.at(place) else { return };
        if client.flags.has(stopped()) {
            return self.finish_input(place);
        }
        let Some(mut partial) = client.partial.take() else { return };
        if partial.parser.is_complete() {
            if !self.execute_partial(place, &mut partial) {
                return;
            }
            partial = Box::default();
        }
        if partial.big.is_some() {
            if let Some(client) = self.server.clients.at(place) {
                client.partial = Some(partial);
            }
            return;
        }
        let Partial { buf, mut parser, bigs, .. } = *partial;
        if bigs.is_empty() {
            let used = self.execute_all(place, &buf, &mut parser);
            self.keep_rest(place, &buf, parser, used);
        } else {
            self.go_on_with_bigs(place, buf, parser, bigs);
        }
        self.finish_input(place);
    }

    /// Parses on in a request that holds long arguments.
    fn go_on_with_bigs(&mut self, place: u32, buf: Vec<u8>, mut parser: Parser, bigs: Vec<Shared<Vec<u8>>>) {
        let status = parser.parse(&buf, self.limits(place));
        let mut partial = Box::new(Partial { buf, parser, bigs, big: None });
        match status {
            Ok(Status::Complete { consumed }) => {
                let rest = partial.buf.split_off(consumed);
                if self.execute_partial(place, &mut partial) && !rest.is_empty() {
                    let mut parser = Parser::default();
                    let used = self.execute_all(place, &rest, &mut parser);
                    self.keep_rest(place, &rest, parser, used);
                } else if let Some(client) = self.server.clients.at(place)
                    && !rest.is_empty()
                {
                    client.partial.get_or_insert_default().buf.extend_from_slice(&rest);
                }
            }
            Ok(Status::Big { consumed, len }) => {
                let data = partial.buf.split_off(consumed);
                partial.big = Some((data, len + 2));
                self.put_back(place, partial);
                self.big_complete(place);
            }
            Ok(_) => self.put_back(place, partial),
            Err(error) => self.protocol_error(place, &error),
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

    /// Executes the requests in `buf`, from its start.
    fn execute_all(&mut self, place: u32, buf: &[u8], parser: &mut Parser) -> Used {
        let mut pos = 0;
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
                return Used::Stopped(used);
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
        }
    }

    /// Executes the batch. Some if the client stopped: how many bytes of `buf` are done.
    fn execute_batch(&mut self, place: u32, buf: &[u8]) -> Option<usize> {
        self.prefetch(place, buf);
        let mut argv: SmallVec<[&[u8]; 24]> = SmallVec::new();
        for index in 0..self.batch.requests.len() {
            let request = self.batch.requests[index];
            argv.clear();
            let args = &self.batch.args[request.first_arg..request.first_arg + request.args];
            argv.extend(args.iter().map(|&(start, len)| &buf[start..start + len]));
            match execute_request(&mut self.server, place, &argv, &[]) {
                Flow::Next => {}
                Flow::Stop => return Some(request.end),
                Flow::Postpone => {
                    self.mark_paused(place);
                    return Some(request.start);
                }
            }
            if let Some(client) = self.server.clients.at(place)
                && client.out.len() > OUTPUT_WATCH
            {
                deliver::check_output_limit(&mut self.server, place);
                if self.server.clients.at(place).is_none_or(|client| client.flags.has(ClientFlags::CLOSING)) {
                    return Some(request.end);
                }
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

    /// Keeps what could not be executed yet.
    fn keep_rest(&mut self, place: u32, buf: &[u8], parser: Parser, used: Used) {
        let Some(client) = self.server.clients.at(place) else { return };
        match used {
            Used::Until(done) | Used::Stopped(done) => {
                if done < buf.len() && !client.flags.has(ClientFlags::CLOSING) {
                    let buf = buf[done..].to_vec();
                    client.partial = Some(Box::new(Partial { buf, parser, ..Partial::default() }));
                } else {
                    self.batch.parser = parser;
                }
            }
            Used::Big { start, data, len } => {
                let mut big = Vec::with_capacity((len + 2).min(BIG_FIRST.max(buf.len() - data)));
                big.extend_from_slice(&buf[data..]);
                client.partial = Some(Box::new(Partial {
                    buf: buf[start..data].to_vec(),
                    parser,
                    bigs: Vec::new(),
                    big: Some((big, len + 2)),
                }));
            }
            Used::Broken(error) => self.protocol_error(place, &error),
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
        let (bytes, total) = client.partial.as_mut()?.big.as_mut()?;
        let filled = bytes.len();
        let room = (*total).min((filled * 2).max(BIG_FIRST));
        bytes.reserve_exact(room - filled);
        bytes.resize(room.min(filled + BIG_FIRST), 0);
        let result = read(&mut bytes[filled..]);
        let count = *result.as_ref().unwrap_or(&0);
        bytes.truncate(filled + count);
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
        let Some((mut bytes, total)) = partial.big.take() else { return };
        if bytes.len() < total {
            partial.big = Some((bytes, total));
            return;
        }
        // More than the argument may have been read into the shared buffer together with its beginning.
        let rest = bytes.split_off(total);
        bytes.truncate(total - 2);
        bytes.shrink_to_fit();
        partial.bigs.push(Shared::new(bytes));
        partial.parser.big_done();
        partial.buf.extend_from_slice(&rest);
        if partial.parser.is_complete() {
            let Some(mut partial) = client.partial.take() else { return };
            let header = partial.buf.len() - rest.len();
            partial.buf.truncate(header);
            if !rest.is_empty() {
                // What follows the request waits in a partial of its own.
                client.partial = Some(Box::new(Partial { buf: rest, ..Partial::default() }));
                let waiting = client.partial.take();
                if self.execute_partial(place, &mut partial) {
                    if let Some(client) = self.server.clients.at(place) {
                        client.partial = waiting;
                    }
                    self.resume(place);
                } else if let (Some(client), Some(waiting)) = (self.server.clients.at(place), waiting) {
                    client.partial.get_or_insert_default().buf.extend_from_slice(&waiting.buf);
                }
            } else {
                self.execute_partial(place, &mut partial);
            }
        } else {
            self.resume(place);
        }
    }

    /// Executes a request with long arguments. False if the client takes no further one for now.
    fn execute_partial(&mut self, place: u32, partial: &mut Box<Partial>) -> bool {
        let taken = std::mem::take(partial);
        let mut bigs: SmallVec<[BigArg; 2]> = SmallVec::new();
        let flow = {
            let mut argv: SmallVec<[&[u8]; 16]> = SmallVec::new();
            for (index, arg) in taken.parser.args.iter().enumerate() {
                match *arg {
                    ArgAt::Buffer { start, len } => argv.push(&taken.buf[start..start + len]),
                    ArgAt::Big(number) => {
                        bigs.push((index, taken.bigs[number].clone()));
                        argv.push(&taken.bigs[number]);
                    }
                }
            }
            execute_request(&mut self.server, place, &argv, &bigs)
        };
        if flow == Flow::Postpone {
            self.mark_paused(place);
            self.put_back(place, taken);
        }
        flow == Flow::Next
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
}
