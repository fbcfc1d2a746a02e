mod bitmap;
mod connection;
mod pubsub;
mod string;
mod transactions;
