use std::path::Path;

use russet::base::disk::MemoryDisk;

use crate::runner::{TestNode, check, check3, encode, run};

#[test]
fn a_new_user_may_do_nothing() {
    check(
        "> ACL WHOAMI
         default
         > ACL USERS
         [default]
         > ACL LIST
         [\"user default on nopass sanitize-payload ~* &* +@all\"]
         > ACL SETUSER bob
         OK
         > ACL LIST
         [\"user bob off sanitize-payload resetchannels -@all\" \"user default on nopass sanitize-payload ~* &* +@all\"]
         > ACL GETUSER bob
         [flags [off sanitize-payload] passwords [] commands -@all keys \"\" channels \"\" selectors []]
         > ACL GETUSER nobody
         (nil)
         b> AUTH bob x
         (error) WRONGPASS invalid username-password pair or user is disabled.
         > ACL SETUSER bob on >secret
         OK
         b> AUTH bob wrong
         (error) WRONGPASS invalid username-password pair or user is disabled.
         b> AUTH bob secret
         OK
         b> ACL WHOAMI
         (error) NOPERM User bob has no permissions to run the 'acl|whoami' command
         b> GET k
         (error) NOPERM User bob has no permissions to run the 'get' command
         b> HELLO 2 AUTH default any
         !reference differs: its version and modules
         [server redis version 7.4.0 proto (int) 2 id ... mode standalone role master modules []]
         b> ACL WHOAMI
         default",
    );
}

#[test]
fn rules_name_commands_categories_keys_and_channels() {
    check(
        "> ACL SETUSER u on nopass +get +set +@hash -hdel ~a* %R~r* %W~w* &news* +config|get +select|0
         OK
         > ACL GETUSER u
         [flags [on nopass sanitize-payload] passwords [] \
         commands \"-@all +get +set +@hash -hdel +config|get +select|0\" keys \"~a* %R~r* %W~w*\" channels &news* selectors []]
         b> AUTH u any
         OK
         b> SET a1 v
         OK
         b> GET a1
         v
         b> GET b
         (error) NOPERM No permissions to access a key
         b> GET r1
         (nil)
         b> SET r1 v
         (error) NOPERM No permissions to access a key
         b> SET w1 v
         OK
         b> GET w1
         (error) NOPERM No permissions to access a key
         b> SET w1 v GET
         (error) NOPERM No permissions to access a key
         b> HSET a2 f v
         (int) 1
         b> HDEL a2 f
         (error) NOPERM User u has no permissions to run the 'hdel' command
         b> CONFIG GET port
         [port ...]
         b> CONFIG SET port 1
         (error) NOPERM User u has no permissions to run the 'config|set' command
         b> SELECT 0
         OK
         b> SELECT 1
         (error) NOPERM User u has no permissions to run the 'select' command
         > ACL SETUSER u +publish +subscribe +psubscribe
         OK
         b> PUBLISH news1 m
         (int) 0
         b> PUBLISH other m
         (error) NOPERM No permissions to access a channel
         b> PSUBSCRIBE news1*
         (error) NOPERM No permissions to access a channel
         b> PSUBSCRIBE news*
         [psubscribe news* (int) 1]",
    );
}

#[test]
fn any_selector_may_allow_a_request_as_a_whole() {
    check3(
        "> ACL SETUSER u on nopass (+get ~x %R~y &c) \"(+set ~s)\"
         OK
         > ACL GETUSER u
         {flags: ~[on nopass sanitize-payload], passwords: [], commands: -@all, keys: \"\", channels: \"\", selectors: \
         [{commands: \"-@all +get\", keys: \"~x %R~y\", channels: &c} {commands: \"-@all +set\", keys: ~s, channels: \"\"}]}
         > ACL DRYRUN u GET y
         OK
         > ACL DRYRUN u GET s
         \"User u has no permissions to access the 's' key\"
         > ACL DRYRUN u SET s v
         OK
         > ACL DRYRUN u DEL s
         \"User u has no permissions to run the 'del' command\"
         > ACL DRYRUN u NOSUCH
         (error) ERR Command 'NOSUCH' not found
         > ACL DRYRUN nobody GET s
         (error) ERR User 'nobody' not found
         > ACL DRYRUN u GET
         (error) ERR wrong number of arguments for 'get' command
         > ACL SETUSER u (+get
         (error) ERR Unmatched parenthesis in acl selector starting at '(+get'.
         > ACL SETUSER u clearselectors
         OK
         > ACL DRYRUN u GET y
         \"User u has no permissions to run the 'get' command\"",
    );
}

#[test]
fn a_dry_run_knows_subcommands_and_names_of_any_bytes() {
    check3(
        r#"
        > ACL SETUSER "u\xff" on nopass +get ~x
        OK
        > ACL DRYRUN "u\xff" SET x v
        "User u\xff has no permissions to run the 'set' command"
        > ACL DRYRUN "u\xff" GET "y\xfe"
        "User u\xff has no permissions to access the 'y\xfe' key"
        > ACL DRYRUN default CONFIG NOSUCH
        (error) ERR Command 'CONFIG' not found
        > ACL DRYRUN default ACL "" x
        (error) ERR Command 'ACL' not found
        > ACL DRYRUN default CONFIG
        (error) ERR wrong number of arguments for 'config' command
        > ACL DRYRUN default CONFIG GET a
        OK
        "#,
    );
}

#[test]
fn rules_that_cannot_be_change_nothing() {
    check(
        "> ACL SETUSER u +get +nosuch
         (error) ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL
         > ACL GETUSER u
         (nil)
         > ACL SETUSER u +@nosuch
         (error) ERR Error in ACL SETUSER modifier '+@nosuch': Unknown command or category name in ACL
         > ACL SETUSER u +config|get|x
         (error) ERR Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported
         > ACL SETUSER u +get|a|b
         (error) ERR Error in ACL SETUSER modifier '+get|a|b': Unknown command or category name in ACL
         > ACL SETUSER u ~* ~a
         (error) ERR Error in ACL SETUSER modifier '~a': Adding a pattern after the * pattern (or the 'allkeys' flag) is not \
         valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns
         > ACL SETUSER u &* &a
         (error) ERR Error in ACL SETUSER modifier '&a': Adding a pattern after the * pattern (or the 'allchannels' flag) is \
         not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels
         > ACL SETUSER u #short
         (error) ERR Error in ACL SETUSER modifier '#short': The password hash must be exactly 64 characters and contain only \
         lowercase hexadecimal characters
         > ACL SETUSER u <unknown
         (error) ERR Error in ACL SETUSER modifier '<unknown': The password you are trying to remove from the user does not exist
         > ACL SETUSER u %X~a
         (error) ERR Error in ACL SETUSER modifier '%X~a': Syntax error
         > ACL SETUSER u what
         (error) ERR Error in ACL SETUSER modifier 'what': Syntax error
         > ACL SETUSER \"a b\"
         (error) ERR Usernames can't contain spaces or null characters
         > ACL DELUSER default
         (error) ERR The 'default' user cannot be removed
         > ACL CAT nosuch
         (error) ERR Unknown category 'nosuch'
         > ACL GENPASS 0
         (error) ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
         > ACL LOAD
         (error) ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
         SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store \
         users in the Redis configuration.",
    );
}

#[test]
fn a_zero_byte_ends_a_rule_but_not_a_password() {
    check(
        "> ACL SETUSER u \"+get\\x00x\" \"on\\x00\" \"(+set ~a\\x00 ~b)\" (+get \"\\x00\" ~c)
         OK
         > ACL LIST
         [\"user default on nopass sanitize-payload ~* &* +@all\" \"user u on sanitize-payload resetchannels -@all +get (~a \
         resetchannels -@all +set) (~c resetchannels -@all +get)\"]
         > ACL SETUSER v on \">p\\x00w\"
         OK
         > AUTH v p
         (error) WRONGPASS invalid username-password pair or user is disabled.
         > ACL SETUSER u \"~a\\x00b\"
         (error) ERR Error in ACL SETUSER modifier '~a': Syntax error
         > ACL SETUSER u \"%R~a\\x00b\"
         (error) ERR Error in ACL SETUSER modifier '%R~a': Syntax error
         > ACL SETUSER u \"\\x00\"
         (error) ERR Error in ACL SETUSER modifier '': Syntax error
         > ACL SETUSER u \"(+nosuch\\x00x)\"
         (error) ERR Error in ACL SETUSER modifier '(+nosuch': Unknown command or category name in ACL
         > AUTH v \"p\\x00w\"
         OK",
    );
}

#[test]
fn words_in_parentheses_may_be_quoted() {
    check(
        "> ACL SETUSER u \"(+get '~a)')\" \"(+set\\t~b )\" \"(+del \\\"~c)\"
         OK
         > ACL LIST
         [\"user default on nopass sanitize-payload ~* &* +@all\" \"user u off sanitize-payload resetchannels -@all (~a) \
         resetchannels -@all +get) (~b resetchannels -@all +set) (resetchannels -@all)\"]
         > ACL SETUSER u \"(+get '~a b')\"
         (error) ERR Error in ACL SETUSER modifier '(+get '~a b')': Syntax error",
    );
}

#[test]
fn databases_may_be_limited() {
    check(
        "!reference ends: rules of Valkey
         > ACL SETUSER u on nopass +@all ~* &* db=0,2
         OK
         > ACL GETUSER u
         [flags [on nopass sanitize-payload] passwords [] commands +@all keys ~* channels &* databases db=0,2 selectors []]
         > ACL SETUSER u db=x
         (error) ERR Error in ACL SETUSER modifier 'db=x': Syntax error
         b> AUTH u any
         OK
         b> SET k v
         OK
         b> SELECT 1
         (error) NOPERM No permissions to access database
         b> MOVE k 1
         (error) NOPERM No permissions to access database
         b> COPY k l DB 3
         (error) NOPERM No permissions to access database
         b> COPY k l DB 0 DB 3
         (error) NOPERM No permissions to access database
         b> COPY k l DB 3 DB 0
         (error) NOPERM No permissions to access database
         b> SWAPDB 0 1
         (error) NOPERM No permissions to access database
         b> FLUSHALL
         (error) NOPERM No permissions to access database
         b> SELECT 2
         OK
         b> SELECT 99
         (error) ERR DB index is out of range
         > ACL SETUSER v DB=02
         OK
         > ACL SETUSER v db=0,99999999999
         (error) ERR Error in ACL SETUSER modifier 'db=0,99999999999': The provided database ID is out of range
         > ACL SETUSER v on nopass +get ~b
         OK
         > ACL DRYRUN v get a
         \"User v has no permissions to access database get\"
         > ACL DRYRUN v set a b
         \"User v has no permissions to access database set\"
         > ACL SETUSER v \"(-@all db=0)\"
         OK
         > ACL DRYRUN v get a
         \"User v has no permissions to run the 'get' command\"
         > ACL SETUSER v resetdbs
         OK
         > ACL GETUSER v
         [flags [on nopass sanitize-payload] passwords [] commands \"-@all +get\" keys ~b channels \"\" databases \"\" selectors \
         [[commands -@all keys \"\" channels \"\" databases db=0]]]
         > ACL SETUSER u resetdbs
         OK
         b> GET k
         (error) NOPERM No permissions to access database
         b> EVAL \"return 1\" 0
         (error) NOPERM No permissions to access database
         b> PING
         PONG
         > ACL SETUSER u alldbs
         OK
         b> SELECT 1
         OK",
    );
}

/// What is checked are the keys that the command takes, also where its words stand twice or are names.
#[test]
fn keys_are_found_as_the_commands_find_them() {
    check(
        "> GEOADD a 1 1 m
         (int) 1
         > XADD s 1-1 f v
         1-1
         > XGROUP CREATE s g 0
         OK
         > ACL SETUSER u on nopass +@all ~a ~b ~streams
         OK
         b> AUTH u any
         OK
         !reference ends: before Redis 8.10 the first of such words counts
         b> GEORADIUS a 1 1 1 km STORE b STORE c
         (error) NOPERM No permissions to access a key
         b> GEORADIUS a 1 1 1 km STORE b STOREDIST c
         (error) NOPERM No permissions to access a key
         b> GEORADIUSBYMEMBER a m 1 km STOREDIST b STORE c
         (error) NOPERM No permissions to access a key
         b> GEORADIUS a 1 1 1 km STOREDIST c STORE b
         (int) 1
         > COMMAND GETKEYS GEORADIUSBYMEMBER a m 1 km STOREDIST b ASC STORE c
         [a c]
         > EXISTS c
         (int) 0
         b> XREADGROUP NOACK GROUP g streams STREAMS s >
         (error) NOPERM No permissions to access a key
         b> XREADGROUP COUNT 1 GROUP streams c STREAMS s >
         (error) NOPERM No permissions to access a key
         > COMMAND GETKEYS XREADGROUP CLAIM 0 NOACK GROUP g streams STREAMS s streams > >
         [s streams]
         > COMMAND GETKEYS XREAD COUNT 1 BLOCK 0 STREAMS s t 0 0
         [s t]
         > COMMAND GETKEYS XREAD COUNT 1 STREAMS
         (error) ERR Invalid arguments specified for command
         > COMMAND GETKEYS EVAL x 3 a
         []
         > COMMAND GETKEYSANDFLAGS FCALL_RO x -3 a
         []",
    );
}

#[test]
fn refusals_of_databases_are_counted() {
    let mut node = TestNode::new(&[]);
    run(
        &mut node,
        "> ACL SETUSER u on nopass +@all ~* &* db=0\nOK\nb> AUTH u any\nOK\nb> SELECT 1\n(error) NOPERM ...",
    );
    node.send("a", b"INFO stats\r\n");
    let stats = String::from_utf8(node.take_bulk("a")).expect("text");
    assert!(stats.contains("acl_access_denied_db:1\r\n"), "{stats}");
}

#[test]
fn refusals_are_logged() {
    check(
        "> ACL SETUSER u on nopass +@all -@admin ~a*
         OK
         b> AUTH u any
         OK
         b> GET x
         (error) NOPERM No permissions to access a key
         b> GET x
         (error) NOPERM No permissions to access a key
         b> CONFIG GET x
         (error) NOPERM User u has no permissions to run the 'config|get' command
         b> MULTI
         OK
         b> GET y
         (error) NOPERM No permissions to access a key
         b> EXEC
         (error) EXECABORT Transaction discarded because of previous errors.
         b> AUTH nobody any
         (error) WRONGPASS invalid username-password pair or user is disabled.
         > ACL LOG 3
         [[count (int) 1 reason auth context toplevel object AUTH username nobody age-seconds ... client-info ... entry-id (int) 3 \
         timestamp-created ... timestamp-last-updated ...] \
         [count (int) 1 reason key context multi object y username u age-seconds ... client-info ... entry-id (int) 2 \
         timestamp-created ... timestamp-last-updated ...] \
         [count (int) 1 reason command context toplevel object config|get username u age-seconds ... client-info ... entry-id \
         (int) 1 timestamp-created ... timestamp-last-updated ...]]
         > ACL LOG RESET
         OK
         > ACL LOG
         []
         > ACL LOG what
         (error) ERR value is not an integer or out of range",
    );
}

#[test]
fn the_log_keeps_the_beginning_of_what_is_long() {
    let mut node = TestNode::new(&[]);
    run(&mut node, "> ACL SETUSER u on nopass +@all ~a\nOK\nb> AUTH u any\nOK");
    node.send("b", &encode(&[b"GET".to_vec(), vec![b'x'; 1_000_000]]));
    assert_eq!(node.read("b").as_deref(), Some("(error) NOPERM No permissions to access a key"));
    node.send("b", &encode(&[b"AUTH".to_vec(), vec![b'y'; 1_000_000], b"any".to_vec()]));
    assert!(node.read("b").is_some_and(|text| text.starts_with("(error) WRONGPASS")));
    let log = node.ask("ACL LOG");
    let count = |letter: char| log.chars().filter(|&other| other == letter).count();
    assert!((65_536..66_000).contains(&count('x')) && (65_536..66_000).contains(&count('y')));
}

#[test]
fn what_changes_for_a_user_changes_for_its_clients() {
    check(
        "> ACL SETUSER u on nopass +@all ~* &*
         OK
         b> AUTH u any
         OK
         b> MULTI
         OK
         b> SET k v
         QUEUED
         b> GET k
         QUEUED
         > ACL SETUSER u -set
         OK
         b> EXEC
         [(error) NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is \
         no longer allowed for the following reason: no permission to execute the command or subcommand (nil)]
         b> BLPOP l 0
         (none)
         > ACL SETUSER u resetkeys
         OK
         > RPUSH l e
         (int) 1
         < b (error) NOPERM No permissions to access a key
         b> SORT l BY w_*
         (error) NOPERM No permissions to access a key
         > ACL SETUSER u ~l
         OK
         b> SORT l BY w_*
         (error) ERR BY option of SORT denied due to insufficient ACL permissions.
         b> SORT l GET w_*
         (error) ERR GET option of SORT denied due to insufficient ACL permissions.
         > ACL SETUSER default resetpass >pw
         OK
         c> PING
         (error) NOAUTH Authentication required.
         c> AUTH pw
         OK
         > ACL SETUSER default nopass
         OK
         d> PING
         PONG
         d> AUTH pw
         (error) ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration \
         is correct?
         > CLIENT KILL USER u
         (int) 1",
    );
}

#[test]
fn rules_may_name_commands_that_are_not_there() {
    check(
        "> ACL SETUSER replica on nopass +psync +REPLCONF +ping
         OK
         > ACL SETUSER app on nopass ~* +@all -@dangerous +migrate -cluster -readonly +cluster|slots
         OK
         > ACL LIST
         [\"user app on nopass sanitize-payload ~* resetchannels +@all -@dangerous +migrate -cluster -readonly +cluster|slots\" \
         \"user default on nopass sanitize-payload ~* &* +@all\" \
         \"user replica on nopass sanitize-payload resetchannels -@all +psync +replconf +ping\"]
         > ACL SETUSER app +cluster|nosuch
         (error) ERR Error in ACL SETUSER modifier '+cluster|nosuch': Unknown command or category name in ACL
         > ACL SETUSER app +nosuch
         (error) ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL",
    );
}

#[test]
fn users_are_kept_in_a_file() {
    let disk = MemoryDisk::default();
    disk.put(
        Path::new("/data/users.acl"),
        b"# who\nuser a on nopass ~* +@all\n\n  #user b on\nuser default on >pw ~* &* +@all\n",
    );
    let mut node = TestNode::start_on(disk.clone(), &[("aclfile", "/data/users.acl")]);
    run(
        &mut node,
        "> ACL LOAD
         OK
         > ACL LIST
         [\"user a on nopass sanitize-payload ~* resetchannels +@all\" \
         \"user default on sanitize-payload #30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4 ~* &* +@all\"]
         > ACL DELUSER a
         (int) 1
         > ACL SETUSER b +get ~x
         OK
         > ACL SAVE
         OK",
    );
    let saved = russet::base::disk::read_all(&disk, Path::new("/data/users.acl")).expect("the file");
    let saved = String::from_utf8(saved).expect("text");
    assert!(saved.starts_with("user b off sanitize-payload ~x resetchannels -@all +get\nuser default on "), "{saved}");
    disk.put(Path::new("/data/users.acl"), b"user a on +nosuch\nuser a on\nbad\nuser c (+get\nuser d what\n");
    run(
        &mut node,
        "> ACL LOAD
         (error) ERR /data/users.acl:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. WARNING: \
         Duplicate user 'a' found on line 2. /data/users.acl:3 should start with user keyword followed by the username. \
         /data/users.acl:4: Unmatched parenthesis in selector definition: '(+get'. /data/users.acl:5: Syntax error. WARNING: ACL \
         errors detected, no change to the previously active ACL rules was performed
         > ACL USERS
         [b default]",
    );
}

#[test]
fn what_a_file_keeps_is_what_was() {
    let disk = MemoryDisk::default();
    disk.put(Path::new("/data/users.acl"), b"");
    let mut node = TestNode::start_on(disk.clone(), &[("aclfile", "/data/users.acl")]);
    let rules = ["~a)", "~\"b\"", "(+get ~c) %R~(d &e\\)", "(-@all +set|x) ~f))", "(~\\\"g +del)", "('~\"h' +get)"];
    let argv: Vec<Vec<u8>> =
        ["ACL", "SETUSER", "u"].iter().chain(&rules).map(|word| word.as_bytes().to_vec()).collect();
    node.send("a", &encode(&argv));
    run(&mut node, "< a OK\n> ACL SAVE\nOK");
    let before = node.ask("ACL GETUSER u");
    assert!(before.contains("~c) %R~(d"), "{before}");
    assert_eq!(node.ask("ACL LOAD"), "OK");
    assert_eq!(node.ask("ACL GETUSER u"), before);
}
