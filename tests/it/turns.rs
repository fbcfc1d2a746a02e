//! The work of one turn is bounded, and what is left over is neither lost nor reordered.

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
