//! Encrypted connections: real handshakes with the program, by clients of rustls.

#[path = "support/server.rs"]
mod server;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};

use russet::config::{Config, Text};
use russet::reactor::{TlsSettings, TlsStream};
use server::Server;

/// One who signs certificates, and the folder that they are in.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    dir: PathBuf,
}

impl Authority {
    fn new() -> Authority {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("russet-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder for certificates");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(dir.join("ca.crt"), certificate.pem()).expect("a file");
        Authority { certificate: certificate.der().clone(), issuer: Issuer::new(params, key), dir }
    }

    /// Writes a certificate for this name, and its key, as `{file}.crt` and `{file}.key`.
    fn sign(&self, file: &str, common_name: &str) {
        self.sign_with(file, common_name, &KeyPair::generate().expect("a key"));
    }

    /// Writes a certificate of this key. An empty name is none.
    fn sign_with(&self, file: &str, common_name: &str, key: &KeyPair) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.distinguished_name = DistinguishedName::new();
        if !common_name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common_name);
            let uri = format!("urn:{common_name}").as_str().try_into().expect("an URI");
            params.subject_alt_names.push(SanType::URI(uri));
        }
        params.serial_number = Some(vec![0x8a, 1, 0, 0xff].into());
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        std::fs::write(self.path(&format!("{file}.crt")), certificate.pem()).expect("a file");
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).expect("a file");
    }

    fn path(&self, file: &str) -> String {
        self.dir.join(file).display().to_string()
    }

    /// A server that speaks TLS only, with a certificate of this authority.
    fn start(&self, options: &[&str]) -> Server {
        self.sign("server", "server");
        let files = [self.path("server.crt"), self.path("server.key"), self.path("ca.crt")];
        let own = [
            ["--port", "0"],
            ["--tls-port", "{port}"],
            ["--tls-cert-file", &files[0]],
            ["--tls-key-file", &files[1]],
            ["--tls-ca-cert-file", &files[2]],
            ["--max-new-tls-connections-per-cycle", "100"],
        ];
        Server::start(env!("CARGO_BIN_EXE_russet"), &[own.as_flattened(), options].concat())
    }

    fn client(&self) -> Client<'_> {
        Client { authority: self, identity: None, version: None }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// How a client connects.
struct Client<'a> {
    authority: &'a Authority,
    identity: Option<&'a str>,
    version: Option<&'static SupportedProtocolVersion>,
}

impl<'a> Client<'a> {
    fn with(self, identity: &'a str) -> Client<'a> {
        Client { identity: Some(identity), ..self }
    }

    fn speaking(self, version: &'static SupportedProtocolVersion) -> Client<'a> {
        Client { version: Some(version), ..self }
    }

    fn connect(&self, server: &Server) -> Connection {
        self.connect_on(server.connect())
    }

    fn connect_on(&self, stream: TcpStream) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = self.version.map_or_else(|| vec![&version::TLS12, &version::TLS13], |only| vec![only]);
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions);
        let builder = builder.expect("versions").with_root_certificates(roots);
        let config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let path = |end: &str| self.authority.path(&format!("{file}.{end}"));
                let certificate = CertificateDer::from_pem_file(Path::new(&path("crt"))).expect("a certificate");
                let key = PrivateKeyDer::from_pem_file(Path::new(&path("key"))).expect("a key");
                builder.with_client_auth_cert(vec![certificate], key).expect("an identity")
            }
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        Connection(BufReader::new(StreamOwned::new(session, stream)))
    }
}

/// An encrypted connection.
struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Connection {
    fn try_ask(&mut self, request: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{request}\r\n").as_bytes())?;
        self.line()
    }

    fn ask(&mut self, request: &str) -> String {
        self.try_ask(request).expect("a reply")
    }

    /// The strings and numbers of the only array in the reply's array.
    fn ask_fields(&mut self, request: &str) -> Vec<String> {
        assert_eq!(self.ask(request), "*1", "{request}");
        let head = self.line().expect("an array");
        let count: usize = head.strip_prefix('*').and_then(|count| count.parse().ok()).expect("a length");
        (0..count).map(|_| self.line().expect("a field")).collect()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the server reads");
    }

    /// A line, or the content of a bulk string.
    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match line.strip_prefix('$').map(|len| len.trim_end().parse::<usize>()) {
            Some(Ok(len)) => Ok(String::from_utf8_lossy(&self.bytes(len + 2)[..len]).into_owned()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).expect("the whole reply");
        bytes
    }

    fn shown_certificate(&self) -> Vec<u8> {
        let chain = self.0.get_ref().conn.peer_certificates().expect("a handshake");
        chain[0].to_vec()
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
    }
}

