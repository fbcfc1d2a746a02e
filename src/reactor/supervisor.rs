//! Whoever started this process and wants to be told that it serves: systemd by a datagram, upstart by a stop. Deliberately
//! absent: what INFO says of it (the caller hands `name` on).

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

use crate::base::disk::reason;
use crate::base::log;
use crate::config::Supervised;

use super::sys;

/// Who supervises this process, by the configuration and by what the environment says.
pub(super) struct Supervisor {
    wanted: Supervised,
    /// The address that systemd listens on.
    notify_socket: Option<OsString>,
    is_upstart_job: bool,
}

impl Supervisor {
    /// Looks at the environment.
    pub(super) fn find(wanted: Supervised) -> Supervisor {
        Supervisor {
            wanted,
            notify_socket: std::env::var_os("NOTIFY_SOCKET"),
            is_upstart_job: std::env::var_os("UPSTART_JOB").is_some(),
        }
    }

    /// As INFO's process_supervised names it.
    pub(super) fn name(&self) -> &'static str {
        match self.wanted {
            Supervised::Upstart | Supervised::Auto if self.is_upstart_job => "upstart",
            Supervised::Systemd | Supervised::Auto if self.notify_socket.is_some() => "systemd",
            _ => "no",
        }
    }

    /// Is there one? Then it wants this very process, not one in the background.
    pub(super) fn is_there(&self) -> bool {
        self.name() != "no"
    }

    /// Tells that loading begins. Upstart takes a process that stops itself for one that is ready, and lets it go on.
    pub(super) fn begin(&self) {
        match self.name() {
            "upstart" => {
                log::notice("supervised by upstart, will stop to signal readiness.");
                sys::stop_self();
            }
            "systemd" => {
                log::notice(
                    "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and \
                     TimeoutStopSec in your service unit.",
                );
                self.notify("STATUS=Redis is loading...\n");
            }
            _ => match self.wanted {
                Supervised::Upstart => log::warning("upstart supervision requested, but UPSTART_JOB not found!"),
                Supervised::Systemd => log::warning("systemd supervision error: NOTIFY_SOCKET not found!"),
                Supervised::Auto | Supervised::No => {}
            },
        }
    }

    /// Tells that clients are served.
    pub(super) fn ready(&self) {
        self.notify("STATUS=Ready to accept connections\n");
        self.notify("READY=1\n");
    }

    /// Tells that the process is about to end.
    pub(super) fn stopping(&self) {
        self.notify("STOPPING=1\n");
    }

    fn notify(&self, state: &str) {
        let Some(address) = self.notify_socket.as_ref().filter(|_| self.name() == "systemd") else { return };
        if let Err(error) = send(address.as_bytes(), state) {
            log::warning(&format!("systemd supervision error: can't send to NOTIFY_SOCKET: {}", reason(&error)));
        }
    }
}

/// Sends a datagram to a path, or to an abstract name that is written with an `@` in front.
fn send(address: &[u8], text: &str) -> io::Result<()> {
    use std::os::unix::net::SocketAddr;
    let address = match address {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor(wanted: Supervised, notify_socket: Option<&str>, is_upstart_job: bool) -> Supervisor {
        Supervisor { wanted, notify_socket: notify_socket.map(OsString::from), is_upstart_job }
    }

    #[test]
    fn the_environment_tells_who_supervises() {
        assert_eq!(supervisor(Supervised::No, Some("/s"), true).name(), "no");
        assert_eq!(supervisor(Supervised::Auto, Some("/s"), true).name(), "upstart");
        assert_eq!(supervisor(Supervised::Auto, Some("/s"), false).name(), "systemd");
        assert_eq!(supervisor(Supervised::Systemd, None, true).name(), "no");
        assert_eq!(supervisor(Supervised::Upstart, Some("/s"), false).name(), "no");
    }

    #[test]
    fn systemd_hears_by_an_abstract_socket() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("russet-supervisor-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("a free name");
        let supervisor = supervisor(Supervised::Auto, Some(&format!("@{name}")), false);
        supervisor.ready();
        supervisor.stopping();
        for expected in ["STATUS=Ready to accept connections\n", "READY=1\n", "STOPPING=1\n"] {
            let mut bytes = [0; 64];
            let len = socket.recv(&mut bytes).expect("a datagram");
            assert_eq!(&bytes[..len], expected.as_bytes());
        }
    }
}
