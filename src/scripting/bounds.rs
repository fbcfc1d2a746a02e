//! Bounds on what functions of ours do for a script. Lua's own instructions are counted by its hook; a few bytes of a script can
//! make one of our functions walk a table that holds itself over and over, or repeat a long string without end. Such functions
//! count their steps, stand still every so often as the script itself does, and build no more than so much.

use mlua::{Error, Function, Lua, Result};

use crate::storage::machine;

use super::engine::{self, Mode};
use super::raise::{Raised, fail};

/// Bytes that are built at once, at most, and where this is looked at first.
const BUILT_MAX: usize = 1 << 30;
const LOOKED_AT: usize = 1 << 20;
/// Steps between two ticks, and how many of them a value takes that is built.
const TICK_STEPS: u32 = 100_000;
const VALUE_STEPS: u32 = 16;
/// A step is as much work as so many bytes.
const STEP_WORK: usize = machine::WORK_MAX / TICK_STEPS as usize;

/// How much memory a Lua state may use.
struct MemoryMax(usize);

/// Notes how much memory a Lua state may use.
pub(super) fn set_memory_max(lua: &Lua, bytes: usize) {
    lua.set_app_data(MemoryMax(bytes));
}

/// Bytes that may be built at once: a string, a reply, the arguments of a command. No more than the state itself may use.
pub(super) fn built_max(lua: &Lua) -> usize {
    lua.app_data_ref::<MemoryMax>().map_or(BUILT_MAX, |max| max.0.min(BUILT_MAX))
}

/// Notes that a function has made a string of so many bytes, as it may do in each instruction.
pub(super) fn made(lua: &Lua, bytes: usize) -> Result<()> {
    if bytes > engine::CALM_BYTES / 2 {
        engine::look_at_memory(lua)?;
    }
    if machine::note_work(bytes) { killed(lua) } else { Ok(()) }
}

/// The steps of one function.
pub(super) struct Bounds<'a> {
    lua: &'a Lua,
    steps: u32,
}

impl<'a> Bounds<'a> {
    pub(super) fn new(lua: &'a Lua) -> Bounds<'a> {
        Bounds { lua, steps: 0 }
    }

    /// Counts a step.
    ///
    /// # Errors
    /// The script was killed.
    #[inline]
    pub(super) fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps < TICK_STEPS { Ok(()) } else { self.tick() }
    }

    /// Counts the steps of one more value, when so many bytes are built by now.
    ///
    /// # Errors
    /// The script was killed, or these are too many.
    #[inline]
    pub(super) fn step_of(&mut self, built: usize) -> Result<()> {
        if built > LOOKED_AT && built > built_max(self.lua) {
            return fail(self.lua, "resulting string too large");
        }
        self.steps += VALUE_STEPS;
        if self.steps < TICK_STEPS { Ok(()) } else { self.tick() }
    }

    #[cold]
    fn tick(&mut self) -> Result<()> {
        self.steps = 0;
        pause(self.lua)
    }
}

/// What has come to no tick counts for what comes next, as one function may be called many times without an instruction.
impl Drop for Bounds<'_> {
    fn drop(&mut self) {
        machine::note_work(self.steps as usize * STEP_WORK);
    }
}

/// Lets the script stand still.
///
/// # Errors
/// The script was killed.
pub(super) fn pause(lua: &Lua) -> Result<()> {
    let tick: Function = lua.named_registry_value("russet.tick")?;
    tick.call::<()>(())?;
    killed(lua)
}

/// Fails in a script that is to end.
///
/// # Errors
/// What it is to end with.
pub(super) fn killed(lua: &Lua) -> Result<()> {
    match lua.app_data_ref::<Mode>().and_then(|mode| mode.killed()) {
        Some(why) => Err(Error::external(Raised::Table { err: why.into(), is_counted: false })),
        None => Ok(()),
    }
}