#[test]
fn a_server_that_speaks_tls_only_serves_pipelines_and_long_values() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    for version in [&version::TLS12, &version::TLS13] {
        let mut conn = authority.client().speaking(version).connect(&server);
        assert_eq!(conn.ask("PING"), "+PONG");
        let info = conn.ask("INFO server");
        assert!(info.contains(&format!("tcp_port:{}\r\nserver_time", server.port())), "{info}");
        assert!(info.contains("listener0:name=tls,bind="), "{info}");
        let many: String = (0..10_000).map(|number| format!("ECHO {number}\r\n")).collect();
        conn.send(many.as_bytes());
        for number in 0..10_000 {
            assert_eq!(conn.line().expect("a reply"), number.to_string());
        }
        let value: Vec<u8> = (0..20_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        conn.send(format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n${}\r\n", value.len()).as_bytes());
        conn.send(&value);
        conn.send(b"\r\n");
        assert_eq!(conn.line().expect("a reply"), "+OK");
        conn.send(b"GET big\r\n");
        assert_eq!(conn.bytes(11), b"$20000000\r\n");
        assert!(conn.bytes(value.len()) == value, "the value comes back as it was sent");
        assert_eq!(conn.bytes(2), b"\r\n");
        // Many long replies at once: more than the session holds, and more than one turn sends.
        conn.send("GETRANGE big 0 99999\r\n".repeat(100).as_bytes());
        for _ in 0..100 {
            assert_eq!(conn.bytes(9), b"$100000\r\n");
            assert!(conn.bytes(100_000) == value[..100_000]);
            assert_eq!(conn.bytes(2), b"\r\n");
        }
        conn.send(b"QUIT\r\n");
        assert_eq!(conn.line().expect("a reply"), "+OK");
        // The end is said, not only made: without that, reading fails.
        assert_eq!(conn.0.read(&mut [0; 8]).expect("a proper end"), 0);
    }
}

#[test]
fn messages_are_pushed_to_those_who_wait() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    let (mut one, mut other) = (authority.client().connect(&server), authority.client().connect(&server));
    one.send(b"SUBSCRIBE news\r\n");
    assert_eq!(one.bytes(33), b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    assert_eq!(other.ask("PUBLISH news hello"), ":1");
    assert_eq!(one.bytes(38), b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
}

#[test]
fn clients_show_a_certificate_where_they_must() {
    let authority = Authority::new();
    authority.sign("client", "somebody");
    let stranger = Authority::new();
    stranger.sign("client", "somebody");
    let server = authority.start(&[]);
    // One who trusts the server, but is signed by somebody else.
    std::fs::copy(stranger.path("client.crt"), authority.path("stranger.crt")).expect("a copy");
    std::fs::copy(stranger.path("client.key"), authority.path("stranger.key")).expect("a copy");
    let mut conn = authority.client().with("client").connect(&server);
    assert_eq!(conn.ask("PING"), "+PONG");
    let asks = |identity: Option<&str>| Client { identity, ..authority.client() }.connect(&server).try_ask("PING").ok();
    assert_eq!(asks(None), None);
    assert_eq!(asks(Some("stranger")), None);
    assert_eq!(conn.ask("CONFIG SET tls-auth-clients optional"), "+OK");
    assert_eq!(asks(None).as_deref(), Some("+PONG"));
    assert_eq!(asks(Some("client")).as_deref(), Some("+PONG"));
    assert_eq!(asks(Some("stranger")), None);
    assert_eq!(conn.ask("CONFIG SET tls-auth-clients no"), "+OK");
    assert_eq!(asks(None).as_deref(), Some("+PONG"));
    // Nobody who was refused is left.
    wait_for("only one is connected", || conn.ask("INFO clients").contains("connected_clients:1\r\n"));
}

#[test]
fn a_certificate_logs_its_user_in() {
    let authority = Authority::new();
    authority.sign("alice", "alice");
    authority.sign("bob", "bob");
    let server = authority.start(&["--tls-auth-clients-user", "CN"]);
    let mut alice = authority.client().with("alice").connect(&server);
    assert_eq!(alice.ask("ACL WHOAMI"), "default");
    assert!(alice.ask("INFO stats").contains("acl_access_denied_tls_cert:1\r\n"));
    assert_eq!(alice.ask("ACL SETUSER alice on nopass ~* +@all"), "+OK");
    assert_eq!(alice.ask("ACL SETUSER bob off nopass ~* +@all"), "+OK");
    assert_eq!(alice.ask("ACL SETUSER urn:bob on nopass ~* +acl"), "+OK");
    assert_eq!(authority.client().with("alice").connect(&server).ask("ACL WHOAMI"), "alice");
    assert_eq!(alice.ask("ACL LOG RESET"), "+OK");
    assert_eq!(authority.client().with("bob").connect(&server).ask("ACL WHOAMI"), "default");
    assert!(alice.ask("INFO stats").contains("acl_access_denied_tls_cert:2\r\n"));
    let entry = alice.ask_fields("ACL LOG");
    for (name, value) in
        [("reason", "tls-cert"), ("context", "toplevel"), ("object", ""), ("username", "bob"), ("count", ":1")]
    {
        let at = entry.iter().position(|field| field == name).expect("a field");
        assert_eq!(entry[at + 1], value, "{name}");
    }
    // Who shows a certificate that names nobody has not tried to be anybody.
    authority.sign("nobody", "");
    for field in ["CN", "URI"] {
        assert_eq!(alice.ask(&format!("CONFIG SET tls-auth-clients-user {field}")), "+OK");
        assert_eq!(authority.client().with("nobody").connect(&server).ask("ACL WHOAMI"), "default");
    }
    assert!(alice.ask("INFO stats").contains("acl_access_denied_tls_cert:2\r\n"));
    assert_eq!(alice.ask("CONFIG SET tls-auth-clients-user URI"), "+OK");
    let mut bob = authority.client().with("bob").connect(&server);
    assert_eq!(bob.ask("ACL WHOAMI"), "urn:bob");
    assert_eq!(bob.ask("PING"), "-NOPERM User urn:bob has no permissions to run the 'ping' command");
}

#[test]
fn one_whom_protected_mode_keeps_out_is_told_so() {
    // A machine may have no address but its own loopback; then nobody can come from elsewhere.
    let route = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect("192.0.2.1:9").map(|()| socket));
    let Ok(address) = route.and_then(|socket| socket.local_addr()) else { return };
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no", "--bind", "*", "--protected-mode", "no"]);
    let mut local = authority.client().connect(&server);
    let elsewhere = || {
        let stream = TcpStream::connect((address.ip(), server.port())).expect("a connection");
        authority.client().connect_on(stream)
    };
    assert_eq!(elsewhere().ask("PING"), "+PONG");
    assert_eq!(local.ask("CONFIG SET protected-mode yes"), "+OK");
    let before = local.ask("INFO stats");
    let mut refused = elsewhere();
    while refused.0.get_ref().conn.is_handshaking() {
        let stream = refused.0.get_mut();
        stream.conn.complete_io(&mut stream.sock).expect("a handshake");
    }
    let line = refused.line().expect("a line");
    assert!(line.starts_with("-DENIED Redis is running in protected mode"), "{line}");
    assert_eq!(refused.line().map_err(|error| error.kind()), Err(ErrorKind::UnexpectedEof));
    let after = local.ask("INFO stats");
    let count = |info: &str, name: &str| -> u32 {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        line.parse().expect("a number")
    };
    for (name, more) in [("rejected_connections:", 1), ("total_connections_received:", 0)] {
        assert_eq!(count(&after, name), count(&before, name) + more, "{name}");
    }
    assert_eq!(local.ask("CONFIG SET requirepass secret"), "+OK");
    assert_eq!(elsewhere().ask("AUTH secret"), "+OK");
}

#[test]
fn one_who_does_not_speak_tls_is_closed() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    for bytes in [b"PING\r\n".as_slice(), b"*1\r\n$4\r\nPING\r\n", &[22, 3, 1, 0xff, 0xff, 1, 2, 3], &[0; 100]] {
        let mut plain = server.connect();
        plain.write_all(bytes).expect("the server reads");
        plain.shutdown(std::net::Shutdown::Write).expect("a socket");
        let mut reply = Vec::new();
        // It may be reset, as bytes of ours may not have been read.
        let _ = plain.read_to_end(&mut reply);
        // One who began as TLS does is told what was wrong with it.
        assert!(reply.is_empty() || bytes[0] == 22, "{bytes:?}: {reply:?}");
    }
    let mut conn = authority.client().connect(&server);
    wait_for("only one is connected", || conn.ask("INFO clients").contains("connected_clients:1\r\n"));
}

