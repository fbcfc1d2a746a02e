use std::path::Path;

use russet::base::crc::crc64;
use russet::base::disk::{MemoryDisk, read_all};
use russet::persistence::rdb::functions::dump;
use russet::scripting::{End, Engine, Kind, Random, Run, Step, Versions};

use crate::runner::{TestNode, check, check_with, check3, encode, run};

#[test]
fn eval_runs_a_script_with_keys_and_arguments() {
    check(
        "> EVAL 'return 1' 0
         (int) 1
         > EVAL 'return {KEYS[1],ARGV[1],ARGV[2],#KEYS,#ARGV}' 1 k a b
         [k a b (int) 1 (int) 2]
         > EVAL \"return redis.call('SET',KEYS[1],ARGV[1])\" 1 k v
         OK
         > EVAL \"return redis.call('GET',KEYS[1])\" 1 k
         v
         > EVAL 'return 1'
         (error) ERR wrong number of arguments for 'eval' command
         > EVAL 'return 1' a
         (error) ERR value is not an integer or out of range
         > EVAL 'return 1' -1
         (error) ERR Number of keys can't be negative
         > EVAL 'return 1' 1
         (error) ERR Number of keys can't be greater than number of args
         > EVAL 'x y' 0
         (error) ERR Error compiling script (new function): user_script:1: '=' expected near 'y'",
    );
}

#[test]
fn evalsha_runs_what_is_known() {
    check(
        "> EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
         (error) NOSCRIPT No matching script. Please use EVAL.
         > EVALSHA short 0
         (error) NOSCRIPT No matching script. Please use EVAL.
         > SCRIPT LOAD 'return 1'
         e0e1f9fabfc9d4800c877a703b823ac0578ff8db
         > EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
         (int) 1
         > EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
         (int) 1
         > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x
         [(int) 1 (int) 0]
         > SCRIPT FLUSH x
         (error) ERR SCRIPT FLUSH only support SYNC|ASYNC option
         > SCRIPT FLUSH sync
         OK
         > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
         [(int) 0]
         > SCRIPT LOAD 'x y'
         (error) ERR Error compiling script (new function): user_script:1: '=' expected near 'y'
         > SCRIPT KILL
         (error) NOTBUSY No scripts in execution right now.
         > FUNCTION KILL
         (error) NOTBUSY No scripts in execution right now.
         > SCRIPT DEBUG no
         OK
         > SCRIPT DEBUG maybe
         (error) ERR Use SCRIPT DEBUG YES/SYNC/NO",
    );
}

#[test]
fn values_of_lua_become_replies() {
    check(
        "> EVAL \"return {1.9,-1.9,true,'x',{ok='fine'},{err='BAD thing'},false,7}\" 0
         [(int) 1 (int) -1 (int) 1 x fine (error) BAD thing (nil) (int) 7]
         > EVAL 'return {1,2,nil,3}' 0
         [(int) 1 (int) 2]
         > EVAL 'return' 0
         (nil)
         > EVAL 'return {double=1.5}' 0
         1.5
         > EVAL 'return {map={a=1}}' 0
         [a (int) 1]
         > EVAL 'return {set={a=true}}' 0
         [a]
         > EVAL \"return {big_number='123'}\" 0
         123
         > EVAL \"return redis.error_reply('foo')\" 0
         (error) ERR foo
         > EVAL \"return redis.error_reply('-FOO bar')\" 0
         (error) FOO bar
         > EVAL \"return redis.status_reply('fine')\" 0
         fine
         > EVAL \"return redis.status_reply('a','b')\" 0
         (error) ERR wrong number or type of arguments",
    );
    check3(
        "> EVAL 'return {double=1.5}' 0
         (double) 1.5
         > EVAL 'return {map={a=1}}' 0
         {a: (int) 1}
         > EVAL 'return {set={a=true}}' 0
         ~[a]
         > EVAL 'return true' 0
         (int) 1
         > EVAL 'redis.setresp(3) return true' 0
         (true)
         > EVAL 'return false' 0
         (nil)
         > EVAL \"return {verbatim_string={format='txt',string='abc'}}\" 0
         (txt) abc",
    );
}

