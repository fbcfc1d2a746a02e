//! The work of one turn is bounded, and what is left over is neither lost nor reordered.

use russet::storage::alloc::thread_balance;

use crate::runner::{TestNode, encode};

fn requests(lines: &[&str]) -> Vec<u8> {
    let split = |line: &&str| russet::resp::parser::split_args(line.as_bytes()).expect("a request that can be split");
    lines.iter().map(split).flat_map(|argv| encode(&argv)).collect()
}

fn replies(node: &mut TestNode, client: &str) -> Vec<String> {
    std::iter::from_fn(|| node.read(client)).collect()
}

#[test]
fn a_long_pipeline_lets_other_clients_come_in_between() {
    let mut node = TestNode::new(&[]);
    // Each command takes some microseconds, so that the pipeline is worth many turns.
    node.host.tick_us.set(3);
    let pipeline: Vec<u8> = (0..2000).flat_map(|_| requests(&["INCR n"])).collect();
    node.send("a", &pipeline);
    let mut seen = replies(&mut node, "a");
    assert!((16..300).contains(&seen.len()), "{} requests in one turn", seen.len());
    node.send("b", &requests(&["PING"]));
    assert_eq!(node.read("b").as_deref(), Some("PONG"));
    let mut turns = 2;
    while node.node.sleep_us(node.now().mono) == 0 {
        node.turn();
        turns += 1;
        let more = replies(&mut node, "a");
        assert!(more.len() < 300);
        seen.extend(more);
    }
    assert!(turns > 10, "{turns} turns");
    let expected: Vec<String> = (1..=2000).map(|n| format!("(int) {n}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn several_long_pipelines_take_turns() {
    let mut node = TestNode::new(&[]);
    node.host.tick_us.set(3);
    let mut done = [0; 4];
    for (index, client) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let pipeline: Vec<u8> = (0..1500).flat_map(|_| requests(&["GET k"])).collect();
        node.send(client, &pipeline);
        done[index] += replies(&mut node, client).len();
    }
    for _ in 0..12 {
        let before = *node.host.clock_us.borrow();
        node.turn();
        assert!(*node.host.clock_us.borrow() - before < 1000);
        for (index, client) in ["a", "b", "c", "d"].into_iter().enumerate() {
            done[index] += replies(&mut node, client).len();
        }
    }
    assert!(done.iter().all(|&count| count > 150), "{done:?}");
}

#[test]
fn what_a_pipeline_left_waits_when_a_command_blocks_and_goes_when_the_client_does() {
    let mut node = TestNode::new(&[]);
    node.host.tick_us.set(3);
    let mut pipeline: Vec<u8> = (0..500).flat_map(|_| requests(&["INCR n"])).collect();
    pipeline.extend(requests(&["BLPOP l 0", "INCR n"]));
    node.send("a", &pipeline);
    for _ in 0..50 {
        node.turn();
    }
    assert_eq!(replies(&mut node, "a").len(), 500);
    node.send("b", &requests(&["RPUSH l x"]));
    assert_eq!(replies(&mut node, "a"), ["[l x]", "(int) 501"]);
    node.send("a", &(0..500).flat_map(|_| requests(&["INCR n"])).collect::<Vec<u8>>());
    assert_eq!(node.node.sleep_us(node.now().mono), 0);
    node.send("b", &requests(&["CLIENT KILL SKIPME yes"]));
    for _ in 0..3 {
        node.turn();
    }
    assert!(node.node.sleep_us(node.now().mono) > 0);
}

#[test]
fn a_stranger_who_says_who_he_is_goes_on_in_the_same_pipeline() {
    let mut node = TestNode::new(&[("requirepass", "secret")]);
    node.host.tick_us.set(20);
    let mut pipeline = requests(&["GET k", "AUTH secret"]);
    pipeline.extend((0..200).flat_map(|_| requests(&["INCR n"])));
    node.send("a", &pipeline);
    for _ in 0..100 {
        node.turn();
    }
    let seen = replies(&mut node, "a");
    assert_eq!((seen.len(), seen[201].as_str()), (202, "(int) 200"));
}

#[test]
fn requests_behind_a_long_one_that_a_pause_held_back_are_not_lost() {
    let mut node = TestNode::new(&[]);
    node.send("b", &requests(&["CLIENT PAUSE 100 ALL"]));
    let set = encode(&[b"SET".to_vec(), b"k".to_vec(), vec![b'x'; 100_000]]);
    node.send("a", &set[..90_000]);
    let place = node.client("a");
    let mut tail = set[90_000..].to_vec();
    tail.extend(requests(&["STRLEN k", "PING"]));
    let mut left = tail.as_slice();
    while !left.is_empty() {
        let read = |room: &mut [u8]| {
            let count = room.len().min(left.len());
            room[..count].copy_from_slice(&left[..count]);
            Ok::<usize, ()>(count)
        };
        node.node.begin_turn(node.now());
        match node.node.fill_big(place, read) {
            Some(Ok(count)) => left = &left[count..],
            _ => {
                let rest = left.to_vec();
                node.node.receive(place, &rest);
                left = &[];
            }
        }
    }
    node.turn();
    assert_eq!(node.read("a"), None);
    node.advance_ms(200);
    assert_eq!(replies(&mut node, "a"), ["OK", "(int) 100000", "PONG"]);
}

#[test]
fn bytes_one_by_one_are_no_less_a_request() {
    let mut node = TestNode::new(&[]);
    let mut bytes = requests(&["SET k v", "GET k"]);
    bytes.extend(b"\r\nGET k\r\n*0\r\n*-1\r\n");
    bytes.extend(requests(&["APPEND k w"]));
    for byte in bytes {
        node.send("a", &[byte]);
    }
    assert_eq!(replies(&mut node, "a"), ["OK", "v", "v", "(int) 2"]);
}

#[test]
fn eviction_of_what_is_left_over_is_shared_by_the_commands_of_a_turn() {
    let mut node = TestNode::new(&[("maxmemory-policy", "allkeys-random")]);
    for n in 0..20_000 {
        node.ask(&format!("SET key:{n} {}", "x".repeat(100)));
    }
    let used = node.node.server.used_memory();
    node.ask(&format!("CONFIG SET maxmemory {}", used - 1_000_000));
    // The clock is read once for many evictions.
    node.host.tick_us.set(30);
    let evicted = |node: &TestNode| node.node.server.keyspace.stats.evicted_keys;
    let mut before = evicted(&node);
    let mut answered = 0;
    // The first turn and all that follow evict a slice, whatever the number of commands.
    for _ in 0..5 {
        node.send("a", &(0..30).flat_map(|_| requests(&["PING"])).collect::<Vec<u8>>());
        let slice = evicted(&node) - before;
        assert!((16..500).contains(&slice), "{slice} evictions in one turn");
        answered += replies(&mut node, "a").len();
        before += slice;
    }
    assert!(node.node.server.eviction.over_since.is_some());
    // A server at rest goes on until there is room.
    let mut turns = 0;
    while node.node.sleep_us(node.now().mono) == 0 {
        node.turn();
        turns += 1;
    }
    assert_eq!(answered + replies(&mut node, "a").len(), 150);
    assert!(turns > 5 && node.node.server.used_memory() <= used - 1_000_000);
    // INFO tells how long that took.
    node.send("a", b"INFO stats\r\n");
    let stats = String::from_utf8(node.take_bulk("a")).expect("text");
    assert!(stats.contains("current_eviction_exceeded_time:0\r\n"), "{stats}");
    assert!(!stats.contains("total_eviction_exceeded_time:0\r\n"), "{stats}");
}

#[test]
fn nothing_is_evicted_for_the_news_of_evictions() {
    let config = [("maxmemory-policy", "allkeys-random"), ("maxmemory-eviction-tenacity", "100")];
    let mut node = TestNode::new(&config);
    let readers: Vec<String> = ('b'..='k').map(String::from).collect();
    for reader in &readers {
        node.send(reader, &requests(&["HELLO 3", "CLIENT TRACKING ON"]));
    }
    for n in 0..300 {
        let key = format!("{n}{}", "x".repeat(1000));
        node.ask(&format!("SET {key} v"));
        readers.iter().for_each(|reader| node.send(reader, &requests(&[&format!("GET {key}")])));
    }
    let limit = node.node.server.used_memory() - 40_000;
    node.send("a", &requests(&[&format!("CONFIG SET maxmemory {limit}"), "PING", "PING"]));
    let evicted = node.node.server.keyspace.stats.evicted_keys;
    assert!((10..80).contains(&evicted), "{evicted} of 300 keys");
}

#[test]
fn writers_do_not_outrun_eviction() {
    let mut node = TestNode::new(&[("maxmemory-policy", "allkeys-random")]);
    for n in 0..20_000 {
        node.ask(&format!("SET key:{n} {}", "x".repeat(30)));
    }
    let limit = node.node.server.used_memory();
    node.ask(&format!("CONFIG SET maxmemory {limit}"));
    node.host.tick_us.set(2);
    // Each of these takes the place of many of the keys that are there.
    for n in 0..300 {
        let argv = [b"SET".to_vec(), format!("new:{n}").into_bytes(), vec![b'y'; 4000]];
        node.send("a", &encode(&argv));
        assert_eq!(node.read("a").as_deref(), Some("OK"));
        let over = node.node.server.used_memory().saturating_sub(limit);
        assert!(over < 200_000, "{over} bytes above the limit after {n} writes");
    }
}

#[test]
fn what_info_says_of_memory_leaves_its_own_text_out() {
    let mut node = TestNode::new(&[]);
    node.ask("INFO memory");
    let used = node.node.server.used_memory();
    let text = node.ask("INFO memory");
    let told = text.split("\\r\\n").find_map(|line| line.strip_prefix("used_memory:")).expect("the field");
    let told: usize = told.parse().expect("a number");
    assert!(told.abs_diff(used) < 2048, "{told} told, {used} used");
}

fn members(node: &mut TestNode) {
    node.send("a", &requests(&["SADD s a b c", "SADD i 1 2 3", "HSET h f v g w", "ZADD z 1 a 2 b"]));
    for (key, add) in [("big", "SADD"), ("bigh", "HSET"), ("bigz", "ZADD")] {
        let extra = if add == "SADD" { "" } else { " 1" };
        let line = |n: usize| match add {
            "ZADD" => format!("ZADD {key} {n} member:{n}"),
            _ => format!("{add} {key} member:{n}{extra}"),
        };
        let lines: Vec<String> = (0..700).map(line).collect();
        node.send("a", &requests(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    while node.node.sleep_us(node.now().mono) == 0 {
        node.turn();
    }
    replies(node, "a");
}

/// The elements of a flat array as the runner renders it.
fn elements(reply: &str) -> Vec<&str> {
    reply.trim_start_matches('[').trim_end_matches(']').split(' ').collect()
}

#[test]
fn long_replies_of_random_elements_hold_what_was_asked_for() {
    let mut node = TestNode::new(&[]);
    members(&mut node);
    for (key, command, pairs) in [
        ("s", "SRANDMEMBER", ""),
        ("i", "SRANDMEMBER", ""),
        ("big", "SRANDMEMBER", ""),
        ("h", "HRANDFIELD", ""),
        ("bigh", "HRANDFIELD", "WITHVALUES"),
        ("z", "ZRANDMEMBER", "WITHSCORES"),
        ("bigz", "ZRANDMEMBER", ""),
    ] {
        let request = format!("{command} {key} -5000 {pairs}");
        node.send("a", &requests(&[request.trim(), "PING", "MULTI", request.trim(), "ECHO last", "EXEC", "PING"]));
        let seen = replies(&mut node, "a");
        assert_eq!(seen.len(), 7, "{request}");
        let expected = if pairs.is_empty() { 5000 } else { 10_000 };
        let first = elements(&seen[0]);
        assert_eq!((first.len(), seen[1].as_str(), seen[6].as_str()), (expected, "PONG", "PONG"), "{request}");
        assert!(seen[5].ends_with("] last]"), "{request}");
        assert_eq!(elements(&seen[5]).len(), expected + 1, "{request}");
        let mut kinds = first.clone();
        kinds.sort();
        kinds.dedup();
        assert!(kinds.len() > 1, "{request}");
        for (index, element) in first.iter().enumerate().filter(|(index, _)| pairs.is_empty() || index % 2 == 0) {
            let held = match command {
                "SRANDMEMBER" => node.ask(&format!("SISMEMBER {key} {element}")) == "(int) 1",
                "HRANDFIELD" => {
                    let value = node.ask(&format!("HGET {key} {element}"));
                    value != "(nil)" && (pairs.is_empty() || first[index + 1] == value)
                }
                _ => {
                    let score = node.ask(&format!("ZSCORE {key} {element}"));
                    score != "(nil)" && (pairs.is_empty() || first[index + 1] == score)
                }
            };
            assert!(held, "{request}: {element}");
        }
    }
    node.send("a", &requests(&["HELLO 3", "HRANDFIELD h -2000 WITHVALUES", "CLIENT REPLY OFF"]));
    let seen = replies(&mut node, "a");
    assert_eq!((seen.len(), seen[1].matches("[f v]").count() + seen[1].matches("[g w]").count()), (2, 2000));
    node.send("a", &requests(&["SRANDMEMBER s -4000000000", "CLIENT REPLY ON", "PING"]));
    assert_eq!(replies(&mut node, "a"), ["OK", "PONG"]);
}

#[test]
fn a_reply_without_end_takes_no_more_than_slices() {
    let mut node = TestNode::new(&[]);
    members(&mut node);
    // Of this thread: other tests run beside it.
    let used = thread_balance();
    let endless = ["SRANDMEMBER s -9223372036854775807", "HRANDFIELD bigh -4611686018427387903 WITHVALUES"];
    for (client, request) in ["b", "c"].into_iter().zip(endless) {
        node.send(client, &requests(&[request, "PING"]));
    }
    node.send("d", &requests(&["MULTI", "ZRANDMEMBER bigz -4611686018427387903 WITHSCORES", "EXEC"]));
    let mut bytes = 0;
    for n in 0..50 {
        // Who comes in between is served, and may take away what the reply is about.
        assert_eq!(node.ask(&format!("SET k {n}")), "OK");
        if n == 20 {
            assert_eq!(node.ask("DEL s bigh bigz"), "(int) 3");
        }
        for client in ["b", "c", "d"] {
            let place = node.client(client);
            let held = node.node.server.clients.at(place).map_or(0, |client| client.out.len());
            assert!(held < 20_000, "{held} bytes are held");
            let taken = node.read_raw(client).len();
            assert!(taken > 0);
            bytes += taken;
        }
        let more = thread_balance() - used;
        assert!(more < 1_000_000, "{more} bytes of memory after {bytes} sent");
    }
    // With a limit the client that asks for more than that is closed at once.
    node.ask("SADD s a b c");
    node.ask("CONFIG SET client-output-buffer-limit \"normal 1000000 0 0\"");
    node.send("e", &requests(&["SRANDMEMBER s -999999999"]));
    assert!(!node.is_connected("e"));
    let freed = node.node.server.keyspace.garbage.freed();
    node.ask("CLIENT KILL SKIPME yes");
    node.turn();
    assert_eq!(node.node.server.keyspace.garbage.freed(), freed + 3, "the copies are for another thread to free");
    assert!(["b", "c", "d"].iter().all(|client| !node.is_connected(client)));
    assert!(node.node.sleep_us(node.now().mono) > 0);
}
