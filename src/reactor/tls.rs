//! TLS: from the directives to what rustls needs, for those who connect to us and for those whom we connect to. Deliberately
//! absent: sockets (`tls_stream`), what keys look like (`private_key`), and names of users (`server/permission.rs`).
//!
//! Everything is read anew whenever a `tls-*` directive is set, also to the value that it has: that is how a
//! certificate is renewed. Connections keep the configuration they began with.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, StoresServerSessions, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, SupportedCipherSuite,
    SupportedProtocolVersion, version,
};

use crate::base::disk::reason;
use crate::base::log;
use crate::config::{Config, Text, TlsAuthClients, TlsAuthClientsUser};
use crate::server::certificates::{Certificate, Certificates};

use super::{certificate, private_key};

/// Sessions remembered where the directive sets no bound.
const SESSIONS_MAX: usize = 1 << 20;
/// A file of certificates or of a key is no longer than this: nobody is served while it is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// All files of a folder of authorities together.
const FOLDER_BYTES_MAX: u64 = 8 << 20;

/// Cipher suites of TLS 1.2 by the names that OpenSSL gives them, the strongest first.
const TLS12_SUITES: [(&str, SupportedCipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", ring::cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
];

/// Cipher suites of TLS 1.3.
const TLS13_SUITES: [(&str, SupportedCipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", ring::cipher_suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", ring::cipher_suite::TLS13_AES_128_GCM_SHA256),
];

/// What both directions of TLS are made of, read from the files that the directives name.
pub struct TlsSettings<'a> {
    config: &'a Config,
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    trusted: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl<'a> TlsSettings<'a> {
    /// Reads what is common to all connections.
    ///
    /// # Errors
    /// What is wrong, for the log.
    pub fn read(config: &'a Config) -> Result<TlsSettings<'a>, String> {
        let versions = parse_protocols(&config.tls_protocols.display())?;
        let mut provider = ring::default_provider();
        provider.cipher_suites = tls13_suites(&config.tls_ciphersuites.display())?;
        provider.cipher_suites.extend(tls12_suites(&config.tls_ciphers.display())?);
        let (trusted, roots) = read_roots(config)?;
        Ok(TlsSettings { config, provider: Arc::new(provider), versions, trusted, roots: Arc::new(roots) })
    }

    /// The configuration for those who connect to us.
    ///
    /// # Errors
    /// What is wrong, for the log.
    pub fn server(&self) -> Result<Arc<ServerConfig>, String> {
        self.server_with(self.server_identity()?)
    }

    /// The configuration for those whom we connect to: masters, other nodes, what sentinels watch. Whoever they are, an
    /// authority of ours must have signed their certificate.
    ///
    /// # Errors
    /// What is wrong, for the log.
    pub fn client(&self) -> Result<Arc<ClientConfig>, String> {
        self.client_with(self.client_identity()?)
    }

    /// Both sides, and what INFO tells of their certificates.
    fn sides(&self) -> Result<(Arc<ServerConfig>, Arc<ClientConfig>, Certificates), String> {
        let (server, client) = (self.server_identity()?, self.client_identity()?);
        let shown = |identity: &CertifiedKey| identity.cert.first().and_then(|first| facts(first));
        let of_server = shown(&server);
        let certificates = Certificates {
            client: client.as_ref().map_or_else(|| of_server.clone(), shown),
            server: of_server,
            ca: self.trusted.iter().filter_map(|trusted| facts(trusted)).min_by_key(|facts| facts.not_after),
        };
        Ok((self.server_with(server)?, self.client_with(client)?, certificates))
    }

    fn server_identity(&self) -> Result<CertifiedKey, String> {
        let config = self.config;
        if config.tls_cert_file.is_empty() {
            return Err("No tls-cert-file configured!".to_owned());
        }
        if config.tls_key_file.is_empty() {
            return Err("No tls-key-file configured!".to_owned());
        }
        let verifies = config.tls_auth_clients != TlsAuthClients::No || config.tls_replication || config.tls_cluster;
        if verifies && config.tls_ca_cert_file.is_empty() && config.tls_ca_cert_dir.is_empty() {
            return Err(
                "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication \
                        or tls-auth-clients are enabled!"
                    .to_owned(),
            );
        }
        read_identity(&config.tls_cert_file, &config.tls_key_file, &config.tls_key_file_pass, &self.provider)
    }

    /// What we show to those whom we connect to: a certificate for that, or else the server's. A certificate without a key
    /// shows nothing.
    fn client_identity(&self) -> Result<Option<CertifiedKey>, String> {
        let config = self.config;
        let files = match config.tls_client_cert_file.is_empty() {
            true => [&config.tls_cert_file, &config.tls_key_file, &config.tls_key_file_pass],
            false => [&config.tls_client_cert_file, &config.tls_client_key_file, &config.tls_client_key_file_pass],
        };
        let [certificate, key, pass] = files;
        if certificate.is_empty() || key.is_empty() {
            return Ok(None);
        }
        read_identity(certificate, key, pass, &self.provider).map(Some)
    }

    fn client_with(&self, identity: Option<CertifiedKey>) -> Result<Arc<ClientConfig>, String> {
        let verifier = PeerVerifier {
            roots: self.roots.clone(),
            names: expected_names(&self.config.tls_expected_peer_name.display())?,
            algorithms: self.provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&self.versions)
            .map_err(|error| format!("Failed to configure ciphers: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut client = match identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
            None => builder.with_no_client_auth(),
        };
        // Nodes know each other by address.
        client.enable_sni = false;
        Ok(Arc::new(client))
    }

    fn server_with(&self, identity: CertifiedKey) -> Result<Arc<ServerConfig>, String> {
        let config = self.config;
        if !config.tls_dh_params_file.is_empty() {
            log::warning("tls-dh-params-file has no effect: key exchange is by elliptic curves only.");
        }
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&self.versions)
            .map_err(|error| format!("Failed to configure ciphers: {error}"))?;
        let builder = match config.tls_auth_clients {
            TlsAuthClients::No => builder.with_no_client_auth(),
            asked => {
                let verifier = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), self.provider.clone());
                let verifier = match asked {
                    TlsAuthClients::Optional => verifier.allow_unauthenticated(),
                    _ => verifier,
                };
                let verifier = verifier.build();
                builder.with_client_cert_verifier(
                    verifier
                        .map_err(|error| format!("Failed to configure CA certificate(s) file/directory: {error}"))?,
                )
            }
        };
        let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        server.ignore_client_order = config.tls_prefer_server_ciphers;
        if config.tls_session_caching {
            server.session_storage = Arc::new(SessionCache::new(
                usize::try_from(config.tls_session_cache_size).unwrap_or(0),
                Duration::from_secs(u64::try_from(config.tls_session_cache_timeout).unwrap_or(0)),
            ));
        } else {
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
        }
        Ok(Arc::new(server))
    }
}

