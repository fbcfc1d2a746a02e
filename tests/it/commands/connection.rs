use crate::runner::{TestNode, check, check_with, check3, encode, run};

#[test]
fn ping_and_echo_repeat() {
    check(
        "> PING
         PONG
         > ping hello
         hello
         > PING a b
         (error) ERR wrong number of arguments for 'ping' command
         > ECHO \"a b\"
         \"a b\"
         > ECHO
         (error) ERR wrong number of arguments for 'echo' command
         > NOSUCH a b
         (error) ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'",
    );
}

#[test]
fn select_chooses_a_database() {
    check(
        "> SET k 0
         OK
         > SELECT 15
         OK
         > GET k
         (nil)
         > SELECT 16
         (error) ERR DB index is out of range
         > SELECT -1
         (error) ERR DB index is out of range
         > SELECT x
         (error) ERR value is not an integer or out of range
         > SELECT 0
         OK
         > GET k
         0",
    );
}

#[test]
fn a_password_is_asked_for() {
    check_with(
        &[("requirepass", "secret")],
        "> GET k
         (error) NOAUTH Authentication required.
         > HELLO 3
         (error) NOAUTH HELLO must be called with the client already authenticated...
         > AUTH wrong
         (error) WRONGPASS invalid username-password pair or user is disabled.
         > AUTH nobody secret
         (error) WRONGPASS invalid username-password pair or user is disabled.
         > AUTH \"internal connection\" secret
         (error) ERR Cannot authenticate as an internal connection on non-cluster instances
         > HELLO 3 AUTH \"internal connection\" secret
         (error) WRONGPASS invalid username-password pair or user is disabled.
         > AUTH a b c
         (error) ERR syntax error
         > AUTH secret
         OK
         > GET k
         (nil)
         > RESET
         RESET
         > GET k
         (error) NOAUTH Authentication required.
         > AUTH default secret
         OK
         b> HELLO 2 AUTH default secret SETNAME me
         !reference differs: its version and modules
         [server redis version 7.4.0 proto (int) 2 id (int) ... mode standalone role master modules []]
         b> CLIENT GETNAME
         me",
    );
    check("> AUTH x\n(error) ERR AUTH <password> called without any password configured for the default user....");
}

#[test]
fn a_stranger_learns_that_debug_is_off_before_anything_else() {
    run(
        &mut TestNode::new(&[("requirepass", "secret")]),
        "> DEBUG SLEEP 0
         (error) ERR DEBUG command not allowed....",
    );
}

#[test]
fn hello_chooses_the_protocol() {
    check(
        "> HELLO 3
         !reference differs: its version and modules
         {server: redis, version: 7.4.0, proto: (int) 3, id: (int) $a, mode: standalone, role: master, modules: []}
         > HELLO 4
         (error) NOPROTO unsupported protocol version
         > HELLO x
         (error) ERR Protocol version is not an integer or out of range
         > HELLO 2 SETNAME
         (error) ERR Syntax error in HELLO option 'SETNAME'
         > HELLO 2 SETNAME \"a b\"
         (error) ERR Client names cannot contain spaces, newlines or special characters.
         > GET nothing
         (nil)
         > HELLO 2
         !reference differs: its version and modules
         [server redis version 7.4.0 proto (int) 2 id (int) $a mode standalone role master modules []]",
    );
    check3("> HELLO\n!reference differs: its version\n{server: redis, version: 7.4.0, proto: (int) 3...");
}

/// What CLIENT INFO tells under a name.
fn told(node: &mut TestNode, client: &str, name: &str) -> String {
    node.send(client, b"CLIENT INFO\r\n");
    let line = String::from_utf8(node.take_bulk(client)).expect("text");
    let told = line.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    told.unwrap_or_else(|| panic!("{name} in {line}")).to_owned()
}

