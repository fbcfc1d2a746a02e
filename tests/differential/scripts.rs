//! Scripts and functions: the same random ones run on our server and on a real one; every reply must agree, in both protocols.
//! `RUSSET_DIFF_SCRIPTS` chooses how many.

use russet::base::rng::Rng;
use russet::scripting::Sha;

use super::commands::{Compare, Generator};
use super::lua::{self, Lua, quoted};
use super::server::Server;
use super::wire::{Conn, Reply, show_request};
use super::{is_same, number, oracle_program};

/// Stands for what FUNCTION DUMP of the real server answered last.
const DUMP: &[u8] = b"{dump}";
const BATCH: usize = 40;
const DIFFERENCES_MAX: usize = 400;

/// Commands whose replies `commands` compares in some way of its own.
const LEFT_OUT: [&[u8]; 6] = [b"SORT", b"OBJECT", b"EXPIRETIME", b"ZDIFFSTORE", b"DEBUG", b"GEORADIUSBYMEMBER"];

/// A difference that is meant: when it is one (request, our reply, theirs), and why.
type Allowance = (fn(&[Vec<u8>], &str, &str) -> bool, &'static str);

const ALLOWED: &[Allowance] = &[
    (
        |_, got, wanted| {
            [got, wanted].iter().all(|reply| {
                (reply.starts_with("-ERR Function ") || reply.starts_with("-ERR Library "))
                    && reply.ends_with(" already exists")
            })
        },
        "of several names that are taken Redis tells the one that its table comes to first",
    ),
    (
        |argv, got, _| {
            argv.iter().any(|arg| memchr::memmem::find(arg, b"acl_check_cmd").is_some())
                && got.contains("Wrong number of args")
        },
        "Redis 8.2 does not count the arguments; 8.10 does",
    ),
    (
        |_, got, wanted| {
            let sorted = |reply: &str| {
                let mut chars: Vec<char> = reply.chars().collect();
                chars.sort();
                chars
            };
            got.contains("[{") && sorted(got) == sorted(wanted)
        },
        "tables that are keys come in the order of their addresses",
    ),
    (
        |_, got, wanted| got.replace("-nan", "nan") == wanted.replace("-nan", "nan"),
        "the sign of what is no number depends on the library of C",
    ),
];

struct Scripts {
    lua: Lua,
    data: Generator,
    /// Scripts that were sent, for EVALSHA.
    sent: Vec<Vec<u8>>,
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

impl Scripts {
    /// A command of the data families, as arguments of a call.
    fn call_arguments(&mut self) -> String {
        loop {
            let (argv, compare) = self.data.next();
            if compare == Compare::Exact && !LEFT_OUT.contains(&argv[0].as_slice()) {
                return argv.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(",");
            }
        }
    }

    /// A script that calls commands.
    fn calling(&mut self) -> String {
        let (one, two) = (self.call_arguments(), self.call_arguments());
        let set = self.lua.pick(&["", "", "redis.setresp(3) ", "redis.setresp(2) "]);
        let body = match self.lua.below(9) {
            0..3 => format!("return redis.call({one})"),
            3 => format!("return redis.pcall({one})"),
            4 => format!("return {{redis.pcall({one}), redis.pcall({two})}}"),
            5 => format!("redis.call({one}) return redis.call({two})"),
            6 => self.lua.showing(&format!("pcall(redis.call,{one})")),
            7 => self.lua.showing(&format!("redis.pcall({one})")),
            _ => format!("return cjson.encode(redis.pcall({one}))"),
        };
        format!("{set}{body}")
    }

    fn script(&mut self) -> Vec<u8> {
        let mut script = if self.lua.one_in(4) { self.calling() } else { self.lua.script() };
        if self.lua.one_in(10) {
            let first = self.lua.pick(&[
                "#!lua",
                "#!lua flags=no-writes",
                "#!lua flags=allow-oom,allow-stale",
                "#!lua flags=no-cluster",
                "#!lua flags=allow-cross-slot-keys,no-writes",
                "#!lua flags=",
                "#!lua name=x",
                "#!lua flags=bad",
                "#!LUA",
                "#!python",
                "#!",
                "#! lua",
            ]);
            script = format!("{first}\n{script}");
        }
        script.into_bytes()
    }

    fn keys_and_args(&mut self, argv: &mut Vec<Vec<u8>>) {
        if self.lua.one_in(15) {
            let count =
                self.lua.pick(&["-1", "x", "1", "2", "99999999999999999999", "", "+1", "01", "9223372036854775807"]);
            argv.push(count.as_bytes().to_vec());
        } else {
            let count = self.lua.below(3);
            argv.push(count.to_string().into_bytes());
            (0..count).for_each(|number| argv.push(format!("s{number}").into_bytes()));
        }
        for _ in 0..self.lua.below(3) {
            let arg = self.lua.bytes(10);
            argv.push(arg);
        }
    }

    fn library(&mut self) -> Vec<u8> {
        let mut code = String::from(match self.lua.below(14) {
            0 => self.lua.pick(&[
                "#!lua\n",
                "#!lua name=\n",
                "#!lua name=a b\n",
                "#!lua name=lib1 name=lib2\n",
                "#!js name=lib1\n",
                "",
                "#!lua name=lib1",
                "#!\n",
                "#!lua name=a-b\n",
                "#!lua nam=x\n",
                "#!lua name=\"lib 1\"\n",
                "#!lua name='lib3'\n",
                "#!LUA name=lib2\n",
            ]),
            1..6 => "#!lua name=lib1\n",
            6..10 => "#!lua name=lib2\n",
            _ => "#!lua name=Lib1\n",
        });
        for _ in 0..self.lua.below(4) {
            // Redis 8.2 ends when names differ in case only.
            let name = self.lua.pick(&["f1", "f2", "f3", "g", "f_4", "f1", "f2", "bad name", "", "f-5"]);
            let body = if self.lua.one_in(3) { self.calling() } else { self.lua.script() };
            let callback = format!("function(keys, args) {body} end");
            let flags = match self.lua.below(6) {
                0..3 => String::new(),
                3 => "flags={'no-writes'}".to_owned(),
                4 => "flags={'allow-oom', 'allow-stale', 'no-cluster'}".to_owned(),
                _ => format!("flags={}", self.lua.value(1)),
            };
            let description = match self.lua.below(4) {
                0 => format!("description={}", self.lua.value(0)),
                _ => String::new(),
            };
            let line = match self.lua.below(14) {
                0..5 => format!("redis.register_function('{name}', {callback})"),
                5..10 => {
                    let parts = [format!("function_name='{name}'"), format!("callback={callback}"), flags, description];
                    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                    format!("redis.register_function{{{}}}", parts.join(","))
                }
                10 => format!("redis.register_function({}, {callback})", self.lua.value(1)),
                11 => format!("redis.register_function('{name}', {})", self.lua.value(1)),
                12 => format!("redis.register_function({})", self.lua.value(2)),
                _ => match self.lua.below(3) {
                    0 => "redis.call('get', 'x')".to_owned(),
                    1 => "local n = 1".to_owned(),
                    _ => self.lua.script().replace("return ", "local _ = "),
                },
            };
            code.push_str(&line);
            code.push('\n');
        }
        code.into_bytes()
    }

    fn next(&mut self) -> (Vec<Vec<u8>>, Compare) {
        let mut argv = match self.lua.below(100) {
            0..70 => {
                let script = self.script();
                self.sent.push(script.clone());
                let name = if self.lua.one_in(10) { "EVAL_RO" } else { "EVAL" };
                let mut argv = vec![name.as_bytes().to_vec(), script];
                self.keys_and_args(&mut argv);
                argv
            }
            70..76 => {
                let sha = self.digest();
                let name = if self.lua.one_in(5) { "EVALSHA_RO" } else { "EVALSHA" };
                let mut argv = vec![name.as_bytes().to_vec(), sha];
                self.keys_and_args(&mut argv);
                argv
            }
            76..78 => {
                let mut argv = words(&["SCRIPT", "EXISTS"]);
                for _ in 0..1 + self.lua.below(3) {
                    let sha = self.digest();
                    argv.push(sha);
                }
                argv
            }
            78 => {
                // Not one that EVAL brought: Redis 8.2 does not keep that for good.
                let script = [self.script(), b" -- loaded".to_vec()].concat();
                self.sent.push(script.clone());
                vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), script]
            }
            // Nothing is flushed: Redis 8.2 crashes when it does that while it answers a pipeline.
            79 => words(&["SCRIPT", self.lua.pick(&["KILL", "nosuch", "DEBUG", "LOAD", "EXISTS"])]),
            80..90 => {
                let code = self.library();
                let mut argv = words(&["FUNCTION", "LOAD"]);
                if !self.lua.one_in(4) {
                    argv.push(self.lua.pick(&["REPLACE", "replace", "REPLACE", "x"]).as_bytes().to_vec());
                }
                argv.push(code);
                argv
            }
            90..96 => {
                let name = self.lua.pick(&["f1", "f2", "f3", "F1", "g", "f_4", "nosuch"]);
                let mut argv = words(&[self.lua.pick(&["FCALL", "FCALL", "FCALL_RO"]), name]);
                self.keys_and_args(&mut argv);
                argv
            }
            96 => {
                let mut argv = words(&["FUNCTION", "LIST"]);
                for _ in 0..self.lua.below(3) {
                    let words = self.lua.pick(&[
                        "WITHCODE",
                        "LIBRARYNAME lib*",
                        "LIBRARYNAME lib1",
                        "LIBRARYNAME",
                        "x",
                        "withcode",
                    ]);
                    argv.extend(words.split(' ').map(|word| word.as_bytes().to_vec()));
                }
                return (argv, Compare::Unordered);
            }
            97 => words(&["FUNCTION", self.lua.pick(&["STATS", "KILL", "LIST", "nosuch"])]),
            98 => words(&["FUNCTION", "DELETE", self.lua.pick(&["lib1", "lib2", "Lib1", "nosuch"])]),
            _ => {
                let mut argv = words(&["FUNCTION", "RESTORE"]);
                argv.push(DUMP.to_vec());
                let policy = self.lua.pick(&["APPEND", "REPLACE", "REPLACE", "x"]);
                argv.push(policy.as_bytes().to_vec());
                argv
            }
        };
        if self.lua.one_in(200) {
            argv.pop();
        }
        let compare = if argv[0] == b"FUNCTION" { Compare::Unordered } else { Compare::Exact };
        (argv, compare)
    }

    fn digest(&mut self) -> Vec<u8> {
        if self.sent.is_empty() || self.lua.one_in(10) {
            return self.lua.pick(&["", "x", "ffffffffffffffffffffffffffffffffffffffff"]).as_bytes().to_vec();
        }
        let back = if self.lua.one_in(3) { 700 } else { 20 };
        let at = self.sent.len() - 1 - self.lua.below(back.min(self.sent.len()));
        let mut sha = Sha::of(&self.sent[at]).0.to_vec();
        if self.lua.one_in(3) {
            sha.make_ascii_uppercase();
        }
        sha
    }
}