#[test]
fn versions_and_suites_are_those_of_the_configuration() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no", "--tls-protocols", "TLSv1.2"]);
    let mut conn = authority.client().speaking(&version::TLS12).connect(&server);
    assert_eq!(conn.ask("PING"), "+PONG");
    assert!(authority.client().speaking(&version::TLS13).connect(&server).try_ask("PING").is_err());
    assert_eq!(conn.ask("CONFIG SET tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256"), "+OK");
    let mut other = authority.client().connect(&server);
    assert_eq!(other.ask("PING"), "+PONG");
    let suite = other.0.get_ref().conn.negotiated_cipher_suite().map(|suite| suite.suite());
    assert_eq!(suite, Some(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256));
    for refused in ["tls-protocols TLSv1", "tls-ciphers nothing", "tls-ciphersuites nothing"] {
        let name = refused.split(' ').next().expect("a name");
        assert_eq!(conn.ask(&format!("CONFIG SET {refused}")), refusal(name));
    }
    assert_eq!(conn.ask("CONFIG SET tls-protocols \"TLSv1.2 TLSv1.3\""), "+OK");
    assert_eq!(authority.client().speaking(&version::TLS13).connect(&server).ask("PING"), "+PONG");
}

fn refusal(name: &str) -> String {
    format!(
        "-ERR CONFIG SET failed (possibly related to argument '{name}') - Unable to update TLS configuration. Check server logs."
    )
}