/// Is anything to be encrypted?
pub(super) fn is_wanted(config: &Config) -> bool {
    config.tls_port != 0 || config.tls_replication || config.tls_cluster
}

/// What connections that come speak, what is known of the certificates, and when the files that say so were written.
pub(super) struct Configured {
    pub(super) server: Arc<ServerConfig>,
    pub(super) certificates: Certificates,
    pub(super) times: Vec<Option<SystemTime>>,
}

/// The configuration of the server's side, where TLS is wanted; that of the other side must be right as well. What is wrong is
/// in the log.
pub(super) fn configure(config: &Config) -> Result<Option<Configured>, ()> {
    if !is_wanted(config) {
        return Ok(None);
    }
    // Taken first: what changes while it is read shows as changed.
    let times = file_times(config);
    let made = TlsSettings::read(config).and_then(|settings| settings.sides());
    made.map(|(server, _, certificates)| Some(Configured { server, certificates, times }))
        .map_err(|why| log::warning(&why))
}

/// Whoever we connect to must be signed by one whom we trust. Names are only looked at where `tls-expected-peer-name` gives
/// some, as nodes know each other by addresses, which certificates seldom tell: it is enough if one of them is right.
#[derive(Debug)]
struct PeerVerifier {
    roots: Arc<RootCertStore>,
    names: Vec<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&shown, &self.roots, intermediates, now, self.algorithms.all)?;
        let mut result = Ok(());
        for name in &self.names {
            result = verify_server_name(&shown, name);
            if result.is_ok() {
                break;
            }
        }
        result.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Names and addresses, separated by spaces.
