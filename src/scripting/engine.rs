//! One Lua state and the stack it runs on. A script runs as a coroutine of native code: where it asks something of the server, and
//! each ten thousand instructions (more often where single ones may take long), it stands still and gives a `Step` to whoever
//! drives it, who may take as long as he likes and do anything meanwhile but start another script. No call goes the other way
//! round, so that nothing that a script does is nested in it: a script that runs too long is simply left standing while the
//! server takes its turns.

use std::cell::Cell;
use std::rc::Rc;

use corosensei::Yielder;
use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use crate::base::number::format_g;
use crate::resp::Proto;
use crate::storage::lua_tables;
use crate::storage::machine::{self, Machine};

use super::convert::up_to_nul;
use super::raise::{self, Raised, value_of};
use super::random::Random;
use super::words::Words;
use super::{api, bounds, convert};

/// What the Lua state is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EVAL.
    Eval,
    /// FCALL.
    Functions,
}

/// How the server calls itself.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Versions {
    pub redis: &'static str,
    pub server: &'static str,
    pub server_name: &'static str,
}

/// Where a Lua state keeps a script or function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(u32);

/// A script to be run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it is kept.
    pub slot: Slot,
    /// What errors call it: its digest, or the function's name.
    pub id: Vec<u8>,
    /// KEYS.
    pub keys: Vec<Vec<u8>>,
    /// ARGV.
    pub args: Vec<Vec<u8>>,
    /// What its result is written for.
    pub proto: Proto,
}

/// A command that a script calls.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The request.
    pub argv: Vec<Vec<u8>>,
    /// The protocol of the reply.
    pub proto: Proto,
    /// Does what it changes go to the append-only file and to replicas?
    pub is_repeated: bool,
    /// The words of errors about it.
    pub words: Words,
}

/// A function that a library registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Registration {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: Vec<Vec<u8>>,
    pub words: Words,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With this reply, written out.
    Reply(Vec<u8>),
    /// With an error line; was it counted among the error replies already?
    Failed {
        /// The line, without the leading `-`.
        line: Vec<u8>,
        /// Counted when the command that failed was called.
        is_counted: bool,
    },
    /// A library is loaded.
    Loaded(Vec<Registration>),
    /// A chunk is compiled (None), or cannot be.
    Compiled(Option<Vec<u8>>),
    /// An order is done that has no result.
    Done,
}

/// Where a script stands still.
#[derive(Debug)]
pub enum Step {
    /// It calls a command; go on with `answer`.
    Call(Call),
    /// It asks whether it might; go on with `permit`.
    MayCall(Call),
    /// Some instructions have passed; go on with `go_on` or `kill`.
    Tick,
    /// It is done.
    End(End),
}

enum Order {
    Compile { slot: Slot, code: Vec<u8> },
    Forget(Slot),
    Run(Run),
    Load(Vec<u8>),
    Adopt(Vec<Slot>),
    Answer(Vec<u8>),
    Permit(Result<bool, String>),
    GoOn,
    Kill(&'static str),
    Stop,
}

enum Pause {
    Idle(End, usize),
    Call(Call),
    MayCall(Call),
    Tick,
}

/// Instructions between two looks at a script, and looks between two ticks.
const LOOK_INSTRUCTIONS: u32 = 1000;
const TICK_LOOKS: u32 = 10;
/// Memory that a script may use until it is watched more closely. One instruction may walk all of what is there: it compares two
/// strings, or moves the elements of a table. With more memory than this each look is a tick, and they come the more often.
pub(super) const CALM_BYTES: usize = 8 << 20;
const LOOK_INSTRUCTIONS_MIN: usize = 10;
/// Garbage that scripts leave until all of it is collected, if they may use much more.
const GARBAGE_MAX: usize = 64 << 20;
/// Scripts run or compiled between two collections of some garbage, and steps of one: two kilobytes each.
const COLLECT_EVERY: u32 = 50;
const COLLECT_STEPS: usize = 64;
/// Address space for the stack; it is backed by memory as far as it was used.
const STACK_BYTES: usize = if cfg!(fuzzing) { 64 << 20 } else { 16 << 20 };

/// A Lua state. Nothing outside its machine refers to what is in it, so that another thread may free it.
pub struct Engine {
    machine: Machine<Order, Pause>,
    used_memory: usize,
    is_running: bool,
    /// Slots that were used, and those of them that are free again.
    slots: u32,
    free: Vec<Slot>,
}

impl Engine {
    /// A fresh state, which may use so much memory. None if the system has no room for its stack.
    pub fn new(kind: Kind, memory_max: usize, versions: Versions, random: Random) -> Option<Engine> {
        let machine = Machine::new(STACK_BYTES, move |yielder: &Yielder<Order, Pause>, order: Order| {
            // Nothing is left of a state that cannot be made: `resume` answers for it.
            if let Err(error) = live(yielder, order, kind, memory_max, (versions, random)) {
                crate::base::log::warning(&format!("A Lua state could not be made: {error}"));
            }
        });
        let mut engine =
            Engine { machine: machine.ok()?, used_memory: 0, is_running: false, slots: 0, free: Vec::new() };
        engine.resume(Order::GoOn);
        (!engine.machine.is_done()).then_some(engine)
    }

