//! Random commands: a small grammar for each, over few keys and few values, so that they meet often.
//!
//! A grammar is a line of words: literal words, `{kind}` for random ones, `[a|b]` for one of several (an empty choice is
//! left out), `(words)?` for words that come half the time, `(words)*` for one to four repetitions.

use russet::base::rng::Rng;

use crate::wire::{Conn, Reply};

/// How two replies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Exact,
    /// The order of elements is not defined.
    Unordered,
    /// The order of pairs is not defined.
    UnorderedPairs,
    /// The content depends on chance.
    Shape,
}

use Compare::{Exact, Shape, Unordered, UnorderedPairs};

pub type Line = (Compare, &'static str);

const STRINGS: &[Line] = &[
    (Exact, "SET {str} {val} [|NX|XX] [|GET] [|KEEPTTL|EX {ttl}|PX {ttlms}|EXAT {at}|PXAT {atms}]"),
    (Exact, "SET {str} {int}"),
    (Exact, "GET {str}"),
    (Exact, "GETSET {str} {val}"),
    (Exact, "GETDEL {str}"),
    (Exact, "GETEX {str} [|PERSIST|EXAT {at}|PXAT {atms}]"),
    (Exact, "SETNX {str} {val}"),
    (Exact, "SETEX {str} {ttl} {val}"),
    (Exact, "PSETEX {str} {ttlms} {val}"),
    (Exact, "MSET ({str} {val})*"),
    (Exact, "MSETNX ({str} {val})*"),
    (Exact, "MGET ({str})*"),
    (Exact, "APPEND {str} {val}"),
    (Exact, "STRLEN {str}"),
    (Exact, "SETRANGE {str} {small} {val}"),
    (Exact, "GETRANGE {str} {index} {index}"),
    (Exact, "SUBSTR {str} {index} {index}"),
    (Exact, "INCR {str}"),
    (Exact, "DECR {str}"),
    (Exact, "INCRBY {str} {int}"),
    (Exact, "DECRBY {str} {int}"),
    (Exact, "INCRBYFLOAT {str} {float}"),
    (Exact, "LCS {str} {str} [|LEN|IDX|IDX MINMATCHLEN 2|IDX WITHMATCHLEN]"),
];

const BITS: &[Line] = &[
    (Exact, "SETBIT {bits} {bit} [0|1]"),
    (Exact, "GETBIT {bits} {bit}"),
    (Exact, "BITCOUNT {bits}"),
    (Exact, "BITCOUNT {bits} {index} {index} [|BYTE|BIT]"),
    (Exact, "BITPOS {bits} [0|1] [|{index}|{index} {index}|{index} {index} BIT]"),
    (Exact, "BITOP [AND|OR|XOR] {bits} ({bits})*"),
    (Exact, "BITOP NOT {bits} {bits}"),
    (
        Exact,
        "BITFIELD {bits} ([|OVERFLOW SAT|OVERFLOW FAIL|OVERFLOW WRAP] [GET|GET] [u4|i8|u16|i63] [{small}|#{small}])*",
    ),
    (Exact, "BITFIELD {bits} ([|OVERFLOW SAT|OVERFLOW FAIL] INCRBY [u4|i8|u16|i63] [{small}|#{small}] {int})*"),
    (Exact, "BITFIELD {bits} (SET [u4|i8|u16|i64] [{small}|#{small}] {int})*"),
    (Exact, "BITFIELD_RO {bits} (GET [u4|i8] {small})*"),
];

const LISTS: &[Line] = &[
    (Exact, "[LPUSH|RPUSH|LPUSHX|RPUSHX] {list} ({val})*"),
    (Exact, "[LPUSH|RPUSH] {list} ({val})* ({val})* ({val})* {long}"),
    (Exact, "[LPOP|RPOP] {list} [||{small}]"),
    (Exact, "LLEN {list}"),
    (Exact, "LINDEX {list} {index}"),
    (Exact, "LRANGE {list} {index} {index}"),
    (Exact, "LSET {list} {index} {val}"),
    (Exact, "LINSERT {list} [BEFORE|AFTER] {val} {val}"),
    (Exact, "LREM {list} {index} {val}"),
    (Exact, "LTRIM {list} {index} {index}"),
    (Exact, "LPOS {list} {val} [|RANK 1|RANK -1|RANK 2] [|COUNT 0|COUNT 2] [|MAXLEN 0|MAXLEN 3]"),
    (Exact, "LMOVE {list} {list} [LEFT|RIGHT] [LEFT|RIGHT]"),
    (Exact, "RPOPLPUSH {list} {list}"),
    (Exact, "LMPOP 2 {list} {list} [LEFT|RIGHT] [|COUNT 2]"),
    (Exact, "OBJECT ENCODING {list}"),
];

const SETS: &[Line] = &[
    (Exact, "SADD {set} ({member})*"),
    (Exact, "SADD {set} ({small})*"),
    (Exact, "SREM {set} ({member})*"),
    (Exact, "SISMEMBER {set} {member}"),
    (Exact, "SMISMEMBER {set} ({member})*"),
    (Exact, "SCARD {set}"),
    (Unordered, "SMEMBERS {set}"),
    (Exact, "SMOVE {set} {set} {member}"),
    (Unordered, "[SINTER|SUNION|SDIFF] ({set})*"),
    (Exact, "[SINTERSTORE|SUNIONSTORE|SDIFFSTORE] {set} ({set})*"),
    (Exact, "SINTERCARD 2 {set} {set} [|LIMIT 0|LIMIT 2]"),
    (Shape, "SRANDMEMBER {set} [|{small}|-3]"),
    (Unordered, "SSCAN {set} 0 COUNT 1000"),
    (Exact, "OBJECT ENCODING {set}"),
];

const HASHES: &[Line] = &[
    (Exact, "[HSET|HMSET] {hash} ({member} {val})*"),
    (Exact, "HSETNX {hash} {member} {val}"),
    (Exact, "HGET {hash} {member}"),
    (Exact, "HMGET {hash} ({member})*"),
    (Exact, "HDEL {hash} ({member})*"),
    (Exact, "HEXISTS {hash} {member}"),
    (Exact, "HLEN {hash}"),
    (Exact, "HSTRLEN {hash} {member}"),
    (UnorderedPairs, "HGETALL {hash}"),
    (Unordered, "[HKEYS|HVALS] {hash}"),
    (Exact, "HINCRBY {hash} {member} {int}"),
    (Exact, "HINCRBYFLOAT {hash} {member} {float}"),
    (Shape, "HRANDFIELD {hash} [|{small}|-3|3 WITHVALUES]"),
    (Exact, "OBJECT ENCODING {hash}"),
];

const FIELD_TTLS: &[Line] = &[
    (Exact, "[HEXPIREAT|HPEXPIREAT] {hash} {atms} [|NX|XX|GT|LT] FIELDS 2 {member} {member}"),
    (Exact, "HPERSIST {hash} FIELDS 1 {member}"),
    (Exact, "[HEXPIRETIME|HPEXPIRETIME] {hash} FIELDS 2 {member} {member}"),
    (Exact, "HGETDEL {hash} FIELDS 2 {member} {member}"),
    (Exact, "HGETEX {hash} [|PERSIST|EXAT {at}|PXAT {atms}] FIELDS 2 {member} {member}"),
    (Exact, "HSETEX {hash} [|FNX|FXX] [|KEEPTTL|EXAT {at}|PXAT {atms}] FIELDS 2 {member} {val} {member} {val}"),
];

const ZSETS: &[Line] = &[
    (Exact, "ZADD {zset} [|NX|XX|GT|LT|XX GT] [|CH] ({score} {member})*"),
    (Exact, "ZADD {zset} INCR {score} {member}"),
    (Exact, "ZINCRBY {zset} {score} {member}"),
    (Exact, "ZREM {zset} ({member})*"),
    (Exact, "ZSCORE {zset} {member}"),
    (Exact, "ZMSCORE {zset} ({member})*"),
    (Exact, "ZCARD {zset}"),
    (Exact, "[ZRANK|ZREVRANK] {zset} {member} [|WITHSCORE]"),
    (Exact, "ZCOUNT {zset} {bound} {bound}"),
    (Exact, "[ZRANGE|ZREVRANGE] {zset} {index} {index} [|WITHSCORES]"),
    (Exact, "ZRANGE {zset} {bound} {bound} BYSCORE [|REV] [|LIMIT {small} {index}] [|WITHSCORES]"),
    (Exact, "[ZRANGEBYSCORE|ZREVRANGEBYSCORE] {zset} {bound} {bound} [|WITHSCORES] [|LIMIT {small} {index}]"),
    (Exact, "ZREMRANGEBYRANK {zset} {index} {index}"),
    (Exact, "ZREMRANGEBYSCORE {zset} {bound} {bound}"),
    (Exact, "[ZPOPMIN|ZPOPMAX] {zset} [|{small}]"),
    (Exact, "ZMPOP 2 {zset} {zset} [MIN|MAX] [|COUNT 2]"),
    (Exact, "[ZUNION|ZINTER] 2 {zset} {zset} [|WEIGHTS 2 3] [|AGGREGATE MIN|AGGREGATE MAX] [|WITHSCORES]"),
    (Exact, "[ZUNIONSTORE|ZINTERSTORE] {zset} 2 {zset} {set} [|WEIGHTS 2 3] [|AGGREGATE MIN|AGGREGATE MAX]"),
    (Exact, "ZDIFF 2 {zset} {zset} [|WITHSCORES]"),
    (Exact, "ZDIFFSTORE {zset} 2 {zset} {zset}"),
    (Exact, "ZINTERCARD 2 {zset} {zset} [|LIMIT 2]"),
    (Exact, "ZRANGESTORE {zset} {zset} {index} {index} [|REV]"),
    (Shape, "ZRANDMEMBER {zset} [|{small}|-3|2 WITHSCORES]"),
    (Exact, "OBJECT ENCODING {zset}"),
];

/// Sorted sets of one score: only there are ranges of members defined.
const LEX: &[Line] = &[
    (Exact, "ZADD {lexset} (0 {member})*"),
    (Exact, "ZREM {lexset} ({member})*"),
    (Exact, "ZLEXCOUNT {lexset} {lex} {lex}"),
    (Exact, "[ZRANGEBYLEX|ZREVRANGEBYLEX] {lexset} {lex} {lex} [|LIMIT {small} {index}]"),
    (Exact, "ZRANGE {lexset} {lex} {lex} BYLEX [|REV] [|LIMIT {small} {index}]"),
    (Exact, "ZREMRANGEBYLEX {lexset} {lex} {lex}"),
];

const GEO: &[Line] = &[
    (Exact, "GEOADD {geo} [|NX|XX] [|CH] ({lon} {lat} {member})*"),
    (Exact, "GEOPOS {geo} ({member})*"),
    (Exact, "GEODIST {geo} {member} {member} [|km|mi|ft|m]"),
    (Exact, "GEOHASH {geo} ({member})*"),
    (
        Exact,
        "GEOSEARCH {geo} FROMLONLAT {lon} {lat} BYRADIUS 5000 km [ASC|DESC] [|COUNT 3] [|WITHCOORD] [|WITHDIST] [|WITHHASH]",
    ),
    (Exact, "GEOSEARCH {geo} FROMMEMBER {member} BYBOX 4000 4000 km ASC [|WITHDIST]"),
    (Exact, "GEORADIUS {geo} {lon} {lat} 3000 km WITHDIST ASC"),
    (Exact, "GEOSEARCHSTORE {geo} {geo} FROMLONLAT {lon} {lat} BYRADIUS 5000 km ASC [|STOREDIST]"),
];

const HLLS: &[Line] = &[
    (Exact, "PFADD {hll} ({val})*"),
    (Exact, "PFCOUNT ({hll})*"),
    (Exact, "PFMERGE {hll} ({hll})*"),
    (Exact, "STRLEN {hll}"),
];

/// No group is destroyed: Redis 8.2 goes on as if ACKED had to wait for it. Nor are references minded where trimming is
/// approximate, which is another thing since 8.10.
const STREAMS: &[Line] = &[
    (Exact, "XADD {stream} {nextid} ({member} {val})*"),
    (Exact, "XADD {stream} {nextid} f {val} g {val}"),
    (Exact, "XADD {stream} {nextid} f {val} g {val}"),
    (Exact, "XADD {stream} {nextid} f {val} g {long}"),
    (Exact, "XADD {stream} [|NOMKSTREAM] [|MAXLEN|MAXLEN ~|MAXLEN =] {small} {nextid} f {val}"),
    (Exact, "XADD {stream} [MINID|MINID ~] {sid} {nextid} f {val}"),
    (Exact, "XADD {stream} [{sid}|7-*|x] f {val}"),
    (Exact, "XADD {stream} MAXLEN {small} {nextid} f"),
    (Exact, "XLEN {stream}"),
    (Exact, "XRANGE {stream} [-|{sid}|{openid}] [+|{sid}|{openid}] [|COUNT {index}]"),
    (Exact, "XREVRANGE {stream} [+|{sid}|{openid}] [-|{sid}|{openid}] [|COUNT {index}]"),
    (Exact, "XDEL {stream} ({sid})*"),
    (Exact, "XDELEX {stream} [|KEEPREF|DELREF|ACKED] IDS 2 {sid} {sid}"),
    (Exact, "XTRIM {stream} [MAXLEN|MAXLEN ~|MAXLEN =] {trimlen} [||LIMIT {small}|KEEPREF]"),
    (Exact, "XTRIM {stream} [MINID|MINID ~] {sid} [||LIMIT {small}]"),
    (Exact, "XTRIM {stream} [MAXLEN {trimlen}|MINID {sid}] [KEEPREF|DELREF|ACKED]"),
    (Exact, "XSETID {stream} {sid} [||ENTRIESADDED {small} MAXDELETEDID {sid}]"),
    (Exact, "XREAD [|COUNT {small}] STREAMS {stream} {stream} [0|$|+|{sid}] [0|+|{sid}]"),
    (Exact, "XGROUP CREATE {stream} [g|h] [0|$|{sid}] [||MKSTREAM|ENTRIESREAD {index}]"),
    (Exact, "XGROUP SETID {stream} [g|h] [0|$|-|{sid}] [|ENTRIESREAD {index}]"),
    (Exact, "XGROUP [CREATECONSUMER|DELCONSUMER] {stream} [g|h] [c|d]"),
    (Exact, "XREADGROUP GROUP [g|h] [c|d] [|COUNT {small}] [|NOACK] STREAMS {stream} [>|>|0|{sid}]"),
    (Exact, "XREADGROUP GROUP g c COUNT 2 STREAMS {stream} {stream} > >"),
    (Exact, "XACK {stream} [g|h] ({sid})*"),
    (Exact, "XACKDEL {stream} [g|h] [|KEEPREF|DELREF|ACKED] IDS 2 {sid} {sid}"),
    (
        Exact,
        "XCLAIM {stream} [g|h] [c|d] 0 {sid} {sid} [||RETRYCOUNT {small}|TIME 1000] [|FORCE] [|JUSTID] [||LASTID {sid}]",
    ),
    (Exact, "XAUTOCLAIM {stream} [g|h] [c|d] 0 [-|{sid}|{openid}] [|COUNT {small}] [|JUSTID]"),
    (Exact, "XPENDING {stream} [g|h]"),
    (Shape, "XPENDING {stream} [g|h] - + {small} [|c]"),
    (Exact, "XINFO GROUPS {stream}"),
    (Shape, "XINFO CONSUMERS {stream} [g|h]"),
    (Exact, "DEBUG DIGEST-VALUE {stream}"),
];

const GENERIC: &[Line] = &[
    (Exact, "[DEL|UNLINK|EXISTS|TOUCH] ({any})*"),
    (Exact, "TYPE {any}"),
    (Exact, "[EXPIREAT|PEXPIREAT] {any} {atms} [|NX|XX|GT|LT]"),
    (Exact, "[EXPIRE|PEXPIRE] {any} [-1|100000000]"),
    (Exact, "EXPIRETIME {any}"),
    (Exact, "PERSIST {any}"),
    (Exact, "[RENAME|RENAMENX] {any} {any}"),
    (Exact, "COPY {any} {any} [|REPLACE]"),
    (Exact, "MOVE {any} 0"),
    (Shape, "DBSIZE"),
    (Exact, "OBJECT ENCODING {str}"),
    (Exact, "OBJECT REFCOUNT {nokey}"),
    (Exact, "SORT {list} [|BY nosort|ALPHA|ALPHA DESC|LIMIT 1 3 ALPHA|GET # ALPHA]"),
    (Exact, "SORT {set} ALPHA [|DESC] [|LIMIT 0 2] [|STORE {list}]"),
    (Exact, "ECHO {val}"),
    (Exact, "PING [|{val}]"),
    (Unordered, "KEYS [*|s*|?1|[lz]*]"),
    (Exact, "[GET|LLEN|SCARD|HLEN|ZCARD|INCR] {any}"),
    (Exact, "[LPUSH|SADD] {any} {val}"),
    (Exact, "[HSET|ZADD] {any} 1 {val}"),
    (Exact, "NOSUCH {any}"),
    (Exact, "[GET|SET|ZADD|HSET|LPUSH|EXPIRE]"),
];

/// Numbers at the ends of what fits, and texts that are hardly numbers.
const EDGES: &[Line] = &[
    (Exact, "[INCRBY|DECRBY] {str} {edge}"),
    (Exact, "HINCRBY {hash} {member} {edge}"),
    (Exact, "INCRBYFLOAT {str} {weird}"),
    (Exact, "HINCRBYFLOAT {hash} {member} {weird}"),
    (Exact, "SETRANGE {str} {edge} {val}"),
    (Exact, "[GETRANGE|SUBSTR] {str} {edge} {edge}"),
    (Exact, "[SETBIT|GETBIT] {bits} {edge} 1"),
    (Exact, "BITCOUNT {bits} {edge} {edge} [|BYTE|BIT]"),
    (Exact, "BITPOS {bits} [0|1] {edge} {edge} [|BYTE|BIT]"),
    (
        Exact,
        "BITFIELD {bits} (OVERFLOW [WRAP SET|FAIL SET|WRAP INCRBY|SAT INCRBY|FAIL INCRBY] [i64|u63|i1|u1|i8|u64|i65|i0] [{small}|#{small}] {edge})*",
    ),
    (Exact, "BITFIELD {bits} GET [i64|u8] {edge}"),
    (Exact, "LRANGE {list} {edge} {edge}"),
    (Exact, "LTRIM {list} [{edge}|{index}] [{edge}|{index}]"),
    (Exact, "LINDEX {list} {edge}"),
    (Exact, "LREM {list} {edge} {val}"),
    (Exact, "LPOS {list} {val} [RANK|COUNT|MAXLEN] {edge}"),
    (Exact, "[LPOP|SPOP|ZPOPMIN|ZPOPMAX] {nokey} {edge}"),
    (Exact, "LMPOP [1|{edge}] {nokey} LEFT COUNT {edge}"),
    (Exact, "ZMPOP [1|{edge}] {nokey} MIN COUNT {edge}"),
    (
        Shape,
        "[SRANDMEMBER|HRANDFIELD|ZRANDMEMBER] {nokey} [9223372036854775807|-9223372036854775808|9223372036854775808|01]",
    ),
    (Exact, "[SINTERCARD|ZINTERCARD] [1|{edge}] {set} LIMIT {edge}"),
    (Exact, "ZADD {zset} [|INCR] {weird} {member}"),
    (Exact, "ZINCRBY {zset} {weird} {member}"),
    (Exact, "[ZRANGE|ZREVRANGE] {zset} {edge} {edge} WITHSCORES"),
    (Exact, "ZRANGE {zset} {index} {index} [|REV] LIMIT {small} [-1|{edge}]"),
    (Exact, "ZREMRANGEBYRANK {zset} {edge} {edge}"),
    (Exact, "ZRANGEBYSCORE {zset} {bound} {bound} LIMIT {edge} {edge}"),
    (Exact, "[ZUNION|ZINTER] 2 {zset} {zset} WEIGHTS {weird} {weird} WITHSCORES"),
    (Exact, "[EXPIREAT|PEXPIREAT] {nokey} {edge}"),
    (
        Exact,
        "GEORADIUSBYMEMBER [{geo}|{nokey}] {member} [1|1000|x|-1|nan] [km|xx] ASC [|COUNT 0|COUNT 2|WITHDIST|STORE {nokey}]",
    ),
];

const FAMILIES: &[&[Line]] =
    &[STRINGS, BITS, LISTS, SETS, HASHES, ZSETS, GEO, HLLS, GENERIC, FIELD_TTLS, LEX, EDGES, STREAMS];

/// Makes commands that both servers know.
pub struct Generator {
    rng: Rng,
    families: Vec<Vec<Line>>,
    /// What the IDs of entries are made of: it only grows.
    next_id: u64,
}

impl Generator {
    /// All commands on data. Leaves out what the reference server does not know.
    pub fn new(rng: Rng, reference: &mut Conn) -> Generator {
        Generator::of(rng, reference, FAMILIES.iter().copied())
    }

    /// The same with further families.
    pub fn with(rng: Rng, reference: &mut Conn, further: &[&'static [Line]]) -> Generator {
        Generator::of(rng, reference, FAMILIES.iter().chain(further).copied())
    }

    /// These families only.
    pub fn of(rng: Rng, reference: &mut Conn, families: impl Iterator<Item = &'static [Line]>) -> Generator {
        let mut knows = |line: &Line| {
            let first = line.1.split(' ').next().unwrap_or_default().trim_matches(['[', ']']);
            let names: Vec<&str> = first.split('|').collect();
            names.iter().all(|name| {
                *name == "NOSUCH"
                    || matches!(reference.ask(&["COMMAND", "INFO", name]), Reply::Array(Some(items))
                        if items.iter().all(|item| matches!(item, Reply::Array(Some(_)))))
            })
        };
        let families = families
            .map(|lines| lines.iter().copied().filter(&mut knows).collect())
            .filter(|lines: &Vec<Line>| !lines.is_empty());
        Generator { rng, families: families.collect(), next_id: 1 }
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.rng.below(items.len() as u64) as usize]
    }

    /// The next command.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> (Vec<Vec<u8>>, Compare) {
        let family = self.rng.below(self.families.len() as u64) as usize;
        let line = self.rng.below(self.families[family].len() as u64) as usize;
        let (compare, grammar) = self.families[family][line];
        let mut argv = Vec::new();
        self.expand(grammar, &mut argv);
        // Now and then an argument is missing or superfluous.
        if self.rng.below(60) == 0 {
            argv.push(b"surplus".to_vec());
        } else if self.rng.below(60) == 0 && argv.len() > 1 {
            argv.pop();
        }
        let compare = if argv.len() > 1 && argv[0].eq_ignore_ascii_case(b"KEYS") { Unordered } else { compare };
        (argv, compare)
    }

    fn expand(&mut self, grammar: &str, argv: &mut Vec<Vec<u8>>) {
        let mut rest = grammar.trim_start();
        while !rest.is_empty() {
            let (part, after) = match rest.as_bytes()[0] {
                b'[' => {
                    let end = matching(rest, '[', ']');
                    let choices = split_choices(&rest[1..end]);
                    let choice = self.pick(&choices).to_string();
                    self.expand(&choice, argv);
                    ("", &rest[end + 1..])
                }
                b'(' => {
                    let end = matching(rest, '(', ')');
                    let inner = &rest[1..end];
                    let times = 1 + self.rng.below(4);
                    for _ in 0..times {
                        self.expand(inner, argv);
                    }
                    ("", rest[end + 1..].trim_start_matches('*'))
                }
                _ => rest.split_once(' ').unwrap_or((rest, "")),
            };
            if !part.is_empty() {
                let word = self.word(part);
                argv.push(word);
            }
            rest = after.trim_start();
        }
    }

    fn word(&mut self, part: &str) -> Vec<u8> {
        let Some(start) = part.find('{') else { return part.as_bytes().to_vec() };
        let end = part.find('}').expect("a closing brace");
        let mut word = part.as_bytes()[..start].to_vec();
        word.extend(self.random(&part[start + 1..end]));
        word.extend_from_slice(&part.as_bytes()[end + 1..]);
        word
    }

    fn random(&mut self, kind: &str) -> Vec<u8> {
        let n = self.rng.below(1 << 40);
        let key = |prefix: &str, count: u64| format!("{prefix}{}", n % count).into_bytes();
        match kind {
            "str" => key("s", 8),
            "bits" => key("b", 4),
            "list" => key("l", 5),
            "set" => key("t", 6),
            "hash" => key("h", 5),
            "zset" => key("z", 6),
            "lexset" => key("x", 3),
            "geo" => key("g", 3),
            "hll" => key("p", 4),
            "stream" => key("m", 4),
            "nextid" => {
                self.next_id += 1;
                format!("{}-{}", self.next_id / 3, self.next_id % 3 + 1).into_bytes()
            }
            "sid" => {
                let id = self.next_id.saturating_sub(n % 150);
                format!("{}-{}", id / 3, id % 3 + 1).into_bytes()
            }
            "openid" => [b"(".to_vec(), self.random("sid")].concat(),
            "trimlen" => (n % 40).to_string().into_bytes(),
            "nokey" => b"absent".to_vec(),
            "any" => {
                let kinds = ["str", "list", "set", "hash", "zset", "bits", "stream"];
                let kind = self.pick(&kinds).to_string();
                self.random(&kind)
            }
            "val" => {
                let values: [&[u8]; 14] = [
                    b"",
                    b"a",
                    b"abc",
                    b"hello world",
                    b"10",
                    b"-5",
                    b"3.5",
                    b"1e3",
                    b"007",
                    b"9223372036854775807",
                    b"\x00\xff\r\n",
                    b"xyz",
                    b"0",
                    b"some longer value that is not embedded any more",
                ];
                if n.is_multiple_of(3) { format!("v{}", n % 50).into_bytes() } else { self.pick(&values).to_vec() }
            }
            "long" => vec![b'q'; (n % 300) as usize],
            "member" => {
                if n.is_multiple_of(20) {
                    vec![b'm'; 60 + (n % 10) as usize]
                } else {
                    format!("m{}", n % 40).into_bytes()
                }
            }
            "int" => {
                let ints: [&[u8]; 8] =
                    [b"1", b"-1", b"100", b"9223372036854775807", b"-9223372036854775808", b"abc", b"5", b"12345"];
                self.pick(&ints).to_vec()
            }
            "float" => {
                let floats: [&[u8]; 10] =
                    [b"1", b"0.1", b"-2.5", b"1e10", b"inf", b"nan", b"x", b"3.0e3", b"123456.789", b"0.3333333333"];
                self.pick(&floats).to_vec()
            }
            "edge" => {
                let edges: [&[u8]; 16] = [
                    b"9223372036854775807",
                    b"-9223372036854775808",
                    b"9223372036854775806",
                    b"-9223372036854775807",
                    b"9223372036854775808",
                    b"-9223372036854775809",
                    b"18446744073709551616",
                    b"4611686018427387904",
                    b"-4611686018427387905",
                    b"-0",
                    b"+1",
                    b"01",
                    b" 1",
                    b"",
                    b"0x1",
                    b"1e2",
                ];
                self.pick(&edges).to_vec()
            }
            "weird" => {
                let weird: [&[u8]; 22] = [
                    b"-0",
                    b"1e16",
                    b"1e17",
                    b"-1e21",
                    b"1e-7",
                    b"1.7976931348623157e308",
                    b"-1.7976931348623157e308",
                    b"5e-324",
                    b"1e-320",
                    b"1e400",
                    b"-inf",
                    b"+INF",
                    b"infinity",
                    b"nan",
                    b"0x1p3",
                    b".5",
                    b"5.",
                    b" 1",
                    b"1 ",
                    b"",
                    b"9007199254740993",
                    b"0.30000000000000004",
                ];
                self.pick(&weird).to_vec()
            }
            "score" => {
                let scores: [&[u8]; 10] = [b"1", b"2", b"-1", b"1.5", b"inf", b"-inf", b"100", b"0", b"nope", b"3"];
                if n.is_multiple_of(2) {
                    ((n % 30) as i64 - 10).to_string().into_bytes()
                } else {
                    self.pick(&scores).to_vec()
                }
            }
            "bound" => {
                let bounds: [&[u8]; 9] = [b"-inf", b"+inf", b"(1", b"1", b"5", b"(10", b"-3", b"x", b"0"];
                self.pick(&bounds).to_vec()
            }
            "lex" => {
                let bounds: [&[u8]; 7] = [b"-", b"+", b"[m1", b"(m2", b"[m35", b"(z", b"bad"];
                self.pick(&bounds).to_vec()
            }
            "small" => (n % 6).to_string().into_bytes(),
            "bit" => (n % 400).to_string().into_bytes(),
            "index" => ((n % 12) as i64 - 6).to_string().into_bytes(),
            "ttl" => self.pick(&["100000", "200000", "0", "-1", "x"]).as_bytes().to_vec(),
            "ttlms" => self.pick(&["100000000", "200000000", "0", "x"]).as_bytes().to_vec(),
            "at" => self.pick(&["4000000000", "5000000000", "1"]).as_bytes().to_vec(),
            "atms" => self.pick(&["4000000000000", "5000000000000", "4500000000", "x"]).as_bytes().to_vec(),
            "lon" => format!("{}.{}", (n % 340) as i64 - 170, n % 997).into_bytes(),
            "lat" => format!("{}.{}", (n % 170) as i64 - 85, n % 991).into_bytes(),
            other => panic!("no such kind: {other}"),
        }
    }
}

fn matching(text: &str, open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    panic!("unbalanced grammar: {text}")
}

fn split_choices(text: &str) -> Vec<String> {
    let mut choices = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            '|' if depth == 0 => {
                choices.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = choices.last_mut() {
            last.push(c);
        }
    }
    choices
}