fn expected_names(list: &str) -> Result<Vec<ServerName<'static>>, String> {
    let names = list.split(' ').filter(|name| !name.is_empty());
    let parse = |name: &str| {
        let parsed = ServerName::try_from(name.to_owned());
        parsed.map_err(|_| format!("tls-expected-peer-name: '{name}' is neither a host name nor an address"))
    };
    names.map(parse).collect()
}

/// What INFO tells of a certificate.
fn facts(of: &CertificateDer<'_>) -> Option<Certificate> {
    Some(Certificate { serial: certificate::serial(of)?, not_after: certificate::not_after(of)? })
}

/// The names of users that a client's certificate may stand for, by the directive; None if it stands for nobody.
pub(super) fn user_names(field: TlsAuthClientsUser, certificate: &[u8]) -> Option<Vec<Vec<u8>>> {
    match field {
        TlsAuthClientsUser::Off => None,
        TlsAuthClientsUser::CommonName => Some(certificate::common_name(certificate).into_iter().collect()),
        TlsAuthClientsUser::Uri => Some(certificate::uris(certificate)),
    }
}

/// When the files were written: a renewed one shows by it.
pub(super) fn file_times(config: &Config) -> Vec<Option<SystemTime>> {
    let files = [
        &config.tls_cert_file,
        &config.tls_key_file,
        &config.tls_client_cert_file,
        &config.tls_client_key_file,
        &config.tls_ca_cert_file,
        &config.tls_ca_cert_dir,
    ];
    let time = |file: &&Text| fs::metadata(file.display().as_ref()).and_then(|facts| facts.modified()).ok();
    files.iter().map(time).collect()
}

fn parse_protocols(words: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for word in words.split_ascii_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1.2" => versions.push(&version::TLS12),
            "tlsv1.3" => versions.push(&version::TLS13),
            "tlsv1" | "tlsv1.1" => {
                return Err(format!("{word} is too old: tls-protocols takes 'TLSv1.2' and 'TLSv1.3'."));
            }
            _ => {
                let text = "Invalid tls-protocols specified. Use a combination of 'TLSv1.2' and 'TLSv1.3'.";
                return Err(text.to_owned());
            }
        }
    }
    if versions.is_empty() {
        versions = vec![&version::TLS13, &version::TLS12];
    }
    Ok(versions)
}

fn words_of(list: &str) -> impl Iterator<Item = &str> {
    list.split([':', ',', ' ']).filter(|word| !word.is_empty())
}

/// The suites of TLS 1.2 that a list in OpenSSL's form names: words add suites, `-` and `!` take them away, `+` moves them to the
/// end. Suites that are not ours are passed over.
fn tls12_suites(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen: Vec<(&str, SupportedCipherSuite)> = Vec::new();
    let list_or_default = if words_of(list).next().is_none() { "DEFAULT" } else { list };
    for word in words_of(list_or_default).filter(|word| !word.starts_with('@')) {
        let (sign, word) = match word.split_at_checked(1) {
            Some((sign @ ("-" | "!" | "+"), rest)) => (sign, rest),
            _ => ("", word),
        };
        let is_meant = |name: &str| word.split('+').all(|part| is_of_group(name, part));
        let (meant, others): (Vec<_>, Vec<_>) = chosen.iter().partition(|(name, _)| is_meant(name));
        match sign {
            "-" | "!" => chosen = others,
            "+" => chosen = others.into_iter().chain(meant).collect(),
            _ => {
                let added = TLS12_SUITES.into_iter().filter(|(name, _)| is_meant(name));
                let added: Vec<_> = added.filter(|(name, _)| !chosen.iter().any(|(known, _)| known == name)).collect();
                chosen.extend(added);
            }
        }
    }
    if chosen.is_empty() {
        return Err(format!("Failed to configure ciphers: {list}"));
    }
    Ok(chosen.into_iter().map(|(_, suite)| suite).collect())
}

