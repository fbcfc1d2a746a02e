//! The wall clock of a machine is set forwards and back; the clock of what passes goes on.

use crate::runner::{TestNode, encode, run};

const HOUR_US: i64 = 3_600_000_000;

fn jump(node: &mut TestNode, us: i64) {
    node.wall_us += us;
    node.turn();
}

fn told(node: &mut TestNode, section: &str, name: &str) -> i64 {
    node.send("i", &encode(&[b"INFO".to_vec(), section.as_bytes().to_vec()]));
    let text = String::from_utf8(node.take_bulk("i")).expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {text}"))
}

#[test]
fn what_is_due_by_the_new_time_is_gone_and_stays_gone() {
    let mut node = TestNode::new(&[]);
    let keys = "
        > SET k v PX 10000
        OK
        > HSET h f v g v
        (int) 2
        > HPEXPIRE h 10000 FIELDS 1 f
        [(int) 1]
        > SET stays v
        OK
        ";
    run(&mut node, keys);
    jump(&mut node, HOUR_US);
    assert_eq!(node.ask("DBSIZE"), "(int) 2");
    assert_eq!(node.ask("HLEN h"), "(int) 1");
    jump(&mut node, -2 * HOUR_US);
    run(
        &mut node,
        "
        > EXISTS k
        (int) 0
        > HGET h f
        (nil)
        > SET k v PX 10000
        OK
        ",
    );
}

#[test]
fn what_lives_until_a_time_lives_longer_when_the_clock_is_set_back() {
    let mut node = TestNode::new(&[]);
    assert_eq!(node.ask("SET k v PX 10000"), "OK");
    jump(&mut node, -HOUR_US);
    assert_eq!(node.ask("PTTL k"), "(int) 3610000");
    node.advance_ms(20_000);
    assert_eq!(node.ask("PTTL k"), "(int) 3590000");
    assert_eq!(node.ask("SET new v PX 10000"), "OK");
    node.advance_ms(10_002);
    assert_eq!(node.ask("DBSIZE"), "(int) 1");
    jump(&mut node, HOUR_US);
    assert_eq!(node.ask("DBSIZE"), "(int) 0");
}

#[test]
fn clients_wait_as_long_as_they_asked_for() {
    for jump_us in [HOUR_US, -HOUR_US, 1000 * 24 * HOUR_US, -1000 * 24 * HOUR_US] {
        let mut node = TestNode::new(&[]);
        node.send("b", &encode(&[b"BLPOP".to_vec(), b"l".to_vec(), b"5".to_vec()]));
        jump(&mut node, jump_us);
        node.advance_ms(4900);
        assert_eq!(node.read("b"), None, "woken by a jump of {jump_us}");
        node.advance_ms(200);
        assert_eq!(node.read("b").as_deref(), Some("(nil)"), "asleep after a jump of {jump_us}");
        assert_eq!(node.ask("CLIENT PAUSE 1000 WRITE"), "OK");
        node.send("b", &encode(&[b"SET".to_vec(), b"k".to_vec(), b"v".to_vec()]));
        jump(&mut node, -jump_us);
        assert_eq!(told(&mut node, "clients", "paused_timeout_milliseconds"), 1000);
        node.advance_ms(900);
        assert_eq!(node.read("b"), None, "a pause ended by a jump of {jump_us}");
        node.advance_ms(200);
        assert_eq!(node.read("b").as_deref(), Some("OK"), "a pause goes on after a jump of {jump_us}");
    }
}

#[test]
fn save_points_go_by_the_time_that_passes() {
    for jump_us in [HOUR_US, -HOUR_US] {
        let mut node = TestNode::new(&[]);
        assert_eq!(node.ask("CONFIG SET save \"60 1\""), "OK");
        assert_eq!(node.ask("SET k v"), "OK");
        jump(&mut node, jump_us);
        node.advance_ms(50_000);
        assert!(node.host.disk.names().is_empty(), "a jump of {jump_us} saved");
        node.advance_ms(20_000);
        assert_eq!(node.host.disk.names(), ["dump.rdb"], "a jump of {jump_us} kept from saving");
        let now = node.now().unix().seconds();
        let told = node.ask("LASTSAVE");
        let seconds: i64 = told.trim_start_matches("(int) ").parse().expect("seconds");
        assert!((now - 20..=now).contains(&seconds), "{seconds} at {now}");
    }
}

#[test]
fn rates_and_uptime_go_by_the_time_that_passes() {
    let mut node = TestNode::new(&[]);
    for step in 0..100 {
        (0..10).for_each(|_| drop(node.ask("PING")));
        node.advance_ms(100);
        if step == 50 {
            jump(&mut node, -HOUR_US);
        }
    }
    let rate = told(&mut node, "stats", "instantaneous_ops_per_sec");
    assert!((80..130).contains(&rate), "{rate}");
    assert_eq!(told(&mut node, "server", "uptime_in_seconds"), 10);
}

#[test]
fn keys_in_use_are_not_evicted_because_the_clock_was_set_back() {
    let mut node = TestNode::new(&[]);
    assert_eq!(node.ask("SET k v"), "OK");
    jump(&mut node, -HOUR_US);
    assert_eq!(node.ask("OBJECT IDLETIME k"), "(int) 0");
    assert_eq!(node.ask("CONFIG SET maxmemory-policy allkeys-lfu"), "OK");
    assert_eq!(node.ask("SET f v"), "OK");
    assert_eq!(node.ask("OBJECT FREQ f"), "(int) 5");
    jump(&mut node, -HOUR_US);
    assert_eq!(node.ask("OBJECT FREQ f"), "(int) 5");
}
