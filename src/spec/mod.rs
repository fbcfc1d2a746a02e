//! What a command says of itself: arity, flags, categories, where its keys stand, its arguments. COMMAND, ACL and the
//! cluster's redirects read it. Deliberately absent: what a command does (`commands`) and the table of names (`server`).
//! The words are those of COMMAND DOCS and COMMAND INFO: <https://redis.io/docs/latest/commands/command-docs/>.

pub mod argument;
pub mod key;

pub use argument::{ArgKind, Argument};
pub use argument::{block, double, integer, key, oneof, pattern, string, token, unix_time};
pub use key::{Begin, Find, KeyFlags, KeySpec};

use crate::base::bits::bits;

bits! {
    /// Properties of a command, as COMMAND INFO shows them.
    Flags: u32 {
        WRITE = 0, "write";
        READONLY = 1, "readonly";
        DENYOOM = 2, "denyoom";
        ADMIN = 3, "admin";
        PUBSUB = 4, "pubsub";
        NOSCRIPT = 5, "noscript";
        BLOCKING = 6, "blocking";
        LOADING = 7, "loading";
        STALE = 8, "stale";
        SKIP_MONITOR = 9, "skip_monitor";
        SKIP_SLOWLOG = 10, "skip_slowlog";
        ASKING = 11, "asking";
        FAST = 12, "fast";
        NO_AUTH = 13, "no_auth";
        MAY_REPLICATE = 14, "may_replicate";
        NO_MANDATORY_KEYS = 15, "no_mandatory_keys";
        NO_ASYNC_LOADING = 16, "no_async_loading";
        NO_MULTI = 17, "no_multi";
        ALLOW_BUSY = 18, "allow_busy";
        MOVABLEKEYS = 19, "movablekeys";
        SCRIPT_RUNNER = 20, "script_runner";
        SENTINEL = 21, "sentinel";
        ONLY_SENTINEL = 22, "only_sentinel";
    }
}

bits! {
    /// ACL categories.
    Categories: u32 {
        KEYSPACE = 0, "keyspace";
        READ = 1, "read";
        WRITE = 2, "write";
        SET = 3, "set";
        SORTEDSET = 4, "sortedset";
        LIST = 5, "list";
        HASH = 6, "hash";
        STRING = 7, "string";
        BITMAP = 8, "bitmap";
        HYPERLOGLOG = 9, "hyperloglog";
        GEO = 10, "geo";
        STREAM = 11, "stream";
        PUBSUB = 12, "pubsub";
        ADMIN = 13, "admin";
        FAST = 14, "fast";
        SLOW = 15, "slow";
        BLOCKING = 16, "blocking";
        DANGEROUS = 17, "dangerous";
        CONNECTION = 18, "connection";
        TRANSACTION = 19, "transaction";
        SCRIPTING = 20, "scripting";
    }
}

/// The chapter of the documentation that a command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Sentinel,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Hyperloglog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Sentinel => "sentinel",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

/// How many arguments a command takes, its own name counted (for a subcommand: both names).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// This many.
    Exactly(u16),
    /// This many or more.
    AtLeast(u16),
}

impl Arity {
    /// Is a request of `count` arguments long enough and not too long?
    #[inline]
    pub const fn allows(self, count: usize) -> bool {
        match self {
            Arity::Exactly(n) => count == n as usize,
            Arity::AtLeast(n) => count >= n as usize,
        }
    }

    /// As COMMAND INFO shows it: negative for a minimum.
    pub const fn number(self) -> i64 {
        match self {
            Arity::Exactly(n) => n as i64,
            Arity::AtLeast(n) => -(n as i64),
        }
    }
}

