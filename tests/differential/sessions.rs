//! What connections keep and share: transactions, databases, protocols, channels, tracked keys. Two connections send random
//! commands in turns and a third one subscribes and reads, on our server and on a real one; all frames must agree.

use russet::base::rng::Rng;

use super::commands::Compare::{self, Exact, Shape, Unordered};
use super::commands::{Generator, Line};
use super::server::Server;
use super::wire::{Conn, Reply, show_request};
use super::{is_allowed, is_same, led_here, number, oracle_program};

const TRANSACTIONS: &[Line] = &[
    (Exact, "MULTI"),
    (Exact, "EXEC"),
    (Exact, "EXEC"),
    (Exact, "DISCARD"),
    (Exact, "WATCH ({any})*"),
    (Exact, "UNWATCH"),
];

const CONNECTIONS: &[Line] = &[
    (Exact, "SELECT [0|0|1|2|99|-1|x]"),
    (Shape, "HELLO [2|3|3|4|x|]"),
    (Shape, "HELLO 3 [AUTH default|SETNAME|SETNAME a b|NOSUCH]"),
    (Exact, "CLIENT SETNAME [one|two|]"),
    (Exact, "CLIENT GETNAME"),
    (Shape, "CLIENT [ID|INFO]"),
    (Exact, "CLIENT [NO-EVICT|NO-TOUCH] [on|off|x]"),
    (Exact, "CLIENT SETINFO [LIB-NAME|LIB-VER|x] [a|1.2|]"),
    (Exact, "CLIENT [GETREDIR|TRACKINGINFO|UNPAUSE|CACHING YES|REPLY x|NOSUCH|KILL x|UNBLOCK x]"),
    (Exact, "[ECHO|PING] {val}"),
    // No AUTH: Redis 8.2 answers only the first one that is refused.
    (Exact, "ACL [WHOAMI|CAT nosuch|DRYRUN default GET {any}|GETUSER nobody|DELUSER default|NOSUCH]"),
    (Exact, "RESET"),
];

const SERVERS: &[Line] = &[
    (Exact, "SWAPDB [0|1] [1|2|99|x]"),
    (Exact, "MOVE {any} [0|1|2|x]"),
    (Exact, "COPY {any} {any} DB [0|1|x] [|REPLACE]"),
    (Shape, "DBSIZE"),
    (Exact, "[TIME|LASTSAVE|SAVE|ROLE|WAIT] x y z"),
    (Exact, "WAIT 0 0"),
    (Exact, "CONFIG GET [maxmemory|appendonly|hash-max-listpack-entries|nosuch]"),
    (Exact, "CONFIG SET [hash|zset|set]-max-listpack-entries [{small}|128|x|-1]"),
    (Exact, "CONFIG SET [nosuch 1|maxmemory|maxmemory 0 maxmemory 0|port x]"),
    (Exact, "CONFIG [RESETSTAT|NOSUCH]"),
    (Exact, "COMMAND GETKEYS [SET|MGET|GET|EVAL|XREAD|ZUNION|SORT|NOSUCH] {any} 1 {any}"),
    (Exact, "OBJECT [FREQ|IDLETIME|NOSUCH] {nokey}"),
    (Exact, "MEMORY USAGE {nokey}"),
    (Exact, "EVAL_RO x 0"),
    (Exact, "[BLPOP|BRPOP] {list} {list} 0.001"),
    (Exact, "[BZPOPMIN|BZPOPMAX] {zset} {zset} 0.001"),
    (Exact, "[BLMOVE] {list} {list} LEFT RIGHT 0.001"),
    (Exact, "BLMPOP 0.001 2 {list} {list} LEFT [|COUNT 2]"),
    (Exact, "[BLPOP|BZPOPMIN] {any} [x|-1]"),
    (Exact, "XREAD BLOCK 1 STREAMS {stream} [$|0|+]"),
    (Exact, "[FLUSHDB|FLUSHALL] [ASYNC|SYNC|x]"),
];