    /// Bytes that the Lua state takes, as of the end of the last script.
    pub fn used_memory(&self) -> usize {
        self.used_memory
    }

    /// Compiles a script and keeps it.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub fn compile(&mut self, code: &[u8]) -> Result<Slot, Vec<u8>> {
        let slot = self.free_slot();
        match self.carry_out(Order::Compile { slot, code: code.to_vec() }) {
            End::Compiled(Some(why)) => {
                self.free.push(slot);
                Err(why)
            }
            _ => Ok(slot),
        }
    }

    /// Forgets a script or function.
    pub fn forget(&mut self, slot: Slot) {
        self.carry_out(Order::Forget(slot));
        self.free.push(slot);
    }

    fn free_slot(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            Slot(self.slots)
        })
    }

    /// Begins to run a script that was compiled, or a function that was adopted.
    pub fn start(&mut self, run: Run) -> Step {
        self.resume(Order::Run(run))
    }

    /// Begins to load a library; what it registers counts only once it is adopted.
    pub fn load(&mut self, code: &[u8]) -> Step {
        self.resume(Order::Load(code.to_vec()))
    }

    /// Takes over the functions of the library that was loaded last, which are so many. Returns where, in their order.
    pub fn adopt(&mut self, count: usize) -> Vec<Slot> {
        let slots: Vec<Slot> = (0..count).map(|_| self.free_slot()).collect();
        self.carry_out(Order::Adopt(slots.clone()));
        slots
    }

    /// Goes on with the reply to a call.
    pub fn answer(&mut self, reply: Vec<u8>) -> Step {
        self.resume(Order::Answer(reply))
    }

    /// Goes on with whether the call were allowed, or with an error.
    pub fn permit(&mut self, allowed: Result<bool, String>) -> Step {
        self.resume(Order::Permit(allowed))
    }

    /// Goes on.
    pub fn go_on(&mut self) -> Step {
        self.resume(Order::GoOn)
    }

    /// Goes on to the script's end, which is this error, whatever it tries.
    pub fn kill(&mut self, why: &'static str) -> Step {
        self.resume(Order::Kill(why))
    }

    /// Carries out an order that runs nothing of a script's, but may meet the end of ten thousand instructions.
    fn carry_out(&mut self, order: Order) -> End {
        let mut step = self.resume(order);
        loop {
            step = match step {
                Step::End(end) => return end,
                Step::Tick => self.go_on(),
                Step::Call(_) => self.answer(Vec::new()),
                Step::MayCall(_) => self.permit(Ok(false)),
            };
        }
    }

    fn resume(&mut self, order: Order) -> Step {
        if self.machine.is_done() {
            let line = b"ERR The Lua state is gone".to_vec();
            return Step::End(End::Failed { line, is_counted: false });
        }
        let pause = self.machine.resume(order).unwrap_or(Pause::Idle(End::Done, 0));
        self.is_running = !matches!(pause, Pause::Idle(..));
        match pause {
            Pause::Idle(end, used_memory) => {
                self.used_memory = used_memory;
                Step::End(end)
            }
            Pause::Call(call) => Step::Call(call),
            Pause::MayCall(call) => Step::MayCall(call),
            Pause::Tick => Step::Tick,
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The stack holds frames of C: a script must come to its own end before the stack goes.
        while self.is_running {
            self.resume(Order::Kill("ERR The script was ended with its Lua state"));
        }
        if !self.machine.is_done() {
            self.resume(Order::Stop);
        }
    }
}

