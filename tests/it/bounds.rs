//! Scripts that want more than there is, or go on without end inside of one function: each ends in an error, in bounded memory,
//! and the next script finds all as before.

use russet::resp::Proto;
use russet::scripting::{End, Engine, Kind, Random, Run, Step, Versions};

use crate::runner::check;

/// What the Lua state may use here, so that trying costs little.
const MEMORY_MAX: usize = 4 << 20;
/// Ticks that a script gets until it is killed: one that is to come to its own end, and one that has none.
const TICKS_MAX: u32 = 10_000;
const TICKS_WITHOUT_END: u32 = 500;

fn engine() -> Engine {
    let versions = Versions { redis: "7.4.0", server: "0.1.0", server_name: "russet" };
    Engine::new(Kind::Eval, MEMORY_MAX, versions, Random::default()).expect("room for a state")
}

fn run(engine: &mut Engine, script: &str) -> Result<Vec<u8>, String> {
    run_for(engine, script, TICKS_MAX)
}

fn run_for(engine: &mut Engine, script: &str, ticks_max: u32) -> Result<Vec<u8>, String> {
    let slot = engine.compile(script.as_bytes()).map_err(|why| String::from_utf8_lossy(&why).into_owned())?;
    let mut step =
        engine.start(Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: Vec::new(), proto: Default::default() });
    for ticks in 0.. {
        step = match step {
            Step::End(End::Reply(reply)) => return Ok(reply),
            Step::End(End::Failed { line, .. }) => return Err(String::from_utf8_lossy(&line).into_owned()),
            Step::End(other) => panic!("{script}: {other:?}"),
            Step::Call(call) => {
                let bytes: usize = call.argv.iter().map(Vec::len).sum();
                assert!(bytes <= MEMORY_MAX, "{script}: a command of {bytes} bytes");
                engine.answer(b"+OK\r\n".to_vec())
            }
            Step::MayCall(_) => engine.permit(Ok(true)),
            Step::Tick if ticks < ticks_max => engine.go_on(),
            Step::Tick => engine.kill("ERR killed"),
        };
    }
    unreachable!("the loop ends with the script")
}

/// Runs scripts that must end with an error in which this stands.
fn fail(scripts: &[&str], why: &str) {
    let mut engine = engine();
    let ticks_max = if why == "killed" { TICKS_WITHOUT_END } else { TICKS_MAX };
    for script in scripts {
        match run_for(&mut engine, script, ticks_max) {
            Ok(reply) => panic!("{script}: {}", String::from_utf8_lossy(&reply[..reply.len().min(200)])),
            Err(error) => assert!(error.contains(why), "{script}: {error}"),
        }
        assert_eq!(run(&mut engine, "return #KEYS+#ARGV"), Ok(b":0\r\n".to_vec()), "after {script}");
        assert!(engine.used_memory() < MEMORY_MAX, "after {script}");
    }
}

#[test]
fn strings_that_are_too_long_are_not_made() {
    fail(
        &[
            "return ('x'):rep(2^40)",
            "return ('x'):rep(1e5):gsub('x',('y'):rep(1e6))",
            "return ('x'):rep(1e5):gsub('',function() return ('y'):rep(1e6) end)",
            "local s=('x'):rep(2^20) return struct.pack(('s'):rep(100),s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s)",
            "return struct.pack('c2147483647','x')",
        ],
        "",
    );
    fail(
        &[
            "local s='x' while true do s=s..s end",
            "local t={} for i=1,1e5 do t[i]=('x'):rep(1e4) end return table.concat(t)",
            "local s=('x'):rep(1e6) local t={} for i=1,1e5 do t[i]=s end return table.concat(t)",
            "local s=('%s'):rep(100) local a={} for i=1,100 do a[i]=('x'):rep(1e6) end return string.format(s,unpack(a))",
            "local t={} while true do t[#t+1]={} end",
            "local t={} for i=1,1e9 do t[i]=i..'' end",
            "local f=function() end local t=setmetatable({},{__index=function(t,k) t[k]=('x'):rep(1000)..k return t[k+1] end}) return t[1]",
        ],
        "",
    );
}