#[test]
fn a_renewed_certificate_is_taken_while_old_connections_go_on() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    let mut old = authority.client().connect(&server);
    assert_eq!(old.ask("PING"), "+PONG");
    let shown = || {
        let mut conn = authority.client().connect(&server);
        assert_eq!(conn.ask("PING"), "+PONG");
        conn.shown_certificate()
    };
    let first = shown();
    assert!(first == old.shown_certificate());
    // The same paths, other files.
    authority.sign("server", "renewed");
    let path = authority.path("server.crt");
    assert!(shown() == first);
    assert_eq!(old.ask(&format!("CONFIG SET tls-cert-file {path}")), "+OK");
    let second = shown();
    assert!(second != first);
    // What does not fit together is refused, and the old stays.
    authority.sign("other", "other");
    let (certificate, key) = (authority.path("other.crt"), authority.path("other.key"));
    assert_eq!(old.ask(&format!("CONFIG SET tls-cert-file {certificate}")), refusal("tls-cert-file"));
    assert_eq!(old.ask("CONFIG SET tls-key-file /nowhere"), refusal("tls-key-file"));
    assert!(shown() == second);
    assert_eq!(old.ask(&format!("CONFIG SET tls-cert-file {certificate} tls-key-file {key}")), "+OK");
    let third = shown();
    assert!(third != second);
    assert_eq!(old.ask("CONFIG SET tls-auto-reload-interval 1"), "+OK");
    wait_for("the new certificate is found", || {
        authority.sign("other", "other");
        shown() != third
    });
    assert_eq!(old.ask("PING"), "+PONG");
}

#[test]
fn a_slow_reader_is_cut_off_at_its_limit() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no", "--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let mut slow = authority.client().connect(&server);
    slow.send(b"SUBSCRIBE news\r\n");
    assert_eq!(slow.bytes(33), b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    let mut conn = authority.client().connect(&server);
    let request = format!("PUBLISH news {}", "x".repeat(60_000));
    wait_for("the slow reader is cut off", || conn.ask(&request) == ":0");
    assert!(conn.ask("INFO stats").contains("client_output_buffer_limit_disconnections:1\r\n"));
}

