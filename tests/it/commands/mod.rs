mod connection;
mod hash;
mod set;
mod string;
mod zset;
