//! DEBUG: looking inside and forcing things, for tests. Nothing here is meant for clients.

use crate::base::log;
use crate::base::number::parse_memory;
use crate::base::shown::shown;
use crate::config::rewrite::Extent;
use crate::dispatch::{loading, saving, script_libraries};
use crate::keyspace::load::OnExisting;
use crate::keyspace::{DbIndex, KeepTtl};
use crate::resp::{CommandError, Reply};
use crate::server::context::{float, integer};
use crate::server::scripting::Freeing;
use crate::server::{Command, CommandResult, DebugSwitches, Handler, Outcome, ServerContext};
use crate::spec::*;
use crate::storage::{Encoding, EntryRef, Object, Type, Value};
use crate::types::digest::{self, Digest};
use crate::types::string;

use super::config::rewrite_file;
use crate::commands::help;

pub(super) const DEBUG: Command = Command {
    info: CommandInfo {
        name: "debug",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Looks inside the server and changes how it behaves, for tests.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        is_internal: true,
        ..INFO
    },
    handler: Handler::Server(debug),
};
/// Subcommands whose replies tell of data, and so wait as those of readers do.
const TELL_OF_DATA: [&[u8]; 6] = [b"digest", b"digest-value", b"htstats", b"htstats-key", b"listpack", b"object"];

fn debug(cx: &mut ServerContext<'_>) -> CommandResult {
    let name = cx.argv[1].to_ascii_lowercase();
    let args = &cx.argv[2..];
    if TELL_OF_DATA.contains(&name.as_slice()) {
        cx.server.keyspace.unsynced.see_all();
    }
    match (name.as_slice(), args) {
        (b"help", []) => write_help(cx),
        (b"sleep", [seconds]) => sleep(cx, seconds),
        (b"digest", []) => write_digest(cx),
        (b"digest-value", keys) => write_digests(cx, keys),
        (b"object", [key]) => object(cx, key)?,
        (b"populate", [count, rest @ ..]) if rest.len() <= 2 => populate(cx, count, rest)?,
        (b"protocol", [kind]) => protocol(cx, kind)?,
        (b"error", [line]) => return Err(CommandError::coded(shown(line))),
        (b"log", [line]) => {
            log::warning(&format!("DEBUG LOG: {}", String::from_utf8_lossy(line)));
            cx.reply.ok();
        }
        (b"htstats", [db, rest @ ..]) if rest.len() <= 1 => table_stats(cx, db)?,
        (b"htstats-key", [key, rest @ ..]) if rest.len() <= 1 => key_stats(cx, key)?,
        (b"listpack", [key]) => listpack(cx, key)?,
        (b"replybuffer", [what, value]) => reply_buffer(cx, what, value)?,
        (b"change-repl-id", []) => {
            cx.server.replid = cx.server.rng.hex_digits(40);
            cx.reply.ok();
        }
        (b"config-rewrite-force-all", []) => {
            rewrite_file(cx.server, Extent::All)?;
            cx.reply.ok();
        }
        (b"quicklist-packed-threshold", [bytes]) => {
            let most = 1u64 << 32;
            let bytes = parse_memory(bytes)
                .ok()
                .filter(|&bytes| bytes <= most)
                .ok_or(CommandError::err("argument must be a memory value bigger than 1 and smaller than 4gb"))?;
            cx.server.debug.quicklist_packed_threshold = bytes as usize;
            cx.reply.ok();
        }
        (b"reload", options) => reload(cx, options)?,
        (b"loadaof", []) => load_aof(cx)?,
        (b"client-eviction", []) => client_eviction(cx)?,
        (_, [value]) => switch(cx, &name, value)?,
        _ => return Err(CommandError::subcommand_syntax("DEBUG", cx.argv[1])),
    }
    Ok(Outcome::Done)
}

/// Saves (unless told not to), forgets everything (unless told not to) and loads it again.
fn reload(cx: &mut ServerContext<'_>, options: &[&[u8]]) -> Result<(), CommandError> {
    let (mut save, mut flush, mut on_existing) = (true, true, OnExisting::Refuse);
    for option in options {
        match option.to_ascii_uppercase().as_slice() {
            b"NOSAVE" => save = false,
            b"NOFLUSH" => flush = false,
            b"MERGE" => on_existing = OnExisting::Replace,
            _ => return Err(CommandError::err("DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")),
        }
    }
    refuse_while_loading(cx)?;
    saving::cancel(cx.server);
    if save && saving::save_now(cx.server).is_err() {
        return Err(CommandError::coded("ERR"));
    }
    if flush {
        cx.server.keyspace.flush(None, false);
        script_libraries::flush_libraries(cx.server, Freeing::Sync);
    }
    let path = loading::rdb_path(cx.server);
    loading::load_now(cx.server, &path, on_existing)
        .map_err(|_| CommandError::err("Error trying to load the RDB dump, check server logs."))?;
    log::warning("DB reloaded by DEBUG RELOAD");
    cx.reply.ok();
    Ok(())
}

