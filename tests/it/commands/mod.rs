mod connection;
mod pubsub;
mod server;
mod string;
mod table;
mod transactions;
