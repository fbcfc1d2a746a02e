//! Listening sockets: TCP on several addresses, and a Unix socket.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;

use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use socket2::{Domain, Protocol, Socket, Type};

use crate::base::log;
use crate::config::Config;

use super::host::os_text;

/// A listening socket.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, String),
}

/// An accepted connection.
pub(super) enum Stream {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream, String),
}

impl Listener {
    /// The next connection that waits.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => listener.accept().map(|(stream, addr)| Stream::Tcp(stream, addr)),
            Listener::Unix(listener, path) => listener.accept().map(|(stream, _)| Stream::Unix(stream, path.clone())),
        }
    }

    /// Is this a TCP listener?
    pub(super) fn is_tcp(&self) -> bool {
        matches!(self, Listener::Tcp(_))
    }
}

/// Listens on every address of `bind`. An address that begins with `-` may be absent on this machine.
pub(super) fn listen_tcp(config: &Config) -> io::Result<Vec<Listener>> {
    if config.port == 0 {
        return Ok(Vec::new());
    }
    let mut listeners = Vec::new();
    for address in &config.bind.0 {
        let text = address.display();
        let (optional, name) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_ref()),
        };
        match listen_on(name, config.port, config.tcp_backlog) {
            Ok(listener) => listeners.push(Listener::Tcp(listener)),
            Err(error) => {
                log::warning(&format!(
                    "Warning: Could not create server TCP listening socket {name}:{}: bind: {}",
                    config.port,
                    os_text(&error)
                ));
                let absent = [io::ErrorKind::AddrNotAvailable, io::ErrorKind::Unsupported];
                let unsupported = error.raw_os_error().is_some_and(|code| code == libc::EAFNOSUPPORT);
                if !(optional && (absent.contains(&error.kind()) || unsupported)) {
                    return Err(error);
                }
            }
        }
    }
    Ok(listeners)
}

fn listen_on(name: &str, port: u16, backlog: i32) -> io::Result<TcpListener> {
    let addr = match name {
        "*" => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        "::*" => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        _ => (name, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?,
    };
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Listens on the Unix socket, if one is configured.
pub(super) fn listen_unix(config: &Config) -> io::Result<Option<Listener>> {
    if config.unixsocket.is_empty() {
        return Ok(None);
    }
    let path = config.unixsocket.display().into_owned();
    // A socket left behind by an earlier process; if it cannot be removed, binding tells.
    let _ = fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    if config.unixsocketperm != 0 {
        fs::set_permissions(&path, fs::Permissions::from_mode(config.unixsocketperm))?;
    }
    Ok(Some(Listener::Unix(UnixListener::from_std(listener), path)))
}
