//! The wire protocol, RESP2 and RESP3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>): requests in, replies
//! out, and the errors that clients see. Deliberately absent: sockets, clients, commands. Called by `dispatch`,
//! `commands` (replies) and `node` (requests).

pub mod error;
pub mod output;
pub mod parser;
pub mod reply;

pub use error::CommandError;
pub use output::Output;
pub use parser::{Parser, ProtocolError};
pub use reply::{Proto, Reply};