#[test]
fn ports_change_between_plain_and_encrypted() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    let port = server.port();
    let mut conn = authority.client().connect(&server);
    assert_eq!(conn.ask("CONFIG SET tls-port 0"), "+OK");
    assert_eq!(conn.ask(&format!("CONFIG SET port {port}")), "+OK");
    let mut plain = BufReader::new(server.connect());
    let mut ask_plain = |request: String| {
        plain.get_mut().write_all(request.as_bytes()).expect("the server reads");
        let mut line = String::new();
        plain.read_line(&mut line).expect("a reply");
        line
    };
    assert_eq!(ask_plain("PING\r\n".to_owned()), "+PONG\r\n");
    assert_eq!(ask_plain("CONFIG SET port 0\r\n".to_owned()), "+OK\r\n");
    assert_eq!(ask_plain(format!("CONFIG SET tls-port {port}\r\n")), "+OK\r\n");
    assert_eq!(authority.client().connect(&server).ask("PING"), "+PONG");
    assert_eq!(conn.ask("PING"), "+PONG");
}

#[test]
fn a_key_may_be_encrypted() {
    let authority = Authority::new();
    let key_file = |name: &str| format!("{}/tests/data/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    let plain = std::fs::read_to_string(key_file("plain")).expect("a file of the tests");
    authority.sign_with("encrypted", "encrypted", &KeyPair::from_pem(&plain).expect("a key"));
    let certificate = authority.path("encrypted.crt");
    let server = authority.start(&["--tls-auth-clients", "no"]);
    let mut conn = authority.client().connect(&server);
    for name in ["aes", "old-aes256"] {
        let files = format!("tls-cert-file {certificate} tls-key-file {}", key_file(name));
        assert_eq!(conn.ask("CONFIG SET tls-key-file-pass \"\""), "+OK");
        assert_eq!(conn.ask(&format!("CONFIG SET {files}")), refusal("tls-cert-file"));
        assert_eq!(conn.ask("CONFIG SET tls-key-file-pass closed"), "+OK");
        assert_eq!(conn.ask(&format!("CONFIG SET {files}")), refusal("tls-cert-file"));
        assert_eq!(conn.ask("CONFIG SET tls-key-file-pass open"), "+OK");
        assert_eq!(conn.ask(&format!("CONFIG SET {files}")), "+OK");
        assert_eq!(authority.client().connect(&server).ask("PING"), "+PONG");
        let own =
            format!("tls-cert-file {} tls-key-file {}", authority.path("server.crt"), authority.path("server.key"));
        assert_eq!(conn.ask(&format!("CONFIG SET {own}")), "+OK");
    }
    // The key of the other side has a pass phrase of its own.
    let files = format!("tls-client-cert-file {certificate} tls-client-key-file {}", key_file("aes"));
    assert_eq!(conn.ask(&format!("CONFIG SET {files}")), refusal("tls-client-cert-file"));
    assert_eq!(conn.ask("CONFIG SET tls-client-key-file-pass open"), "+OK");
    assert_eq!(conn.ask(&format!("CONFIG SET {files}")), "+OK");
    let options =
        ["--tls-cert-file", &certificate, "--tls-key-file", &key_file("scrypt"), "--tls-key-file-pass", "open"];
    let server = authority.start(&[&options[..], &["--tls-auth-clients", "no"]].concat());
    assert_eq!(authority.client().connect(&server).ask("PING"), "+PONG");
}

#[test]
fn info_tells_of_certificates() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    let mut conn = authority.client().connect(&server);
    let mut line = |name: &str| {
        let info = conn.ask("INFO tls");
        let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_else(|| panic!("{name}: {info}")).to_owned()
    };
    assert_eq!(line("tls_server_cert_serial"), "8A0100FF");
    // Without one of its own the other side shows the server's.
    assert_eq!(line("tls_client_cert_serial"), "8A0100FF");
    assert_ne!(line("tls_ca_cert_serial"), "none");
    for name in ["server", "client", "ca"] {
        let seconds: i64 = line(&format!("tls_{name}_cert_expires_in_seconds")).parse().expect("a number");
        // Certificates of these tests last until the year 4096.
        assert!(seconds > 60_000_000_000, "{seconds}");
    }
    assert!(!conn.ask("INFO").contains("# TLS"));
    assert!(conn.ask("INFO everything").contains("# TLS"));
}