#[test]
fn a_client_is_told_of_by_its_last_request_and_the_commands_that_ended() {
    let mut node = TestNode::new(&[]);
    assert_eq!(told(&mut node, "a", "tot-cmds"), "0");
    run(
        &mut node,
        "> NOSUCH
         (error) ERR unknown command 'NOSUCH', with args beginning with:...
         > GET
         (error) ERR wrong number of arguments for 'get' command
         > BLPOP nokey 0.01
         (none)
         ~ 11
         < a (nil)
         > MULTI
         OK
         > GET k
         QUEUED
         > BLPOP nokey 0
         QUEUED
         > EXEC
         [(nil) (nil)]
         b> CLIENT LIST ID 1
         \"id=1 addr=127.0.0.1:50000...",
    );
    // CLIENT INFO, BLPOP, MULTI, the two within EXEC, and EXEC; not what was refused or only queued.
    assert_eq!(told(&mut node, "a", "tot-cmds"), "6");
    node.send("a", b"MULTI\r\nGET k\r\nEXEC\r\n");
    node.send("b", b"CLIENT LIST ID 1\r\n");
    let line = String::from_utf8(node.take_bulk("b")).expect("text");
    assert!(line.contains(" cmd=exec "), "{line}");
    node.send("b", b"*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n");
    let line = String::from_utf8(node.take_bulk("b")).expect("text");
    assert!(line.contains(" qbuf=26 ") && line.contains(" argv-mem=10 "), "{line}");
}