/// What is known of the script that runs, for the functions that it calls.
#[derive(Debug)]
pub(super) struct Mode {
    pub(super) proto: Proto,
    pub(super) is_repeated: bool,
    pub(super) is_loading: bool,
    /// Does a script run that may be killed?
    is_running: bool,
    pub(super) registered: Vec<Registration>,
    /// Set once the script is to end with this error.
    killed: Option<&'static str>,
    /// Where it was then.
    killed_at: Option<(String, usize)>,
    /// Is it looked at more often than others?
    is_watched_closely: bool,
}

impl Default for Mode {
    fn default() -> Mode {
        Mode {
            proto: Proto::Resp2,
            is_repeated: true,
            is_loading: false,
            is_running: false,
            registered: Vec::new(),
            killed: None,
            killed_at: None,
            is_watched_closely: false,
        }
    }
}

impl Mode {
    /// What the script is to end with, if it is to end.
    pub(super) fn killed(&self) -> Option<&'static str> {
        self.killed
    }
}

/// The life of a Lua state, on its own stack: from one order to the next.
fn live(
    yielder: &Yielder<Order, Pause>,
    mut order: Order,
    kind: Kind,
    memory_max: usize,
    (versions, random): (Versions, Random),
) -> mlua::Result<()> {
    let libs = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::OS;
    let lua = Lua::new_with(libs, LuaOptions::default())?;
    lua.set_app_data(Mode::default());
    bounds::set_memory_max(&lua, memory_max);
    lua.scope(|scope| {
        let native = api::natives(&lua, versions, random)?;
        let call = |lua: &Lua, args: MultiValue, words: Words| -> mlua::Result<Vec<u8>> {
            let call = api::call_of(lua, &args, words)?;
            bounds::killed(lua)?;
            match yielder.suspend(Pause::Call(call)) {
                Order::Answer(reply) => Ok(reply),
                _ => Ok(b"-ERR The script was ended\r\n".to_vec()),
            }
        };
        for words in [Words::Redis, Words::Valkey] {
            let table: Table = native.raw_get(words.table())?;
            table.raw_set(
                "call",
                scope.create_function(move |lua, args: MultiValue| {
                    convert::from_reply(lua, &call(lua, args, words)?, true)
                })?,
            )?;
            table.raw_set(
                "pcall",
                scope.create_function(move |lua, args: MultiValue| {
                    let reply = match call(lua, args, words) {
                        Ok(reply) => reply,
                        Err(error) => return api::caught(lua, error),
                    };
                    convert::from_reply(lua, &reply, false)
                })?,
            )?;
            table.raw_set(
                "acl_check_cmd",
                scope.create_function(move |lua, args: MultiValue| {
                    let call = api::call_of(lua, &args, words)?;
                    match yielder.suspend(Pause::MayCall(call)) {
                        Order::Permit(Ok(allowed)) => Ok(allowed),
                        Order::Permit(Err(why)) => raise::fail_table(why),
                        _ => raise::fail_table("ERR The script was ended"),
                    }
                })?,
            )?;
        }
        let tick = scope.create_function(move |lua, (): ()| {
            stand_still(lua, yielder);
            look_at_memory(lua)
        })?;
        lua.set_named_registry_value("russet.tick", tick)?;
        let kind_name = if kind == Kind::Eval { "eval" } else { "function" };
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=russet");
        let parts: Table = prelude.call((native, kind_name))?;
        let engine = Parts {
            compile: parts.raw_get("compile")?,
            forget: parts.raw_get("forget")?,
            begin: parts.raw_get("begin")?,
            xpcall: parts.raw_get("xpcall")?,
            report: parts.raw_get("report")?,
            load: parts.raw_get("load")?,
            adopt: parts.raw_get("adopt")?,
            let_go: parts.raw_get("let_go")?,
            tidy: parts.raw_get("tidy")?,
        };
        for name in ["register", "call", "index"] {
            lua.set_named_registry_value(&format!("russet.{name}"), parts.raw_get::<Function>(name)?)?;
        }
        // What making the state took is not to be part of it.
        lua.gc_collect()?;
        parts.raw_get::<Function>("watch_garbage")?.call::<()>(lua.named_registry_value::<Function>("russet.tick")?)?;
        lua.set_memory_limit(memory_max)?;
        let used = lua.used_memory();
        let watcher = Rc::new(Watch { looks: Cell::new(0), before: Cell::new(used), collected: Cell::new(used) });
        lua.set_app_data(watcher.clone());
        watch(&lua, watcher.clone(), Pace::CALM)?;
        let rest = || stand_still(&lua, yielder);
        machine::interruptible(&rest, || {
            let mut end = End::Done;
            let mut uncollected = 0;
            loop {
                uncollected += match order {
                    Order::Compile { .. } | Order::Run(_) => 1,
                    // A library leaves all of its code behind.
                    Order::Load(_) => 2,
                    _ => 0,
                };
                if uncollected >= COLLECT_EVERY {
                    uncollected = 0;
                    collect_some(&lua);
                    tidy(&engine);
                }
                order = match order {
                    Order::Stop => return Ok(()),
                    Order::Compile { slot, code } => {
                        end = End::Compiled(compile(&lua, &engine, slot, &code, kind));
                        Order::GoOn
                    }
                    Order::Forget(slot) => {
                        end = engine.forget.call(slot.0).map_or_else(|error| failed(&lua, error), |()| End::Done);
                        Order::GoOn
                    }
                    Order::Adopt(slots) => {
                        let slots: Vec<u32> = slots.into_iter().map(|slot| slot.0).collect();
                        end = engine.adopt.call(slots).map_or_else(|error| failed(&lua, error), |()| End::Done);
                        Order::GoOn
                    }
                    Order::Run(run) => {
                        begin(&lua, &watcher);
                        end = run_script(&lua, &engine, &run).unwrap_or_else(|error| failed(&lua, error));
                        end = killed_end(&lua, Some(&run.id)).unwrap_or(end);
                        finish(&lua, &engine, &watcher, memory_max);
                        Order::GoOn
                    }
                    Order::Load(code) => {
                        begin(&lua, &watcher);
                        end = load_library(&lua, &engine, &code).unwrap_or_else(|error| failed(&lua, error));
                        end = killed_end(&lua, None).unwrap_or(end);
                        finish(&lua, &engine, &watcher, memory_max);
                        Order::GoOn
                    }
                    Order::Answer(_) | Order::Permit(_) | Order::GoOn | Order::Kill(_) => {
                        let end = std::mem::replace(&mut end, End::Done);
                        yielder.suspend(Pause::Idle(end, lua.used_memory()))
                    }
                };
            }
        })
    })
}

