//! Commands of Redis and Valkey that are not there, as rules of users name them: a file of users that allows `psync` or denies
//! `migrate` must be read, shown and written again as it is. The server itself answers them as unknown commands.
//! Whoever adds one of them takes it from this list; a test of the table of commands says so.

use crate::spec::Categories as C;

const ADMIN: C = C::ADMIN.or(C::DANGEROUS).or(C::SLOW);
const WRITER: C = C::KEYSPACE.or(C::WRITE).or(C::SLOW);

/// Their full names, by their categories.
pub(super) const ABSENT: [(C, &[&str]); 9] = [
    (
        ADMIN,
        &[
            "cluster|addslots",
            "cluster|addslotsrange",
            "cluster|bumpepoch",
            "cluster|cancelslotmigrations",
            "cluster|count-failure-reports",
            "cluster|delslots",
            "cluster|delslotsrange",
            "cluster|failover",
            "cluster|flushslots",
            "cluster|forget",
            "cluster|getslotmigrations",
            "cluster|meet",
            "cluster|migrateslots",
            "cluster|migration",
            "cluster|replicas",
            "cluster|replicate",
            "cluster|reset",
            "cluster|saveconfig",
            "cluster|set-config-epoch",
            "cluster|setslot",
            "cluster|slaves",
            "cluster|syncslots",
            "failover",
            "hotkeys|get",
            "hotkeys|reset",
            "hotkeys|start",
            "hotkeys|stop",
            "module|list",
            "module|load",
            "module|loadex",
            "module|unload",
            "psync",
            "replconf",
            "replicaof",
            "slaveof",
            "sync",
        ],
    ),
    (
        C::SLOW,
        &[
            "cluster",
            "cluster|countkeysinslot",
            "cluster|getkeysinslot",
            "cluster|help",
            "cluster|info",
            "cluster|keyslot",
            "cluster|links",
            "cluster|myid",
            "cluster|myshardid",
            "cluster|nodes",
            "cluster|shards",
            "cluster|slot-stats",
            "cluster|slots",
            "hotkeys",
            "hotkeys|help",
            "module",
            "module|help",
        ],
    ),
    (C::KEYSPACE.or(C::READ).or(C::SLOW), &["clusterscan"]),
    (ADMIN.or(WRITER), &["cluster|flushslot"]),
    (WRITER.or(C::DANGEROUS), &["migrate", "trimslots"]),
    (C::CONNECTION.or(C::FAST), &["asking", "readonly", "readwrite"]),
    (C::CONNECTION.or(C::SLOW), &["client|capa", "client|import-source"]),
    (C::HASH.or(C::SLOW), &["himport", "himport|discard", "himport|discardall", "himport|prepare"]),
    (C::HASH.or(C::SLOW).or(C::WRITE), &["himport|set"]),
];