/// A connection that we make to a server, as the server itself makes them. What is said ends the handshake on both sides.
fn connect_out(config: &Config, server: &Server, request: &str) -> std::io::Result<String> {
    let settings = TlsSettings::read(config).expect("settings");
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let stream = mio::net::TcpStream::connect(address)?;
    let mut stream = TlsStream::connect(stream, settings.client().expect("settings"), "127.0.0.1").expect("a session");
    let (mut poll, mut events) = (mio::Poll::new()?, mio::Events::with_capacity(8));
    let both = mio::Interest::READABLE.add(mio::Interest::WRITABLE);
    poll.registry().register(stream.stream(), mio::Token(0), both)?;
    let mut goes_on = |result: std::io::Result<usize>| match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
            poll.poll(&mut events, Some(Duration::from_secs(20)))?;
            assert!(!events.is_empty(), "nothing comes");
            Ok(0)
        }
        other => other,
    };
    loop {
        goes_on(stream.handshake().map(|()| 1))?;
        if !stream.is_handshaking() {
            break;
        }
    }
    let slices = [std::io::IoSlice::new(request.as_bytes()), std::io::IoSlice::new(b"\r\n")];
    assert_eq!(stream.write_vectored(&slices)?, request.len() + 2);
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n") {
        let mut part = [0; 100];
        let result = stream.read(&mut part);
        let is_end = matches!(result, Ok(0));
        let count = goes_on(result)?;
        reply.extend_from_slice(&part[..count]);
        if is_end {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

#[test]
fn connections_that_we_make_show_who_we_are_and_look_at_who_is_there() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.sign("node", "alice");
    let server = authority.start(&["--tls-auth-clients-user", "CN"]);
    let mut conn = authority.client().with("server").connect(&server);
    assert_eq!(conn.ask("ACL SETUSER alice on nopass ~* +@all"), "+OK");
    let trusting = |authority: &Authority| Config {
        tls_ca_cert_file: Text::from(&*authority.path("ca.crt")),
        ..Config::default()
    };
    let file = |name: &str| Text::from(&*authority.path(name));
    let nobody = trusting(&authority);
    let alice =
        Config { tls_client_cert_file: file("node.crt"), tls_client_key_file: file("node.key"), ..nobody.clone() };
    let whoami = "$5\r\nalice\r\n";
    assert_eq!(connect_out(&alice, &server, "ACL WHOAMI").expect("a reply"), whoami);
    // Without a certificate for this side the other one serves.
    let by_default = Config { tls_cert_file: file("node.crt"), tls_key_file: file("node.key"), ..nobody.clone() };
    assert_eq!(connect_out(&by_default, &server, "ACL WHOAMI").expect("a reply"), whoami);
    assert!(connect_out(&nobody, &server, "PING").is_err());
    let without_key = Config { tls_client_cert_file: file("node.crt"), ..by_default.clone() };
    assert!(connect_out(&without_key, &server, "PING").is_err());
    // Who is there must be signed by one whom we trust, and bear one of the names, where there are any.
    let of_stranger = Config { tls_ca_cert_file: Text::from(&*stranger.path("ca.crt")), ..alice.clone() };
    let error = connect_out(&of_stranger, &server, "PING").expect_err("nobody knows the server");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    let named = |names: &str| Config { tls_expected_peer_name: Text::from(names), ..alice.clone() };
    assert_eq!(connect_out(&named("elsewhere localhost"), &server, "PING").expect("a reply"), "+PONG\r\n");
    for names in ["elsewhere", "127.0.0.1 elsewhere"] {
        assert!(connect_out(&named(names), &server, "PING").is_err(), "{names}");
    }
    let old = Config { tls_protocols: Text::from("TLSv1.2"), ..alice };
    assert_eq!(connect_out(&old, &server, "ACL WHOAMI").expect("a reply"), whoami);
}