#[test]
fn tables_that_hold_one_another_do_not_grow_without_end() {
    let doubled = "local t={1} for i=1,40 do t={t,t} end";
    fail(&[&format!("{doubled} return t")], "ERR The reply of the script is too long");
    fail(&[&format!("{doubled} return cjson.encode(t)")], "resulting string too large");
    fail(
        &[
            "local t={} for i=1,1000 do t[i]=i end for d=1,8 do local u={} for i=1,1000 do u[i]=t end t=u end return cmsgpack.pack(t)",
            "local s=('x'):rep(1e6) local t={} for i=1,1e5 do t[i]=s end return cjson.encode(t)",
            "local t={} t.map={[t]=t} return {t,t}",
        ],
        "",
    );
    fail(
        &["local s=('x'):rep(1e6) local t={} for i=1,1e5 do t[i]=s end return t"],
        "ERR The reply of the script is too long",
    );
}

#[test]
fn what_nests_itself_has_an_end() {
    fail(
        &[
            "local function f() return 1+f() end return f()",
            "local t=setmetatable({},{}) getmetatable(t).__index=t return t.x.y",
            "local t=setmetatable({},{__index=function(t,k) return t[k] end}) return t.x",
            "local t=setmetatable({},{__eq=function(a,b) return a==b end}) return t==setmetatable({},getmetatable(t))",
            "local t=setmetatable({},{__concat=function(a,b) return a..b end}) return t..t",
            "local t=setmetatable({},{__call=function(t) return t()+1 end}) return t()",
            "local t={} for i=1,1e5 do t=setmetatable({},{__index=t}) end return t.x.y",
            "local t setmetatable({},{__newindex=function(s,k,v) s[k]=v end}).x=1",
            "error(setmetatable({},{__tostring=function(t) return tostring(t) end}))",
            "return tostring(setmetatable({},{__tostring=function(t) return tostring(t) end}))",
            "local function f() local ok,e=pcall(f) error(e) end f()",
            "return xpcall(function() error('x') end,function(e) error(e) end) and 1 or error('y')",
            "local c c=coroutine.create(function() return coroutine.resume(c) end) error(tostring(coroutine.resume(c)))",
            "local function f() return coroutine.wrap(f)() end return f()",
            "local function f() return coroutine.wrap(function() f() error('x') end)() end f()",
            "coroutine.yield(1)",
            "local c=coroutine.wrap(function() redis.call('PING') coroutine.yield(redis.call('PING')) error('end') end) c() c()",
            "return ('x'):rep(1000):gsub('x',function() return ('x'):gsub('x',function() error('deep') end) end)",
            "local function f(s) return s:gsub('x',f) end return f('x')",
            "return ('x'):rep(1e5):find(('x?'):rep(1e5)..'y')",
            "return ('('):rep(1e5):find(('%('):rep(100)..('('):rep(1e5))",
            "local s=('['):rep(1e6) cjson.decode_max_depth(1e9) return cjson.decode(s)",
            "local t={} t[1]=t cjson.encode_max_depth(1e9) return cjson.encode(t)",
            "return cmsgpack.unpack(('\\145'):rep(1e6))",
            "return cmsgpack.unpack(('\\129'):rep(1e6))",
            "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
            "return cmsgpack.unpack('\\219\\255\\255\\255\\255x')",
            "return {unpack({},1,1e7)}",
            "return select('#',unpack({},1,1e7))",
            "return loadstring(('('):rep(1e5)..'1'..(')'):rep(1e5))()",
            "return loadstring('return '..('{'):rep(1e4))()",
            "local s='x' for i=1,300 do s='local a'..i..'='..s..' ' end return loadstring(s)()",
            "return loadstring(('local a '):rep(300))()",
            "table.sort({3,1,2,5,4,6,7,8,9,10},function() return true end) error('done')",
            "local t={} for i=1,1e5 do t[i]=i%7 end table.sort(t,function(a,b) error('compare') end)",
        ],
        "",
    );
}

