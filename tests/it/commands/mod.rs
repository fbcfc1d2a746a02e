mod connection;
mod string;