const CHANNELS: &[Line] = &[
    (Exact, "[PUBLISH|PUBLISH|SPUBLISH] [c|d|e] {val}"),
    (Unordered, "PUBSUB [CHANNELS|CHANNELS c*|SHARDCHANNELS]"),
    (Exact, "PUBSUB [NUMPAT|NUMSUB c d|SHARDNUMSUB c d|NOSUCH]"),
];

/// For the connection that listens: how many frames answer is not known before.
const LISTENING: &[Line] = &[
    (Exact, "[SUBSCRIBE|SSUBSCRIBE] ([c|d|e])*"),
    (Exact, "PSUBSCRIBE ([c*|?|*|x])*"),
    (Exact, "[UNSUBSCRIBE|SUNSUBSCRIBE] ([c|d|e])*"),
    (Exact, "PUNSUBSCRIBE ([c*|?|*|x])*"),
    (Exact, "[GET|STRLEN] {str}"),
    (Exact, "MGET ({str})*"),
    (Exact, "LRANGE {list} 0 3"),
    (Exact, "[HLEN|TYPE|EXISTS] {hash}"),
    (Exact, "[ZCARD|TTL] {zset}"),
    (Exact, "SET {str} {val}"),
    (Exact, "CLIENT TRACKING [ON|ON|ON NOLOOP|ON OPTIN|ON OPTOUT|ON OPTOUT NOLOOP|OFF]"),
    (Exact, "CLIENT TRACKING ON BCAST [|NOLOOP] [|PREFIX s|PREFIX s PREFIX l|PREFIX s PREFIX s1]"),
    (Exact, "CLIENT TRACKING [ON REDIRECT 12345678|ON OPTIN OPTOUT|ON PREFIX a|x]"),
    (Exact, "CLIENT CACHING [YES|NO|x]"),
    (Exact, "CLIENT [TRACKINGINFO|GETREDIR]"),
    (Exact, "[SELECT 0|SELECT 0|SELECT 1]"),
    (Exact, "HELLO [3|3|3|2] SETNAME"),
    (Exact, "RESET"),
];

const BATCH: usize = 25;

/// A connection that asks, and what it has queued.
struct Asking {
    us: Conn,
    them: Conn,
    queued: Vec<(Vec<Vec<u8>>, Compare)>,
}

impl Asking {
    fn new(ours: &Server, theirs: &Server) -> Asking {
        Asking { us: Conn::new(ours.connect()), them: Conn::new(theirs.connect()), queued: Vec::new() }
    }

    /// Are these the replies that may stand for each other? The elements of EXEC's are compared as the commands queued ask.
    fn agree(&mut self, argv: &[Vec<u8>], compare: Compare, got: &Reply, wanted: &Reply) -> bool {
        if *got == Reply::Simple("QUEUED".to_owned()) {
            self.queued.push((argv.to_vec(), compare));
            return got == wanted;
        }
        let turns = [&b"MULTI"[..], b"EXEC"].contains(&argv[0].as_slice()) && !matches!(got, Reply::Error(_));
        let queued = if turns { std::mem::take(&mut self.queued) } else { Vec::new() };
        if let (b"EXEC", Reply::Array(Some(got)), Reply::Array(Some(wanted))) = (argv[0].as_slice(), got, wanted) {
            let lengths = (got.len(), wanted.len()) == (queued.len(), queued.len());
            let mut pairs = queued.iter().zip(got.iter().zip(wanted));
            return lengths
                && pairs.all(|((argv, compare), (got, wanted))| {
                    is_same(*compare, got, wanted) || is_allowed(argv, got, wanted)
                });
        }
        is_same(compare, got, wanted) || is_allowed(argv, got, wanted)
    }
}