#[test]
fn a_stack_that_is_full_is_told_alike_wherever_a_tick_comes() {
    // Near the end of the stack the rest of it is used up over and over, so that a tick comes at each of its levels.
    let script = "local others = {}
        local function fill() return 1 + fill() end
        local function note(_, text)
          if text ~= 'user_script:1: stack overflow' then others[#others + 1] = text end
        end
        note(pcall(fill))
        local function deep(levels)
          if levels > 0 then return 1 + deep(levels - 1) end
          for round = 1, 10000 do note(pcall(fill)) end
          return 0
        end
        deep(19950)
        return others[1] or 'alike'"
        .replace('\n', " ");
    assert_eq!(run_for(&mut engine(), &script, u32::MAX), Ok(b"$5\r\nalike\r\n".to_vec()));
}

#[test]
fn a_script_without_end_is_killed_whatever_it_does() {
    fail(
        &[
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "while true do pcall(pcall,error) end",
            "while true do pcall(redis.call,'PING') end",
            "repeat local ok=pcall(function() error({}) end) until false",
            "while true do xpcall(function() while true do end end,function() while true do end end) end",
            "local c=coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end",
            "local c=coroutine.create(function() while true do pcall(coroutine.yield) end end) while true do coroutine.resume(c) end",
            "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
            "local function f() return f() end return f()",
            "local t=setmetatable({},{__lt=function() while true do end end}) return t<t",
            "for i=1,math.huge do end",
            "for i=1,0,0 do end while true do end",
            "while true do collectgarbage('step') end",
            "while true do loadstring('return 1')() end",
            "while true do load(function() return nil end) end",
            "load(function() return ' ' end)",
            "while true do (' '):rep(100):gsub(' ',function() end) end",
            "return ('a'):rep(30):find(('a*'):rep(30)..'b')",
            "return ('a'):rep(1e4):find('.-.-.-.-.-.-.-.-b')",
            "table.sort(setmetatable({1,2,3},{}),function() while true do end end)",
            "while true do cjson.decode('[1,2,3]') end",
            "while true do redis.sha1hex('x') end",
        ],
        "killed",
    );
}

#[test]
fn code_that_is_compiled_already_is_not_taken() {
    fail(
        &[
            "return loadstring(string.dump(function() return 1 end))()",
            "return assert(loadstring('\\27Lua'))()",
            "return assert(load(function() return '\\27Lua\\81' end))()",
            "local d=string.dump(function() end) local i=0 return assert(load(function() i=i+1 return d:sub(i,i) end))()",
        ],
        "",
    );
    let mut engine = engine();
    assert!(engine.compile(b"\x1bLua").is_err());
    assert_eq!(run(&mut engine, "return type(loadstring('\\27Lua'))"), Ok(b"$3\r\nnil\r\n".to_vec()));
}

#[test]
fn numbers_and_formats_out_of_bounds_are_refused() {
    fail(
        &[
            "return string.format('%999d',1)",
            "return string.format('%.999f',1)",
            "return string.format('%99999999999999999999s','x')",
            "return string.format('%')",
            "return string.format('%y',1)",
            "return string.format('%c%c')",
            "return struct.unpack('i99',('x'):rep(99))",
            "return struct.unpack('c0','x')",
            "return struct.unpack('!3i4','xxxxxxxx')",
            "return struct.pack('i99999999999',1)",
            "return math.random(0)",
            "return bit.tohex('x')",
            "return cjson.decode('1e99999999999999999999x')",
            "return cjson.decode('\"\\\\ud800')",
            "return ('x'):byte(1,-1e9,{}) + {}",
            "return table.concat({{}},',')",
            "return table.concat({},'x',1,1e9)",
            "return redis.call()",
            "return redis.call({})",
            "return redis.call(unpack({},1,7000))",
            "return redis.error_reply({})+1",
            "return redis.setresp(4)",
            "redis.log(99,'x')",
            "return tonumber('z',99)",
            "return setmetatable(_G,{})",
            "return rawset(_G,'x',1)",
            "return getmetatable('').__index.rep()",
            "string.rep=1",
        ],
        "",
    );
}

#[test]
fn joining_a_table_says_what_cannot_be_joined() {
    check(
        "> EVAL \"return table.concat({1,{},3})\" 0
         (error) ERR user_script:1: invalid value (table) at index 2 in table for 'concat' script: ...
         > EVAL \"return table.concat({1,2.5,'x',1e100},',')\" 0
         1,2.5,x,1e+100
         > EVAL \"return table.concat({1,2},',',1,5)\" 0
         (error) ERR user_script:1: invalid value (nil) at index 3 in table for 'concat' script: ...
         > EVAL \"return table.concat('x')\" 0
         (error) ERR user_script:1: bad argument #1 to 'concat' (table expected, got string) script: ...
         > EVAL \"return table.concat()\" 0
         (error) ERR user_script:1: bad argument #1 to 'concat' (table expected, got no value) script: ...
         > EVAL \"return table.concat({},1,{})\" 0
         (error) ERR user_script:1: bad argument #3 to 'concat' (number expected, got table) script: ...
         > EVAL \"return table.concat({1,2,3},{})\" 0
         (error) ERR user_script:1: bad argument #2 to 'concat' (string expected, got table) script: ...
         > EVAL \"return table.concat({1,2,3},',','2','3')\" 0
         2,3
         > EVAL \"return table.concat({1,2,3},',',5,1)\" 0
         \"\"
         > EVAL \"return table.concat({1,2,3},',',1.9)\" 0
         1,2,3
         > EVAL \"return table.concat({[-1]='a',[0]='b','c'},'-',-1)\" 0
         a-b-c
         > EVAL \"return table.concat(redis)\" 0
         \"\"
         > EVAL \"return table.concat({1,2},',',nil,nil)\" 0
         1,2
         > EVAL \"return table.concat({1,2,3},',',2^33)\" 0
         (error) ERR user_script:1: invalid value (nil) at index 0 in table for 'concat' script: ...
         > EVAL \"return ({pcall(table.concat,{{}})})[2]\" 0
         \"invalid value (table) at index 1 in table for 'concat'\"",
    );
}

/// Runs a script that ends well. Returns how often it stood still.
fn ticks_of(engine: &mut Engine, script: &str) -> usize {
    let slot = engine.compile(script.as_bytes()).expect("a script");
    let run = Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: Vec::new(), proto: Default::default() };
    let (mut step, mut ticks) = (engine.start(run), 0);
    loop {
        step = match step {
            Step::Tick => {
                ticks += 1;
                engine.go_on()
            }
            Step::End(End::Reply(_)) => return ticks,
            other => panic!("{script}: {other:?}"),
        }
    }
}

