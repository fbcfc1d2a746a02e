//! Directives with a fixed list of names. The order of the names is the order in error texts.

use super::setting::{Origin, Setting, Shape, only_word};

macro_rules! choices {
    ($($(#[doc = $doc:literal])* $name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant),*
        }

        impl $name {
            /// The name in files and replies.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }
        }

        impl Setting for $name {
            const SHAPE: Shape = Shape::Choice(&[$($word),*]);

            fn read(&mut self, words: &[&[u8]], shape: &Shape, _: Origin) -> Result<(), String> {
                let word = only_word(words)?;
                $(
                    if word.eq_ignore_ascii_case($word.as_bytes()) {
                        *self = $name::$variant;
                        return Ok(());
                    }
                )*
                Err(not_one_of(shape))
            }

            fn show(&self, _: &Shape) -> Vec<u8> {
                self.name().as_bytes().to_vec()
            }
        }
    )*};
}

/// The refusal that lists what would be taken.
pub(super) fn not_one_of(shape: &Shape) -> String {
    match shape {
        Shape::Choice(names) => format!("argument(s) must be one of the following: {}", names.join(", ")),
        _ => "argument(s) must be one of the names listed".to_owned(),
    }
}

choices! {
    /// Which channels a new ACL user may use.
    AclPubsubDefault { AllChannels = "allchannels", ResetChannels = "resetchannels" }
    /// When the append-only file reaches the disk.
    AppendFsync { EverySec = "everysec", Always = "always", No = "no" }
    /// What a node does when nodes.conf cannot be written.
    ClusterConfigSaveBehavior { Sync = "sync", BestEffort = "best-effort" }
    /// What a redirection names.
    EndpointType { Ip = "ip", Hostname = "hostname", UnknownEndpoint = "unknown-endpoint" }
    /// Which figures are kept for each slot.
    SlotStats { No = "no", Yes = "yes", Cpu = "cpu", Net = "net", Mem = "mem" }
    /// From where a dangerous command or directive may be used.
    ProtectedFrom { No = "no", Yes = "yes", Local = "local" }
    /// The shape of a log line.
    LogFormat { Legacy = "legacy", Logfmt = "logfmt", Json = "json" }
    /// The shape of the time in a log line.
    LogTimestampFormat { Legacy = "legacy", Iso8601 = "iso8601", Milliseconds = "milliseconds" }
    /// The least important line that is logged.
    LogLevel { Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning", Nothing = "nothing" }
    /// What goes when memory is full.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru", VolatileLfu = "volatile-lfu", VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl", VolatileLrm = "volatile-lrm", AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu", AllkeysRandom = "allkeys-random", AllkeysLrm = "allkeys-lrm",
        NoEviction = "noeviction",
    }
    /// How the kernel's out-of-memory score is changed.
    OomScoreAdj { No = "no", Yes = "yes", Relative = "relative", Absolute = "absolute" }
    /// What an error in a replicated command does.
    PropagationErrorBehavior { Ignore = "ignore", Panic = "panic", PanicOnReplicas = "panic-on-replicas" }
    /// Which server's newest RDB forms are written when the data needs them.
    RdbDialect { Redis = "redis", Valkey = "valkey", Redis70 = "redis-7.0" }
    /// Whether RDB files of unknown versions are tried.
    RdbVersionCheck { Strict = "strict", Relaxed = "relaxed" }
    /// Whether a replica may load a full sync without a file in between.
    ReplDisklessLoad {
        Disabled = "disabled", OnEmptyDb = "on-empty-db", Swapdb = "swapdb", Flushdb = "flushdb",
        FlushBeforeLoad = "flush-before-load",
    }
    /// Whose payloads are checked deeply.
    SanitizeDumpPayload { No = "no", Yes = "yes", Clients = "clients" }
    /// Which process watches this one.
    Supervised { Upstart = "upstart", Systemd = "systemd", Auto = "auto", No = "no" }
    /// Syslog's facility.
    SyslogFacility {
        User = "user", Local0 = "local0", Local1 = "local1", Local2 = "local2", Local3 = "local3",
        Local4 = "local4", Local5 = "local5", Local6 = "local6", Local7 = "local7",
    }
    /// Whether TLS clients must show a certificate.
    TlsAuthClients { No = "no", Yes = "yes", Optional = "optional" }
    /// Which field of a client's certificate names its ACL user.
    TlsAuthClientsUser { CommonName = "CN", Uri = "URI", Off = "off" }
}