/// The prelude's side of the orders.
struct Parts {
    compile: Function,
    forget: Function,
    begin: Function,
    xpcall: Function,
    report: Function,
    load: Function,
    adopt: Function,
    let_go: Function,
    tidy: Function,
}

/// Stands still. Is the script to end? Touches nothing of Lua but its hook: an instruction may be in its middle.
fn stand_still(lua: &Lua, yielder: &Yielder<Order, Pause>) -> bool {
    let is_killed = |lua: &Lua| lua.app_data_ref::<Mode>().is_some_and(|mode| mode.killed.is_some());
    if is_killed(lua) {
        return true;
    }
    let Order::Kill(why) = yielder.suspend(Pause::Tick) else { return false };
    if let Some(mut mode) = lua.app_data_mut::<Mode>()
        && mode.is_running
    {
        mode.killed = Some(why);
        mode.killed_at = raise::place_of_script(lua, 0);
    }
    // From here on each instruction fails, so that nothing that catches errors holds it up.
    let watcher = lua.app_data_ref::<Rc<Watch>>().map(|watcher| Rc::clone(&watcher));
    if is_killed(lua)
        && let Some(watcher) = watcher
        && let Err(error) = change_pace(lua, watcher, Pace::KILLED)
    {
        crate::base::log::warning(&format!("A script that was killed goes on for a while: {error}"));
    }
    is_killed(lua)
}