fn large_engine() -> Engine {
    let versions = Versions { redis: "7.4.0", server: "0.1.0", server_name: "russet" };
    Engine::new(Kind::Eval, 256 << 20, versions, Random::default()).expect("room for a state")
}

#[test]
fn who_does_much_in_few_instructions_stands_still_the_more_often() {
    let cases = [
        // Joining, which makes garbage only: more than a gigabyte passes in less than the instructions of one tick.
        ("local s=('x'):rep(1e6) for i=1,1500 do local t=s..i end", 3),
        ("local s=('x'):rep(1e6) for i=1,1500 do local t=s:upper() end", 3),
        // Instructions that walk all of what is there: a string of 32 MB, and a table of a million.
        ("local s=('x'):rep(2^24) local t=s..'y' for i=1,300 do local less=s<t end", 4),
        ("local t={} for i=1,1e5 do t[i]=i end for i=1,50 do table.insert(t,1,i) table.remove(t,1) end", 30),
        // Joined by an instruction, and walked by the next ones. Zero bytes are the slowest to compare.
        ("local s=('x'):rep(2^20) for i=1,5 do s=s..s end local t=s..'y' for i=1,100 do local less=s<t end", 150),
        ("local s=('\\0'):rep(2^22) local t=s..'y' local less=s<t", 15),
        ("local s=(' '):rep(2^20) for i=1,5 do s=s..s end s=s..'7' for i=1,20 do local n=s+1 end", 20),
        ("local s=('0'):rep(2^20) for i=1,5 do s=s..s end for i=1,20 do tonumber(s) end", 20),
        ("local s=(' '):rep(2^20) for i=1,5 do s=s..s end for i=1,20 do pcall(math.floor,s) end", 20),
        ("local s=('x'):rep(2^24) for i=1,10 do s:upper() s:lower() s:reverse() end", 30),
        ("local f=assert(loadstring(('x=1 '):rep(5e5)))", 30),
        ("local s=('x'):rep(2^24) s=s..s s=s..s for i=1,100 do pcall(function() return s..'y' end) end", 30),
        ("local t={} for i=1,1e6 do t[i]=i end for i=1,20 do table.insert(t,1,i) end", 1000),
        ("local t={} for i=1,1e6 do t[i]=i end for i=1,20 do table.remove(t,1) end", 1000),
        // What Lua alone would do without an instruction.
        ("local t={} for i=1,1e5 do t[i]=i*7919%100003 end table.sort(t) for i=2,1e5 do assert(t[i-1]<=t[i]) end", 500),
        (
            "local t={} for i=1,1e5 do t[i]=i*7919%100003 end table.sort(t,function(a,b) return a>b end) for i=2,1e5 do assert(t[i-1]>=t[i]) end",
            1000,
        ),
        ("local s=('x'):rep(50000) local t={} for i=1,600 do t[i]=s..i end table.sort(t)", 10),
        ("local t={} for i=1,1e6 do t[i]=i end table.foreachi(t,type) table.foreach(t,type)", 1000),
        ("for i=1,100 do collectgarbage() end", 100),
        ("local t={} for i=1,3e5 do t[i]={} end collectgarbage()", 100),
        ("local t={} for i=1,3e5 do t[i]={} end collectgarbage('step',1e9)", 100),
    ];
    for (script, ticks_min) in cases {
        let mut engine = large_engine();
        let ticks = ticks_of(&mut engine, script);
        assert!(ticks >= ticks_min, "{script}: {ticks} ticks");
        // The next one is watched as ever.
        assert!(ticks_of(&mut engine, "for i=1,1e4 do end") <= 2, "after {script}");
    }
}

