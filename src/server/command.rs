//! A command: what it says of itself and the function that does it. Declared once, in `commands`, beside the function.

use crate::resp::CommandError;
use crate::spec::CommandInfo;

use super::ShutdownRequest;
use super::blocking::Block;
use super::context::{DataContext, ServerContext};
use super::scripting::ScriptRequest;

/// What a handler answers: what dispatch does next, or the refusal that the client reads.
pub type CommandResult = Result<Outcome, CommandError>;

/// What dispatch does after a handler. A handler never blocks, recurses or does IO itself.
#[derive(Debug)]
pub enum Outcome {
    /// The reply is written.
    Done,
    /// Nothing is written: the client waits for keys. In MULTI the timeout's reply is written instead.
    Block(Box<Block>),
    /// Nothing is written: the reply is OK once everything thrown away so far is freed. Never in MULTI.
    WhenFreed,
    /// Nothing is written: the reply is OK once the append-only file's job has carried out this many orders. In MULTI at once.
    WhenCarriedOut(u64),
    /// EXEC: run the client's queued commands.
    RunQueued,
    /// Nothing is written: the script's result is the reply.
    RunScript(Box<ScriptRequest>),
    /// The reply is written; close the connection once it is sent.
    Close,
    /// SHUTDOWN.
    Shutdown(ShutdownRequest),
}

/// The function behind a command, by what it gets to see.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Works on keys of the selected database.
    Data(fn(&mut DataContext<'_>) -> CommandResult),
    /// Works on the server or its clients.
    Server(fn(&mut ServerContext<'_>) -> CommandResult),
    /// Has subcommands.
    Container(&'static [Command]),
    /// Has subcommands, and does something without one.
    ContainerOr(&'static [Command], fn(&mut ServerContext<'_>) -> CommandResult),
}

impl Handler {
    /// The subcommands, if there may be any.
    pub fn subcommands(self) -> &'static [Command] {
        match self {
            Handler::Container(subcommands) | Handler::ContainerOr(subcommands, _) => subcommands,
            Handler::Data(_) | Handler::Server(_) => &[],
        }
    }
}

/// A command as declared.
#[derive(Clone, Copy)]
pub struct Command {
    /// What it says of itself.
    pub info: CommandInfo,
    /// What does it.
    pub handler: Handler,
}
