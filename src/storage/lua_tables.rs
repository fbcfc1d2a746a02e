//! Functions of `table` and `string`, as scripts find them: Lua's own cannot be interrupted. Sorting, and changing each byte of a text, is
//! for Lua's own where there is little, and for another one else; inserting and removing stand still by what they have moved. A function
//! of C that calls on in its own frame costs little, and complains as Lua's own does; one of Lua's that asks for types costs a third of what sorting five elements takes.

use std::ffi::c_int;

use mlua::{Function, Lua, Result, Table, Value, ffi};

use super::machine;

/// Elements up to which Lua's own sorts. At worst it compares some millions of times.
const FEW: usize = 5000;
/// Bytes of a text up to which Lua's own changes each.
const SHORT_BYTES: usize = 64 << 10;
/// Moving an element is as much work as so many bytes.
const MOVE_WORK: usize = 64;

/// Two lists of strings. Both are made in one call that catches what Lua raises: such a call costs as much as a table.
///
/// # Errors
/// There is no memory.
pub fn lists(lua: &Lua, lists: [&[Vec<u8>]; 2]) -> Result<(Table, Table)> {
    let make = |state: *mut ffi::lua_State| {
        for list in lists {
            // SAFETY: there is room for twenty values on the stack, and no more than four are on it. Nothing here is to be dropped when
            // Lua raises an error.
            unsafe {
                ffi::lua_createtable(state, c_int::try_from(list.len()).unwrap_or(0), 0);
                for (index, item) in (1..).zip(list) {
                    ffi::lua_pushlstring(state, item.as_ptr().cast(), item.len());
                    ffi::lua_rawseti(state, -2, index);
                }
            }
        }
    };
    // SAFETY: it leaves two tables on the stack, which are what is returned.
    unsafe { lua.exec_raw((), make) }
}

/// `quickly` is Lua's own function, `slowly` one that can be interrupted. `counted` makes of a function that compares one whose
/// instructions count.
///
/// # Errors
/// There is no memory.
pub fn sort(lua: &Lua, quickly: Function, slowly: Function, counted: Function) -> Result<Function> {
    // SAFETY: three values are on the stack, and become what the closure holds, which takes their place.
    unsafe { lua.exec_raw((quickly, slowly, counted), |state| ffi::lua_pushcclosure(state, sort_either, 3)) }
}

/// `quickly` is Lua's own function of a text, `slowly` one that counts what it makes.
///
/// # Errors
/// There is no memory.
pub fn of_text(lua: &Lua, quickly: Function, slowly: Function) -> Result<Function> {
    // SAFETY: two values are on the stack, and become what the closure holds, which takes their place.
    unsafe { lua.exec_raw((quickly, slowly), |state| ffi::lua_pushcclosure(state, by_length, 2)) }
}

/// `function` is Lua's `table.insert` or `table.remove`, which moves what stands behind a position if it is given one more argument than
/// it needs: `given` with it. Tables that are keys of `readonly`, if that is one, it refuses with `refusal`.
///
/// # Errors
/// There is no memory.
pub fn moving(lua: &Lua, function: Function, given: i64, readonly: Value, refusal: Value) -> Result<Function> {
    // SAFETY: four values are on the stack, and become what the closure holds, which takes their place.
    unsafe { lua.exec_raw((function, given, readonly, refusal), |state| ffi::lua_pushcclosure(state, count_moves, 4)) }
}

/// Nothing here is to be dropped, so that errors may pass as Lua raises them.
unsafe extern "C-unwind" fn count_moves(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with its arguments. The first upvalue is Lua's function, which has no upvalues of its own and may run in this
    // frame; standing still touches nothing of Lua. The third one is a table if there is something to look up in it.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TTABLE {
            if ffi::lua_type(state, ffi::lua_upvalueindex(3)) == ffi::LUA_TTABLE {
                ffi::lua_pushvalue(state, 1);
                if ffi::lua_rawget(state, ffi::lua_upvalueindex(3)) != ffi::LUA_TNIL {
                    ffi::lua_pushvalue(state, ffi::lua_upvalueindex(4));
                    ffi::lua_error(state);
                }
                ffi::lua_pop(state, 1);
            }
            let given = ffi::lua_tointeger(state, ffi::lua_upvalueindex(2));
            if i64::from(ffi::lua_gettop(state)) >= given as i64 {
                machine::note_work(ffi::lua_objlen(state, 1).saturating_mul(MOVE_WORK));
            }
        }
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(function) => function(state),
            None => 0,
        }
    }
}

/// Nothing here is to be dropped, so that errors may pass as Lua raises them.
unsafe extern "C-unwind" fn sort_either(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with its arguments and room for twenty values on the stack. The first upvalue is Lua's function for
    // sorting, which has no upvalues of its own and may run in this frame.
    unsafe {
        let is_proper = ffi::lua_type(state, 1) == ffi::LUA_TTABLE
            && matches!(ffi::lua_type(state, 2), ffi::LUA_TNONE | ffi::LUA_TNIL | ffi::LUA_TFUNCTION);
        if is_proper && ffi::lua_objlen(state, 1) > FEW {
            ffi::lua_settop(state, 2);
            if ffi::lua_type(state, 2) == ffi::LUA_TNIL {
                ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
                ffi::lua_pushvalue(state, 1);
                ffi::lua_call(state, 1, 0);
                return 0;
            }
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(3));
            ffi::lua_insert(state, 2);
            ffi::lua_call(state, 1, 1);
        }
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(quickly) => quickly(state),
            None => 0,
        }
    }
}

/// Nothing here is to be dropped, so that errors may pass as Lua raises them.
unsafe extern "C-unwind" fn by_length(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with its arguments and room for twenty values on the stack. The first upvalue is Lua's own function, which has
    // no upvalues of its own and may run in this frame.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TSTRING && ffi::lua_objlen(state, 1) > SHORT_BYTES {
            ffi::lua_settop(state, 1);
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
            ffi::lua_insert(state, 1);
            ffi::lua_call(state, 1, 1);
            return 1;
        }
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(quickly) => quickly(state),
            None => 0,
        }
    }
}
