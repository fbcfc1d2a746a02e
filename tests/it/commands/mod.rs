mod connection;
mod hash;
mod string;