/// Does a suite bear this name, or belong to the group that goes by it?
fn is_of_group(name: &str, word: &str) -> bool {
    let part = match word {
        "DEFAULT" | "ALL" | "HIGH" | "COMPLEMENTOFDEFAULT" | "TLSv1.2" | "AEAD" => return true,
        "kECDHE" | "kEECDH" | "EECDH" => "ECDHE",
        "aRSA" => "RSA",
        "aECDSA" => "ECDSA",
        "AESGCM" => "GCM",
        "AES" => return name.contains("-AES"),
        _ => word,
    };
    name == part || name.split('-').any(|of_name| of_name == part)
}

/// The suites of TLS 1.3 that a list names.
fn tls13_suites(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let all = TLS13_SUITES.into_iter();
    if words_of(list).all(|word| word == "DEFAULT") {
        return Ok(all.map(|(_, suite)| suite).collect());
    }
    let find = |word: &str| TLS13_SUITES.iter().find(|(name, _)| *name == word).map(|(_, suite)| *suite);
    let chosen: Vec<SupportedCipherSuite> = words_of(list).filter_map(find).collect();
    if chosen.is_empty() {
        return Err(format!("Failed to configure ciphersuites: {list}"));
    }
    Ok(chosen)
}

/// What a PEM file holds.
fn content_of(path: &str) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let file = fs::File::open(path).map_err(|error| reason(&error))?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(|error| reason(&error))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err("it is longer than a MiB".to_owned());
    }
    Ok(content)
}

