//! The fuzz targets' drivers on seeded bytes: a short run of each in every test run. `cargo fuzz run NAME` (scripts/fuzz) goes
//! on where this ends.

#[path = "../fuzz/drivers.rs"]
mod drivers;
#[path = "support/node.rs"]
mod node;

use russet::base::rng::Rng;

fn smoke(driver: fn(&[u8]), rounds: u64) {
    for round in 0..rounds {
        let mut rng = Rng::new(round);
        let len = rng.below(6000) as usize;
        let data: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        driver(&data);
    }
}

/// Random changes to bytes that mean something reach deeper than random bytes.
fn smoke_changed(driver: fn(&[u8]), samples: &[&[u8]], rounds: u64) {
    for round in 0..rounds {
        let mut rng = Rng::new(round);
        let mut data = samples[rng.below(samples.len() as u64) as usize].to_vec();
        for _ in 0..rng.below(4) {
            let at = rng.below(data.len() as u64 + 1) as usize;
            match rng.below(3) {
                0 if at < data.len() => data[at] = rng.next_u64() as u8,
                1 if at < data.len() => {
                    data.remove(at);
                }
                _ => data.insert(at, rng.next_u64() as u8),
            }
        }
        driver(&data);
    }
}

#[test]
fn structures_agree_with_their_models() {
    let all: [fn(&[u8]); 10] = [
        drivers::listpack,
        drivers::packed,
        drivers::intset,
        drivers::quicklist,
        drivers::dict,
        drivers::zset,
        drivers::table,
        drivers::expiry_index,
        drivers::entry,
        drivers::stream,
    ];
    all.into_iter().for_each(|driver| smoke(driver, 40));
}

/// A file as our server writes it, with keys of every encoding.
fn rdb_sample(dialect: &str, compression: &str) -> Vec<u8> {
    let (mut node, host) = node::new(&[("rdb-dialect", dialect), ("rdbcompression", compression), ("save", "")]);
    let connection = russet::node::NewConnection { is_loopback: true, ..Default::default() };
    let (_, place) = node.accept(connection).expect("room for a client");
    let now = russet::base::time::Now { mono: russet::base::time::MonoTime(1_000_000), unix_us: node::EPOCH_US };
    let many = |command: &str, count: usize, element: fn(usize) -> String| {
        (0..count).map(|n| format!("{command} {}\r\n", element(n))).collect::<String>()
    };
    let requests = [
        "SET int 12345\r\nSET text hello PX 100000\r\nSELECT 3\r\nSETBIT bits 3000 1\r\nPFADD hll a b c\r\n".to_owned(),
        "SADD numbers 1 2 300000\r\nSADD set a b 3\r\nRPUSH list 1 two 3\r\n".to_owned(),
        "HSET hash f 1 g two\r\nZADD zset 1 a -inf b 2.5 c\r\nHSET ttls f 1 g 2\r\n".to_owned(),
        "HPEXPIRE ttls 100000 FIELDS 1 f\r\n".to_owned(),
        many("RPUSH long", 300, |n| format!("element-of-a-long-list-{n}")),
        many("SADD large", 200, |n| format!("m{n}")),
        many("HSET wide", 520, |n| format!("f{n} {n}")),
        many("HPEXPIRE wide 100000 FIELDS 1", 3, |n| format!("f{n}")),
        many("ZADD tree", 200, |n| format!("{n}.5 m{n}")),
        many("XADD stream", 120, |n| format!("{}-1 f {n} g v{n}", n + 1)),
        "XDEL stream 2-1 3-1\r\nXADD stream 200-1 other 1\r\nXGROUP CREATE stream g 0\r\n".to_owned(),
        "XGROUP CREATE stream h 5\r\nXREADGROUP GROUP g c COUNT 5 STREAMS stream >\r\n".to_owned(),
        "XREADGROUP GROUP g d COUNT 5 STREAMS stream >\r\nXGROUP CREATECONSUMER stream g e\r\n".to_owned(),
        "XNACK stream g FAIL IDS 2 5-1 1-1\r\nXADD ids IDMP p 1 * a 1\r\nXADD ids IDMP q 2 * a 1\r\n".to_owned(),
        "SAVE\r\n".to_owned(),
    ];
    for request in requests {
        node.begin_turn(now);
        node.receive(place, request.as_bytes());
        node.end_turn();
    }
    russet::base::disk::read_all(&host.disk, std::path::Path::new("dump.rdb")).expect("a file was saved")
}

