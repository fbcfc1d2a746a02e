mod bitmap;
mod connection;
mod hash;
mod hyperloglog;
mod pubsub;
mod set;
mod string;
mod transactions;