/// How closely a script is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    look_instructions: u32,
    tick_looks: u32,
}

impl Pace {
    const CALM: Pace = Pace { look_instructions: LOOK_INSTRUCTIONS, tick_looks: TICK_LOOKS };
    const KILLED: Pace = Pace { look_instructions: 1, tick_looks: 1 };

    /// That of a script that uses so much memory.
    fn of(bytes: usize) -> Pace {
        if bytes <= CALM_BYTES {
            return Pace::CALM;
        }
        let instructions = (LOOK_INSTRUCTIONS as usize * CALM_BYTES / bytes).max(LOOK_INSTRUCTIONS_MIN);
        Pace { look_instructions: instructions as u32, tick_looks: 1 }
    }
}

/// Who looks at scripts.
struct Watch {
    /// Looks since the last tick.
    looks: Cell<u32>,
    /// Memory that was in use when the script began, and after all garbage was collected the last time.
    before: Cell<usize>,
    collected: Cell<usize>,
}

/// Has scripts looked at at this pace, and stand still, again and again.
fn watch(lua: &Lua, watcher: Rc<Watch>, pace: Pace) -> mlua::Result<()> {
    let triggers = HookTriggers::new().every_nth_instruction(pace.look_instructions);
    lua.set_global_hook(triggers, move |lua, _| {
        let used = lua.used_memory().saturating_sub(watcher.before.get());
        watcher.looks.set(watcher.looks.get() + 1);
        if watcher.looks.get() < pace.tick_looks && used <= CALM_BYTES {
            return Ok(VmState::Continue);
        }
        watcher.looks.set(0);
        let killed = |lua: &Lua| lua.app_data_ref::<Mode>().and_then(|mode| mode.killed);
        if killed(lua).is_none() {
            let tick: Function = lua.named_registry_value("russet.tick")?;
            tick.call::<()>(())?;
        }
        let Some(why) = killed(lua) else {
            // The tick has seen to it that one who uses much is looked at closely.
            if used <= CALM_BYTES && pace != Pace::CALM {
                watch(lua, watcher.clone(), Pace::CALM)?;
            }
            return Ok(VmState::Continue);
        };
        // From here on each instruction fails, so that nothing that catches errors holds it up.
        change_pace(lua, watcher.clone(), Pace::KILLED)?;
        Err(mlua::Error::external(Raised::Table { err: why.into(), is_counted: false }))
    })
}

/// Has the script looked at more closely if it uses much, as when a function has made something large.
pub(super) fn look_at_memory(lua: &Lua) -> mlua::Result<()> {
    let Some(watcher) = lua.app_data_ref::<Rc<Watch>>().map(|watcher| Rc::clone(&watcher)) else { return Ok(()) };
    let used = lua.used_memory().saturating_sub(watcher.before.get());
    let is_killed = lua.app_data_ref::<Mode>().is_some_and(|mode| mode.killed.is_some());
    if used > CALM_BYTES && !is_killed { change_pace(lua, watcher, Pace::of(used)) } else { Ok(()) }
}

