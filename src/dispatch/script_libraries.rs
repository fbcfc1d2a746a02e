//! Libraries of functions: their code is run once, by itself, to learn what functions it registers.

use crate::base::shown::shown;
use crate::keyspace::load::OnExisting;
use crate::scripting::engine::Registration;
use crate::scripting::functions::{library_of, parse_metadata};
use crate::scripting::{End, Engine, Kind, Libraries, Step};
use crate::server::Server;
use crate::server::scripting::Freeing;

/// Microseconds that the code of a library may run when it is loaded. Redis lets one that comes by FUNCTION RESTORE take
/// as long as it likes, and never answers again if that is without end.
const LOAD_US: u64 = 500_000;
/// The same while a file is loaded. What was taken in once must not be lost, nor keep the server from starting, because the
/// machine is slower or has more to do than it had then.
const LOAD_FROM_FILE_US: u64 = 10_000_000;

/// What FUNCTION RESTORE does with libraries that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLibrary {
    /// They stay; one of the same name is an error.
    Append,
    /// One of the same name goes.
    Replace,
    /// All go.
    Flush,
}

const NO_MEMORY: &str = "There is no memory for a Lua state";

/// Takes a library in. Returns its name.
///
/// # Errors
/// What FUNCTION LOAD answers.
pub fn add_library(server: &mut Server, code: &[u8], replace: bool) -> Result<Vec<u8>, String> {
    add(server, code, replace)
}

/// Takes a library in that a file holds.
///
/// # Errors
/// Why it cannot be taken in.
pub fn add_library_of_file(server: &mut Server, code: &[u8], on_existing: OnExisting) -> Result<(), String> {
    add(server, code, on_existing == OnExisting::Replace).map(drop)
}

fn add(server: &mut Server, code: &[u8], replace: bool) -> Result<Vec<u8>, String> {
    let (name, lua) = parse_metadata(code)?;
    server.keyspace.unsynced.change_libraries();
    if !replace && server.scripting.libraries.get(&name).is_some() {
        return Err(format!("Library '{}' already exists", shown(&name)));
    }
    if server.lua_engine(Kind::Functions).is_none() {
        return Err(NO_MEMORY.to_owned());
    }
    let Some(mut engine) = server.scripting.functions.take() else { return Err(NO_MEMORY.to_owned()) };
    let mut libraries = std::mem::take(&mut server.scripting.libraries);
    let result = add_to(server, &mut engine, &mut libraries, (&name, code, lua));
    server.scripting.libraries = libraries;
    server.scripting.functions = Some(engine);
    result.map(|()| name)
}

/// Adds a library, given by its name, its code, and what of it is Lua, to these.
fn add_to(
    server: &Server,
    engine: &mut Engine,
    libraries: &mut Libraries,
    (name, code, lua): (&[u8], &[u8], &[u8]),
) -> Result<(), String> {
    let registered = load(server, engine, lua)?;
    let taken = registered.iter().find(|function| libraries.has_function_elsewhere(&function.name, name));
    if let Some(function) = taken {
        return Err(format!("Function {} already exists", shown(&function.name)));
    }
    let slots = engine.adopt(registered.len());
    if let Some(old) = libraries.insert(library_of(name, code, registered, slots)) {
        old.functions.iter().for_each(|function| engine.forget(function.slot));
    }
    Ok(())
}

/// Forgets all libraries.
pub fn flush_libraries(server: &mut Server, freeing: Freeing) {
    replace_all(server, Libraries::default(), None, freeing);
}

/// Puts these libraries, and the Lua state that has their functions, in the place of all that there are.
fn replace_all(server: &mut Server, libraries: Libraries, engine: Option<Engine>, freeing: Freeing) {
    server.keyspace.unsynced.change_libraries();
    let scripting = &mut server.scripting;
    let old = std::mem::replace(&mut scripting.libraries, libraries);
    let count = freeing.count(old.function_count());
    server.keyspace.garbage.push_other((std::mem::replace(&mut scripting.functions, engine), old), count);
}

/// Takes in libraries that were serialised, all of them or none.
///
/// # Errors
/// What FUNCTION RESTORE answers.
pub fn restore_libraries(server: &mut Server, codes: &[Vec<u8>], on_library: OnLibrary) -> Result<(), String> {
    server.keyspace.unsynced.change_libraries();
    let parsed: Vec<(Vec<u8>, &[u8], &[u8])> = codes
        .iter()
        .map(|code| parse_metadata(code).map(|(name, lua)| (name, code.as_slice(), lua)))
        .collect::<Result<_, _>>()?;
    // A new state is made with what stays and what comes, and takes the place of the old one if all went well.
    let mut stays = Vec::new();
    if on_library != OnLibrary::Flush {
        for library in server.scripting.libraries.iter() {
            if !parsed.iter().any(|(name, ..)| *name == library.name) {
                stays.push(library.code.clone());
            } else if on_library == OnLibrary::Append {
                return Err(format!("Library {} already exists", shown(&library.name)));
            }
        }
    }
    let mut engine = server.new_engine(Kind::Functions).ok_or(NO_MEMORY)?;
    let mut libraries = Libraries::default();
    for code in &stays {
        let (name, lua) = parse_metadata(code)?;
        add_to(server, &mut engine, &mut libraries, (&name, code, lua))?;
    }
    for (name, code, lua) in &parsed {
        add_to(server, &mut engine, &mut libraries, (name, code, lua))?;
    }
    replace_all(server, libraries, Some(engine), Freeing::Sync);
    Ok(())
}

/// Loads a library's code into a Lua state. Returns what it registers, which counts once it is adopted.
///
/// # Errors
/// What FUNCTION LOAD answers.
fn load(server: &Server, engine: &mut Engine, code: &[u8]) -> Result<Vec<Registration>, String> {
    let is_from_file = server.persistence.loading.is_some();
    let load_us = if is_from_file { LOAD_FROM_FILE_US } else { LOAD_US };
    let start = server.host.mono_us();
    let mut step = engine.load(code);
    loop {
        step = match step {
            Step::Tick if server.host.mono_us().saturating_sub(start) > load_us => {
                engine.kill("ERR FUNCTION LOAD timeout")
            }
            Step::Tick => engine.go_on(),
            Step::Call(_) => engine.answer(Vec::new()),
            Step::MayCall(_) => engine.permit(Ok(false)),
            Step::End(End::Loaded(registered)) if registered.is_empty() => {
                return Err("No functions registered".to_owned());
            }
            Step::End(End::Loaded(registered)) => return Ok(registered),
            Step::End(End::Compiled(Some(why))) => return Err(format!("Error compiling function: {}", shown(&why))),
            Step::End(End::Failed { line, .. }) => {
                return Err(format!("Error registering functions: {}", shown(&line)));
            }
            Step::End(_) => return Err("Error registering functions".to_owned()),
        };
    }
}
