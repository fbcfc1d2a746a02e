use crate::runner::{TestNode, check, check_with, check3, run};

#[test]
fn command_docs_tells_which_commands_are_deprecated_or_internal() {
    let mut node = TestNode::new(&[]);
    for (name, flags) in [("getset", "[deprecated]"), ("pfselftest", "[syscmd]"), ("restore-asking", "[syscmd]")] {
        let docs = node.ask(&format!("COMMAND DOCS {name}"));
        assert!(docs.contains(&format!(" doc_flags {flags}")), "{docs}");
    }
    assert!(!node.ask("COMMAND DOCS get").contains("doc_flags"));
}

#[test]
fn command_tells_about_commands() {
    check(
        "> COMMAND INFO get nosuch
         [[get (int) 2 [readonly fast] (int) 1 (int) 1 (int) 1 [@read @string @fast] [] [[flags [RO access] \
         begin_search [type index spec [index (int) 1]] find_keys [type range spec [lastkey (int) 0 keystep (int) 1 \
         limit (int) 0]]]] []] (nil)]
         > COMMAND DOCS client|no-evict
         [client|no-evict [summary ...
         > COMMAND GETKEYS set a b
         [a]
         > COMMAND GETKEYSANDFLAGS get a
         [[a [RO access]]]
         > COMMAND GETKEYS get
         (error) ERR Invalid number of arguments specified for command
         > COMMAND GETKEYS nosuch a
         (error) ERR Invalid command specified
         > COMMAND GETKEYS ping
         (error) ERR The command has no key arguments
         > COMMAND GETKEYS config get x
         (error) ERR The command has no key arguments
         > COMMAND LIST FILTERBY PATTERN conf*set
         [config|set]
         > COMMAND LIST FILTERBY ACLCAT nosuch
         []
         > COMMAND LIST FILTERBY MODULE m
         []
         > COMMAND LIST FILTERBY what x
         (error) ERR syntax error
         > COMMAND NOSUCH
         (error) ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP.
         > COMMAND
         [[...",
    );
    check3(
        "> COMMAND LIST FILTERBY PATTERN conf*set
         [config|set]
         > COMMAND INFO echo
         [[echo (int) 2 ~[loading stale fast] (int) 0 (int) 0 (int) 0 ~[@fast @connection] ~[] ~[] ~[]]]",
    );
}

#[test]
fn config_reads_changes_and_rolls_back() {
    check(
        "> CONFIG GET maxmemory-samples
         [maxmemory-samples 5]
         > CONFIG SET maxmemory-samples 7 hz 20
         OK
         > CONFIG GET hz maxmemory-sample?
         [hz 20 maxmemory-samples 7]
         > CONFIG SET hz 30 maxmemory-samples x
         (error) ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - argument couldn't be \
         parsed into an integer
         > CONFIG GET hz
         [hz 20]
         > CONFIG SET nosuch 1
         (error) ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
         > CONFIG SET hz
         (error) ERR wrong number of arguments for 'config|set' command
         > CONFIG SET hz 1 port
         (error) ERR syntax error
         > CONFIG SET databases 3
         (error) ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
         > CONFIG SET dir /tmp
         (error) ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config
         > CONFIG REWRITE
         (error) ERR The server is running without a config file
         > CONFIG SET requirepass secret
         OK
         b> PING
         (error) NOAUTH Authentication required.
         > CONFIG SET requirepass \"\"
         OK
         b> PING
         PONG",
    );
    check3("> CONFIG GET hz\n{hz: 10}");
}

#[test]
fn info_counts_and_begins_anew() {
    let mut node = TestNode::new(&[]);
    run(&mut node, "> SET k v\nOK\n> GET k\nv\n> GET none\n(nil)\n> NOSUCH\n(error) ERR unknown command...");
    let info = |node: &mut TestNode, section: &str| node.ask(&format!("INFO {section}"));
    assert!(info(&mut node, "commandstats").contains("cmdstat_get:calls=2,"));
    assert!(info(&mut node, "errorstats").contains("errorstat_ERR:count=1"));
    assert!(info(&mut node, "stats").contains("keyspace_hits:1\\r\\nkeyspace_misses:1"));
    assert!(info(&mut node, "keyspace").contains("db0:keys=1,expires=0,avg_ttl=0,subexpiry=0"));
    assert!(info(&mut node, "latencystats").contains("latency_percentiles_usec_get:p50="));
    let usual = info(&mut node, "");
    assert!(usual.contains("# Server") && usual.contains("# Modules") && usual.contains("# Keyspace"));
    assert!(!usual.contains("# Commandstats"));
    assert!(info(&mut node, "everything").contains("# Commandstats"));
    assert_eq!(info(&mut node, "nosuch"), "\"\"");
    run(&mut node, "> CONFIG RESETSTAT\nOK");
    assert!(!info(&mut node, "commandstats").contains("cmdstat_get"));
    assert!(info(&mut node, "stats").contains("keyspace_hits:0"));
}

#[test]
fn debug_looks_inside() {
    check("> DEBUG DIGEST\n(error) ERR DEBUG command not allowed...");
    check_with(
        &[("enable-debug-command", "yes")],
        "> DEBUG DIGEST
         0000000000000000000000000000000000000000
         > SET a b
         OK
         > DEBUG DIGEST
         479783d7290f02957dfbe3408a858ba13eea1709
         > DEBUG DIGEST-VALUE a none
         [b78559cd22bce6e6df712eb99ce7f3b08e8f8f1f 0000000000000000000000000000000000000000]
         > DEBUG POPULATE 2 p 10
         OK
         > GET p:1
         \"value:1\\x00\\x00\\x00\"
         > DEBUG POPULATE x
         (error) ERR value is out of range, must be positive
         > XADD stream 1-1 a b
         1-1
         > DEBUG OBJECT stream
         ...serializedlength:57 ...
         > SET number 5
         OK
         > DEBUG OBJECT number
         ...serializedlength:2 ...
         > DEBUG OBJECT none
         (error) ERR no such key
         > DEBUG ERROR \"ABC text\"
         (error) ABC text
         > DEBUG PROTOCOL map
         [(int) 0 (int) 0 (int) 1 (int) 1 (int) 2 (int) 0]
         > DEBUG PROTOCOL push
         (error) ERR RESP2 is not supported by this command
         > DEBUG SLEEP 0.01
         OK
         > DEBUG HTSTATS 99
         (error) ERR Out of range database
         > DEBUG HTSTATS-KEY a
         (error) ERR The value stored at the specified key is not represented using an hash table
         > DEBUG LISTPACK a
         (error) ERR Not a listpack encoded object.
         > DEBUG NOSUCH
         (error) ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP.
         > DEBUG SET-ACTIVE-EXPIRE 0
         OK",
    );
}

#[test]
fn slow_and_large_commands_are_logged_without_secrets() {
    check_with(
        &[("slowlog-log-slower-than", "0")],
        "> CONFIG SET masterauth secret
         OK
         > SLOWLOG LEN
         (int) 1
         > SLOWLOG GET
         [[(int) 1 (int) 17... (int) ... [SLOWLOG LEN] 127.0.0.1:... \"\"] [(int) 0 (int) 17... (int) ... \
         [CONFIG SET masterauth (redacted)] 127.0.0.1:... \"\"]]
         > SLOWLOG GET -2
         (error) ERR count should be greater than or equal to -1
         > SLOWLOG RESET
         OK
         > COMMANDLOG LEN slow
         (int) 1
         > COMMANDLOG GET -1 large-reply
         []
         !reference ends: the limits of an entry came with Redis 8.10
         > CONFIG SET slowlog-entry-max-argc 3 slowlog-entry-max-string-len 4
         OK
         > SLOWLOG RESET
         OK
         > MSET a 123456 b 2
         OK
         > SLOWLOG GET 1
         [[(int) ... [MSET a \"... (3 more arguments)\"] ...
         > ECHO 123456
         123456
         > SLOWLOG GET 1
         [[(int) ... [ECHO \"1234... (2 more bytes)\"] ...
         > COMMANDLOG LEN what
         (error) ERR type should be one of the following: slow, large-request, large-reply
         > COMMANDLOG RESET slow
         OK",
    );
}

#[test]
fn a_request_of_many_arguments_is_as_large_as_they_are() {
    let mut node = TestNode::new(&[("commandlog-request-larger-than", "5000")]);
    node.ask(&format!("RPUSH list{}", " x".repeat(4990)));
    assert_eq!(node.ask("COMMANDLOG LEN large-request"), "(int) 0");
    node.ask(&format!("RPUSH list{}", " x".repeat(5000)));
    assert_eq!(node.ask("COMMANDLOG LEN large-request"), "(int) 1");
}

#[test]
fn what_takes_less_than_the_threshold_is_no_latency_event() {
    let mut node = TestNode::new(&[("latency-monitor-threshold", "1")]);
    node.node.server.config.enable_debug_command = russet::config::ProtectedFrom::Yes;
    run(
        &mut node,
        "> DEBUG SLEEP 0.0009
         OK
         > LATENCY LATEST
         []
         > DEBUG SLEEP 0.001
         OK
         > LATENCY LATEST
         [[command (int) 1700000000 (int) 1 (int) 1]]",
    );
}

#[test]
fn latency_events_are_kept() {
    let mut node = TestNode::new(&[("latency-monitor-threshold", "100")]);
    node.node.server.config.enable_debug_command = russet::config::ProtectedFrom::Yes;
    run(
        &mut node,
        "> LATENCY LATEST
         []
         > DEBUG SLEEP 0.3
         OK
         > LATENCY LATEST
         [[command (int) 1700000000 (int) 300 (int) 300]]
         > LATENCY HISTORY command
         [[(int) 1700000000 (int) 300]]
         > LATENCY GRAPH command
         \"command - high 300 ms, low 300 ms (all time high 300 ms)\\n...
         > LATENCY GRAPH x
         (error) ERR No samples available for event 'x'
         > LATENCY DOCTOR
         \"Events of 100 ms or more:...
         > LATENCY HISTOGRAM nosuch
         []
         > LATENCY HISTOGRAM debug
         [debug [calls (int) 1 histogram_usec [(int) ...
         > LATENCY RESET
         (int) 1
         > LATENCY RESET a b
         (int) 0",
    );
}

#[test]
fn memory_is_told_of() {
    check(
        "> SET k v
         OK
         > MEMORY USAGE none
         (nil)
         > MEMORY USAGE k SAMPLES 5
         (int) ...
         > MEMORY USAGE k SAMPLES -1
         (error) ERR syntax error
         > MEMORY USAGE k FOO 1
         (error) ERR syntax error
         > MEMORY STATS
         [peak.allocated (int) ...
         > MEMORY PURGE
         OK
         > MEMORY DOCTOR
         \"...",
    );
}

#[test]
fn memory_stats_tells_of_databases_with_keys_and_of_the_callers() {
    let mut node = TestNode::new(&[]);
    run(&mut node, "> SET k v\nOK\n> SELECT 9\nOK\n> SET k v\nOK\n> DEL k\n(int) 1");
    let stats = node.ask("MEMORY STATS");
    assert!(stats.contains(" db.0 [") && stats.contains(" db.9 [") && !stats.contains(" db.1 ["), "{stats}");
    run(&mut node, "> FLUSHALL\nOK");
    assert!(node.ask("MEMORY STATS").contains(" overhead.db.hashtable.lut (int) 0 "));
}

#[test]
fn monitors_see_commands_without_secrets() {
    check(
        "m> MONITOR
         OK
         > SET k \"a b\"
         OK
         < m 17... [0 127.0.0.1:...] \"SET\" \"k\" \"a b\"
         > AUTH default x
         OK
         < m 17... [0 127.0.0.1:...] \"AUTH\" \"(redacted)\" \"(redacted)\"
         > MULTI
         OK
         > ECHO x
         QUEUED
         > EXEC
         [x]
         < m ...
         < m 17... [0 127.0.0.1:...] \"ECHO\" \"x\"
         < m 17... [0 127.0.0.1:...] \"EXEC\"",
    );
}

#[test]
fn monitors_see_unix_sockets_by_their_path() {
    let mut node = TestNode::new(&[]);
    let place = node.client("u");
    let client = node.node.server.clients.at(place).expect("a client");
    client.flags = client.flags.or(russet::server::ClientFlags::UNIX_SOCKET);
    client.addr = "/run/russet.sock:0".to_owned();
    run(
        &mut node,
        "m> MONITOR
         OK
         u> PING
         PONG
         < m 17... [0 unix:/run/russet.sock] \"PING\"",
    );
}

#[test]
fn the_zone_is_told_where_there_is_one() {
    check_with(
        &[("availability-zone", "north-1")],
        "!reference ends: the zone is Valkey's
         > HELLO
         [server redis ... modules [] availability_zone north-1]
         > INFO server
         \"...availability_zone:north-1...
         > CONFIG SET availability-zone \"\"
         OK
         > HELLO
         [server redis ... modules []]",
    );
}

#[test]
fn time_role_and_the_end() {
    check(
        "> TIME
         !sockets differs: the clock goes
         [1700000000 0]
         > ROLE
         [master (int) 0 []]
         > LOLWUT
         \"...
         > SHUTDOWN ABORT
         (error) ERR No shutdown in progress.
         > SHUTDOWN SAVE NOSAVE
         (error) ERR syntax error
         > SHUTDOWN ABORT NOW
         (error) ERR syntax error",
    );
}

#[test]
fn digests_print_scores_as_redis_does() {
    check_with(
        &[("enable-debug-command", "yes")],
        r#"
        > ZADD z 1e16 a 0.1 b 1e15 c 1e-7 d -0 e 1e300 f inf g -3.25 h 123456789012 i 4611686018427387904 j
        (int) 10
        > DEBUG DIGEST-VALUE z
        [a7f91b3ca93339d1d1ada102ec7a68eca4e3766d]
        "#,
    );
}
