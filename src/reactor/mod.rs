//! The reactor: the program's entry, the loop over mio, sockets, signals, files and threads. The only room that touches the
//! world. Deliberately absent: anything about commands and keys (`node` and below).

mod affinity;
mod certificate;
mod check;
mod connection;
mod disk;
mod freeing;
mod host;
mod jobs;
mod listener;
mod logging;
mod main_loop;
mod private_key;
mod start;
mod supervisor;
mod sys;
mod title;
mod tls;
mod tls_stream;
mod tools;

pub use start::main;
pub use tls::TlsSettings;
pub use tls_stream::TlsStream;
