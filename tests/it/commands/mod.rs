mod bitmap;
mod connection;
mod hyperloglog;
mod pubsub;
mod string;
mod transactions;
