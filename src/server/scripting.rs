//! What the server knows of scripts: those that are kept, the Lua states, and the one that runs.

use crate::base::time::Now;
use crate::keyspace::DbIndex;
use crate::keyspace::lazyfree::LAZYFREE_EFFORT_MIN;
use crate::resp::{Output, Proto};
use crate::scripting::{Engine, Kind, Libraries, Random, Run, ScriptCache, ScriptFlags, Step, Versions, Words};

use super::client::{ClientFlags, ClientId, QueuedCommand};
use super::table::CommandId;
use super::{REDIS_VERSION, Server};

/// A script that a client wants run, found and compiled.
#[derive(Clone, Debug)]
pub struct ScriptRequest {
    /// EVAL's or FCALL's.
    pub kind: Kind,
    /// The script itself.
    pub run: Run,
    /// What it says of itself; None for a script of the old kind, which says nothing.
    pub flags: Option<ScriptFlags>,
    /// Was it called by a command that only reads?
    pub by_read_only: bool,
    /// The words that it is told in that it was killed.
    pub words: Words,
}

/// What an EXEC has left to do.
#[derive(Clone, Debug, Default)]
pub struct Remaining {
    /// Commands that are not executed yet.
    pub queue: std::collections::VecDeque<QueuedCommand>,
    /// EXEC itself as it was sent.
    pub argv: Vec<Vec<u8>>,
    /// What EXEC is called here.
    pub exec: Option<CommandId>,
    /// Where in its client's output the reply of EXEC begins.
    pub position: u64,
}

/// How a client was before its script began.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct ClientBefore {
    pub db: DbIndex,
    pub proto: Proto,
    pub flags: ClientFlags,
    pub out: Output,
}

/// What the end of a command needs to know of its beginning.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct CallBefore {
    pub id: CommandId,
    pub argv: Vec<Vec<u8>>,
    pub db: DbIndex,
    pub start_us: u64,
    pub out_bytes: usize,
    pub position: u64,
    pub offset: u64,
}

/// The script that runs.
pub struct Running {
    /// What was asked for.
    pub request: ScriptRequest,
    /// Its Lua state.
    pub engine: Engine,
    /// Who asked.
    pub client: ClientId,
    /// How the client was before.
    pub before: ClientBefore,
    /// The time that the script sees.
    pub now: Now,
    /// When it began, by the monotonic clock.
    pub started_us: u64,
    /// May it write?
    pub is_read_only: bool,
    /// Was there no memory for more data when it began?
    pub is_out_of_memory: bool,
    /// Has it called a command that writes?
    pub has_written: bool,
    /// Does it take so long that others are told?
    pub is_slow: bool,
    /// Why it is to end, if somebody wants that.
    pub killed: Option<&'static str>,
    /// Does it know? Its garbage may take a while to collect, and stands still like the script did.
    pub is_told: bool,
    /// Where it stands.
    pub step: Step,
    /// The command that runs it, to be ended with it.
    pub call: Option<CallBefore>,
    /// What the transaction that it is part of has left to do.
    pub remaining: Option<Remaining>,
    /// Where in what is propagated its unit began.
    pub unit: Option<(usize, usize)>,
    /// The latest epoch of the append-only file that it saw something of.
    pub seen: u64,
    /// Is its client gone?
    pub is_orphan: bool,
}

/// All of it.
#[derive(Default)]
pub struct Scripting {
    /// EVAL's scripts.
    pub scripts: ScriptCache,
    /// FUNCTION's libraries.
    pub libraries: Libraries,
    /// The Lua state of each kind, if there is one and no script of it runs.
    pub eval: Option<Engine>,
    /// See `eval`.
    pub functions: Option<Engine>,
    /// A script that runs so long that the others have their turns meanwhile.
    pub parked: Option<Box<Running>>,
    /// What `math.random` goes on with.
    pub random: Random,
    /// Scripts forgotten for others.
    pub evicted_scripts: u64,
}

/// Bytes of memory: of the Lua states, and of what the server itself keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ScriptMemory {
    pub eval_vm: usize,
    pub functions_vm: usize,
    pub eval: usize,
    pub functions: usize,
}

/// Bytes that a Lua state may use, if they are not more than half of the machine's: what a single instruction may walk, and how
/// much of it may pass between two rounds of collecting garbage, each of which lets others have their turn.
const MEMORY_MAX: usize = 1 << 30;

impl Scripting {
    /// The place of the Lua state of this kind.
    pub fn engine(&mut self, kind: Kind) -> &mut Option<Engine> {
        match kind {
            Kind::Eval => &mut self.eval,
            Kind::Functions => &mut self.functions,
        }
    }

    /// Bytes that scripts and functions take.
    pub fn memory(&self) -> ScriptMemory {
        let of = |engine: &Option<Engine>| engine.as_ref().map_or(0, Engine::used_memory);
        ScriptMemory {
            eval_vm: of(&self.eval),
            functions_vm: of(&self.functions),
            eval: self.scripts.bytes(),
            functions: self.libraries.bytes(),
        }
    }
}

/// When a client wants scripts to be freed. Another thread does it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeing {
    /// Before the reply, as far as it can tell.
    Sync,
    /// Later: they count among the keys that are.
    Async,
}

impl Freeing {
    /// What the word of a command that flushes means, or what is configured where there is none.
    pub fn of(server: &Server, word: Option<&[u8]>) -> Option<Freeing> {
        match word {
            None if server.config.lazyfree_lazy_user_flush => Some(Freeing::Async),
            None => Some(Freeing::Sync),
            Some(word) if word.eq_ignore_ascii_case(b"sync") => Some(Freeing::Sync),
            Some(word) if word.eq_ignore_ascii_case(b"async") => Some(Freeing::Async),
            Some(_) => None,
        }
    }

    /// As how many keys a Lua state with so many scripts or functions counts.
    pub fn count(self, scripts: usize) -> u64 {
        if self == Freeing::Async && scripts > LAZYFREE_EFFORT_MIN { scripts as u64 + 1 } else { 0 }
    }
}

impl Server {
    /// A fresh Lua state. None if there is no memory for it.
    pub fn new_engine(&mut self, kind: Kind) -> Option<Engine> {
        let total = self.host.process_facts().total_memory;
        let memory_max = if total == 0 { MEMORY_MAX } else { MEMORY_MAX.min(total / 2) };
        let versions = Versions { redis: REDIS_VERSION, server: env!("CARGO_PKG_VERSION"), server_name: "russet" };
        Engine::new(kind, memory_max, versions, self.scripting.random.clone())
    }

    /// The Lua state of this kind, made when it is first asked for. None if there is no memory for it.
    pub fn lua_engine(&mut self, kind: Kind) -> Option<&mut Engine> {
        if self.scripting.engine(kind).is_none() {
            *self.scripting.engine(kind) = self.new_engine(kind);
        }
        self.scripting.engine(kind).as_mut()
    }
}
