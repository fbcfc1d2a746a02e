use crate::runner::{TestNode, check, check3, encode, run};

#[test]
fn exec_runs_what_multi_queued() {
    check(
        "> EXEC
         (error) ERR EXEC without MULTI
         > DISCARD
         (error) ERR DISCARD without MULTI
         > MULTI
         OK
         > MULTI
         (error) ERR MULTI calls can not be nested
         > WATCH k
         (error) ERR WATCH inside MULTI is not allowed
         > SET k v
         QUEUED
         > GET k
         QUEUED
         > EXEC
         [OK v]
         > MULTI
         OK
         > SET k w
         QUEUED
         > DISCARD
         OK
         > GET k
         v",
    );
}

#[test]
fn a_refused_command_spoils_the_transaction() {
    check(
        "> MULTI
         OK
         > NOSUCH
         (error) ERR unknown command 'NOSUCH', with args beginning with:
         > SET k v
         QUEUED
         > EXEC
         (error) EXECABORT Transaction discarded because of previous errors.
         > GET k
         (nil)
         > PING
         PONG",
    );
}

#[test]
fn without_memory_only_what_adds_data_is_refused_in_a_transaction() {
    check(
        "!reference ends: when it looks at its memory is its own affair
         > SET k v
         OK
         > CONFIG SET maxmemory 1
         OK
         > MULTI
         OK
         > GET k
         QUEUED
         > EVAL \"return redis.call('GET','k')\" 0
         QUEUED
         > DEL k
         QUEUED
         > EXEC
         [v v (int) 1]
         > MULTI
         OK
         > EVAL \"#!lua\\nreturn redis.call('SET','k','v')\" 0
         (error) OOM command not allowed when used memory > 'maxmemory'.
         > EXEC
         (error) EXECABORT Transaction discarded because of previous errors.
         > CONFIG SET maxmemory 0
         OK
         > MULTI
         OK
         > EVAL \"#!lua\\nreturn redis.call('SET','k','v')\" 0
         QUEUED
         b> CONFIG SET maxmemory 1
         OK
         > EXEC
         (error) EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
    );
}

#[test]
fn scripts_in_a_transaction_neither_evict_nor_run_out_of_memory_in_its_middle() {
    for policy in ["noeviction", "allkeys-random"] {
        let mut node = TestNode::new(&[("maxmemory-policy", policy)]);
        run(&mut node, "> SET a 1\nOK\n> SET b 2\nOK");
        let limit = node.node.server.used_memory() + (1 << 20);
        node.ask(&format!("CONFIG SET maxmemory {limit}"));
        run(
            &mut node,
            "> MULTI
             OK
             > SETRANGE big 2000000 x
             QUEUED
             > EVAL \"return redis.call('SET','c','3')\" 0
             QUEUED
             > EVAL \"#!lua\\nreturn redis.call('SET','c','3')\" 0
             QUEUED
             > DBSIZE
             QUEUED
             > EXEC
             [(int) 2000001 OK OK (int) 4]",
        );
    }
}

#[test]
fn a_refused_exec_ends_the_transaction() {
    check(
        "> MULTI
         OK
         > SET k v
         QUEUED
         b> CONFIG SET maxmemory 1
         OK
         > EXEC
         (error) EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.
         b> CONFIG SET maxmemory 0
         OK
         > GET k
         (nil)
         > MULTI
         OK
         > EXEC now
         (error) EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command
         > EXEC
         (error) ERR EXEC without MULTI
         > SUBSCRIBE c
         [subscribe c (int) 1]
         > EXEC
         (error) EXECABORT Transaction discarded because of: Can't execute 'exec': only (P|S)SUBSCRIBE / \
         (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
         > UNSUBSCRIBE c
         [unsubscribe c (int) 0]
         b> CONFIG SET requirepass x
         OK
         c> EXEC
         (error) EXECABORT Transaction discarded because of: NOAUTH Authentication required.",
    );
}

#[test]
fn exec_answers_null_when_a_watched_key_changed() {
    let transcript = "> WATCH k other
         OK
         b> SET k 1
         OK
         > MULTI
         OK
         > GET k
         QUEUED
         > EXEC
         (nil)
         > WATCH k
         OK
         b> SET k 2
         OK
         > UNWATCH
         OK
         > MULTI
         OK
         > GET k
         QUEUED
         > EXEC
         [2]
         > SET k 3 PX 10
         OK
         > WATCH k
         OK
         > MULTI
         OK
         > PING
         QUEUED
         ~ 20
         > EXEC
         (nil)";
    check(transcript);
    check3(transcript);
}

#[test]
fn one_client_watches_many_keys() {
    let keys = 20_000;
    let mut node = TestNode::new(&[]);
    let each = |word: &str| -> Vec<Vec<u8>> {
        let names = (0..keys).flat_map(|n| [format!("k{n}").into_bytes(), b"v".to_vec()]);
        let names = names.filter(|arg| word == "MSET" || arg != b"v");
        std::iter::once(word.as_bytes().to_vec()).chain(names).collect()
    };
    node.send("b", &encode(&each("WATCH")));
    run(&mut node, "< b OK\n> FLUSHALL\nOK\nb> MULTI\nOK\nb> EXEC\n[]");
    node.send("b", &encode(&each("MSET")));
    node.send("b", &encode(&each("WATCH")));
    run(&mut node, "< b OK\n< b OK\n> FLUSHALL\nOK\nb> MULTI\nOK\nb> EXEC\n(nil)");
    node.send("b", &encode(&each("WATCH")));
    run(&mut node, "< b OK\n> SWAPDB 0 1\nOK\nb> MULTI\nOK\nb> EXEC\n[]");
}
