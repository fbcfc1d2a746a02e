//! A connection that is encrypted: bytes of the socket on one side, those of requests and replies on the other. Nothing here
//! waits: what the socket does not take stays in the session, up to a bound.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, Error, InvalidMessage, ServerConfig, ServerConnection};

/// Bytes encrypted and not sent, at most: the rest of the output stays with the client, where its limits count it.
const UNSENT_MAX: usize = 64 * 1024;

/// Encrypted bytes that one read takes from the socket, give or take a record: whoever sends without pause, be it records
/// without content, does not keep the loop.
const TAKEN_MAX: usize = 128 * 1024;

/// A socket and the TLS session on it.
pub struct TlsStream {
    stream: TcpStream,
    session: Connection,
    /// Did the last read, or the last write, go as far as the socket let it?
    is_drained: bool,
    is_blocked: bool,
    /// The other side does not speak TLS, and would take what we say for a reply.
    is_foreign: bool,
}

impl TlsStream {
    /// The side of one who was connected to.
    ///
    /// # Errors
    /// There is no session with this configuration.
    pub(super) fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> Result<TlsStream, rustls::Error> {
        Ok(TlsStream::over(stream, ServerConnection::new(config)?.into()))
    }

    /// The side of one who connects to this host or address.
    ///
    /// # Errors
    /// There is no session with this configuration, or the host's name is none.
    pub fn connect(stream: TcpStream, config: Arc<ClientConfig>, host: &str) -> Result<TlsStream, rustls::Error> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(TlsStream::over(stream, ClientConnection::new(config, name)?.into()))
    }

    fn over(stream: TcpStream, mut session: Connection) -> TlsStream {
        session.set_buffer_limit(Some(UNSENT_MAX));
        TlsStream { stream, session, is_drained: false, is_blocked: false, is_foreign: false }
    }

    /// The socket, for the poll.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Is the handshake still to be ended?
    pub fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// The certificate that the client has shown.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        self.session.peer_certificates().and_then(|chain| chain.first()).map(|first| first.as_ref())
    }

    /// Could a read find more at once, although the last one did not fill its buffer?
    pub(super) fn may_hold_more(&self) -> bool {
        !self.is_drained
    }

    /// Did the socket refuse to take more?
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Are encrypted bytes left to send?
    pub(super) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    /// Goes on with the handshake as far as the socket lets it. At the end it is done; `WouldBlock` means that the other side is
    /// to speak.
    ///
    /// # Errors
    /// The handshake fails, or does not go on for now.
    pub fn handshake(&mut self) -> io::Result<()> {
        self.flush()?;
        while self.session.is_handshaking() {
            if self.take_in()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Reads what the client said, until the buffer is full, the socket is empty or enough was taken from it.
    ///
    /// # Errors
    /// The connection is broken, nothing has come (`WouldBlock`), or so far nothing that says anything (`Interrupted`).
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.is_drained = false;
        let (mut filled, mut taken) = (0, 0);
        while filled < buf.len() {
            match self.session.reader().read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) => {}
            }
            if taken >= TAKEN_MAX {
                return if filled > 0 { Ok(filled) } else { Err(ErrorKind::Interrupted.into()) };
            }
            match self.take_in() {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(error) if filled == 0 => return Err(error),
                // Whatever ends the connection shows again at the next read.
                Err(_) => break,
            }
        }
        Ok(filled)
    }

    /// Takes encrypted bytes from the socket into the session and sends what it answers to them.
    fn take_in(&mut self) -> io::Result<usize> {
        let count = match self.session.read_tls(&mut self.stream) {
            Ok(count) => count,
            Err(error) => {
                self.is_drained = error.kind() == ErrorKind::WouldBlock;
                return Err(error);
            }
        };
        let result = self.session.process_new_packets();
        if let Err(Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion)) =
            result
        {
            self.is_foreign = true;
            return Err(io::Error::new(ErrorKind::InvalidData, "the other side does not speak TLS"));
        }
        // The reason of another failure goes to the other side as well.
        let flushed = self.flush();
        if let Err(error) = result {
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        match flushed {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Encrypts some and sends what the socket takes of it. Tells how much is the session's to send from then on.
    ///
    /// # Errors
    /// The connection is broken, or the socket takes nothing more for now (`WouldBlock`).
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush()?;
        let count = self.session.writer().write_vectored(slices)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Sends what is encrypted.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.is_blocked = false;
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_blocked = error.kind() == ErrorKind::WouldBlock;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Tells the client that nothing follows. Whether it hears it does not matter any more.
    pub(super) fn say_goodbye(&mut self) {
        if self.is_foreign {
            return;
        }
        self.session.send_close_notify();
        let _ = self.flush();
    }
}