/// Certificates of a PEM file.
fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = content_of(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match read {
        Ok(found) if found.is_empty() => Err("no certificate in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

fn read_identity(
    certificate_file: &Text,
    key_file: &Text,
    pass: &Text,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let path = certificate_file.display();
    let chain = certificates(&path).map_err(|why| format!("Failed to load certificate: {path}: {why}"))?;
    let path = key_file.display();
    let failed = |why: &str| format!("Failed to load private key: {path}: {why}");
    let content = content_of(&path).map_err(|why| failed(&why))?;
    let key = private_key::parse(&content, pass).map_err(|why| failed(&why))?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| failed(&error.to_string()))?;
    let of_certificate = chain.first().and_then(|first| certificate::public_key(first));
    let of_key = key.public_key();
    if of_key.as_ref().is_some_and(|of_key| certificate::content(of_key) != of_certificate) {
        return Err(failed("it is not the key of the certificate"));
    }
    Ok(CertifiedKey::new(chain, key))
}

/// Whom certificates are to be signed by: those in the file, and in every file of the folder that could be one.
fn read_roots(config: &Config) -> Result<(Vec<CertificateDer<'static>>, RootCertStore), String> {
    let failed = |why: String| format!("Failed to configure CA certificate(s) file/directory: {why}");
    let (mut trusted, mut roots) = (Vec::new(), RootCertStore::empty());
    if !config.tls_ca_cert_file.is_empty() {
        let path = config.tls_ca_cert_file.display();
        let found = certificates(&path).map_err(|why| failed(format!("{path}: {why}")))?;
        for certificate in found {
            roots.add(certificate.clone()).map_err(|error| failed(format!("{path}: {error}")))?;
            trusted.push(certificate);
        }
    }
    if !config.tls_ca_cert_dir.is_empty() {
        let path = config.tls_ca_cert_dir.display();
        let entries = fs::read_dir(path.as_ref()).map_err(|error| failed(format!("{path}: {}", reason(&error))))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut bytes = 0;
        for file in &files {
            let Ok(facts) = fs::metadata(file) else { continue };
            if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
                continue;
            }
            bytes += facts.len();
            if bytes > FOLDER_BYTES_MAX {
                return Err(failed(format!("{path}: there is too much in it for a folder of certificates")));
            }
            // Keys and lists of revoked certificates stand in such folders too.
            let found = certificates(&file.display().to_string()).unwrap_or_default();
            roots.add_parsable_certificates(found.iter().cloned());
            trusted.extend(found);
        }
    }
    Ok((trusted, roots))
}

/// Sessions that clients may resume: a bounded number, for a bounded time.
#[derive(Debug)]
struct SessionCache {
    sessions: Mutex<Sessions>,
    count_max: usize,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: BTreeMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// In the order of their coming; some may have been taken.
    order: VecDeque<Vec<u8>>,
}

impl SessionCache {
    fn new(count_max: usize, timeout: Duration) -> SessionCache {
        let count_max = if count_max == 0 { SESSIONS_MAX } else { count_max };
        SessionCache { sessions: Mutex::default(), count_max, timeout }
    }

    fn fresh(&self, (since, value): (Instant, Vec<u8>)) -> Option<Vec<u8>> {
        (since.elapsed() < self.timeout).then_some(value)
    }
}

impl StoresServerSessions for SessionCache {
    fn put(&self, id: Vec<u8>, value: Vec<u8>) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        while sessions.order.len() >= self.count_max {
            let Some(oldest) = sessions.order.pop_front() else { break };
            sessions.by_id.remove(&oldest);
        }
        if sessions.by_id.insert(id.clone(), (Instant::now(), value)).is_none() {
            sessions.order.push_back(id);
        }
        true
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.by_id.get(id).cloned().and_then(|found| self.fresh(found))
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.by_id.remove(id).and_then(|found| self.fresh(found))
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls12(list: &str) -> Vec<&'static str> {
        let chosen = tls12_suites(list).unwrap_or_default();
        let name =
            |suite: &SupportedCipherSuite| TLS12_SUITES.iter().find(|(_, known)| known == suite).map(|found| found.0);
        chosen.iter().filter_map(name).collect()
    }

    #[test]
    fn lists_of_ciphers_are_read_as_openssl_reads_them() {
        let all = TLS12_SUITES.map(|(name, _)| name);
        for list in ["", "DEFAULT", "ALL:!aNULL:@STRENGTH", "HIGH:!MD5", "DEFAULT:-AES128-SHA256"] {
            assert_eq!(tls12(list), all, "{list}");
        }
        assert_eq!(tls12("ECDHE-RSA-AES128-GCM-SHA256"), ["ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(tls12("ECDHE+AESGCM:!ECDSA"), ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(
            tls12("CHACHA20 AES128-SHA,AES256:+CHACHA20:-RSA"),
            ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
        );
        assert_eq!(tls12_suites("AES128-SHA256").err().as_deref(), Some("Failed to configure ciphers: AES128-SHA256"));
        assert!(tls12_suites("ALL:-ALL").is_err());
    }

    #[test]
    fn suites_of_tls_1_3_are_found_by_name() {
        assert_eq!(tls13_suites("").map(|suites| suites.len()), Ok(3));
        let two = tls13_suites("TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384");
        assert_eq!(two, Ok(vec![TLS13_SUITES[2].1, TLS13_SUITES[0].1]));
        assert!(tls13_suites("foo").is_err());
    }

    #[test]
    fn versions_are_those_that_are_named() {
        assert_eq!(parse_protocols(""), Ok(vec![&version::TLS13, &version::TLS12]));
        assert_eq!(parse_protocols("tlsv1.2"), Ok(vec![&version::TLS12]));
        assert!(parse_protocols("TLSv1.2 TLSv1.1").is_err_and(|why| why.contains("too old")));
        assert!(parse_protocols("SSLv3").is_err());
    }

    #[test]
    fn sessions_are_forgotten_by_number_and_by_time() {
        let cache = SessionCache::new(2, Duration::from_secs(3600));
        for id in [b"one", b"two", b"six"] {
            assert!(cache.put(id.to_vec(), b"state".to_vec()));
        }
        assert_eq!(cache.get(b"one"), None);
        assert_eq!(cache.take(b"two").as_deref(), Some(b"state".as_slice()));
        assert_eq!(cache.take(b"two"), None);
        assert_eq!(cache.get(b"six").as_deref(), Some(b"state".as_slice()));
        let cache = SessionCache::new(2, Duration::ZERO);
        cache.put(b"one".to_vec(), Vec::new());
        assert_eq!(cache.get(b"one"), None);
    }
}