#[test]
fn texts_in_one_line_end_at_a_zero_byte() {
    check(
        "> EVAL \"return {ok='a\\\\0b'}\" 0
         a
         > EVAL \"return {err='a\\\\0b'}\" 0
         (error) a
         > EVAL \"return {redis.status_reply('a\\\\0b').ok,redis.error_reply('a\\\\0b').err}\" 0
         [\"a\\x00b\" \"ERR a\"]
         > EVAL \"error({err=5})\" 0
         (error) 5 script: 58cfd935477cdbf9342fa1cc3ec8452b6a3ddc4b, on @user_script:1.
         > EVAL 'return {{double=-0.0},{double=-5851877798724998565}}' 0
         [-0 -5851877798724998000]",
    );
}

#[test]
fn what_pcall_returns_is_as_in_redis() {
    check(
        "> EVAL \"return select('#',pcall(error,{x=1}))\" 0
         (int) 3
         > EVAL \"return select('#',pcall(error,{err='x'}))\" 0
         (int) 2
         > EVAL \"return {select(2,pcall(error,{err=7}))}\" 0
         [(int) 7]
         > EVAL \"return {select(2,pcall(loadstring,{}))}\" 0
         [\"bad argument #1 to '?' (string expected, got table)\"]
         > EVAL \"return {pcall(function() local s='x' return s:rep() end),'?'}\" 0
         [(nil) ?]
         > EVAL \"return {select(2,pcall(function() local s='x' return s:rep() end))}\" 0
         [\"user_script:1: bad argument #1 to 'rep' (number expected, got no value)\"]
         > EVAL \"return {select(2,pcall(setmetatable,{}))}\" 0
         [\"bad argument #2 to '?' (nil or table expected)\"]
         > EVAL \"return {pcall(redis.set_repl,'x')}\" 0
         [(int) 1]
         > EVAL \"redis.setresp('3') return true\" 0
         (int) 1",
    );
}

#[test]
fn scripts_that_only_read_publish_nothing() {
    check(
        "> EVAL_RO \"return redis.call('PFCOUNT','p')\" 0
         (error) ERR Write commands are not allowed from read-only scripts. script: ...
         > EVAL_RO \"return redis.call('PUBLISH','c','m')\" 0
         (error) ERR Write commands are not allowed from read-only scripts. script: ...",
    );
}

#[test]
fn time_stands_still_for_a_script() {
    check_with(
        &[("enable-debug-command", "yes")],
        "> EVAL \"redis.call('SET','k','v','PX',1) redis.call('DEBUG','SLEEP','0.01') return redis.call('EXISTS','k')\" 0
         (error) ERR This Redis command is not allowed from script script: ...
         > DEBUG SET-DISABLE-DENY-SCRIPTS 1
         OK
         > EVAL \"redis.call('SET','k','v','PX',1) redis.call('DEBUG','SLEEP','0.01') return redis.call('EXISTS','k')\" 0
         (int) 1
         > EXISTS k
         (int) 0
         > DEBUG SET-DISABLE-DENY-SCRIPTS 0
         OK",
    );
}

#[test]
fn a_base_of_commands_has_the_functions() {
    let disk = MemoryDisk::default();
    let config = [("appendonly", "yes"), ("aof-use-rdb-preamble", "no")];
    let mut node = TestNode::start_on(disk.clone(), &config);
    run(
        &mut node,
        "> FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function() return 5 end)\"
         l
         > SET k v
         OK
         > BGREWRITEAOF
         Background append only file rewriting started",
    );
    for _ in 0..20 {
        node.turn();
    }
    let base = node.commands_of("appendonlydir/appendonly.aof.2.base.aof");
    assert_eq!(base.len(), 3, "{base:?}");
    drop(node);
    run(&mut TestNode::start_on(disk, &config), "> FCALL f 0\n(int) 5\n> GET k\nv");
}

#[test]
fn a_script_sees_sets_in_order() {
    check(
        "> SADD s c aa b a
         (int) 4
         > EVAL \"return redis.call('SORT','s','BY','_')\" 0
         [a aa b c]",
    );
}

#[test]
fn all_lua_states_share_the_random_numbers() {
    check(
        "> FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function() return math.random(1000000) end)\"
         l
         > EVAL 'math.randomseed(7) return math.random(1000000)' 0
         (int) 266445
         > FCALL f 0
         (int) 682036
         > EVAL 'return math.random(1000000)' 0
         (int) 265491
         > FUNCTION FLUSH
         OK",
    );
}

#[test]
fn named_arguments_may_be_numbers_in_any_case() {
    check(
        "> FUNCTION LOAD \"#!lua name=l\\nredis.register_function{Function_Name=1,CALLBACK=function() return 2 end,description=3}\"
         l
         > FUNCTION LIST
         [[library_name l engine LUA functions [[name 1 description 3 flags []]]]]
         > FCALL 1 0
         (int) 2
         > FUNCTION LOAD REPLACE \"#!lua name=l\\nredis.register_function{5}\"
         (error) ERR Error registering functions: ERR unknown argument given to redis.register_function
         > FUNCTION FLUSH
         OK",
    );
}

#[test]
fn memory_of_functions_is_used_again() {
    let mut node = TestNode::new(&[]);
    let load = |node: &mut TestNode, name: &str| {
        let code = format!("#!lua name={name}\nredis.register_function('{name}', function() return '{name}' end)");
        let reply = node.ask(&format!("FUNCTION LOAD REPLACE {code:?}"));
        assert_eq!(reply, name);
    };
    for round in 0..3 {
        for number in 0..40 {
            load(&mut node, &format!("l{}", (number * 7 + round) % 40));
        }
        assert_eq!(node.ask("FUNCTION DELETE l3"), "OK");
        load(&mut node, "other");
        for number in (0..40).filter(|number| *number != 3) {
            assert_eq!(node.ask(&format!("FCALL l{number} 0")), format!("l{number}"));
        }
        assert_eq!(node.ask("FCALL other 0"), "other");
        assert_eq!(node.ask("FCALL l3 0"), "(error) ERR Function not found");
    }
}

#[test]
fn replies_become_values_of_lua() {
    check(
        "> HSET h f v
         (int) 1
         > ZADD z 1.5 m
         (int) 1
         > SADD s a
         (int) 1
         > EVAL \"return redis.call('HGETALL','h')\" 0
         [f v]
         > EVAL \"redis.setresp(3) local r=redis.call('HGETALL','h') return r.map.f\" 0
         v
         > EVAL \"redis.setresp(3) return tostring(redis.call('ZSCORE','z','m').double)\" 0
         1.5
         > EVAL \"redis.setresp(3) return tostring(redis.call('SMEMBERS','s').set.a)\" 0
         true
         > EVAL \"return type(redis.call('GET','none'))\" 0
         boolean
         > EVAL \"redis.setresp(3) return type(redis.call('GET','none'))\" 0
         nil
         > EVAL \"return redis.call('PING').ok\" 0
         PONG
         > EVAL \"return redis.pcall('INCR','h').err\" 0
         \"WRONGTYPE Operation against a key holding the wrong kind of value\"
         > EVAL \"return {redis.call('ECHO',1.5),redis.call('ECHO',3),redis.call('ECHO',1e20)}\" 0
         [1.5 3 1e+20]",
    );
}

#[test]
fn errors_tell_where_they_happened() {
    check(
        "> EVAL \"error('foo')\" 0
         (error) ERR user_script:1: foo script: ... on @user_script:1.
         > EVAL \"error({err='FOO bar'})\" 0
         (error) FOO bar script: ...
         > EVAL \"return redis.call('nosuch')\" 0
         (error) ERR Unknown Redis command called from script script: ...
         > EVAL \"return redis.call('get')\" 0
         (error) ERR Wrong number of args calling Redis command from script script: ...
         > EVAL \"return redis.call('multi')\" 0
         (error) ERR This Redis command is not allowed from script script: ...
         > EVAL \"return redis.call()\" 0
         (error) ERR Please specify at least one argument for this redis lib call script: ...
         > EVAL \"return redis.call('get',{})\" 0
         (error) ERR Lua redis lib command arguments must be strings or integers script: ...
         > EVAL \"local ok,e=pcall(redis.call,'nosuch') return e\" 0
         \"ERR Unknown Redis command called from script\"
         > EVAL \"local ok,e=pcall(cjson.decode,'x') return e\" 0
         \"Expected value but found invalid token at character 1\"
         > EVAL \"return cjson.decode('x')\" 0
         (error) ERR user_script:1: Expected value but found invalid token at character 1 script: ...
         > EVAL \"local c=coroutine.wrap(function() return redis.call('nosuch') end) return c()\" 0
         (error) ERR Unknown Redis command called from script script: ...
         > EVAL \"return (string.gsub('a','a',function() return redis.call('nosuch') end))\" 0
         (error) ERR Unknown Redis command called from script script: ...",
    );
}

#[test]
fn what_all_scripts_share_cannot_be_changed() {
    check(
        "> EVAL 'x=1' 0
         (error) ERR user_script:1: Attempt to modify a readonly table script: ...
         > EVAL 'return x' 0
         (error) ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: ...
         > EVAL 'redis.x=1' 0
         (error) ERR user_script:1: Attempt to modify a readonly table script: ...
         > EVAL \"rawset(_G,'x',1)\" 0
         (error) ERR Attempt to modify a readonly table script: ...
         > EVAL 'setmetatable(_G,{})' 0
         (error) ERR Attempt to modify a readonly table script: ...
         > EVAL \"getmetatable('').__index=1\" 0
         (error) ERR user_script:1: Attempt to modify a readonly table script: ...
         > EVAL 'table.insert(redis,1)' 0
         (error) ERR Attempt to modify a readonly table script: ...
         > EVAL 'local _,t=pairs(redis) t.call=1' 0
         (error) ERR user_script:1: Attempt to modify a readonly table script: ...
         > EVAL \"return io.open('x')\" 0
         (error) ERR user_script:1: Script attempted to access nonexistent global variable 'io' script: ...
         > EVAL 'return require' 0
         (error) ERR user_script:1: Script attempted to access nonexistent global variable 'require' script: ...
         > EVAL \"return loadstring('x=1')()\" 0
         (error) ERR ... Attempt to modify a readonly table script: ...
         > EVAL \"return {type(loadstring(string.dump(function() end)))}\" 0
         [nil]",
    );
}

#[test]
fn what_a_script_says_of_itself_binds_it() {
    check(
        "> EVAL \"return redis.call('SET','k','v')\" 0
         OK
         > EVAL_RO \"return redis.call('GET','k')\" 0
         v
         > EVAL_RO \"return redis.call('SET','k','w')\" 0
         (error) ERR Write commands are not allowed from read-only scripts. script: ...
         > EVAL \"#!lua flags=no-writes\\nreturn redis.call('SET','k','w')\" 0
         (error) ERR Write commands are not allowed from read-only scripts. script: ...
         > EVAL_RO \"#!lua\\nreturn 1\" 0
         (error) ERR Can not execute a script with write flag using *_ro command.
         > EVAL \"#!lua flags=foo\\nreturn 1\" 0
         (error) ERR Unexpected flag in script shebang: foo
         > EVAL \"#!lua name=x\\nreturn 1\" 0
         (error) ERR Unknown lua shebang option: name=x
         > EVAL \"#!luajit\\nreturn 1\" 0
         (error) ERR Unexpected engine in script shebang: #!luajit
         > EVAL '#!lua' 0
         (error) ERR Invalid script shebang
         !reference ends: it may refuse EVAL itself, by when it looked at its memory
         > CONFIG SET maxmemory 1
         OK
         > EVAL \"return redis.call('SET','k','w')\" 0
         (error) OOM command not allowed when used memory > 'maxmemory'. script: ...
         > EVAL \"#!lua\\nreturn 1\" 0
         (error) OOM command not allowed when used memory > 'maxmemory'.
         > EVAL_RO \"#!lua\\nreturn 1\" 0
         (error) OOM command not allowed when used memory > 'maxmemory'.
         > EVAL \"#!lua flags=allow-oom\\nreturn redis.call('SET','k','w')\" 0
         OK
         > EVAL \"#!lua flags=no-writes\\nreturn redis.call('GET','k')\" 0
         w
         > CONFIG SET maxmemory 0
         OK",
    );
}

#[test]
fn functions_are_loaded_listed_called_and_deleted() {
    check(
        "> FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function(k,a) return {k,a} end)\"
         l
         > FCALL f 1 a b c
         [[a] [b c]]
         > FUNCTION LIST
         [[library_name l engine LUA functions [[name f description (nil) flags []]]]]
         > FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function() return 2 end)\"
         (error) ERR Library 'l' already exists
         > FUNCTION LOAD \"#!lua name=m\\nredis.register_function('f',function() return 2 end)\"
         (error) ERR Function f already exists
         > FUNCTION LOAD REPLACE \"#!lua name=l\\nredis.register_function{function_name='g',callback=function() return \
         redis.call('INCR','n') end,flags={'allow-oom'},description='d'}\"
         l
         > FUNCTION LOAD REPLACE replace \"#!lua name=m\\nredis.register_function('m1',function() return 2 end)\"
         m
         > FUNCTION DELETE m
         OK
         > FUNCTION LOAD REPLACE REPEAT \"#!lua name=m\\nredis.register_function('m1',function() return 2 end)\"
         (error) ERR Unknown option given: REPEAT
         > FCALL f 0
         (error) ERR Function not found
         > FCALL g 0
         (int) 1
         > FCALL_RO g 0
         (error) ERR Can not execute a script with write flag using *_ro command.
         > FCALL g x
         (error) ERR Bad number of keys provided
         > FUNCTION STATS
         [running_script (nil) engines [LUA [libraries_count (int) 1 functions_count (int) 1]]]
         > FUNCTION LOAD \"#!lua name=b\\nreturn redis.call('PING')\"
         (error) ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable \
         'call'
         > FUNCTION LOAD \"#!lua name=b\\nreturn 1\"
         (error) ERR No functions registered
         > FUNCTION LOAD \"#!lua name=b\\nx y\"
         (error) ERR Error compiling function: user_function:2: '=' expected near 'y'
         > FUNCTION LOAD 'return 1'
         (error) ERR Missing library metadata
         > FUNCTION LOAD REPLACE \"#!lua name=l\\nredis.register_function('e',function() error('boom') end)\"
         l
         > FCALL e 0
         (error) ERR user_function:2: boom script: e, on @user_function:2.
         > FUNCTION DELETE x
         (error) ERR Library not found
         > FUNCTION DELETE l
         OK
         > FUNCTION LIST
         []",
    );
}

#[test]
fn functions_survive_a_restart() {
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    run(
        &mut node,
        "> FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function() return 7 end)\"
         l
         > SAVE
         OK
         > DEBUG RELOAD
         OK
         > FCALL f 0
         (int) 7",
    );
    let mut again = TestNode::start_on(node.host.disk.clone(), &[]);
    run(&mut again, "> FCALL f 0\n(int) 7\n> FUNCTION FLUSH\nOK\n> FCALL f 0\n(error) ERR Function not found");
}

#[test]
fn what_a_script_wrote_is_one_transaction_in_the_append_only_file() {
    let mut node = TestNode::new(&[("appendonly", "yes")]);
    run(
        &mut node,
        "> EVAL \"redis.call('SET','a','1') redis.call('INCR','n') return redis.call('GET','a')\" 0
         1
         > EVAL \"return redis.call('SET','b','1')\" 0
         OK
         > EVAL \"redis.set_repl(redis.REPL_NONE) return redis.call('SET','c','1')\" 0
         OK
         > FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function() return redis.call('DEL','a','b') end)\"
         l
         > FCALL f 0
         (int) 2",
    );
    node.settle();
    let commands = node.commands_of("appendonlydir/appendonly.aof.1.incr.aof");
    let library =
        "FUNCTION LOAD #!lua name=l\nredis.register_function('f',function() return redis.call('DEL','a','b') end)";
    let expected = ["MULTI", "SELECT 0", "SET a 1", "INCR n", "EXEC", "SET b 1", library, "DEL a b"].map(str::to_owned);
    assert_eq!(commands, expected);
    let mut again = TestNode::start_on(node.host.disk.clone(), &[("appendonly", "yes")]);
    run(&mut again, "> GET n\n1\n> EXISTS a b c\n(int) 0\n> FCALL f 0\n(int) 0");
}

fn request(words: &[&str]) -> Vec<u8> {
    encode(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
}

/// A node whose clock moves on by a millisecond whenever it is looked at, and on which scripts are slow after ten.
fn slow_node() -> TestNode {
    let node = TestNode::new(&[("busy-reply-threshold", "10"), ("appendonly", "yes")]);
    node.host.tick_us.set(1000);
    node
}

#[test]
fn what_a_parked_script_took_is_a_latency_of_its_command() {
    let mut node = slow_node();
    run(&mut node, "> CONFIG SET latency-monitor-threshold 10\nOK");
    node.send("a", &request(&["EVAL", "while true do end", "0"]));
    run(&mut node, "b> SCRIPT KILL\nOK");
    for _ in 0..10_000 {
        if !node.node.is_script_parked() {
            break;
        }
        node.turn();
    }
    run(&mut node, "< a (error) ERR Script killed by user with SCRIPT KILL... script: ...");
    let latest = node.ask("LATENCY LATEST");
    assert!(latest.contains("[command "), "{latest}");
}

#[test]
fn a_script_without_end_can_be_killed() {
    let mut node = slow_node();
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return f() end f()",
        "local c=coroutine.wrap(function() while true do end end) c()",
        "return string.find(string.rep('a',40),string.rep('a-',40)..'b')",
        "local t=setmetatable({},{__index=function(t,k) while true do end end}) return t.x",
        "return table.sort({1,2,3},function() while true do end end)",
    ] {
        node.send("a", &request(&["EVAL", script, "0"]));
        run(
            &mut node,
            "b> PING
             (error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.
             b> FUNCTION KILL
             (error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.
             b> SCRIPT KILL
             OK",
        );
        run(
            &mut node,
            "b> PING\nPONG\n< a (error) ERR Script killed by user with SCRIPT KILL... script: ...\n> PING\nPONG",
        );
    }
}

/// Errors in Valkey 9's words, where Redis knows no `server`.
#[test]
fn a_script_that_says_server_reads_valkeys_words() {
    check(
        "!reference ends: Redis has no such table
         > EVAL \"return server.call('nosuch')\" 0
         (error) ERR Unknown command called from script script: 2daca8808fdf4d9d05dea0e4e65e803ac8aad5c2, on @user_script:1.
         > EVAL \"return server.pcall('incr')\" 0
         (error) ERR Wrong number of args calling command from script
         > EVAL \"return server.pcall('multi')\" 0
         (error) ERR This Valkey command is not allowed from script
         > EVAL 'return server.pcall()' 0
         (error) ERR Please specify at least one argument for this call
         > EVAL 'return server.pcall({})' 0
         (error) ERR Command arguments must be strings or integers
         > EVAL \"local _,e = pcall(server.acl_check_cmd,'nosuch') return e\" 0
         \"ERR Invalid command passed to server.acl_check_cmd()\"
         > EVAL \"local _,e = pcall(server.acl_check_cmd,'get') return e\" 0
         \"ERR Wrong number of args for server.acl_check_cmd()\"
         > EVAL 'local _,e = pcall(server.setresp) return e' 0
         \"ERR server.setresp() requires one argument.\"
         > EVAL 'local _,e = pcall(server.set_repl) return e' 0
         \"ERR server.set_repl() requires one argument.\"
         > EVAL 'local _,e = pcall(server.log) return e' 0
         \"ERR server.log() requires two arguments or more.\"
         > EVAL 'server.x = 1' 0
         (error) ERR user_script:1: Attempt to modify a readonly table script: ...
         > EVAL \"return server.call('SET','k','v')\" 0
         OK
         > EVAL \"return redis.pcall('nosuch')\" 0
         (error) ERR Unknown Redis command called from script",
    );
}

#[test]
fn a_library_that_says_server_reads_valkeys_words() {
    check(
        "!reference ends: Redis has no such table
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function()\"
         (error) ERR Error registering functions: ERR wrong number of arguments to server.register_function
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function('f')\"
         (error) ERR Error registering functions: ERR calling server.register_function with a single argument is only \
         applicable to Lua table (representing named arguments).
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function(nil,function() end)\"
         (error) ERR Error registering functions: ERR first argument to server.register_function must be a string
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function('f',1)\"
         (error) ERR Error registering functions: ERR second argument to server.register_function must be a function
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{function_name={}}\"
         (error) ERR Error registering functions: ERR function_name argument given to server.register_function must be a \
         string
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{[{}]=1}\"
         (error) ERR Error registering functions: ERR named argument key given to server.register_function is not a string
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{description=function() end}\"
         (error) ERR Error registering functions: ERR description argument given to server.register_function must be a \
         string
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{callback=1}\"
         (error) ERR Error registering functions: ERR callback argument given to server.register_function must be a function
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{flags=1}\"
         (error) ERR Error registering functions: ERR flags argument to server.register_function must be a table \
         representing function flags
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{other=1}\"
         (error) ERR Error registering functions: ERR unknown argument given to server.register_function
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{callback=function() end}\"
         (error) ERR Error registering functions: ERR server.register_function must get a function name argument
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function{function_name='f'}\"
         (error) ERR Error registering functions: ERR server.register_function must get a callback argument
         > FUNCTION LOAD \"#!lua name=a\\nserver.call('ping')\"
         (error) ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global \
         variable 'call'
         > FUNCTION LOAD \"#!lua name=a\\nserver.register_function('f',function() return server.call('nosuch') end)\"
         a
         > FCALL f 0
         (error) ERR Unknown command called from script script: f, on @user_function:2.",
    );
}

#[test]
fn a_killed_function_reads_the_words_of_the_table_it_was_registered_with() {
    let mut node = slow_node();
    for (table, command) in [("redis", "SCRIPT KILL..."), ("server", "FUNCTION KILL.")] {
        let code = format!("#!lua name=l\n{table}.register_function('f', function() while true do end end)");
        node.send("b", &request(&["FUNCTION", "LOAD", "REPLACE", &code]));
        run(&mut node, "< b l");
        node.send("a", &request(&["FCALL", "f", "0"]));
        run(
            &mut node,
            "b> SCRIPT KILL
             (error) BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.
             b> FUNCTION KILL
             OK",
        );
        run(
            &mut node,
            &format!("b> PING\nPONG\n< a (error) ERR Script killed by user with {command} script: f, on ..."),
        );
    }
}

#[test]
fn the_garbage_of_a_killed_script_is_collected_in_turns() {
    let mut node = slow_node();
    node.send("a", &request(&["EVAL", "local t={} for i=1,1e6 do t[i]={} end while true do end", "0"]));
    (0..5_000).for_each(|_| node.turn());
    run(&mut node, "b> SCRIPT KILL\nOK");
    let mut turns = 0;
    while node.node.is_script_parked() {
        node.turn();
        turns += 1;
    }
    assert!((5..10_000).contains(&turns), "{turns} turns");
    run(&mut node, "< a (error) ERR Script killed by user with SCRIPT KILL... script: ...");
}

#[test]
fn nothing_is_evicted_while_a_script_is_busy() {
    let mut node = slow_node();
    run(&mut node, "> CONFIG SET maxmemory-policy allkeys-random\nOK\n> SET a 1\nOK\n> SET b 2\nOK");
    let limit = node.node.server.used_memory() + (1 << 20);
    node.ask(&format!("CONFIG SET maxmemory {limit}"));
    let script = "redis.call('SETRANGE','c',2000000,'x') for i=1,1e6 do end return redis.call('DBSIZE')";
    node.send("a", &request(&["EVAL", script, "0"]));
    assert!(node.node.is_script_parked());
    run(&mut node, "b> PING\n(error) BUSY ...");
    for _ in 0..10_000 {
        if !node.node.is_script_parked() {
            break;
        }
        node.turn();
    }
    run(&mut node, "< a (int) 3");
}

#[test]
fn the_server_can_be_ended_while_a_script_is_busy() {
    let mut node = slow_node();
    node.send("a", &request(&["EVAL", "redis.call('SET','a','1') while true do end", "0"]));
    run(
        &mut node,
        "b> SCRIPT KILL
         (error) UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
         script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.
         b> SHUTDOWN
         (error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.
         b> SHUTDOWN SAVE
         (error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.
         b> SHUTDOWN ABORT
         (error) ERR No shutdown in progress.",
    );
    node.send("b", &request(&["SHUTDOWN", "NOSAVE"]));
    assert!(node.node.server.shutdown.is_some());
    // What the script has not ended with is not written.
    assert!(node.commands_of("appendonlydir/appendonly.aof.1.incr.aof").is_empty());
}

#[test]
fn a_rewrite_that_a_busy_script_holds_up_keeps_nobody_from_ending_the_server() {
    let mut node = TestNode::new(&[("busy-reply-threshold", "10")]);
    node.host.tick_us.set(1000);
    node.send("a", &request(&["CONFIG", "SET", "appendonly", "yes"]));
    node.send("a", &request(&["EVAL", "while true do end", "0"]));
    run(
        &mut node,
        "b> PING\n(error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    );
    node.send("b", &request(&["SHUTDOWN", "NOSAVE"]));
    assert!(node.node.server.shutdown.is_some());
}

#[test]
fn a_script_that_has_written_cannot_be_killed() {
    let mut node = slow_node();
    let script = "redis.call('SET','a','1') for i=1,3000000 do end redis.call('SET','b','2') return 'end'";
    node.send("a", &request(&["MULTI"]));
    node.send("a", &request(&["EVAL", script, "0"]));
    node.send("a", &request(&["GET", "b"]));
    node.send("a", &request(&["EXEC"]));
    run(
        &mut node,
        "< a OK
         < a QUEUED
         < a QUEUED
         b> SCRIPT KILL
         (error) UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
         script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.
         b> GET a
         (error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    );
    for _ in 0..10_000 {
        if !node.node.is_script_parked() {
            break;
        }
        node.turn();
    }
    run(&mut node, "< a [end 2]\nb> GET a\n1");
    node.settle();
    let commands = node.commands_of("appendonlydir/appendonly.aof.1.incr.aof");
    assert_eq!(commands, ["MULTI", "SELECT 0", "SET a 1", "SET b 2", "EXEC"].map(str::to_owned));
}

#[test]
fn of_a_script_that_takes_long_nothing_is_kept_when_the_server_ends() {
    let lines = [("appendonly", "yes"), ("aof-load-truncated", "no")];
    for script in [
        "redis.call('SET','a','1') while true do end",
        "redis.call('SET','a','1') redis.call('SELECT','1') redis.call('SET','b','1') while true do end",
    ] {
        let mut node = slow_node();
        run(&mut node, "> SET before 1\nOK");
        node.send("a", &request(&["EVAL", script, "0"]));
        assert!(node.node.is_script_parked());
        node.send("b", &request(&["SHUTDOWN", "NOSAVE"]));
        assert!(node.node.server.shutdown.is_some(), "the server ends");
        let mut again = TestNode::start_on(node.host.disk.after_kill(), &lines);
        run(&mut again, "> GET before\n1\n> EXISTS a\n(int) 0\n> SELECT 1\nOK\n> EXISTS b\n(int) 0");
    }
}

#[test]
fn a_save_goes_on_while_a_script_takes_long() {
    let lines = [("busy-reply-threshold", "10"), ("appendonly", "yes"), ("enable-debug-command", "yes")];
    let mut node = TestNode::new(&lines);
    node.host.tick_us.set(1000);
    run(&mut node, "> DEBUG POPULATE 20000\nOK\n> BGSAVE\nBackground saving started");
    assert!(node.node.server.keyspace.is_cutting());
    let script = "redis.call('SET','late','1') redis.call('SET','key:7','late') for i=1,30000000 do end return 'end'";
    node.send("a", &request(&["EVAL", script, "0"]));
    assert!(node.node.is_script_parked() && node.node.server.keyspace.is_cutting());
    while node.node.server.keyspace.is_cutting() {
        assert!(node.node.is_script_parked(), "the script is quicker than the walk");
        node.turn();
    }
    while node.node.is_script_parked() {
        node.turn();
    }
    run(&mut node, "< a end\n> GET key:7\nlate");
    node.settle();
    let mut again = TestNode::start_on(node.host.disk.after_kill(), &[("appendonly", "no")]);
    run(&mut again, "> DBSIZE\n(int) 20000\n> EXISTS late\n(int) 0\n> GET key:7\nvalue:7");
}

#[test]
fn a_function_without_end_can_be_killed_when_its_client_is_gone() {
    let mut node = slow_node();
    run(
        &mut node,
        "> FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f',function() while true do end end)\"
         l",
    );
    node.send("a", &request(&["FCALL", "f", "0"]));
    let place = node.client("a");
    let id = node.node.server.clients.at(place).map(|client| client.id).expect("a client");
    node.node.disconnect(id);
    run(
        &mut node,
        "b> PING
         (error) BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.
         b> FUNCTION STATS
         [running_script [name f command [FCALL f 0] duration_ms (int) ...] engines [LUA [libraries_count (int) 1 \
         functions_count (int) 1]]]
         b> FUNCTION KILL
         OK
         b> PING
         PONG",
    );
    assert_eq!(node.node.server.clients.len(), 1);
}

#[test]
fn a_library_must_not_take_long_to_load() {
    let mut node = slow_node();
    run(
        &mut node,
        "> FUNCTION LOAD \"#!lua name=l\\nwhile true do end\"
         (error) ERR Error registering functions: ERR FUNCTION LOAD timeout",
    );
}

#[test]
fn a_library_that_was_taken_in_comes_back_from_its_file_on_a_machine_that_is_slower() {
    let library =
        "#!lua name=l\nlocal n=0 for i=1,1e6 do n=n+1 end redis.register_function('f',function() return 7 end)";
    let mut node = TestNode::new(&[("enable-debug-command", "yes"), ("appendonly", "yes")]);
    node.send("a", &request(&["FUNCTION", "LOAD", library]));
    run(&mut node, "< a l");
    // Each look at the clock takes so long.
    node.host.tick_us.set(20_000);
    run(&mut node, "> DEBUG RELOAD\nOK\n> FCALL f 0\n(int) 7\n> DEBUG LOADAOF\nOK\n> FCALL f 0\n(int) 7");
    node.send("a", &request(&["FUNCTION", "LOAD", "REPLACE", library]));
    run(&mut node, "< a (error) ERR Error registering functions: ERR FUNCTION LOAD timeout");
}

/// A library without end in the place of this one, in bytes that end with a checksum.
fn made_endless(bytes: &[u8], library: &str) -> Vec<u8> {
    let endless = library.replace("local long = true", "while true do end");
    assert_eq!(endless.len(), library.len());
    let at = bytes.windows(library.len()).position(|part| part == library.as_bytes()).expect("the library");
    let mut bytes = bytes[..bytes.len() - 8].to_vec();
    bytes[at..at + library.len()].copy_from_slice(endless.as_bytes());
    let checksum = crc64(0, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn a_library_of_a_file_must_not_take_long_to_load_either() {
    let library = "#!lua name=l\nredis.register_function('f',function() return 7 end)\nlocal long = true\n";
    let lines = [("enable-debug-command", "yes"), ("rdbcompression", "no"), ("appendonly", "yes")];
    let mut node = TestNode::new(&lines);
    node.send("a", &request(&["FUNCTION", "LOAD", library]));
    run(&mut node, "< a l\n> SAVE\nOK");
    node.host.tick_us.set(1000);
    let dump = made_endless(&dump([library.as_bytes()].into_iter()), library);
    node.send("a", &encode(&[b"FUNCTION".to_vec(), b"RESTORE".to_vec(), dump, b"REPLACE".to_vec()]));
    run(&mut node, "< a (error) ERR Error registering functions: ERR FUNCTION LOAD timeout\n> FCALL f 0\n(int) 7");
    // An RDB file is refused.
    let disk = node.host.disk.clone();
    let file = read_all(&disk, Path::new("dump.rdb")).expect("the file");
    disk.put(Path::new("dump.rdb"), &made_endless(&file, library));
    run(&mut node, "> DEBUG RELOAD NOSAVE\n(error) ERR Error trying to load the RDB dump, check server logs.");
    // Of a file of commands the next one is repeated, as after any error.
    let path = Path::new("appendonlydir/appendonly.aof.1.incr.aof");
    let endless = library.replace("local long = true", "while true do end");
    disk.put(path, &[request(&["FUNCTION", "LOAD", &endless]), request(&["SET", "a", "1"])].concat());
    run(&mut node, "> DEBUG LOADAOF\nOK\n> FUNCTION LIST\n[]\n> GET a\n1");
}

#[test]
fn scripts_that_want_too_much_end_in_an_error() {
    let versions = Versions { redis: "7.4.0", server: "0.1.0", server_name: "russet" };
    let mut engine = Engine::new(Kind::Eval, 32 << 20, versions, Random::default()).expect("room for a state");
    let scripts = [
        "local s='x' while true do s=s..s end",
        "local t={} while true do t[#t+1]={} end",
        "local function f() return 1+f() end return f()",
        "return string.rep('x',2^40)",
        "return string.rep('a',1e5):find(string.rep('a?',1e5)..'b')",
        "local t=setmetatable({},{}) getmetatable(t).__index=t return t.x.y",
        "local s=string.rep('[',1e6) cjson.decode_max_depth(1e9) return cjson.decode(s)",
        "local t={} t[1]=t cjson.encode_max_depth(1e9) return cjson.encode(t)",
        "return cmsgpack.unpack(string.rep('\\145',1e6))",
        "return {unpack({},1,1e7)}",
        "local c c=coroutine.create(function() return coroutine.resume(c) end) error(tostring(coroutine.resume(c)))",
        "local f=function() end for i=1,1e5 do local g=f f=function() return g() end end error('done')",
        "error(setmetatable({},{__tostring=function() error('x') end}))",
        "local function f(g) return g(g) end return xpcall(function() error('x') end,function(e) error(e) end) or error('y')",
    ];
    for script in scripts {
        let slot = engine.compile(script.as_bytes()).expect("a script");
        let run = Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: Vec::new(), proto: Default::default() };
        let mut step = engine.start(run);
        let end = loop {
            step = match step {
                Step::End(end) => break end,
                Step::Call(_) => engine.answer(b"+OK\r\n".to_vec()),
                Step::MayCall(_) => engine.permit(Ok(true)),
                Step::Tick => engine.go_on(),
            };
        };
        assert!(matches!(end, End::Failed { .. }), "{script}: {end:?}");
    }
}

#[test]
fn a_lua_state_may_go_while_its_script_runs() {
    let versions = Versions { redis: "7.4.0", server: "0.1.0", server_name: "russet" };
    let mut engine = Engine::new(Kind::Eval, 32 << 20, versions, Random::default()).expect("room for a state");
    let slot = engine.compile(b"while true do pcall(redis.call,'PING') end").expect("a script");
    let run = Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: Vec::new(), proto: Default::default() };
    assert!(matches!(engine.start(run), Step::Call(_)));
}

#[test]
fn monitors_see_scripts_before_what_they_call() {
    let mut node = TestNode::new(&[]);
    run(
        &mut node,
        "m> MONITOR
         OK
         > EVAL \"return redis.call('SET','k','v')\" 0
         OK
         < m ...EVAL...
         < m ...[0 lua]...SET...",
    );
}

#[test]
fn selected_databases_and_protocols_are_the_scripts_own() {
    check(
        "> EVAL \"redis.call('SELECT',3) return redis.call('SET','k','three')\" 0
         OK
         > GET k
         (nil)
         > SELECT 3
         OK
         > GET k
         three
         > EVAL \"return redis.call('BLPOP','none',0)\" 0
         (nil)
         > EVAL \"return redis.acl_check_cmd('SET','k','v')\" 0
         (int) 1
         > EVAL \"return redis.acl_check_cmd('nosuch')\" 0
         (error) ERR Invalid command passed to redis.acl_check_cmd() script: ...",
    );
}

#[test]
fn ticks_may_come_at_any_time() {
    let versions = Versions { redis: "7.4.0", server: "0.1.0", server_name: "russet" };
    let mut engine = Engine::new(Kind::Functions, 32 << 20, versions, Random::default()).expect("room for a state");
    for number in 0..5000 {
        let mut step = engine.load(b"redis.register_function('f',function() return 1 end)");
        while matches!(step, Step::Tick) {
            step = engine.go_on();
        }
        assert!(matches!(step, Step::End(End::Loaded(_))), "{number}: {step:?}");
        engine.adopt(1).into_iter().for_each(|slot| engine.forget(slot));
        let slot = engine.compile(b"return 1").expect("a script");
        engine.forget(slot);
    }
}

#[test]
fn a_script_that_is_loaded_takes_no_place_of_those_of_eval() {
    let mut text = String::new();
    for number in 0..500 {
        text.push_str(&format!("> EVAL \"return {number}\" 0\n(int) {number}\n"));
    }
    text.push_str(
        "> SCRIPT LOAD \"return 'kept'\"
         831718c21eb8cace8e6f31e7782a9d8e38ed5600
         > EVALSHA 06d3d9b2060dd51343d5f19f0e531f15c507e3d1 0
         (int) 0",
    );
    check(&text);
}
