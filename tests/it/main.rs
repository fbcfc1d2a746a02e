//! Tests of the server as clients see it. The modules mirror `src`.

mod commands;
mod node;
mod resp;
mod runner;