#[test]
fn rdb_files_are_loaded_or_refused_in_bounded_memory() {
    let files = [rdb_sample("redis", "yes"), rdb_sample("redis", "no"), rdb_sample("valkey", "no")];
    let samples: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    smoke_changed(drivers::rdb_file, &samples, 1500);
    // Lengths that promise more than there is.
    for head in [&b"REDIS0011\xfb\x81"[..], b"REDIS0011\x00\x81", b"REDIS0011\x02\x01k\x81", b"REDIS0011\x05\x01k\x80"]
    {
        for tail in 0..64 {
            drivers::rdb_file(&[head, &[0x7f; 8][..], &vec![1; tail * 40]].concat());
        }
    }
}

/// Five entries, a group of four consumers, two entries that were given back.
const STREAM: &[u8] = b"\x1b\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xc3;@D\x11D\x00\x00\x00\
    \x1e\x00\x05\x01\x00\x01\x01\x01\x81a\x02\x00\x01\x02 \n@\x0c\x00\x04 \t\x00\x01 \t\x00\x02`\t@\x15\x00\x03`\t\x00\x03 \x13\
    \x00\x04 \x01@\x17\x02\x00\x01\x05 \t\x00\xff\x05\x05\x01\x01\x01\x00\x00\x05\x01\x01g\x05\x01\x05\x04\x00\x00\x00\x00\x00\
    \x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\
    \x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x04\
    \x00\x00\x00\x00\x00\x00\x00\x01\xb7\xae\xb5\xfd\xa1\x01\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\
    \x00\x01\xb7\xae\xb5\xfd\xa1\x01\x00\x00\x02\x04\x01c\x03\xae\xb5\xfd\xa1\x01\x00\x00\x03\xae\xb5\xfd\xa1\x01\x00\x00\x00\
    \x02c2\xb7\xae\xb5\xfd\xa1\x01\x00\x00\xac\xae\xb5\xfd\xa1\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\
    \x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x02c3\xc8\xae\xb5\xfd\xa1\x01\x00\x00\xc8\xae\
    \xb5\xfd\xa1\x01\x00\x00\x00\x02c4\xd7\xae\xb5\xfd\xa1\x01\x00\x00\xd7\xae\xb5\xfd\xa1\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\
    \x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x01@d@d\x00\x00\x00";
/// Three entries, and who added them.
const STREAM_IDS: &[u8] = b"\x1b\x01\x10\x00\x00\x01\xa1\xfd\xb9\xa4<\x00\x00\x00\x00\x00\x00\x00\x00\xc3'0\x110\x00\x00\x00\x14\
    \x00\x03\x01\x00\x01\x01\x01\x81a\x02\x00\x01\x02 \n@\x0c\x00\x04 \t\x00\x05\xe0\x00\t\x00\t\x80\t\x01\x01\xff\x03\x81\x00\x00\
    \x01\xa1\xfd\xb9\xa4E\x00\x81\x00\x00\x01\xa1\xfd\xb9\xa4<\x00\x00\x00\x03\x00@d@d\x02\x01a\x01\x01z\x81\x00\x00\x01\xa1\xfd\
    \xb9\xa4A\x00\x01p\x02\x01b\x81\x00\x00\x01\xa1\xfd\xb9\xa4<\x00\x01a\x81\x00\x00\x01\xa1\xfd\xb9\xa4E\x00\x03\x00";