#[test]
fn one_read_takes_a_part_of_what_has_come() {
    let authority = Authority::new();
    let server = authority.start(&["--tls-auth-clients", "no"]);
    assert_eq!(authority.client().connect(&server).ask("SETRANGE big 3999999 x"), ":4000000");
    let config = Config { tls_ca_cert_file: Text::from(&*authority.path("ca.crt")), ..Config::default() };
    let settings = TlsSettings::read(&config).expect("settings");
    let stream = server.connect();
    // So much may come that is not read.
    socket2::SockRef::from(&stream).set_recv_buffer_size(400_000).expect("a longer buffer");
    stream.set_nonblocking(true).expect("a socket that does not wait");
    let stream = mio::net::TcpStream::from_std(stream);
    let mut stream = TlsStream::connect(stream, settings.client().expect("settings"), "127.0.0.1").expect("a session");
    wait_for("the handshake is over", || stream.handshake().is_ok());
    let request = [std::io::IoSlice::new(b"GET big\r\n")];
    assert_eq!(stream.write_vectored(&request).expect("a request"), 9);
    let mut seen = vec![0; 300_000];
    wait_for("much has come", || stream.stream().peek(&mut seen).is_ok_and(|count| count > 180_000));
    let count = stream.read(&mut vec![0; 4_000_000]).expect("a part");
    assert!((1..160_000).contains(&count), "{count}");
}

/// What the program says when it refuses to start with these options.
fn refusal_to_start(options: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_russet"))
        .args(["--port", "0", "--tls-port", "1"])
        .args(options)
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{options:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_server_without_what_tls_needs_says_so_and_does_not_start() {
    let authority = Authority::new();
    authority.sign("one", "one");
    authority.sign("two", "two");
    let paths = ["one.crt", "one.key", "two.key", "ca.crt"].map(|file| authority.path(file));
    let encrypted = authority.path("encrypted.key");
    let begin = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(&encrypted, begin).expect("a file");
    let certificate = ["--tls-cert-file", paths[0].as_str()];
    let with_key = |key| [certificate.as_slice(), &["--tls-key-file", key, "--tls-auth-clients", "no"]].concat();
    let cases = [
        (vec![], "No tls-cert-file configured!"),
        (certificate.to_vec(), "No tls-key-file configured!"),
        (
            [certificate.as_slice(), &["--tls-key-file", &paths[1]]].concat(),
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or \
             tls-auth-clients are enabled!",
        ),
        (with_key(&paths[2]), "it is not the key of the certificate"),
        (with_key(&paths[3]), "no private key in it"),
        (with_key(&encrypted), "it is encrypted, and no pass phrase is given"),
        (with_key("/nowhere"), "Failed to load private key: /nowhere: No such file or directory"),
        (vec!["--tls-protocols", "TLSv1.1"], "TLSv1.1 is too old: tls-protocols takes 'TLSv1.2' and 'TLSv1.3'."),
    ];
    for (options, why) in cases {
        let said = refusal_to_start(&options);
        assert!(said.contains(why), "{why}: {said}");
        assert!(said.contains("Failed to configure TLS. Check logs for more info."), "{said}");
    }
}

#[test]
fn files_too_long_for_certificates_are_not_read_to_their_end() {
    let authority = Authority::new();
    authority.sign("client", "client");
    let folder = authority.path("authorities");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(authority.path("ca.crt"), format!("{folder}/ca.pem")).expect("a copy");
    let sparse = std::fs::File::create(format!("{folder}/image")).expect("a file");
    sparse.set_len(1 << 40).expect("a long file");
    let server = authority.start(&["--tls-ca-cert-dir", &folder]);
    let mut client = authority.client().with("client").connect(&server);
    assert_eq!(client.ask("CONFIG SET tls-ca-cert-file \"\""), "+OK");
    let mut client = authority.client().with("client").connect(&server);
    assert_eq!(client.ask("PING"), "+PONG");
    let refused = "-ERR CONFIG SET failed (possibly related to argument";
    for file in ["tls-cert-file", "tls-key-file", "tls-ca-cert-file"] {
        let said = client.ask(&format!("CONFIG SET {file} /dev/zero"));
        assert!(said.starts_with(&format!("{refused} '{file}')")), "{said}");
    }
    for part in 0..20 {
        let file = std::fs::File::create(format!("{folder}/part-{part}")).expect("a file");
        file.set_len(1 << 20).expect("a long file");
    }
    let said = client.ask(&format!("CONFIG SET tls-ca-cert-dir {folder}"));
    assert!(said.starts_with(&format!("{refused} 'tls-ca-cert-dir')")), "{said}");
    assert_eq!(client.ask("PING"), "+PONG");
}
