//! One connection: a socket, and whether it waits to become writable.

use std::io::{self, IoSlice, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::server::ClientId;

use super::tls_stream::TlsStream;

/// A socket of any kind.
pub(super) enum Socket {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

impl Socket {
    #[inline]
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buf),
            Socket::Tls(stream) => stream.read(buf),
            Socket::Unix(stream) => stream.read(buf),
        }
    }

    #[inline]
    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Socket::Tcp(stream), [one]) => stream.write(one),
            (Socket::Tcp(stream), _) => stream.write_vectored(slices),
            (Socket::Tls(stream), _) => stream.write_vectored(slices),
            (Socket::Unix(stream), _) => stream.write_vectored(slices),
        }
    }

    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Socket::Tcp(stream) => stream,
            Socket::Tls(stream) => stream.stream(),
            Socket::Unix(stream) => stream,
        }
    }

    /// Could a read find more at once, after one that gave less than asked for? A stream socket that did so is empty: the
    /// next bytes make a new event (epoll(7)). What was encrypted comes in records, not as asked for.
    #[inline]
    pub(super) fn may_hold_more(&self) -> bool {
        matches!(self, Socket::Tls(stream) if stream.may_hold_more())
    }

    /// Did the socket refuse to take more, where the last write took less than offered?
    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        match self {
            Socket::Tls(stream) => stream.is_blocked(),
            _ => true,
        }
    }

    /// Must more be said before requests can come?
    #[inline]
    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self, Socket::Tls(stream) if stream.is_handshaking())
    }

    /// Has the socket bytes of its own to send, beside the client's output?
    #[inline]
    pub(super) fn wants_write(&self) -> bool {
        matches!(self, Socket::Tls(stream) if stream.wants_write())
    }

    /// Sends what the socket has of its own.
    #[inline]
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }

    /// Ends what is spoken on the socket, before it is closed.
    pub(super) fn say_goodbye(&mut self) {
        if let Socket::Tls(stream) = self {
            stream.say_goodbye();
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
    /// The turn in which it was last read because it had waited: an event of the same turn has nothing to add.
    pub(super) read_on_in: u64,
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