/// Changes the pace until the script ends. Of several coroutines the one that runs is meant, and those that it makes.
fn change_pace(lua: &Lua, watcher: Rc<Watch>, pace: Pace) -> mlua::Result<()> {
    if let Some(mut mode) = lua.app_data_mut::<Mode>() {
        mode.is_watched_closely = true;
    }
    watch(lua, watcher, pace)
}

/// Collects some garbage, as scripts that are called often leave little each, and Lua itself waits until it has doubled.
fn collect_some(lua: &Lua) {
    for _ in 0..COLLECT_STEPS {
        match lua.gc_step() {
            Ok(false) => {}
            Ok(true) => break,
            Err(_) => return crate::base::log::warning("The garbage of scripts could not be collected"),
        }
    }
}

/// Collects all garbage, and stands still now and then meanwhile. What was garbage when the first round began goes in the second.
fn collect_all(lua: &Lua) -> mlua::Result<()> {
    for _ in 0..2 {
        let mut steps = 0;
        while !lua.gc_step()? {
            steps += 1;
            // A tick that finds no memory is left out.
            if steps % COLLECT_STEPS == 0
                && let Ok(tick) = lua.named_registry_value::<Function>("russet.tick")
                && tick.call::<()>(()).is_err()
            {
                continue;
            }
        }
    }
    Ok(())
}

/// A script begins.
fn begin(lua: &Lua, watcher: &Watch) {
    watcher.before.set(lua.used_memory());
    if let Some(mut mode) = lua.app_data_mut::<Mode>() {
        mode.is_running = true;
    }
}

/// Makes ready for the next script.
fn finish(lua: &Lua, engine: &Parts, watcher: &Rc<Watch>, memory_max: usize) {
    // From here on nothing can be killed: a tick below that is answered so must not end the next script.
    let was_watched_closely = lua.app_data_mut::<Mode>().is_some_and(|mut mode| {
        let was_watched_closely = mode.is_watched_closely;
        *mode = Mode::default();
        was_watched_closely
    });
    if was_watched_closely && let Err(error) = watch(lua, watcher.clone(), Pace::CALM) {
        crate::base::log::warning(&format!("Scripts run without being watched: {error}"));
    }
    // What a script leaves behind must not keep the next one from its memory: Lua itself collects only at its own pace. Half of
    // what is not kept is never left to garbage.
    let kept = watcher.collected.get();
    let garbage_max = GARBAGE_MAX.min(memory_max.saturating_sub(kept) / 2).min(memory_max / 4);
    if lua.used_memory().saturating_sub(kept) > garbage_max {
        if engine.let_go.call::<()>(()).and_then(|()| collect_all(lua)).is_err() {
            crate::base::log::warning("The garbage of a script could not be collected");
        }
        watcher.collected.set(lua.used_memory());
        tidy(engine);
    }
}

/// Looks after what no script can have changed but by a function that writes without asking, or where memory ran out.
fn tidy(engine: &Parts) {
    if engine.tidy.call::<()>(()).is_err() {
        crate::base::log::warning("A script may have left something in a table that cannot be written to");
    }
}

fn compile(lua: &Lua, engine: &Parts, slot: Slot, code: &[u8], kind: Kind) -> Option<Vec<u8>> {
    let name = if kind == Kind::Eval { "@user_script" } else { "@user_function" };
    let compiled = (|| engine.compile.call::<Value>((slot.0, lua.create_string(code)?, name)))();
    match compiled {
        Ok(Value::Nil) => None,
        Ok(Value::String(why)) => Some(why.as_bytes().to_vec()),
        Ok(_) => Some(Vec::new()),
        Err(error) => Some(text_of(lua, error)),
    }
}