/// Forgets everything and loads the append-only file.
fn load_aof(cx: &mut ServerContext<'_>) -> Result<(), CommandError> {
    refuse_while_loading(cx)?;
    loading::reload_aof(cx.server)
        .map_err(|_| CommandError::err("Error trying to load the AOF files, check server logs."))?;
    log::warning("Append Only File loaded by DEBUG LOADAOF");
    cx.reply.ok();
    Ok(())
}

/// Loading does not begin within loading, whether a client asks for it or the file that is loaded.
fn refuse_while_loading(cx: &ServerContext<'_>) -> Result<(), CommandError> {
    match cx.server.persistence.loading {
        Some(_) => Err(CommandError::coded("LOADING Redis is loading the dataset in memory")),
        None => Ok(()),
    }
}

/// Subcommands that only set a switch.
fn switch(cx: &mut ServerContext<'_>, name: &[u8], value: &[u8]) -> Result<(), CommandError> {
    let on = crate::base::number::parse_i64(value).unwrap_or(0) != 0;
    match name {
        b"set-active-expire" => cx.server.debug.active_expire = on,
        b"aof-flush-sleep" => {
            cx.server.debug.aof_flush_sleep_us = crate::base::number::parse_u64(value).unwrap_or(0);
        }
        b"pause-cron" => cx.server.debug.pause_cron = on,
        b"set-skip-checksum-validation" => cx.server.debug.skip_checksum_validation = on,
        b"set-disable-deny-scripts" => cx.server.debug.disable_deny_scripts = on,
        b"dict-resizing" => cx.server.keyspace.set_resizing(on),
        // Without a cluster there are no packets to filter.
        b"drop-cluster-packet-filter" => {
            integer(value)?;
        }
        _ => return Err(CommandError::subcommand_syntax("DEBUG", cx.argv[1])),
    }
    cx.reply.ok();
    Ok(())
}

fn write_help(cx: &mut ServerContext<'_>) {
    help::write(
        &mut cx.reply,
        "DEBUG",
        &[
            ("AOF-FLUSH-SLEEP <microseconds>", &["How long to sleep before each write of the append-only file."]),
            ("CHANGE-REPL-ID", &["Gives the history of this data another name."]),
            ("CLIENT-EVICTION", &["What clients hold, where maxmemory-clients bounds it."]),
            ("CONFIG-REWRITE-FORCE-ALL", &["As CONFIG REWRITE, with every directive."]),
            ("DICT-RESIZING <0|1>", &["Whether tables shrink."]),
            ("DIGEST", &["A hash of all data."]),
            ("DIGEST-VALUE <key> [<key> ...]", &["A hash of each of these values."]),
            ("DROP-CLUSTER-PACKET-FILTER <type>", &["Which packets of the cluster bus are dropped (-1: none)."]),
            ("ERROR <line>", &["Answers with this error."]),
            ("HTSTATS <dbid> [full]", &["About the table of a database."]),
            ("HTSTATS-KEY <key> [full]", &["About the table of a large set or hash."]),
            ("LISTPACK <key>", &["About the encoding of a small collection."]),
            ("LOADAOF", &["Forgets all data and loads the append-only file."]),
            ("LOG <line>", &["Writes a line to the log."]),
            ("OBJECT <key>", &["About how a value is stored."]),
            ("PAUSE-CRON <0|1>", &["Whether periodic work rests."]),
            ("POPULATE <count> [<prefix>] [<size>]", &["Adds string keys <prefix>:<number>."]),
            ("PROTOCOL <type>", &["Answers with a reply of this type."]),
            (
                "QUICKLIST-PACKED-THRESHOLD <size>",
                &["From which size on an element has a node of its own (0: as built)."],
            ),
            ("REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds>", &["How long peaks of replies are remembered."]),
            ("REPLYBUFFER RESIZING <0|1>", &["Whether idle clients give their buffers back."]),
            ("SET-ACTIVE-EXPIRE <0|1>", &["Whether due keys go by themselves."]),
            ("SET-DISABLE-DENY-SCRIPTS <0|1>", &["Whether scripts may call what is denied to them."]),
            ("SET-SKIP-CHECKSUM-VALIDATION <0|1>", &["Whether checksums of payloads are ignored."]),
            ("SLEEP <seconds>", &["Stops the whole server for a while."]),
        ],
    );
}