/// What a command says of itself.
#[derive(Clone, Copy, Debug)]
pub struct CommandInfo {
    /// Lower case. A subcommand's own name, without its container's.
    pub name: &'static str,
    /// Number of arguments.
    pub arity: Arity,
    /// The Redis version that brought it (or Valkey's, for a command only it has).
    pub since: &'static str,
    /// Its chapter.
    pub group: Group,
    /// Time as a function of sizes.
    pub complexity: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Properties.
    pub flags: Flags,
    /// ACL categories beyond those that follow from the flags (`all_categories`).
    pub categories: Categories,
    /// Where its keys stand.
    pub keys: &'static [KeySpec],
    /// Its arguments, for COMMAND DOCS.
    pub arguments: &'static [Argument],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// Since when it is deprecated, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Is it there for servers and their tests, and not for applications?
    pub is_internal: bool,
}

/// What a declaration need not repeat: `..INFO`.
pub const INFO: CommandInfo = CommandInfo {
    name: "",
    arity: Arity::AtLeast(1),
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(1)",
    summary: "",
    flags: Flags::NONE,
    categories: Categories::NONE,
    keys: &[],
    arguments: &[],
    tips: &[],
    deprecated: None,
    is_internal: false,
};

impl CommandInfo {
    /// All ACL categories: the declared ones and those that follow from the flags.
    pub const fn all_categories(&self) -> Categories {
        let mut all = self.categories;
        let implied = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::READONLY, Categories::READ),
            (Flags::ADMIN, Categories::ADMIN.or(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
        ];
        let mut index = 0;
        while index < implied.len() {
            let (flag, category) = implied[index];
            // Commands that run scripts read and write by proxy: they are in neither category.
            let by_proxy = self.flags.has(Flags::SCRIPT_RUNNER) && (index < 2);
            if self.flags.has(flag) && !by_proxy {
                all = all.or(category);
            }
            index += 1;
        }
        if self.flags.has(Flags::FAST) { all } else { all.or(Categories::SLOW) }
    }

    /// The positions in `argv` of all keys, with what is done to each. None where the request names keys that do not fit
    /// it.
    pub fn find_keys(&self, argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
        const OVERWRITE: KeyFlags = KeyFlags::OW.or(KeyFlags::UPDATE);
        const READ: KeyFlags = KeyFlags::RO.or(KeyFlags::ACCESS);
        const READ_MODIFY: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);
        let mut found: Vec<(usize, KeyFlags)> = Vec::new();
        for spec in self.keys {
            // What only the command knows, or a specification cannot tell for sure, is found below.
            if spec.begin == Begin::Unknown || spec.flags.has(KeyFlags::INCOMPLETE) {
                continue;
            }
            let positions = spec.positions(argv)?;
            found.extend(positions.into_iter().map(|at| (at, spec.flags)));
        }
        match self.name {
            "sort" => found.extend(key::store_of_sort(argv).map(|at| (at, OVERWRITE))),
            // Of several words the last counts.
            "georadius" | "georadiusbymember" => {
                found.extend(key::store_of_georadius(argv).map(|at| (at, OVERWRITE)));
            }
            // The word may also be the name of a group or consumer.
            "xread" | "xreadgroup" => found.extend(key::streams_of_read(argv)?.map(|at| (at, READ))),
            // With an empty key the keys follow a word.
            "migrate" => found.retain(|&(at, _)| !argv[at].is_empty()),
            "set" if !key::set_reads(argv) => found.iter_mut().for_each(|(_, flags)| *flags = OVERWRITE),
            "set" => found.iter_mut().for_each(|(_, flags)| *flags = READ_MODIFY),
            "bitfield" if !key::bitfield_writes(argv) => found.iter_mut().for_each(|(_, flags)| *flags = READ),
            "bitfield" => found.iter_mut().for_each(|(_, flags)| *flags = READ_MODIFY),
            _ => {}
        }
        Some(found)
    }

    /// First key, last key (negative: from the end) and step, as old clients know keys: from index-and-range specs.
    pub fn legacy_range(&self) -> (i64, i64, i64) {
        key::legacy_range(self.keys)
    }
}