#[test]
fn clients_are_listed_named_and_killed() {
    check(
        "> CLIENT ID
         (int) $a
         > CLIENT GETNAME
         (nil)
         > CLIENT SETNAME one
         OK
         > CLIENT GETNAME
         one
         > CLIENT SETINFO LIB-NAME lib
         OK
         > CLIENT SETINFO lib-ver \"1 2\"
         (error) ERR lib-ver cannot contain spaces, newlines or special characters.
         > CLIENT SETINFO x y
         (error) ERR Unrecognized option 'x'
         > CLIENT INFO
         \"id=$a addr=127.0.0.1:... laddr=127.0.0.1:... fd=... name=one age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 \
         multi=-1 watch=0 qbuf=26 qbuf-free=...
         b> PING
         PONG
         > CLIENT LIST ID $b 99
         \"id=$b addr=127.0.0.1:...
         > CLIENT LIST TYPE pubsub
         \"\"
         > CLIENT LIST TYPE what
         (error) ERR Unknown client type 'what'
         > CLIENT LIST ID x
         (error) ERR Invalid client ID
         > CLIENT KILL 1.2.3.4:5
         (error) ERR No such client
         > CLIENT KILL ID 0
         (error) ERR client-id should be greater than 0
         > CLIENT KILL ID $b what
         (error) ERR syntax error
         > CLIENT KILL USER nobody
         (error) ERR No such user 'nobody'
         > CLIENT KILL MAXAGE x
         (error) ERR maxage is not an integer or out of range
         > CLIENT KILL TYPE normal
         !sockets differs: the runner has a connection of its own
         (int) 1
         b> CLIENT ID
         (int) $b
         > CLIENT KILL 127.0.0.1:50001
         !sockets differs: the system chooses the port
         OK
         > CLIENT KILL SKIPME no
         !sockets differs: more clients are left
         (int) 1
         > CLIENT ID
         (int) $a
         > CLIENT NOSUCH
         (error) ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.
         > CLIENT NO-EVICT what
         (error) ERR syntax error
         > CLIENT NO-TOUCH ON
         OK
         > CLIENT UNBLOCK 9
         (int) 0
         > CLIENT UNBLOCK 9 why
         (error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
         > CLIENT HELP
         [CLIENT <subcommand> [<arg>...",
    );
}

#[test]
fn replies_are_turned_off_skipped_and_on() {
    let mut node = TestNode::new(&[]);
    let mut silent = |line: &str| assert_eq!(node.ask(line), "(none)", "{line}");
    silent("CLIENT REPLY OFF");
    silent("SET k v");
    silent("NOSUCH");
    assert_eq!(node.ask("CLIENT REPLY ON"), "OK");
    assert_eq!(node.ask("CLIENT REPLY SKIP"), "(none)");
    assert_eq!(node.ask("GET k"), "(none)");
    assert_eq!(node.ask("GET k"), "v");
    assert_eq!(node.ask("CLIENT REPLY what"), "(error) ERR syntax error");
}

#[test]
fn a_pause_holds_writes_back_until_it_ends() {
    let mut node = TestNode::new(&[]);
    run(
        &mut node,
        "> CLIENT PAUSE x
         (error) ERR timeout is not an integer or out of range
         > CLIENT PAUSE -1
         (error) ERR timeout is negative
         > CLIENT PAUSE 1 what
         (error) ERR CLIENT PAUSE mode must be WRITE or ALL
         > CLIENT PAUSE 1000 WRITE
         OK
         > GET k
         (nil)",
    );
    node.send("b", b"SET k v\r\n");
    assert_eq!(node.read("b"), None);
    assert_eq!(node.ask("CLIENT UNPAUSE"), "OK");
    assert_eq!(node.read("b").as_deref(), Some("OK"));
    run(&mut node, "> CLIENT PAUSE 50\nOK");
    node.send("b", b"GET k\r\n");
    assert_eq!(node.read("b"), None);
    run(&mut node, "~ 60\n< b v");
}

#[test]
fn options_of_tracking_exclude_one_another() {
    check(
        "> CLIENT TRACKINGINFO
         [flags [off] redirect (int) -1 prefixes []]
         > CLIENT GETREDIR
         (int) -1
         > CLIENT CACHING YES
         (error) ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
         > CLIENT TRACKING MAYBE
         (error) ERR syntax error
         > CLIENT TRACKING ON REDIRECT 999999
         (error) ERR The client ID you want redirect to does not exist
         > CLIENT TRACKING ON PREFIX a
         (error) ERR PREFIX option requires BCAST mode to be enabled
         > CLIENT TRACKING ON OPTIN OPTOUT
         (error) ERR You can't specify both OPTIN mode and OPTOUT mode
         > CLIENT TRACKING ON BCAST OPTIN
         (error) ERR OPTIN and OPTOUT are not compatible with BCAST
         > CLIENT TRACKING ON BCAST PREFIX ab PREFIX a
         (error) ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap.
         > CLIENT TRACKING ON OPTIN
         OK
         > CLIENT CACHING NO
         (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
         > CLIENT CACHING YES
         OK
         > CLIENT TRACKINGINFO
         [flags [on optin caching-yes] redirect (int) 0 prefixes []]
         > CLIENT TRACKING ON BCAST
         (error) ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a \
         different mode.
         > CLIENT TRACKING ON OPTOUT
         (error) ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
         different mode.
         > CLIENT TRACKING ON OPTIN OPTOUT
         (error) ERR You can't specify both OPTIN mode and OPTOUT mode
         > CLIENT TRACKING OFF
         OK
         > CLIENT TRACKING ON
         OK
         > CLIENT CACHING YES
         (error) ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.
         > CLIENT CACHING NO
         (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
         > CLIENT TRACKING OFF
         OK
         > CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar NOLOOP
         OK
         > CLIENT TRACKING ON BCAST PREFIX f
         (error) ERR Prefix 'f' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.
         > CLIENT TRACKINGINFO
         [flags [on bcast noloop] redirect (int) 0 prefixes [bar foo]]
         > CLIENT TRACKING ON BCAST OPTIN OPTOUT
         (error) ERR OPTIN and OPTOUT are not compatible with BCAST
         > CLIENT TRACKING ON BCAST
         OK
         > CLIENT TRACKINGINFO
         [flags [on bcast] redirect (int) 0 prefixes [\"\" bar foo]]
         > RESET
         RESET
         > CLIENT TRACKINGINFO
         [flags [off] redirect (int) -1 prefixes []]",
    );
}

#[test]
fn caching_means_nothing_to_who_does_not_track() {
    check(
        "> CLIENT CACHING maybe
         (error) ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
         > CLIENT TRACKING ON OPTIN
         OK
         > CLIENT CACHING maybe
         (error) ERR syntax error
         > CLIENT CACHING no
         (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
         > CLIENT TRACKING OFF
         OK
         > CLIENT TRACKING ON
         OK
         > CLIENT CACHING YES
         (error) ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.
         > CLIENT CACHING NO
         (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
         > CLIENT CACHING maybe
         (error) ERR syntax error",
    );
}

/// A script speaks RESP2 unless it says otherwise, whatever its client speaks.
#[test]
fn whose_script_changes_what_it_has_read_hears_of_it_behind_the_reply() {
    check3(
        "> CLIENT TRACKING ON
         OK
         > EVAL \"redis.call('GET','k') redis.call('SET','k','1') return redis.call('GET','k')\" 0
         1
         < a >[invalidate [k]]
         > EVAL \"redis.setresp(3) redis.call('DEL','k') return 2\" 0
         (int) 2
         < a >[invalidate [k]]
         > EVAL \"redis.call('FLUSHALL') return 3\" 0
         (int) 3
         < a >[invalidate (nil)]
         > CLIENT TRACKING OFF
         OK
         > CLIENT TRACKING ON BCAST NOLOOP
         OK
         > SET k 1
         OK
         > EVAL \"redis.call('SET','k','2') return 4\" 0
         (int) 4
         < a >[invalidate [k]]
         > CLIENT TRACKING OFF
         OK
         > SUBSCRIBE c
         >[subscribe c (int) 1]
         > EVAL \"return redis.call('PING')\" 0
         PONG
         > EVAL \"return redis.call('PUBLISH','c','m')\" 0
         (int) 1
         !reference differs: an array, as the script speaks RESP2
         < a >[message c m]",
    );
}

#[test]
fn keys_that_were_read_are_forgotten_with_the_last_who_would_be_told() {
    let mut node = TestNode::new(&[]);
    run(
        &mut node,
        "> HELLO 3
         ...
         > CLIENT TRACKING ON
         OK
         > MGET a b c
         [(nil) (nil) (nil)]
         > CLIENT TRACKING OFF
         OK
         > CLIENT TRACKING ON
         OK
         b> SET a 1
         OK
         < a >[invalidate [a]]
         > CLIENT TRACKING OFF
         OK
         b> PING
         PONG",
    );
    let told =
        |node: &mut TestNode, keys: u32| node.ask("INFO stats").contains(&format!("tracking_total_keys:{keys}\\r"));
    assert!(told(&mut node, 2));
    node.send("c", &encode(&[b"CLIENT".to_vec(), b"TRACKING".to_vec(), b"ON".to_vec()]));
    node.send("c", &encode(&[b"QUIT".to_vec()]));
    assert!(told(&mut node, 2));
    node.send("b", &encode(&[b"CLIENT".to_vec(), b"KILL".to_vec(), b"SKIPME".to_vec(), b"yes".to_vec()]));
    // Who asks is another, as the one who read is gone.
    node.send("d", &encode(&[b"INFO".to_vec(), b"stats".to_vec()]));
    assert!(String::from_utf8_lossy(&node.take_bulk("d")).contains("tracking_total_keys:0\r"));
}

#[test]
fn many_prefixes_are_compared_in_a_moment() {
    let mut node = TestNode::new(&[]);
    let track = |prefixes: &[String]| {
        let words = ["CLIENT", "TRACKING", "ON", "BCAST"].map(str::to_owned).into_iter();
        let prefixes = prefixes.iter().flat_map(|prefix| ["PREFIX".to_owned(), prefix.clone()]);
        encode(&words.chain(prefixes).map(String::into_bytes).collect::<Vec<_>>())
    };
    let mut prefixes: Vec<String> = (0..100_000).map(|number| format!("p{number:06}")).collect();
    node.send("a", &track(&prefixes));
    assert_eq!(node.read("a").as_deref(), Some("OK"));
    let refused = |prefix: &str, which: &str, other: &str| {
        let text = "Prefixes for a single client must not overlap.";
        Some(format!("(error) ERR Prefix '{prefix}' overlaps with {which} prefix '{other}'. {text}"))
    };
    prefixes.extend(["q", "p0", "qq", "p00"].map(str::to_owned));
    node.send("b", &track(&prefixes));
    assert_eq!(node.read("b"), refused("p000000", "another provided", "p0"));
    node.send("a", &track(&prefixes[100_000..]));
    assert_eq!(node.read("a"), refused("q", "another provided", "qq"));
    node.send("a", &track(&prefixes[100_001..100_002]));
    assert_eq!(node.read("a"), refused("p0", "an existing", "p000000"));
}

#[test]
fn a_script_that_floods_its_own_client_costs_it_the_connection() {
    let mut node = TestNode::new(&[]);
    node.ask("CONFIG SET client-output-buffer-limit \"pubsub 1mb 0 0\"");
    node.ask("HELLO 3");
    node.ask("SUBSCRIBE c");
    node.ask(
        "EVAL \"for i=1,40 do redis.call('PUBLISH','c',string.rep('x',100000)) end redis.call('SET','done','1')\" 0",
    );
    assert!(!node.is_connected("a"));
    node.send("b", &encode(&[b"GET".to_vec(), b"done".to_vec()]));
    assert_eq!(node.read("b").as_deref(), Some("1"));
}

#[test]
fn who_has_read_a_key_hears_of_its_change_once() {
    check3(
        "> CLIENT TRACKING ON
         OK
         > GET k
         (nil)
         b> SET k 1
         OK
         < a >[invalidate [k]]
         b> SET k 2
         OK
         > MGET k l
         [2 (nil)]
         > SET k 3
         OK
         < a >[invalidate [k]]
         > PEXPIRE l 100
         (int) 0
         b> SET l 1 PX 1000
         OK
         < a >[invalidate [l]]
         > GET l
         1
         b> FLUSHALL
         OK
         < a >[invalidate (nil)]
         > GET k
         (nil)
         b> MULTI
         OK
         b> SET k 1
         QUEUED
         b> FLUSHDB
         QUEUED
         b> SET k 2
         QUEUED
         b> FLUSHALL
         QUEUED
         b> EXEC
         [OK OK OK OK]
         < a >[invalidate [k]]
         < a >[invalidate (nil)]
         < a >[invalidate (nil)]
         > MULTI
         OK
         > FLUSHALL
         QUEUED
         > FLUSHALL
         QUEUED
         > EXEC
         [OK OK]
         < a >[invalidate (nil)]
         < a >[invalidate (nil)]
         > CLIENT TRACKING ON NOLOOP
         OK
         > EVAL_RO \"return 1\" 1 k
         (int) 1
         b> SET k 5
         OK
         > EVAL_RO \"return redis.call('GET','k')\" 1 l
         5
         b> SET k 6
         OK
         < a >[invalidate [k]]
         b> DEL l k
         (int) 1
         > GET k
         (nil)
         > SET k 1
         OK
         > GET k
         1
         > MULTI
         OK
         > GET m
         QUEUED
         > EXEC
         [(nil)]
         b> MSET m 1 k 1
         OK
         < a >[invalidate [m]]
         < a >[invalidate [k]]
         > CLIENT TRACKING OFF
         OK
         > GET k
         1
         b> SET k 2
         OK
         > PING
         PONG",
    );
}

#[test]
fn what_counts_as_read_can_be_chosen() {
    check3(
        "> CLIENT TRACKING ON OPTIN
         OK
         > GET a
         (nil)
         > CLIENT CACHING YES
         OK
         > GET b
         (nil)
         > GET c
         (nil)
         b> MSET a 1 b 1 c 1
         OK
         < a >[invalidate [b]]
         > CLIENT TRACKING OFF
         OK
         > CLIENT TRACKING ON OPTOUT
         OK
         > CLIENT CACHING NO
         OK
         > GET a
         1
         > GET b
         1
         b> MSET a 1 b 1 c 1
         OK
         < a >[invalidate [b]]
         > PING
         PONG",
    );
}

#[test]
fn prefixes_are_broadcast_together() {
    check3(
        "> CLIENT TRACKING ON BCAST PREFIX a: PREFIX b:
         OK
         b> MSET a:1 x b:1 x c:1 x a:2 x
         OK
         < a >[invalidate [a:1 a:2]]
         < a >[invalidate [b:1]]
         b> CLIENT TRACKING ON BCAST NOLOOP
         OK
         b> SET z 1
         OK
         b> PING
         PONG
         > SET y 1
         OK
         < b >[invalidate [y]]",
    );
}

#[test]
fn another_client_may_be_told() {
    check(
        "b> SUBSCRIBE __redis__:invalidate
         [subscribe __redis__:invalidate (int) 1]
         > CLIENT TRACKING ON REDIRECT $b
         OK
         > CLIENT GETREDIR
         (int) $b
         > GET k
         (nil)
         c> SET k 1
         OK
         < b [message __redis__:invalidate [k]]
         > GET k
         1
         b> QUIT
         OK
         c> SET k 2
         OK
         > CLIENT TRACKINGINFO
         [flags [on broken_redirect] redirect ... prefixes []]",
    );
}

#[test]
fn that_all_keys_are_gone_is_told_by_the_null_of_strings() {
    let mut node = TestNode::new(&[]);
    let id = node.ask("CLIENT ID");
    run(&mut node, "b> PING\nPONG\n> SUBSCRIBE __redis__:invalidate\n[subscribe __redis__:invalidate (int) 1]");
    node.send("b", format!("CLIENT TRACKING ON REDIRECT {}\r\n", id.trim_start_matches("(int) ")).as_bytes());
    run(&mut node, "< b OK\nb> FLUSHALL\nOK");
    assert_eq!(node.read_raw("a"), b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
}

#[test]
fn only_so_many_keys_are_remembered() {
    check_with(
        &[("tracking-table-max-keys", "2")],
        "> HELLO 3
         ...
         > CLIENT TRACKING ON
         OK
         > GET a
         (nil)
         > GET b
         (nil)
         > GET c
         (nil)
         < a >[invalidate [...]]
         > PING
         PONG",
    );
}