/// Stops the whole server. What is no number is no time.
fn sleep(cx: &mut ServerContext<'_>, seconds: &[u8]) {
    let us = (float(seconds).unwrap_or(0.0) * 1e6).clamp(0.0, u32::MAX as f64 * 1e6) as u64;
    cx.server.host.sleep_us(us);
    // What follows this command in the same turn happens after the sleep.
    cx.server.now = cx.server.now.plus_us(us);
    cx.reply.ok();
}

fn write_digest(cx: &mut ServerContext<'_>) {
    let mut all = Digest::default();
    for index in 0..cx.server.keyspace.databases() {
        let mut db = cx.server.keyspace.db(DbIndex(index as u16));
        if db.is_empty() {
            continue;
        }
        all.chain(&(index as u32).to_be_bytes());
        db.for_each(|entry| {
            let mut one = Digest::default();
            one.chain(entry.key());
            digest::mix_value(&mut one, entry);
            all.merge(one);
        });
    }
    cx.reply.simple(&all.hex());
}

fn write_digests(cx: &mut ServerContext<'_>, keys: &[&[u8]]) {
    let index = cx.db_index();
    cx.reply.array(keys.len());
    for key in keys {
        let mut digest = Digest::default();
        if let Some(entry) = cx.server.keyspace.db(index).inspect(key) {
            digest::mix_value(&mut digest, entry);
        }
        cx.reply.simple(&digest.hex());
    }
}

/// The entry of a key, due or not.
fn inspect<'a>(cx: &'a mut ServerContext<'_>, key: &[u8]) -> Result<EntryRef<'a>, CommandError> {
    let index = cx.db_index();
    cx.server.keyspace.inspect(index, key).ok_or(CommandError::NoSuchKey)
}

fn object(cx: &mut ServerContext<'_>, key: &[u8]) -> Result<(), CommandError> {
    let now = cx.now.unix();
    let (fill, depth) = (cx.server.config.list_max_listpack_size, cx.server.config.list_compress_depth);
    let entry = inspect(cx, key)?;
    let mut text = format!(
        "Value at:{:#x} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.address(),
        encoding_name(entry),
        serialized_bytes(entry),
        entry.lru(),
        crate::keyspace::lru::idle_ms(entry.lru(), now) / 1000,
    );
    if let Value::Object(Object::List(list)) = entry.value() {
        let nodes = list.node_count();
        text.push_str(&format!(
            " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{fill} ql_compressed:{}",
            list.len() as f64 / nodes.max(1) as f64,
            i32::from(depth != 0),
        ));
    }
    cx.reply.simple(&text);
    Ok(())
}

/// The name of an encoding, as OBJECT ENCODING has it.
fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    match entry.encoding() {
        Encoding::Int | Encoding::Inline | Encoding::Blob => string::encoding_name(entry),
        Encoding::Listpack | Encoding::Packed => "listpack",
        Encoding::PackedEx => "listpackex",
        Encoding::Quicklist => "quicklist",
        Encoding::Intset => "intset",
        Encoding::Dict => "hashtable",
        Encoding::Tree => "skiplist",
        Encoding::Stream => "stream",
    }
}

/// Bytes that a value takes in a file: what DUMP answers without the type, the version and the checksum around it.
fn serialized_bytes(entry: EntryRef<'_>) -> usize {
    const AROUND: usize = 1 + 2 + 8;
    crate::persistence::rdb::encode::dump(entry).len() - AROUND
}