fn run_script(lua: &Lua, engine: &Parts, run: &Run) -> mlua::Result<End> {
    let (keys, args) = lua_tables::lists(lua, [&run.keys, &run.args])?;
    // No function of the prelude is to stand between: scripts can count the levels of calls.
    let script: Function = engine.begin.call((run.slot.0, keys, args))?;
    let (ok, value): (bool, Value) = engine.xpcall.call((script, &engine.report))?;
    if !ok {
        return Ok(failure(&value, Some(&run.id)));
    }
    let is_resp3 = lua.app_data_ref::<Mode>().is_some_and(|mode| mode.proto == Proto::Resp3);
    Ok(convert::to_reply(lua, &value, run.proto, is_resp3))
}

fn load_library(lua: &Lua, engine: &Parts, code: &[u8]) -> mlua::Result<End> {
    if let Some(mut mode) = lua.app_data_mut::<Mode>() {
        mode.is_loading = true;
    }
    let (ok, value): (Value, Value) = engine.load.call((lua.create_string(code)?, "@user_function"))?;
    if ok == Value::Nil {
        let why = value.as_string().map(|why| why.as_bytes().to_vec()).unwrap_or_default();
        return Ok(End::Compiled(Some(why)));
    }
    if ok != Value::Boolean(true) {
        return Ok(failure(&value, None));
    }
    let registered = lua.app_data_mut::<Mode>().map(|mut mode| std::mem::take(&mut mode.registered));
    Ok(End::Loaded(registered.unwrap_or_default()))
}

/// The end of a script that was killed, whatever it made of that.
fn killed_end(lua: &Lua, id: Option<&Vec<u8>>) -> Option<End> {
    let mode = lua.app_data_ref::<Mode>()?;
    let place = mode.killed_at.as_ref().map(|(source, line)| (source.as_bytes(), *line));
    Some(End::Failed { line: with_place(mode.killed?.as_bytes(), place, id), is_counted: false })
}

/// The end of a script that raised this. What names it is told where it is known.
fn failure(value: &Value, id: Option<&Vec<u8>>) -> End {
    let field = |name: &str| value.as_table().and_then(|table| table.raw_get::<Value>(name).ok());
    let mut is_counted = false;
    let text = match (value, field("err")) {
        (_, Some(Value::String(err))) => {
            is_counted = field("ignore_error_stats_update") == Some(Value::Boolean(true));
            up_to_nul(&err.as_bytes()).to_vec()
        }
        (_, Some(Value::Integer(err))) => format_g(err as f64, 14).into_bytes(),
        (_, Some(Value::Number(err))) => format_g(err, 14).into_bytes(),
        (Value::String(text), _) => [b"ERR ".as_slice(), up_to_nul(&text.as_bytes())].concat(),
        _ => b"ERR unknown error".to_vec(),
    };
    let line = match (field("source"), field("line")) {
        (Some(Value::String(source)), Some(Value::Integer(line))) => {
            with_place(&text, Some((&source.as_bytes(), usize::try_from(line).unwrap_or(0))), id)
        }
        _ => text,
    };
    End::Failed { line, is_counted }
}

fn with_place(text: &[u8], place: Option<(&[u8], usize)>, id: Option<&Vec<u8>>) -> Vec<u8> {
    let mut line = text.to_vec();
    if let (Some((source, at)), Some(id)) = (place, id) {
        line.extend_from_slice(b" script: ");
        line.extend_from_slice(id);
        line.extend_from_slice(b", on ");
        line.extend_from_slice(source);
        line.extend_from_slice(format!(":{at}.").as_bytes());
    }
    line
}

fn text_of(lua: &Lua, error: mlua::Error) -> Vec<u8> {
    match value_of(lua, Value::Error(Box::new(error))) {
        Ok(Value::String(text)) => text.as_bytes().to_vec(),
        Ok(Value::Table(table)) => {
            table.raw_get::<mlua::LuaString>("err").map_or_else(|_| Vec::new(), |err| err.as_bytes().to_vec())
        }
        _ => b"not enough memory".to_vec(),
    }
}

/// The end of a script whose failure nothing in Lua caught.
fn failed(lua: &Lua, error: mlua::Error) -> End {
    End::Failed { line: [b"ERR ".as_slice(), &text_of(lua, error)].concat(), is_counted: false }
}
