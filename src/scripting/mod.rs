//! Scripts and functions: the Lua engine with its libraries, the cache of scripts, the libraries of functions. The engine is a
//! machine: it is started with a script, and stops each time the script wants something of the server, so that whoever drives
//! it decides when it goes on. Deliberately absent: commands, clients, replies to them, and the clock. Called by `dispatch`,
//! `commands`.

mod api;
pub mod bit;
mod bounds;
pub mod cache;
pub mod cjson;
pub mod cmsgpack;
mod convert;
pub mod engine;
pub mod functions;
mod patterns;
mod raise;
mod random;
pub mod shebang;
pub mod structs;
mod tables;
pub mod words;

pub use cache::{ScriptCache, Sha, Stay};
pub use engine::{Call, End, Engine, Kind, Run, Slot, Step, Versions};
pub use functions::{Function, Libraries, Library};
pub use random::Random;
pub use shebang::{ScriptFlags, Shebang};
pub use words::Words;