/// Bytes of a value as it lies in memory.
fn content_bytes(entry: EntryRef<'_>) -> usize {
    match entry.value() {
        Value::Int(_) => size_of::<i64>(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Object(object) => object.memory_bytes(),
    }
}

fn populate(cx: &mut ServerContext<'_>, count: &[u8], rest: &[&[u8]]) -> Result<(), CommandError> {
    let positive =
        |arg: &[u8]| crate::base::number::parse_i64(arg).filter(|&number| number >= 0).ok_or(CommandError::NotPositive);
    let count = positive(count)?;
    let prefix = rest.first().copied().unwrap_or(b"key");
    let size = rest.get(1).map(|arg| positive(arg)).transpose()?;
    if size.is_some_and(|size| size > cx.server.config.proto_max_bulk_len as i64) {
        return Err(CommandError::StringTooLong);
    }
    let index = cx.db_index();
    let mut db = cx.server.keyspace.db(index);
    for number in 0..count {
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        if db.exists(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = size {
            value.resize(size as usize, 0);
        }
        db.set_value(&key, Type::String, string::new_value(&value, None), KeepTtl::Clear);
        db.keyspace().events.touched(index, &key);
    }
    cx.reply.ok();
    Ok(())
}

fn protocol(cx: &mut ServerContext<'_>, kind: &[u8]) -> Result<(), CommandError> {
    let reply = &mut cx.reply;
    let numbers = |reply: &mut Reply<'_>| (0..3).for_each(|number| reply.int(number));
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double_text(b"3.141"),
        b"null" => reply.null(),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"array" => {
            reply.array(3);
            numbers(reply);
        }
        b"set" => {
            reply.set(3);
            numbers(reply);
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.int(number);
                reply.bool(number == 1);
            }
        }
        b"attrib" => {
            if reply.is_resp3() {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            // An attribute is no reply by itself.
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !reply.is_resp3() {
                return Err(CommandError::err("RESP2 is not supported by this command"));
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
            // Nor is a push.
            reply.bulk(b"Some real reply following the push reply");
        }
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(CommandError::err(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

fn table_stats(cx: &mut ServerContext<'_>, number: &[u8]) -> Result<(), CommandError> {
    let db = cx.server.keyspace.index_of(integer(number)?).ok_or(CommandError::err("Out of range database"))?;
    let (keys, expires, _) = cx.server.keyspace.db_size(db);
    let (slots, _, _) = cx.server.keyspace.db_overhead(db);
    let mut text = "[Dictionary HT]\n".to_owned();
    if keys > 0 {
        text.push_str(&format!(
            "Hash table 0 stats (main hash table):\n table size: {slots}\n number of elements: {keys}\n"
        ));
    }
    text.push_str("[Expires HT]\n");
    if expires > 0 {
        text.push_str(&format!("Index of expiries:\n number of elements: {expires}\n"));
    }
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn key_stats(cx: &mut ServerContext<'_>, key: &[u8]) -> Result<(), CommandError> {
    let elements = match inspect(cx, key)?.value() {
        Value::Object(Object::Dict(dict)) => dict.len(),
        Value::Object(Object::Zset(zset)) => zset.len() as usize,
        _ => {
            return Err(CommandError::err(
                "The value stored at the specified key is not represented using an hash table",
            ));
        }
    };
    let text = format!(
        "Hash table 0 stats (main hash table):\n table size: {}\n number of elements: {elements}\n",
        elements.next_power_of_two()
    );
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn listpack(cx: &mut ServerContext<'_>, key: &[u8]) -> Result<(), CommandError> {
    let entry = inspect(cx, key)?;
    let is_packed = matches!(entry.encoding(), Encoding::Listpack | Encoding::Packed | Encoding::PackedEx);
    let bytes = content_bytes(entry);
    if !is_packed {
        return Err(CommandError::err("Not a listpack encoded object."));
    }
    crate::base::log::notice(&format!("Listpack of {bytes} bytes"));
    cx.reply.simple("Listpack structure printed on stdout");
    Ok(())
}

fn reply_buffer(cx: &mut ServerContext<'_>, what: &[u8], value: &[u8]) -> Result<(), CommandError> {
    let is = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
    if what.eq_ignore_ascii_case(b"peak-reset-time") {
        cx.server.debug.replybuffer_peak_reset_ms = if is("never") {
            -1
        } else if is("reset") {
            DebugSwitches::default().replybuffer_peak_reset_ms
        } else {
            integer(value)?
        };
    } else if what.eq_ignore_ascii_case(b"resizing") {
        cx.server.debug.replybuffer_resizing = integer(value)? != 0;
    } else {
        return Err(CommandError::subcommand_syntax("DEBUG", cx.argv[1]));
    }
    cx.reply.ok();
    Ok(())
}

fn client_eviction(cx: &mut ServerContext<'_>) -> Result<(), CommandError> {
    let config = &cx.server.config;
    if config.maxmemory_clients.bytes(config.maxmemory) == 0 {
        return Err(CommandError::err("maxmemory-clients is disabled."));
    }
    let mut text = String::new();
    for client in cx.server.clients.iter() {
        text.push_str(&format!("id={} tot-mem={}\n", client.id.0, client.memory_bytes()));
    }
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}