#[test]
fn who_is_killed_in_the_middle_of_an_instruction_calls_nothing_any_more() {
    for instruction in ["s<t", "pcall(tonumber,n)"] {
        let mut engine = large_engine();
        let code = format!(
            "local s=('\\0'):rep(2^24) local t=s..'y' local n=(' '):rep(2^24) local less={instruction} \
             while true do pcall(redis.call,'SET','a','1') end"
        );
        let slot = engine.compile(code.as_bytes()).expect("a script");
        let mut step =
            engine.start(Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: Vec::new(), proto: Proto::Resp2 });
        let end = loop {
            step = match step {
                Step::Tick => engine.kill("ERR killed"),
                Step::End(end) => break end,
                other => panic!("{instruction}: {other:?}"),
            };
        };
        let line = b"ERR killed script: s, on @user_script:1.".to_vec();
        assert_eq!(end, End::Failed { line, is_counted: false });
    }
}

#[test]
fn long_strings_change_as_short_ones_do() {
    let script = "local function all(f,s) return f(s)..'' end
        for i,s in ipairs({('aZ\\0\\255'):rep(20000),('xY'):rep(1000)}) do
          local u,l,r='','',''
          assert(all(string.upper,s)==s:gsub('%l',function(c) return string.char(c:byte()-32) end))
          assert(all(string.lower,s)==s:gsub('%u',function(c) return string.char(c:byte()+32) end))
          assert(s:reverse():reverse()==s and s:reverse():byte()==s:byte(#s) and #s:reverse()==#s)
        end
        assert(loadstring('return '..(' '):rep(1e5)..'7')()==7)
        local ok,why=loadstring((' '):rep(1e5)..'x','=name') assert(not ok) assert(why:find('^name:1: '),why)
        ok,why=loadstring('x y'..(' '):rep(1e5)) assert(why:find('^%[string \"x y'),why)
        return 'well'";
    assert_eq!(run(&mut engine(), script), Ok(b"$4\r\nwell\r\n".to_vec()));
    check(
        "> EVAL \"return string.upper(1.5)..string.lower(2)..('abc'):reverse()\" 0
         1.52cba
         > EVAL \"return string.upper({})\" 0
         (error) ERR user_script:1: bad argument #1 to 'upper' (string expected, got table) script: ...
         > EVAL \"return string.lower()\" 0
         (error) ERR user_script:1: bad argument #1 to 'lower' (string expected, got no value) script: ...
         > EVAL \"local t={reverse=string.reverse} return t:reverse()\" 0
         (error) ERR user_script:1: calling 'reverse' on bad self (string expected, got table) script: ...",
    );
}

#[test]
fn garbage_that_a_script_leaves_is_collected_in_pieces() {
    let mut engine = large_engine();
    let ticks = ticks_of(&mut engine, "local t={} for i=1,1.2e6 do t[i]={} end");
    assert!(ticks > 1000, "{ticks} ticks");
    assert!(engine.used_memory() < 8 << 20);
}

#[test]
fn what_a_script_was_given_keeps_the_next_one_from_nothing() {
    let mut engine = engine();
    let slot = engine.compile(b"return #ARGV[1]").expect("a script");
    let given = Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: vec![vec![b'x'; 3 << 20]], proto: Proto::Resp2 };
    // Compiling takes a few times the length of the code.
    let code = format!("return '{}'", "x".repeat(400_000));
    for _ in 0..3 {
        let mut step = engine.start(given.clone());
        while let Step::Tick = step {
            step = engine.go_on();
        }
        assert!(matches!(step, Step::End(End::Reply(_))), "{step:?}");
        assert!(engine.used_memory() < MEMORY_MAX / 2, "{} bytes are kept", engine.used_memory());
        let slot = engine.compile(code.as_bytes()).expect("room for a script");
        engine.forget(slot);
    }
}

#[test]
fn a_kill_that_comes_late_does_not_end_the_next_script() {
    let mut engine = engine();
    let slot = engine.compile(b"return 1").expect("a script");
    for round in 0..2000 {
        let run_again = Run { slot, id: b"s".to_vec(), keys: Vec::new(), args: Vec::new(), proto: Default::default() };
        // Whatever tick comes, also while the state is made ready for the next script, is answered by a kill.
        let mut step = engine.start(run_again);
        while let Step::Tick = step {
            step = engine.kill("ERR killed");
        }
        let code = format!("return {round}");
        assert_eq!(run(&mut engine, &code), Ok(format!(":{round}\r\n").into_bytes()));
    }
}

#[test]
fn more_memory_than_a_state_may_use_is_refused_in_the_interpreters_words() {
    fail(
        &[
            "local s=('x'):rep(2^20) local t={} for i=1,100 do t[i]=s..i end",
            "local t={} for i=1,1e7 do t[i]=i end",
            "local s='x' while true do s=s..s end",
        ],
        "not enough memory",
    );
}

#[test]
fn sorting_and_collecting_complain_as_ever() {
    check(
        "> EVAL \"table.sort('x')\" 0
         (error) ERR user_script:1: bad argument #1 to 'sort' (table expected, got string) script: ...
         > EVAL \"table.sort({},1)\" 0
         (error) ERR user_script:1: bad argument #2 to 'sort' (function expected, got number) script: ...
         > EVAL \"return table.sort(nil,1)\" 0
         (error) ERR user_script:1: bad argument #1 to 'sort' (table expected, got nil) script: ...
         > EVAL \"local t={sort=table.sort} t.t=t.sort() t:sort(1)\" 0
         (error) ERR user_script:1: bad argument #1 to 'sort' (table expected, got no value) script: ...
         > EVAL \"local t={sort=table.sort} t:sort(1)\" 0
         (error) ERR user_script:1: bad argument #1 to 'sort' (function expected, got number) script: ...
         > EVAL \"table.sort({1,2,3,4,5},function() return true end)\" 0
         (error) ERR user_script:1: invalid order function for sorting script: ...
         > EVAL \"local t={} for i=1,6000 do t[i]=i end table.sort(t,function() return true end)\" 0
         (error) ERR user_script:1: invalid order function for sorting script: ...
         > EVAL \"table.insert(nil,1)\" 0
         (error) ERR user_script:1: bad argument #1 to 'insert' (table expected, got nil) script: ...
         > EVAL \"table.insert({},1,2,3)\" 0
         (error) ERR user_script:1: wrong number of arguments to 'insert' script: ...
         > EVAL \"local t={insert=table.insert} t:insert('x',1)\" 0
         (error) ERR user_script:1: bad argument #1 to 'insert' (number expected, got string) script: ...
         > EVAL \"table.insert(redis,1)\" 0
         (error) ERR Attempt to modify a readonly table script: ...
         > EVAL \"table.remove({1,2},'x')\" 0
         (error) ERR user_script:1: bad argument #2 to 'remove' (number expected, got string) script: ...
         > EVAL \"table.sort({1,{},3})\" 0
         (error) ERR attempt to compare ... script: ...
         > EVAL \"local t={} for i=1,30000 do t[i]=i end t[7]={} table.sort(t)\" 0
         (error) ERR attempt to compare ... script: ...
         > EVAL \"table.foreach(1,print)\" 0
         (error) ERR user_script:1: Script attempted to access nonexistent global variable 'print' script: ...
         > EVAL \"table.foreach(1,type)\" 0
         (error) ERR user_script:1: bad argument #1 to 'foreach' (table expected, got number) script: ...
         > EVAL \"table.foreachi({},1)\" 0
         (error) ERR user_script:1: bad argument #2 to 'foreachi' (function expected, got number) script: ...
         > EVAL \"return table.foreachi({4,5,6},function(i,v) if v==5 then return i end end)\" 0
         (int) 2
         > EVAL \"collectgarbage('x')\" 0
         (error) ERR user_script:1: bad argument #1 to 'collectgarbage' (invalid option 'x') script: ...
         > EVAL \"collectgarbage({})\" 0
         (error) ERR user_script:1: bad argument #1 to 'collectgarbage' (string expected, got table) script: ...
         > EVAL \"collectgarbage('step','x')\" 0
         (error) ERR user_script:1: bad argument #2 to 'collectgarbage' (number expected, got string) script: ...
         > EVAL \"return collectgarbage()\" 0
         (int) 0
         > EVAL \"return type(collectgarbage('step',10))..type(collectgarbage('count'))\" 0
         booleannumber
         > EVAL \"return collectgarbage('collect')+collectgarbage('restart')\" 0
         (int) 0",
    );
}