#[test]
fn scripts_are_answered_alike() {
    let seed = number("RUSSET_DIFF_SEED", 1);
    let total = number("RUSSET_DIFF_SCRIPTS", 5_000);
    let ours = Server::start(env!("CARGO_BIN_EXE_russet"), &[]);
    let theirs = Server::start(&oracle_program(), &[]);
    let (mut us, mut them) = (Conn::new(ours.connect()), Conn::new(theirs.connect()));
    let data = Generator::new(Rng::new(seed), &mut them);
    let mut scripts = Scripts { lua: Lua { rng: Rng::new(seed ^ 0x5c21) }, data, sent: Vec::new() };
    let (mut differences, mut done) = (Vec::new(), 0);
    while done < total && differences.len() < DIFFERENCES_MAX {
        let protocol = if scripts.lua.one_in(2) { "3" } else { "2" };
        us.ask(&["HELLO", protocol]);
        them.ask(&["HELLO", protocol]);
        let (Reply::Bulk(Some(dump)), _) = (them.ask(&["FUNCTION", "DUMP"]), ()) else { panic!("no dump") };
        let batch: Vec<_> = (0..BATCH).map(|_| scripts.next()).collect();
        let requests: Vec<Vec<Vec<u8>>> = batch
            .iter()
            .map(|(argv, _)| argv.iter().map(|arg| if arg == DUMP { dump.clone() } else { arg.clone() }).collect())
            .collect();
        let (got, wanted) = (us.pipeline(&requests), them.pipeline(&requests));
        for (((argv, compare), got), wanted) in batch.iter().zip(&got).zip(&wanted) {
            done += 1;
            if is_same(*compare, got, wanted) {
                continue;
            }
            let (got, wanted) = (got.show(), wanted.show());
            if !ALLOWED.iter().any(|(is_meant, _)| is_meant(argv, &got, &wanted)) {
                let request = lua::shortened(&show_request(argv));
                differences.push(format!("{done} (RESP{protocol}): {request}\n  ours:   {got}\n  theirs: {wanted}"));
            }
        }
        scripts.sent.drain(..scripts.sent.len().saturating_sub(2000));
    }
    assert!(differences.is_empty(), "seed {seed}, after {done} requests:\n{}", differences.join("\n"));
    println!("{done} scripts answered alike (seed {seed})");
}