#[test]
fn parsers_refuse_or_understand() {
    let requests: [&[u8]; 4] = [
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n",
        b"SET k \"a\\x41\" 'b'\r\n",
        b"*2\r\n$3\r\nGET\r\n$40000\r\nabc",
        b"*-1\r\n*0\r\n\r\nPING\r\n",
    ];
    smoke_changed(drivers::request_parser, &requests, 30_000);
    let payloads: [&[u8]; 9] = [
        b"\x00\x05hello",
        b"\x05\x02\x01a\x00\x00\x00\x00\x00\x00\xf0?\x01b\x00\x00\x00\x00\x00\x00\x00@",
        b"\x04\x01\x01f\x01v",
        b"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00",
        b"\x14\x0f\x0f\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\x05\x01\xff",
        b"\x12\x01\x02\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x02\x01\xff",
        STREAM,
        STREAM_IDS,
        b"\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x05\x01\x05\x00\x00",
    ];
    smoke_changed(drivers::dump_payload, &payloads, 60_000);
    let packed: [&[u8]; 2] =
        [b"\x0b\x00\x00\x00\x02\x00\x01\x01\x02\x01\xff", b"\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00"];
    smoke_changed(drivers::packed_bytes, &packed, 30_000);
    smoke(drivers::glob_pattern, 300);
    let manifests: [&[u8]; 2] = [
        b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i startoffset 5\n",
        b"# x\nfile \" a\\n\" seq 3 type i k v\n",
    ];
    smoke_changed(drivers::aof_manifest, &manifests, 20_000);
    // Longer than a batch.
    let long =
        [b"*1\r\n$5\r\nMULTI\r\n".as_slice(), &b"*1\r\n$1\r\na\r\n".repeat(600), b"*1\r\n$4\r\nEXEC\r\n"].concat();
    let files: [&[u8]; 3] = [
        &long,
        b"#TS:5\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n*1\r\n$1\r\nb\r\n",
        b"*1\r\n$5\r\nmulti\r\n*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n",
    ];
    smoke_changed(drivers::aof_commands, &files, 5000);
    let configs: [&[u8]; 3] =
        [b"port 7000\nsave 60 1\n", b"bind 127.0.0.1 -::1\nmaxmemory 1gb\n", b"user x on\nrename-command GET \"\"\n"];
    smoke_changed(drivers::config_file, &configs, 3000);
}

#[test]
fn streams_are_taken_whole_or_refused() {
    smoke_changed(drivers::stream_payload, &[STREAM, STREAM_IDS], 20_000);
}

#[test]
fn rules_of_users_are_taken_or_refused() {
    let rules: [&[u8]; 6] = [
        b"on\n>secret\n~app:*\n%R~ro:*\n&news:*\n+@all\n-@dangerous\n-debug",
        b"reset\nnopass\nallkeys\nallchannels\nallcommands\n-flushall\n+config|get",
        b"(~a* +get)\n(%W~b +@write -del)\nclearselectors\n(db=1,2 +select|1)",
        b"#e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n<secret\nresetkeys\nresetchannels",
        b"off\nsanitize-payload\nskip-sanitize-payload\n!abc\n-@all\n+@read\n+client|kill",
        b"user a on nopass ~* +@all\nuser default on #0123 ~x\n\nuser b (+get ~c) (+set ~d)",
    ];
    smoke_changed(drivers::acl_rules, &rules, 3000);
}

#[test]
fn what_scripts_read_is_theirs_to_survive() {
    let replies: [&[u8]; 4] = [
        b"*3\r\n$1\r\na\r\n:5\r\n*-1\r\n",
        b"%2\r\n+a\r\n,1.5\r\n$1\r\nb\r\n~2\r\n#t\r\n_\r\n",
        b"|1\r\n+ttl\r\n:5\r\n=7\r\ntxt:abc\r\n",
        b"*2\r\n(123456789012345678901234567890\r\n-ERR no\r\n",
    ];
    smoke_changed(drivers::lua_reply, &replies, 5000);
    smoke(drivers::lua_result, 100);
    let packed: [&[u8]; 3] = [
        b"\x93\x01\xa3abc\x82\xa1k\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xc3\xc0",
        b"\xdc\x00\x02\xd9\x01a\xcd\x01\x00",
        b"\xde\x00\x01\xda\x00\x01k\xd3\xff\xff\xff\xff\xff\xff\xff\xfe",
    ];
    smoke_changed(drivers::lua_cmsgpack, &packed, 5000);
    let documents: [&[u8]; 2] =
        [b"{\"a\":[1,2.5e3,-0,\"\\u00e9\\n\",null,true],\"b\":{}}", b" [ [ ] , 1e999 , \"\\ud83d\\ude00\" ] "];
    smoke_changed(drivers::lua_cjson, &documents, 5000);
    // The first byte tells how long the format is.
    let formats: [&[u8]; 2] = [b"\x0b>bBhHlLsc0c2data\0and more of it", b"\x09!4i3xdfTwenty bytes of data"];
    smoke_changed(drivers::lua_struct, &formats, 5000);
    smoke(drivers::lua_struct, 500);
    let patterns: [&[u8]; 2] = [b"\x0f(%a+)%s*=%1.-[^x]the text = the text", b"\x06%b()%f[%w]%d*(nested (text) 12)"];
    smoke_changed(drivers::lua_pattern, &patterns, 3000);
    smoke(drivers::lua_pattern, 100);
}
