//! Listening sockets: TCP on several addresses, and a Unix socket.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use socket2::{Domain, Protocol, Socket, Type};

use crate::base::disk::reason;
use crate::base::log;
use crate::config::Config;

use super::sys;

/// Multipath TCP, where the system has it.
#[cfg(target_os = "linux")]
const MPTCP: Protocol = Protocol::MPTCP;
#[cfg(not(target_os = "linux"))]
const MPTCP: Protocol = Protocol::TCP;

/// A listening socket.
pub(super) enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener),
    Unix(UnixListener, String),
}

/// An accepted connection.
pub(super) enum Stream {
    Tcp(TcpStream, SocketAddr),
    Tls(TcpStream, SocketAddr),
    Unix(UnixStream, String),
}

impl Listener {
    /// The next connection that waits.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => listener.accept().map(|(stream, addr)| Stream::Tcp(stream, addr)),
            Listener::Tls(listener) => listener.accept().map(|(stream, addr)| Stream::Tls(stream, addr)),
            Listener::Unix(listener, path) => listener.accept().map(|(stream, _)| Stream::Unix(stream, path.clone())),
        }
    }

    /// What the poll watches.
    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener) => listener,
            Listener::Unix(listener, _) => listener,
        }
    }
}

/// Listens on `port` at every address of `bind`.
pub(super) fn listen_tcp(config: &Config) -> io::Result<Vec<Listener>> {
    listen_everywhere(config, config.port, Listener::Tcp)
}

/// Listens on `tls-port` at every address of `bind`.
pub(super) fn listen_tls(config: &Config) -> io::Result<Vec<Listener>> {
    listen_everywhere(config, config.tls_port, Listener::Tls)
}

/// Listens at every address of `bind`. One that begins with `-` may be absent on this machine.
fn listen_everywhere(config: &Config, port: u16, kind: fn(TcpListener) -> Listener) -> io::Result<Vec<Listener>> {
    if port == 0 {
        return Ok(Vec::new());
    }
    let mut listeners = Vec::new();
    for address in &config.bind.0 {
        let text = address.display();
        let (optional, name) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_ref()),
        };
        match listen_on(name, port, config) {
            Ok(listener) => listeners.push(kind(listener)),
            Err(error) => {
                log::warning(&format!(
                    "Warning: Could not create server TCP listening socket {name}:{port}: bind: {}",
                    reason(&error)
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

fn listen_on(name: &str, port: u16, config: &Config) -> io::Result<TcpListener> {
    let addr = match name {
        "*" => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        "::*" => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        _ => (name, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?,
    };
    let protocol = if config.mptcp { MPTCP } else { Protocol::TCP };
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(protocol))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    mark(&socket, config.socket_mark_id);
    socket.bind(&addr.into())?;
    socket.listen(config.tcp_backlog)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Marks a socket for packet filters; accepted connections inherit it. Without the right to do so the server goes on.
fn mark(socket: &Socket, id: u32) {
    if id == 0 {
        return;
    }
    #[cfg(target_os = "linux")]
    let marked = socket.set_mark(id);
    #[cfg(not(target_os = "linux"))]
    let marked: io::Result<()> = Err(io::ErrorKind::Unsupported.into());
    if let Err(error) = marked {
        log::warning(&format!("Could not set socket-mark-id {id}: {}", reason(&error)));
    }
}

/// Says so if outgoing links could not start from `bind-source-addr`; like any Redis, we take it nevertheless. A host
/// name is not looked up here: that might take long.
pub(super) fn warn_of_source_address(config: &Config) {
    let text = config.bind_source_addr.display();
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_usable = match text.parse::<IpAddr>() {
        Ok(address) => UdpSocket::bind((address, 0)).is_ok(),
        Err(_) => is_name,
    };
    if !is_usable {
        log::warning(&format!("bind-source-addr: no address of this machine: {text}"));
    }
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
    if !config.unixsocketgroup.is_empty() {
        let name = config.unixsocketgroup.display();
        let group = sys::group_id(&name).ok_or_else(|| io::Error::other(format!("no group '{name}'")))?;
        std::os::unix::fs::chown(&path, None, Some(group))?;
    }
    if config.unixsocketperm != 0 {
        fs::set_permissions(&path, fs::Permissions::from_mode(config.unixsocketperm))?;
    }
    Ok(Some(Listener::Unix(UnixListener::from_std(listener), path)))
}
