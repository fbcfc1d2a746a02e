//! Every directive, once. Adding a row here adds the field, the name in files, CONFIG GET, SET and REWRITE, and the
//! samples. Defaults are those of Redis 8; names that only Valkey or older servers know are here too, so that their
//! files load. What is "taken for compatibility" changes nothing.
//! Immutable ones among these are hidden: programs that set back all they got meet those of Redis only.

use crate::base::notify::Notify;

use super::choice::*;
use super::directive::{Directive, Flags, directives, shape_or};
use super::setting::{Setting, Shape, Text, check};
use super::special::*;

const IMMUTABLE: Flags = Flags::IMMUTABLE;
const MODIFIABLE: Flags = Flags::MODIFIABLE;
const HIDDEN: Flags = Flags::HIDDEN;
const PROTECTED: Flags = Flags::PROTECTED;
const SENSITIVE: Flags = Flags::SENSITIVE;
const DENY_LOADING: Flags = Flags::DENY_LOADING;
const VOLATILE: Flags = Flags::VOLATILE;

const INT_MIN: i64 = i32::MIN as i64;
const INT_MAX: i64 = i32::MAX as i64;
const UINT_MAX: i64 = u32::MAX as i64;
const LONG_MAX: i64 = i64::MAX;

/// An integer within bounds.
const fn int(min: i64, max: i64) -> Shape {
    Shape::Int { min, max }
}

/// Bytes within bounds.
const fn memory(min: i64, max: i64) -> Shape {
    Shape::Memory { min, max }
}