/// Frames in an order that is defined: of invalidated keys that follow each other, and of matching patterns, it is not.
fn in_order(frames: Vec<Reply>) -> Vec<Reply> {
    let kind = |frame: &Reply| match frame {
        Reply::Aggregate('>', items) | Reply::Array(Some(items)) => match items.first() {
            Some(Reply::Bulk(Some(kind))) if kind == b"invalidate" || kind == b"pmessage" => Some(kind.clone()),
            _ => None,
        },
        _ => None,
    };
    let mut ordered: Vec<Reply> = Vec::new();
    for run in frames.chunk_by(|a, b| kind(a).is_some() && kind(a) == kind(b)) {
        let mut run = run.to_vec();
        if kind(&run[0]).is_some_and(|kind| kind == b"invalidate") {
            let keys = |frame: &Reply| match frame {
                Reply::Aggregate(_, items) => match items.get(1) {
                    Some(Reply::Array(Some(keys))) => keys.clone(),
                    other => other.cloned().into_iter().collect(),
                },
                other => vec![other.clone()],
            };
            run = run.iter().flat_map(keys).collect();
        }
        if kind(&run[0]).is_some() || run.len() > 1 {
            run.sort();
        }
        ordered.append(&mut run);
    }
    ordered
}

fn show(frames: &[Reply]) -> String {
    frames.iter().map(Reply::show).collect::<Vec<_>>().join("\n      ")
}

#[test]
fn sessions_are_answered_alike() {
    let seed = number("RUSSET_DIFF_SEED", 1);
    let total = number("RUSSET_DIFF_SESSIONS", 40_000);
    let ours = Server::start(env!("CARGO_BIN_EXE_russet"), &[]);
    let theirs = Server::start(&oracle_program(), &[]);
    let mut asking = [Asking::new(&ours, &theirs), Asking::new(&ours, &theirs)];
    let mut listening = Asking::new(&ours, &theirs);
    let further = [TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, CONNECTIONS, CONNECTIONS, SERVERS, CHANNELS];
    let mut commands = Generator::with(Rng::new(seed), &mut listening.them, &further);
    let mut listens = Generator::of(Rng::new(seed ^ 0x1157), &mut listening.them, [LISTENING].into_iter());
    let mut rng = Rng::new(seed ^ 0x7e57);
    let (mut differences, mut history, mut done) = (Vec::new(), Vec::new(), 0);
    while done < total && differences.len() < 10 {
        let asking = &mut asking[rng.below(2) as usize];
        let batch: Vec<_> = (0..BATCH).map(|_| commands.next()).collect();
        let requests: Vec<_> = batch.iter().map(|(argv, _)| argv.clone()).collect();
        let (got, wanted) = (asking.us.pipeline(&requests), asking.them.pipeline(&requests));
        for (((argv, compare), got), wanted) in batch.iter().zip(&got).zip(&wanted) {
            if !asking.agree(argv, *compare, got, wanted) {
                differences.push(format!(
                    "command {done}: {}\n  ours:   {}\n  theirs: {}\n  after:{}",
                    show_request(argv),
                    got.show(),
                    wanted.show(),
                    led_here(&history, argv)
                ));
            }
            done += 1;
            history.push(argv.clone());
        }
        let heard = |conn: &mut Conn| in_order(conn.frames(&[], "messages"));
        let (got, wanted) = (heard(&mut listening.us), heard(&mut listening.them));
        if got != wanted {
            let asked: Vec<String> = requests.iter().map(|argv| show_request(argv)).collect();
            let (got, wanted, asked) = (show(&got), show(&wanted), asked.join("\n    "));
            differences.push(format!("heard:\n  ours:   {got}\n  theirs: {wanted}\n  when asked:\n    {asked}"));
        }
        for _ in 0..rng.below(4) {
            let (argv, _) = listens.next();
            let listen = |conn: &mut Conn| in_order(conn.frames(std::slice::from_ref(&argv), "answered"));
            let (got, wanted) = (listen(&mut listening.us), listen(&mut listening.them));
            done += 1;
            // The server's version, and the order in which all channels are left.
            let differs = argv[0] == b"HELLO" || (argv.len() == 1 && argv[0].ends_with(b"UNSUBSCRIBE"));
            if differs && got.len() == wanted.len() {
                continue;
            }
            if got != wanted {
                let (got, wanted) = (show(&got), show(&wanted));
                differences.push(format!("{}\n  ours:   {got}\n  theirs: {wanted}", show_request(&argv)));
            }
        }
    }
    assert!(differences.is_empty(), "seed {seed}, after {done} commands:\n{}", differences.join("\n"));
    println!("{done} commands of sessions answered alike (seed {seed})");
}
