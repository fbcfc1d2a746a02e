use crate::runner::{check, check3};

#[test]
fn messages_reach_channels_and_patterns() {
    check(
        "> SUBSCRIBE one two
         [subscribe one (int) 1]
         < a [subscribe two (int) 2]
         > PSUBSCRIBE t*
         [psubscribe t* (int) 3]
         > SSUBSCRIBE two
         [ssubscribe two (int) 1]
         > GET k
         (error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
         this context
         > PING
         [pong \"\"]
         b> PUBLISH two hi
         (int) 2
         < a [message two hi]
         < a [pmessage t* two hi]
         b> SPUBLISH two shard
         (int) 1
         < a [smessage two shard]
         b> PUBLISH none hi
         (int) 0
         b> PUBSUB CHANNELS
         [one two]
         b> PUBSUB CHANNELS o*
         [one]
         b> PUBSUB NUMSUB one none
         [one (int) 1 none (int) 0]
         b> PUBSUB NUMPAT
         (int) 1
         b> PUBSUB SHARDCHANNELS
         [two]
         b> PUBSUB SHARDNUMSUB two
         [two (int) 1]
         b> PUBSUB NOSUCH
         (error) ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP.
         > UNSUBSCRIBE one
         [unsubscribe one (int) 2]
         > UNSUBSCRIBE
         [unsubscribe two (int) 1]
         > PUNSUBSCRIBE
         [punsubscribe t* (int) 0]
         > SUNSUBSCRIBE nothing
         [sunsubscribe nothing (int) 1]
         > SUNSUBSCRIBE
         [sunsubscribe two (int) 0]
         > UNSUBSCRIBE
         [unsubscribe (nil) (int) 0]
         > GET k
         (nil)",
    );
}

#[test]
fn resp3_pushes_messages_between_replies() {
    check3(
        "> SUBSCRIBE c
         >[subscribe c (int) 1]
         > PUBLISH c m
         (int) 1
         < a >[message c m]
         > GET k
         (nil)
         > RESET
         RESET
         > PUBLISH c m
         (int) 0",
    );
}

#[test]
fn messages_are_not_muted() {
    let mut node = crate::runner::TestNode::new(&[]);
    assert_eq!(node.ask("CLIENT REPLY OFF"), "(none)");
    assert_eq!(node.ask("SUBSCRIBE c"), "[subscribe c (int) 1]");
    assert_eq!(node.ask("PUBLISH c m"), "(none)");
    crate::runner::run(&mut node, "b> PUBLISH c m\n(int) 1\n< a [message c m]");
    assert_eq!(node.ask("UNSUBSCRIBE c"), "[unsubscribe c (int) 0]");
    assert_eq!(node.ask("PING"), "(none)");
}

#[test]
fn messages_to_oneself_follow_the_transaction() {
    check3(
        "> SUBSCRIBE c
         >[subscribe c (int) 1]
         > MULTI
         OK
         > PUBLISH c m
         QUEUED
         > ECHO x
         QUEUED
         > EXEC
         [(int) 1 x]
         < a >[message c m]",
    );
}