directives! {
    section "Network" {
        /// Addresses to listen on.
        "bind" => bind: Addresses = Addresses::new("* -::*"), MODIFIABLE;
        /// Local address of outgoing connections: replication, cluster bus.
        "bind-source-addr" => bind_source_addr: Text = Text::default(), MODIFIABLE;
        /// TCP port for clients (0 listens on none).
        "port" => port: u16 = 6379, MODIFIABLE, int(0, 65_535);
        /// Connections that may wait to be accepted.
        "tcp-backlog" => tcp_backlog: i32 = 511, IMMUTABLE, int(0, INT_MAX);
        /// Path of a Unix socket to listen on as well.
        "unixsocket" => unixsocket: Text = Text::default(), IMMUTABLE;
        /// Permissions of the Unix socket, in octal (0 leaves them to the umask).
        "unixsocketperm" => unixsocketperm: u32 = 0, IMMUTABLE, Shape::Octal { max: 0o777 };
        /// Group that owns the Unix socket.
        "unixsocketgroup" => unixsocketgroup: Text = Text::default(), IMMUTABLE.or(HIDDEN);
        /// Close a connection after this many idle seconds (0 disables).
        "timeout" => timeout: i32 = 0, MODIFIABLE, int(0, INT_MAX);
        /// Seconds between TCP keepalive probes (0 disables).
        "tcp-keepalive" => tcp_keepalive: i32 = 300, MODIFIABLE, int(0, INT_MAX);
        /// Without a password, serve only clients of this machine.
        "protected-mode" => protected_mode: bool = true, MODIFIABLE;
        /// Mark of the server's sockets for packet filters (0 sets none).
        "socket-mark-id" => socket_mark_id: u32 = 0, IMMUTABLE, int(0, UINT_MAX);
        /// Plain connections accepted in one turn of the event loop.
        "max-new-connections-per-cycle" => max_new_connections_per_cycle: u32 = 10, MODIFIABLE, int(1, 1000);
        /// TLS connections accepted in one turn of the event loop.
        "max-new-tls-connections-per-cycle" => max_new_tls_connections_per_cycle: u32 = 1, MODIFIABLE, int(1, 1000);
        /// Clients served at the same time.
        "maxclients" => maxclients: u32 = 10_000, MODIFIABLE, int(1, UINT_MAX);
        /// Listen with multipath TCP.
        "mptcp" => mptcp: bool = false, IMMUTABLE.or(HIDDEN);
        /// Replicate over multipath TCP.
        "repl-mptcp" => repl_mptcp: bool = false, IMMUTABLE.or(HIDDEN);
        /// Addresses for RDMA; taken for compatibility.
        "rdma-bind" => rdma_bind: Addresses = Addresses::default(), MODIFIABLE;
        /// Port for RDMA; taken for compatibility.
        "rdma-port" => rdma_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// Receive buffer of RDMA in bytes; taken for compatibility.
        "rdma-rx-size" => rdma_rx_size: i32 = 1_048_576, IMMUTABLE.or(HIDDEN), int(65_536, 16_777_216);
        /// Completion vector of RDMA; taken for compatibility.
        "rdma-completion-vector" => rdma_completion_vector: i32 = -1, IMMUTABLE.or(HIDDEN), int(-1, 1024);
    }
    section "TLS" {
        /// TCP port for TLS clients (0 listens on none).
        "tls-port" => tls_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// Certificate of the server and those that lead to its authority, PEM.
        "tls-cert-file" => tls_cert_file: Text = Text::default(), VOLATILE;
        /// Private key of the server, PEM.
        "tls-key-file" => tls_key_file: Text = Text::default(), VOLATILE;
        /// Password of the server's key, if it is encrypted.
        "tls-key-file-pass" => tls_key_file_pass: Text = Text::default(), SENSITIVE.or(VOLATILE);
        /// Certificate for outgoing connections, if not the server's.
        "tls-client-cert-file" => tls_client_cert_file: Text = Text::default(), VOLATILE;
        /// Private key for outgoing connections.
        "tls-client-key-file" => tls_client_key_file: Text = Text::default(), VOLATILE;
        /// Password of the key for outgoing connections, if it is encrypted.
        "tls-client-key-file-pass" => tls_client_key_file_pass: Text = Text::default(), SENSITIVE.or(VOLATILE);
        /// Diffie-Hellman parameters; taken for compatibility, as keys are exchanged by elliptic curves.
        "tls-dh-params-file" => tls_dh_params_file: Text = Text::default(), VOLATILE;
        /// Certificates that are trusted, PEM.
        "tls-ca-cert-file" => tls_ca_cert_file: Text = Text::default(), VOLATILE;
        /// Directory of certificates that are trusted.
        "tls-ca-cert-dir" => tls_ca_cert_dir: Text = Text::default(), VOLATILE;
        /// Whether clients must show a certificate.
        "tls-auth-clients" => tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes, MODIFIABLE;
        /// Field of a client's certificate that names its ACL user.
        "tls-auth-clients-user" => tls_auth_clients_user: TlsAuthClientsUser = TlsAuthClientsUser::Off, MODIFIABLE;
        /// Seconds between looks for renewed certificates (0 disables).
        "tls-auto-reload-interval" => tls_auto_reload_interval: i32 = 0, MODIFIABLE, int(0, INT_MAX);
        /// Names of which the certificate of a node that we connect to must carry one; empty: whatever it carries.
        "tls-expected-peer-name" => tls_expected_peer_name: Text = Text::default(), MODIFIABLE, Shape::Text(check::peer_names);
        /// Replicate over TLS.
        "tls-replication" => tls_replication: bool = false, MODIFIABLE;
        /// Speak TLS on the cluster bus.
        "tls-cluster" => tls_cluster: bool = false, MODIFIABLE;
        /// Versions of TLS that are spoken, of TLSv1.2 and TLSv1.3; empty is both.
        "tls-protocols" => tls_protocols: Text = Text::default(), MODIFIABLE;
        /// Ciphers of TLS 1.2, as OpenSSL writes them; those that are not there are passed over.
        "tls-ciphers" => tls_ciphers: Text = Text::default(), MODIFIABLE;
        /// Cipher suites of TLS 1.3.
        "tls-ciphersuites" => tls_ciphersuites: Text = Text::default(), MODIFIABLE;
        /// Follow the server's order of ciphers.
        "tls-prefer-server-ciphers" => tls_prefer_server_ciphers: bool = false, MODIFIABLE;
        /// Let clients resume TLS sessions.
        "tls-session-caching" => tls_session_caching: bool = true, MODIFIABLE;
        /// TLS sessions remembered.
        "tls-session-cache-size" => tls_session_cache_size: i32 = 20_480, MODIFIABLE, int(0, INT_MAX);
        /// Seconds that a TLS session is remembered.
        "tls-session-cache-timeout" => tls_session_cache_timeout: i32 = 300, MODIFIABLE, int(0, INT_MAX);
    }
    section "General" {
        /// Go to the background.
        "daemonize" => daemonize: bool = false, IMMUTABLE;
        /// How to tell the supervisor that the server is ready.
        "supervised" => supervised: Supervised = Supervised::No, IMMUTABLE;
        /// File that holds the process id while the server runs.
        "pidfile" => pidfile: Text = Text::default(), IMMUTABLE;
        /// Least important lines to log.
        "loglevel" => loglevel: LogLevel = LogLevel::Notice, MODIFIABLE;
        /// Log file; empty logs to standard output.
        "logfile" => logfile: Text = Text::default(), IMMUTABLE;
        /// Shape of log lines.
        "log-format" => log_format: LogFormat = LogFormat::Legacy, MODIFIABLE;
        /// Shape of the time in log lines.
        "log-timestamp-format" => log_timestamp_format: LogTimestampFormat = LogTimestampFormat::Legacy, MODIFIABLE;
        /// Log to syslog.
        "syslog-enabled" => syslog_enabled: bool = false, IMMUTABLE;
        /// Name in syslog.
        "syslog-ident" => syslog_ident: Text = Text::from("redis"), IMMUTABLE;
        /// Facility in syslog.
        "syslog-facility" => syslog_facility: SyslogFacility = SyslogFacility::Local0, IMMUTABLE;
        /// Keep keys, values and arguments out of the log.
        "hide-user-data-from-log" => hide_user_data_from_log: bool = false, MODIFIABLE;
        /// Log a report when the server crashes.
        "crash-log-enabled" => crash_log_enabled: bool = true, MODIFIABLE;
        /// Test memory when the server crashes.
        "crash-memcheck-enabled" => crash_memcheck_enabled: bool = true, MODIFIABLE;
        /// Leave by exit, not by abort, when an assertion fails.
        "use-exit-on-panic" => use_exit_on_panic: bool = false, HIDDEN;
        /// Print the banner even when the log is not a terminal.
        "always-show-logo" => always_show_logo: bool = false, IMMUTABLE;
        /// Change the process title.
        "set-proc-title" => set_proc_title: bool = true, IMMUTABLE;
        /// Template of the process title.
        "proc-title-template" => proc_title_template: Text = Text::from("{title} {listen-addr} {server-mode}"), MODIFIABLE, Shape::Text(check::proc_title);
        /// Locale for comparing strings in SORT ALPHA.
        "locale-collate" => locale_collate: Text = Text::default(), MODIFIABLE, Shape::Text(check::locale);
        /// Number of databases.
        "databases" => databases: i32 = 16, IMMUTABLE, int(1, INT_MAX);
        /// Number of databases in cluster mode.
        "cluster-databases" => cluster_databases: i32 = 1, IMMUTABLE.or(HIDDEN), int(1, INT_MAX);
        /// Working directory: where the files below lie.
        "dir" => dir: Text = Text::default(), PROTECTED.or(DENY_LOADING);
        /// Who may change protected directives by CONFIG SET.
        "enable-protected-configs" => enable_protected_configs: ProtectedFrom = ProtectedFrom::No, IMMUTABLE;
        /// Who may use DEBUG.
        "enable-debug-command" => enable_debug_command: ProtectedFrom = ProtectedFrom::No, IMMUTABLE;
        /// Who may use MODULE.
        "enable-module-command" => enable_module_command: ProtectedFrom = ProtectedFrom::No, IMMUTABLE;
        /// Allow DEBUG subcommands that end the server.
        "enable-debug-assert" => enable_debug_assert: bool = false, IMMUTABLE.or(HIDDEN);
        /// Names of start-up warnings that do not stop the start.
        "ignore-warnings" => ignore_warnings: Text = Text::default(), MODIFIABLE;
        /// Name of the zone the server runs in, shown in INFO and HELLO.
        "availability-zone" => availability_zone: Text = Text::default(), MODIFIABLE;
        /// Present the server as Redis where it matters to old clients.
        "extended-redis-compatibility" => extended_redis_compatibility: bool = false, MODIFIABLE;
        /// Keep expired keys while data is being imported.
        "import-mode" => import_mode: bool = false, MODIFIABLE;
        /// Text added to crash reports.
        "debug-context" => debug_context: Text = Text::default(), HIDDEN;
        /// Seed of hashing, so that nodes order keys alike.
        "hash-seed" => hash_seed: Text = Text::default(), IMMUTABLE.or(HIDDEN);
    }
    section "Security" {
        /// Password of the default user.
        "requirepass" => requirepass: Text = Text::default(), SENSITIVE;
        /// File of ACL users.
        "aclfile" => aclfile: Text = Text::default(), IMMUTABLE;
        /// Entries kept for ACL LOG.
        "acllog-max-len" => acllog_max_len: i64 = 128, MODIFIABLE, int(0, LONG_MAX);
        /// Channels that a new ACL user may use.
        "acl-pubsub-default" => acl_pubsub_default: AclPubsubDefault = AclPubsubDefault::ResetChannels, MODIFIABLE;
    }
    section "Memory" {
        /// Memory for data; beyond it maxmemory-policy decides (0 is no limit).
        "maxmemory" => maxmemory: u64 = 0, MODIFIABLE, memory(0, LONG_MAX);
        /// What is evicted when memory is full.
        "maxmemory-policy" => maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::NoEviction, MODIFIABLE;
        /// Keys looked at to choose one for eviction.
        "maxmemory-samples" => maxmemory_samples: i32 = 5, MODIFIABLE, int(1, 64);
        /// How much time eviction may take: 0 little, 100 without limit.
        "maxmemory-eviction-tenacity" => maxmemory_eviction_tenacity: i32 = 10, MODIFIABLE, int(0, 100);
        /// Memory for all clients' buffers, in bytes or percent of maxmemory (0 is no limit).
        "maxmemory-clients" => maxmemory_clients: MemoryOrPercent = MemoryOrPercent::Bytes(0), MODIFIABLE;
        /// Replicas leave eviction to their master.
        "replica-ignore-maxmemory" | "slave-ignore-maxmemory" => replica_ignore_maxmemory: bool = true, MODIFIABLE;
        /// How slowly the access counter of LFU saturates.
        "lfu-log-factor" => lfu_log_factor: i32 = 10, MODIFIABLE, int(0, INT_MAX);
        /// Minutes after which the access counter of LFU goes down.
        "lfu-decay-time" => lfu_decay_time: i32 = 1, MODIFIABLE, int(0, INT_MAX);
        /// How eagerly expired keys are sought, from 1 to 10.
        "active-expire-effort" => active_expire_effort: i32 = 1, MODIFIABLE, int(1, 10);
        /// Expire keys met inside scripts and SORT at once.
        "lazyexpire-nested-arbitrary-keys" => lazyexpire_nested_arbitrary_keys: bool = true, HIDDEN;
        /// Keep histograms of the sizes of keys.
        "key-memory-histograms" => key_memory_histograms: bool = false, MODIFIABLE;
        /// Free evicted values on another thread.
        "lazyfree-lazy-eviction" => lazyfree_lazy_eviction: bool = false, MODIFIABLE;
        /// Free expired values on another thread.
        "lazyfree-lazy-expire" => lazyfree_lazy_expire: bool = false, MODIFIABLE;
        /// Free overwritten values on another thread.
        "lazyfree-lazy-server-del" => lazyfree_lazy_server_del: bool = false, MODIFIABLE;
        /// Let DEL free on another thread, like UNLINK.
        "lazyfree-lazy-user-del" => lazyfree_lazy_user_del: bool = false, MODIFIABLE;
        /// Let FLUSHALL and FLUSHDB free on another thread by default.
        "lazyfree-lazy-user-flush" => lazyfree_lazy_user_flush: bool = false, MODIFIABLE;
        /// Bytes of unfinished requests a client may pile up.
        "client-query-buffer-limit" => client_query_buffer_limit: u64 = 1 << 30, MODIFIABLE, memory(1 << 20, LONG_MAX);
        /// Bytes of replies that may wait for a client before it is closed.
        "client-output-buffer-limit" => client_output_buffer_limit: OutputBufferLimits = OutputBufferLimits::DEFAULT, MODIFIABLE;
        /// Protocol version that new connections speak, 2 or 3.
        "client-default-resp" => client_default_resp: i32 = 2, HIDDEN, int(2, 3);
        /// Longest string in a request or a value, in bytes.
        "proto-max-bulk-len" => proto_max_bulk_len: u64 = 512 << 20, MODIFIABLE, memory(1 << 20, LONG_MAX);
        /// Tell the kernel's out-of-memory killer whom to spare.
        "oom-score-adj" => oom_score_adj: OomScoreAdj = OomScoreAdj::No, MODIFIABLE;
        /// Scores of a master, a replica and a saving process.
        "oom-score-adj-values" => oom_score_adj_values: OomScoreAdjValues = OomScoreAdjValues([0, 200, 800]), MODIFIABLE;
        /// Turn transparent huge pages off for the process.
        "disable-thp" => disable_thp: bool = true, IMMUTABLE;
        /// Move data to undo fragmentation.
        "activedefrag" => activedefrag: bool = false, MODIFIABLE;
        /// Fragmented bytes below which nothing is moved.
        "active-defrag-ignore-bytes" => active_defrag_ignore_bytes: u64 = 100 << 20, MODIFIABLE, memory(1, LONG_MAX);
        /// Percent of fragmentation at which moving starts.
        "active-defrag-threshold-lower" => active_defrag_threshold_lower: i32 = 10, MODIFIABLE, int(0, 1000);
        /// Percent of fragmentation at which moving takes most effort.
        "active-defrag-threshold-upper" => active_defrag_threshold_upper: i32 = 100, MODIFIABLE, int(0, 1000);
        /// Percent of time for moving at the lower threshold.
        "active-defrag-cycle-min" => active_defrag_cycle_min: i32 = 1, MODIFIABLE, int(1, 99);
        /// Percent of time for moving at the upper threshold.
        "active-defrag-cycle-max" => active_defrag_cycle_max: i32 = 25, MODIFIABLE, int(1, 99);
        /// Microseconds of one step of moving.
        "active-defrag-cycle-us" => active_defrag_cycle_us: i32 = 500, MODIFIABLE, int(0, 100_000);
        /// Elements of a collection moved in one step; larger ones go in parts.
        "active-defrag-max-scan-fields" => active_defrag_max_scan_fields: i64 = 1000, MODIFIABLE, int(1, LONG_MAX);
        /// Let the allocator give memory back on its own thread.
        "jemalloc-bg-thread" => jemalloc_bg_thread: bool = true, MODIFIABLE;
    }
    section "Snapshots" {
        /// When to save on its own: after so many seconds if so many keys changed.
        "save" => save: SavePoints = SavePoints::usual(), MODIFIABLE;
        /// Refuse writes after a save failed.
        "stop-writes-on-bgsave-error" => stop_writes_on_bgsave_error: bool = true, MODIFIABLE;
        /// Compress strings in RDB files.
        "rdbcompression" => rdbcompression: bool = true, MODIFIABLE;
        /// End RDB files with a checksum, and check it.
        "rdbchecksum" => rdbchecksum: bool = true, IMMUTABLE;
        /// Whether RDB files of a newer version are tried.
        "rdb-version-check" => rdb_version_check: RdbVersionCheck = RdbVersionCheck::Strict, MODIFIABLE;
        /// Which server must read the RDB files when the data needs newer forms.
        "rdb-dialect" => rdb_dialect: RdbDialect = RdbDialect::Redis, MODIFIABLE;
        /// Kept for Redis's sake: every payload and file is checked deeply, whatever this says.
        "sanitize-dump-payload" => sanitize_dump_payload: SanitizeDumpPayload = SanitizeDumpPayload::No, MODIFIABLE;
        /// Name of the RDB file.
        "dbfilename" => dbfilename: Text = Text::from("dump.rdb"), PROTECTED.or(DENY_LOADING), Shape::Text(check::dbfilename);
        /// Delete RDB files that only served a full sync.
        "rdb-del-sync-files" => rdb_del_sync_files: bool = false, MODIFIABLE;
        /// Fsync RDB files every few megabytes while writing.
        "rdb-save-incremental-fsync" => rdb_save_incremental_fsync: bool = true, MODIFIABLE;
        /// File to load at start, as aof:name or rdb:name.
        "preload-file" => preload_file: Text = Text::default(), IMMUTABLE.or(HIDDEN), Shape::Text(check::preload_file);
        /// Directory of backups below the working directory.
        "backupdirname" => backupdirname: Text = Text::from("backupdir"), IMMUTABLE.or(HIDDEN), Shape::Text(check::backupdirname);
        /// Seconds that a finished backup is kept (0 is for ever).
        "backup-sealed-ttl" => backup_sealed_ttl: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// Microseconds to wait at each key saved; for tests.
        "rdb-key-save-delay" => rdb_key_save_delay: i32 = 0, HIDDEN, int(INT_MIN, INT_MAX);
        /// Microseconds to wait at each key loaded; for tests.
        "key-load-delay" => key_load_delay: i32 = 0, HIDDEN, int(INT_MIN, INT_MAX);
        /// Bytes loaded between looks at the clients.
        "loading-process-events-interval-bytes" => loading_process_events_interval_bytes: i32 = 524_288, HIDDEN, int(1024, INT_MAX);
    }
    section "Append-only file" {
        /// Log every write to the append-only file.
        "appendonly" => appendonly: bool = false, MODIFIABLE;
        /// Name that the append-only files begin with.
        "appendfilename" => appendfilename: Text = Text::from("appendonly.aof"), IMMUTABLE, Shape::Text(check::appendfilename);
        /// Directory of the append-only files.
        "appenddirname" => appenddirname: Text = Text::from("appendonlydir"), IMMUTABLE, Shape::Text(check::appenddirname);
        /// When the append-only file reaches the disk.
        "appendfsync" => appendfsync: AppendFsync = AppendFsync::EverySec, MODIFIABLE;
        /// Do not fsync while a rewrite or a save writes.
        "no-appendfsync-on-rewrite" => no_appendfsync_on_rewrite: bool = false, MODIFIABLE;
        /// Rewrite when the file has grown by this percentage (0 disables).
        "auto-aof-rewrite-percentage" => auto_aof_rewrite_percentage: i32 = 100, MODIFIABLE, int(0, INT_MAX);
        /// Size below which the file is not rewritten.
        "auto-aof-rewrite-min-size" => auto_aof_rewrite_min_size: i64 = 64 << 20, MODIFIABLE, memory(0, LONG_MAX);
        /// Load a file whose end is cut off, and go on.
        "aof-load-truncated" => aof_load_truncated: bool = true, MODIFIABLE;
        /// Bytes of a corrupt end that may be cut off at load (0 refuses).
        "aof-load-corrupt-tail-max-size" => aof_load_corrupt_tail_max_size: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// Write the base file of a rewrite as RDB.
        "aof-use-rdb-preamble" => aof_use_rdb_preamble: bool = true, MODIFIABLE;
        /// Note the time in the file, for restoring to a moment.
        "aof-timestamp-enabled" => aof_timestamp_enabled: bool = false, MODIFIABLE;
        /// Fsync every few megabytes during a rewrite.
        "aof-rewrite-incremental-fsync" => aof_rewrite_incremental_fsync: bool = true, MODIFIABLE;
        /// Keep the files that a rewrite made useless.
        "aof-disable-auto-gc" => aof_disable_auto_gc: bool = false, HIDDEN;
    }
    section "Replication" {
        /// Master to replicate from.
        "replicaof" | "slaveof" => replicaof: ReplicaOf = ReplicaOf::default(), IMMUTABLE;
        /// ACL user for logging in to the master.
        "masteruser" | "primaryuser" => masteruser: Text = Text::default(), SENSITIVE;
        /// Password for logging in to the master.
        "masterauth" | "primaryauth" => masterauth: Text = Text::default(), SENSITIVE;
        /// Answer from old data while the master is away.
        "replica-serve-stale-data" | "slave-serve-stale-data" => replica_serve_stale_data: bool = true, MODIFIABLE;
        /// Refuse writes of ordinary clients on a replica.
        "replica-read-only" | "slave-read-only" => replica_read_only: bool = true, MODIFIABLE;
        /// Apply the master's writes even if they cannot be logged.
        "replica-ignore-disk-write-errors" => replica_ignore_disk_write_errors: bool = false, MODIFIABLE;
        /// Send full syncs straight to the sockets.
        "repl-diskless-sync" => repl_diskless_sync: bool = true, MODIFIABLE;
        /// Seconds to wait for more replicas before a full sync.
        "repl-diskless-sync-delay" => repl_diskless_sync_delay: i32 = 5, MODIFIABLE, int(0, INT_MAX);
        /// Replicas that start a full sync without further waiting (0 is no number).
        "repl-diskless-sync-max-replicas" => repl_diskless_sync_max_replicas: i32 = 0, MODIFIABLE, int(0, INT_MAX);
        /// Whether a full sync is loaded straight from the socket.
        "repl-diskless-load" => repl_diskless_load: ReplDisklessLoad = ReplDisklessLoad::Disabled, MODIFIABLE;
        /// Send full syncs over a connection of their own.
        "repl-rdb-channel" => repl_rdb_channel: bool = true, HIDDEN;
        /// Send full syncs over a connection of their own, as Valkey names it.
        "dual-channel-replication-enabled" => dual_channel_replication_enabled: bool = false, MODIFIABLE;
        /// Seconds between pings from master to replica.
        "repl-ping-replica-period" | "repl-ping-slave-period" => repl_ping_replica_period: i32 = 10, MODIFIABLE, int(1, INT_MAX);
        /// Seconds of silence after which a link counts as dead.
        "repl-timeout" => repl_timeout: i32 = 60, MODIFIABLE, int(1, INT_MAX);
        /// Save packets on the replication link at the price of delay.
        "repl-disable-tcp-nodelay" => repl_disable_tcp_nodelay: bool = false, MODIFIABLE;
        /// Bytes of history kept for partial resynchronisation.
        "repl-backlog-size" => repl_backlog_size: i64 = 1 << 20, MODIFIABLE, memory(1, LONG_MAX);
        /// Seconds the history is kept without replicas (0 is for ever).
        "repl-backlog-ttl" => repl_backlog_ttl: i64 = 3600, MODIFIABLE, int(0, LONG_MAX);
        /// Bytes a replica may gather during a full sync (0 follows the output limit).
        "replica-full-sync-buffer-limit" => replica_full_sync_buffer_limit: i64 = 0, MODIFIABLE, memory(0, LONG_MAX);
        /// Sentinel promotes the lowest first; 0 is never promoted.
        "replica-priority" | "slave-priority" => replica_priority: i32 = 100, MODIFIABLE, int(0, INT_MAX);
        /// Let Sentinel know of this replica.
        "replica-announced" => replica_announced: bool = true, MODIFIABLE;
        /// Address that the replica gives for itself.
        "replica-announce-ip" | "slave-announce-ip" => replica_announce_ip: Text = Text::default(), MODIFIABLE;
        /// Port that the replica gives for itself.
        "replica-announce-port" | "slave-announce-port" => replica_announce_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// Free the old data on another thread before a full sync.
        "replica-lazy-flush" | "slave-lazy-flush" => replica_lazy_flush: bool = false, MODIFIABLE;
        /// Good replicas needed for writes (0 disables).
        "min-replicas-to-write" | "min-slaves-to-write" => min_replicas_to_write: i32 = 0, MODIFIABLE, int(0, INT_MAX);
        /// Seconds of lag up to which a replica is good.
        "min-replicas-max-lag" | "min-slaves-max-lag" => min_replicas_max_lag: i32 = 10, MODIFIABLE, int(0, INT_MAX);
        /// What an error in a replicated command does.
        "propagation-error-behavior" => propagation_error_behavior: PropagationErrorBehavior = PropagationErrorBehavior::Ignore, MODIFIABLE;
        /// Keys remembered for client-side caching (0 is no limit).
        "tracking-table-max-keys" => tracking_table_max_keys: u64 = 1_000_000, MODIFIABLE, int(0, LONG_MAX);
    }
    section "Shutdown" {
        /// Seconds to wait for lagging replicas at shutdown.
        "shutdown-timeout" => shutdown_timeout: i32 = 10, MODIFIABLE, int(0, INT_MAX);
        /// How SIGINT ends the server.
        "shutdown-on-sigint" => shutdown_on_sigint: ShutdownFlags = ShutdownFlags(0), MODIFIABLE;
        /// How SIGTERM ends the server.
        "shutdown-on-sigterm" => shutdown_on_sigterm: ShutdownFlags = ShutdownFlags(0), MODIFIABLE;
    }
    section "Cluster" {
        /// Be a node of a cluster.
        "cluster-enabled" => cluster_enabled: bool = false, IMMUTABLE;
        /// File in which the node keeps what it knows of the cluster.
        "cluster-config-file" => cluster_config_file: Text = Text::from("nodes.conf"), IMMUTABLE, Shape::Text(check::cluster_config_file);
        /// What to do when that file cannot be written.
        "cluster-config-save-behavior" => cluster_config_save_behavior: ClusterConfigSaveBehavior = ClusterConfigSaveBehavior::Sync, MODIFIABLE;
        /// Milliseconds of silence after which a node counts as failing.
        "cluster-node-timeout" => cluster_node_timeout: i64 = 15_000, MODIFIABLE, int(0, LONG_MAX);
        /// Port of the cluster bus (0 is port plus 10000).
        "cluster-port" => cluster_port: u16 = 0, IMMUTABLE, int(0, 65_535);
        /// Milliseconds between pings (0 is the usual rhythm).
        "cluster-ping-interval" => cluster_ping_interval: i64 = 0, HIDDEN, int(0, LONG_MAX);
        /// Percent of nodes told of in each message.
        "cluster-message-gossip-perc" => cluster_message_gossip_perc: i32 = 10, HIDDEN, int(1, 100);
        /// How stale a replica may be and still be promoted (0 is any).
        "cluster-replica-validity-factor" | "cluster-slave-validity-factor" => cluster_replica_validity_factor: i32 = 10, MODIFIABLE, int(0, INT_MAX);
        /// Replicas a master keeps before one may move to another master.
        "cluster-migration-barrier" => cluster_migration_barrier: i32 = 1, MODIFIABLE, int(0, INT_MAX);
        /// Let replicas move to masters that have none.
        "cluster-allow-replica-migration" => cluster_allow_replica_migration: bool = true, MODIFIABLE;
        /// Refuse requests while any slot has no owner.
        "cluster-require-full-coverage" => cluster_require_full_coverage: bool = true, MODIFIABLE;
        /// Never start a failover on its own.
        "cluster-replica-no-failover" | "cluster-slave-no-failover" => cluster_replica_no_failover: bool = false, MODIFIABLE;
        /// Milliseconds that a manual failover may take.
        "cluster-manual-failover-timeout" => cluster_manual_failover_timeout: i32 = 5000, MODIFIABLE, int(1, INT_MAX);
        /// Serve reads while the cluster is down.
        "cluster-allow-reads-when-down" => cluster_allow_reads_when_down: bool = false, MODIFIABLE;
        /// Serve sharded channels while the cluster is down.
        "cluster-allow-pubsubshard-when-down" => cluster_allow_pubsubshard_when_down: bool = true, MODIFIABLE;
        /// Bytes that may wait on a link of the bus (0 is no limit).
        "cluster-link-sendbuf-limit" => cluster_link_sendbuf_limit: u64 = 0, MODIFIABLE, memory(0, LONG_MAX);
        /// Address that the node gives for itself.
        "cluster-announce-ip" => cluster_announce_ip: Text = Text::default(), MODIFIABLE, Shape::Text(check::announced_ip);
        /// Port that the node gives for itself.
        "cluster-announce-port" => cluster_announce_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// TLS port that the node gives for itself.
        "cluster-announce-tls-port" => cluster_announce_tls_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// Bus port that the node gives for itself.
        "cluster-announce-bus-port" => cluster_announce_bus_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// IPv4 address given to clients, if another.
        "cluster-announce-client-ipv4" => cluster_announce_client_ipv4: Text = Text::default(), MODIFIABLE, Shape::Text(check::ipv4);
        /// IPv6 address given to clients, if another.
        "cluster-announce-client-ipv6" => cluster_announce_client_ipv6: Text = Text::default(), MODIFIABLE, Shape::Text(check::ipv6);
        /// Port given to clients, if another.
        "cluster-announce-client-port" => cluster_announce_client_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// TLS port given to clients, if another.
        "cluster-announce-client-tls-port" => cluster_announce_client_tls_port: u16 = 0, MODIFIABLE, int(0, 65_535);
        /// Host name of the node.
        "cluster-announce-hostname" => cluster_announce_hostname: Text = Text::default(), MODIFIABLE, Shape::Text(check::hostname);
        /// Name of the node in logs.
        "cluster-announce-human-nodename" => cluster_announce_human_nodename: Text = Text::default(), MODIFIABLE, Shape::Text(check::human_nodename);
        /// What redirections name: address, host name, or nothing.
        "cluster-preferred-endpoint-type" => cluster_preferred_endpoint_type: EndpointType = EndpointType::Ip, MODIFIABLE;
        /// Seconds that a forgotten node stays forgotten.
        "cluster-blacklist-ttl" => cluster_blacklist_ttl: i64 = 60, MODIFIABLE, int(i64::MIN, LONG_MAX);
        /// Let only known nodes speak on the bus.
        "cluster-bus-port-protected-mode" => cluster_bus_port_protected_mode: bool = false, MODIFIABLE;
        /// Percent of commands checked for use that a cluster would refuse.
        "cluster-compatibility-sample-ratio" => cluster_compatibility_sample_ratio: i32 = 0, MODIFIABLE, int(0, 100);
        /// Keep figures for each slot.
        "cluster-slot-stats-enabled" => cluster_slot_stats_enabled: SlotStats = SlotStats::No, MODIFIABLE;
        /// Bytes of lag at which a migrating slot is handed over.
        "cluster-slot-migration-handoff-max-lag-bytes" => cluster_slot_migration_handoff_max_lag_bytes: u64 = 1 << 20, MODIFIABLE, memory(0, LONG_MAX);
        /// Milliseconds that writes may pause for the handover.
        "cluster-slot-migration-write-pause-timeout" => cluster_slot_migration_write_pause_timeout: i64 = 10_000, MODIFIABLE, int(0, LONG_MAX);
        /// Milliseconds that the importing side may take to catch up.
        "cluster-slot-migration-sync-buffer-drain-timeout" => cluster_slot_migration_sync_buffer_drain_timeout: i64 = 60_000, HIDDEN, int(0, LONG_MAX);
        /// Finished migrations remembered.
        "cluster-slot-migration-max-archived-tasks" => cluster_slot_migration_max_archived_tasks: i32 = 32, HIDDEN, int(1, INT_MAX);
        /// Entries of the log of migrations.
        "cluster-slot-migration-log-max-len" => cluster_slot_migration_log_max_len: i64 = 1000, MODIFIABLE, int(0, LONG_MAX);
        /// Bytes of lag at which a migration may take over; -1 is any.
        "slot-migration-max-failover-repl-bytes" => slot_migration_max_failover_repl_bytes: i64 = 0, MODIFIABLE, memory(-1, LONG_MAX);
    }
    section "Scripts and slow work" {
        /// Milliseconds after which a script lets others be answered with BUSY.
        "busy-reply-threshold" | "lua-time-limit" => busy_reply_threshold: i64 = 5000, MODIFIABLE, int(0, LONG_MAX);
        /// Offer the deprecated part of the Lua interface.
        "lua-enable-deprecated-api" => lua_enable_deprecated_api: bool = false, IMMUTABLE.or(HIDDEN);
        /// Offer the insecure part of the Lua interface.
        "lua-enable-insecure-api" => lua_enable_insecure_api: bool = false, PROTECTED.or(HIDDEN);
        /// Microseconds from which a command is logged as slow (-1 disables).
        "slowlog-log-slower-than" | "commandlog-execution-slower-than" => slowlog_log_slower_than: i64 = 10_000, MODIFIABLE, int(-1, LONG_MAX);
        /// Entries of the slow log.
        "slowlog-max-len" | "commandlog-slow-execution-max-len" => slowlog_max_len: i64 = 128, MODIFIABLE, int(0, LONG_MAX);
        /// Arguments kept in an entry of the slow log.
        "slowlog-entry-max-argc" => slowlog_entry_max_argc: i32 = 32, MODIFIABLE, int(2, INT_MAX);
        /// Bytes of an argument kept in an entry of the slow log.
        "slowlog-entry-max-string-len" => slowlog_entry_max_string_len: i64 = 128, MODIFIABLE, int(1, LONG_MAX);
        /// Bytes from which a request is logged as large (-1 disables).
        "commandlog-request-larger-than" => commandlog_request_larger_than: i64 = 1_048_576, MODIFIABLE, int(-1, LONG_MAX);
        /// Entries of the log of large requests.
        "commandlog-large-request-max-len" => commandlog_large_request_max_len: i64 = 128, MODIFIABLE, int(0, LONG_MAX);
        /// Bytes from which a reply is logged as large (-1 disables).
        "commandlog-reply-larger-than" => commandlog_reply_larger_than: i64 = 1_048_576, MODIFIABLE, int(-1, LONG_MAX);
        /// Entries of the log of large replies.
        "commandlog-large-reply-max-len" => commandlog_large_reply_max_len: i64 = 128, MODIFIABLE, int(0, LONG_MAX);
        /// Milliseconds from which events are kept for LATENCY (0 disables).
        "latency-monitor-threshold" => latency_monitor_threshold: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// Keep a histogram of each command's latency.
        "latency-tracking" => latency_tracking: bool = true, MODIFIABLE;
        /// Percentiles of latency that INFO shows.
        "latency-tracking-info-percentiles" => latency_tracking_info_percentiles: Percentiles = Percentiles(vec![50.0, 99.0, 99.9]), MODIFIABLE;
        /// Milliseconds after which a stall is logged (0 disables).
        "watchdog-period" => watchdog_period: i32 = 0, HIDDEN, int(0, INT_MAX);
        /// Classes of keyspace events to publish.
        "notify-keyspace-events" => notify_keyspace_events: Notify = Notify::NONE, MODIFIABLE;
    }
    section "Encodings" {
        /// Fields up to which a hash is a listpack.
        "hash-max-listpack-entries" | "hash-max-ziplist-entries" => hash_max_listpack_entries: u64 = 512, MODIFIABLE, int(0, LONG_MAX);
        /// Bytes of a field or value up to which a hash is a listpack.
        "hash-max-listpack-value" | "hash-max-ziplist-value" => hash_max_listpack_value: u64 = 64, MODIFIABLE, memory(0, LONG_MAX);
        /// Fields up to which hashes share their field names (0 disables).
        "hash-max-template-entries" => hash_max_template_entries: u64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// Fields from which hashes share their field names.
        "hash-min-template-entries" => hash_min_template_entries: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// The upper bound of sharing while loading.
        "hash-rdb-load-max-template-entries" => hash_rdb_load_max_template_entries: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// The lower bound of sharing while loading.
        "hash-rdb-load-min-template-entries" => hash_rdb_load_min_template_entries: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// Use below which a shared form is given up after loading.
        "hash-rdb-load-template-disassembly-threshold" => hash_rdb_load_template_disassembly_threshold: i64 = 0, MODIFIABLE, int(0, LONG_MAX);
        /// Size of a list's nodes: elements, or -1 to -5 for 4 to 64 KB.
        "list-max-listpack-size" | "list-max-ziplist-size" => list_max_listpack_size: i32 = -2, MODIFIABLE, int(INT_MIN, INT_MAX);
        /// Nodes at each end of a list that stay uncompressed (0 compresses none).
        "list-compress-depth" => list_compress_depth: i32 = 0, MODIFIABLE, int(0, INT_MAX);
        /// Elements up to which a set of integers is an intset.
        "set-max-intset-entries" => set_max_intset_entries: u64 = 512, MODIFIABLE, int(0, LONG_MAX);
        /// Elements up to which a set is a listpack.
        "set-max-listpack-entries" => set_max_listpack_entries: u64 = 128, MODIFIABLE, int(0, LONG_MAX);
        /// Bytes of an element up to which a set is a listpack.
        "set-max-listpack-value" => set_max_listpack_value: u64 = 64, MODIFIABLE, int(0, LONG_MAX);
        /// Members up to which a sorted set is a listpack.
        "zset-max-listpack-entries" | "zset-max-ziplist-entries" => zset_max_listpack_entries: u64 = 128, MODIFIABLE, int(0, LONG_MAX);
        /// Bytes of a member up to which a sorted set is a listpack.
        "zset-max-listpack-value" | "zset-max-ziplist-value" => zset_max_listpack_value: u64 = 64, MODIFIABLE, memory(0, LONG_MAX);
        /// Bytes up to which a HyperLogLog is sparse.
        "hll-sparse-max-bytes" => hll_sparse_max_bytes: u64 = 3000, MODIFIABLE, memory(0, LONG_MAX);
        /// Bytes of a node of a stream (0 is no limit).
        "stream-node-max-bytes" => stream_node_max_bytes: u64 = 4096, MODIFIABLE, memory(0, LONG_MAX);
        /// Entries of a node of a stream (0 is no limit).
        "stream-node-max-entries" => stream_node_max_entries: i64 = 100, MODIFIABLE, int(0, LONG_MAX);
        /// Seconds that a stream remembers the ids of its producers.
        "stream-idmp-duration" => stream_idmp_duration: i32 = 100, MODIFIABLE, int(1, 86_400);
        /// Ids of producers that a stream remembers.
        "stream-idmp-maxsize" => stream_idmp_maxsize: i32 = 100, MODIFIABLE, int(1, 10_000);
        /// Elements of a slice of an array.
        "array-slice-size" => array_slice_size: i32 = 4096, MODIFIABLE, int(256, 65_536);
        /// Elements up to which a slice of an array stays sparse.
        "array-sparse-kmax" => array_sparse_kmax: i32 = 10, MODIFIABLE, int(0, 256);
        /// Elements from which a sparse slice becomes dense.
        "array-sparse-kmin" => array_sparse_kmin: i32 = 5, MODIFIABLE, int(0, 256);
        /// Search vector sets on the main thread only.
        "vset-force-single-threaded-execution" => vset_force_single_threaded_execution: bool = false, MODIFIABLE;
    }
    section "Threads and rhythm" {
        /// Background turns each second, from 1 to 500.
        "hz" => hz: i32 = 10, MODIFIABLE, int(0, INT_MAX);
        /// More background turns when there are many clients.
        "dynamic-hz" => dynamic_hz: bool = true, MODIFIABLE;
        /// Let idle time grow and shrink the tables.
        "activerehashing" => activerehashing: bool = true, MODIFIABLE;
        /// Threads for reading and writing sockets; taken for compatibility.
        "io-threads" => io_threads: i32 = 1, IMMUTABLE, int(1, 256);
        /// Whether those threads read as well; taken for compatibility.
        "io-threads-do-reads" => io_threads_do_reads: bool = false, IMMUTABLE.or(HIDDEN);
        /// Whether those threads never rest; taken for compatibility.
        "io-threads-always-active" => io_threads_always_active: bool = false, HIDDEN;
        /// Threads from which big replies are sent without a copy.
        "min-io-threads-avoid-copy-reply" => min_io_threads_avoid_copy_reply: i32 = 7, HIDDEN, int(0, INT_MAX);
        /// Bytes from which a reply is sent without a copy.
        "min-string-size-avoid-copy-reply" => min_string_size_avoid_copy_reply: i32 = 16_384, HIDDEN, int(0, INT_MAX);
        /// The same with several threads.
        "min-string-size-avoid-copy-reply-threaded" => min_string_size_avoid_copy_reply_threaded: i32 = 65_536, HIDDEN, int(0, INT_MAX);
        /// Keys whose memory is fetched ahead in one batch (0 disables).
        "prefetch-batch-max-size" => prefetch_batch_max_size: i32 = 16, MODIFIABLE, int(0, 128);
        /// Requests of a client that are parsed ahead.
        "lookahead" => lookahead: i32 = 16, MODIFIABLE, int(1, INT_MAX);
        /// Processors for the main thread.
        "server-cpulist" | "server_cpulist" => server_cpulist: Text = Text::default(), IMMUTABLE;
        /// Processors for the background threads.
        "bio-cpulist" | "bio_cpulist" => bio_cpulist: Text = Text::default(), IMMUTABLE;
        /// Processors for rewriting the append-only file.
        "aof-rewrite-cpulist" | "aof_rewrite_cpulist" => aof_rewrite_cpulist: Text = Text::default(), IMMUTABLE;
        /// Processors for saving.
        "bgsave-cpulist" | "bgsave_cpulist" => bgsave_cpulist: Text = Text::default(), IMMUTABLE;
    }
}
