//! One connection: a socket, and whether it waits to become writable.

use std::io::{self, IoSlice, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::server::ClientId;

/// A socket of either kind.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    #[inline]
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buf),
            Socket::Unix(stream) => stream.read(buf),
        }
    }

    #[inline]
    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Socket::Tcp(stream), [one]) => stream.write(one),
            (Socket::Tcp(stream), _) => stream.write_vectored(slices),
            (Socket::Unix(stream), _) => stream.write_vectored(slices),
        }
    }

    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Socket::Tcp(stream) => stream,
            Socket::Unix(stream) => stream,
        }
    }
}

/// A connection of the loop, at the same place as its client in the node.
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) client: ClientId,
    /// Is the poll asked to tell when the socket takes more?
    pub(super) wants_write: bool,
    /// Close once everything is written.
    pub(super) closing: bool,
    /// Is it in the list of those that have more to read without a new event?
    pub(super) more_to_read: bool,
    /// The poll told that the peer's end is closed. It does not tell again, so reading goes on until it shows.
    pub(super) ended: bool,
}

impl Connection {
    /// Asks the poll to tell (or no longer tell) when the socket takes more.
    pub(super) fn watch_write(&mut self, registry: &Registry, token: Token, on: bool) -> io::Result<()> {
        if self.wants_write == on {
            return Ok(());
        }
        self.wants_write = on;
        let interest = if on { Interest::READABLE.add(Interest::WRITABLE) } else { Interest::READABLE };
        registry.reregister(self.socket.source(), token, interest)
    }
}
