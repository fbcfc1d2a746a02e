//! What follows from the configuration: at the start, and after CONFIG SET.

use crate::config::MaxmemoryPolicy;
use crate::keyspace::AccessPolicy;

use super::{Server, permission};

/// Brings everything in line after CONFIG SET changed these directives.
pub fn apply_changes(server: &mut Server, changed: &[&str]) {
    apply_config(server);
    if changed.contains(&"requirepass") {
        let password = server.config.requirepass.to_vec();
        server.acl.set_default_password(&password);
        permission::follow_users(server, None);
    }
    if changed.contains(&"latency-tracking") && !server.config.latency_tracking {
        server.commands.forget_histograms();
    }
}

/// Brings what follows from the configuration in line with it: at the start and after CONFIG SET.
pub fn apply_config(server: &mut Server) {
    let config = &server.config;
    let policy = &mut server.keyspace.policy;
    let access = match config.maxmemory_policy {
        MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => AccessPolicy::Lfu,
        MaxmemoryPolicy::AllkeysLrm | MaxmemoryPolicy::VolatileLrm => AccessPolicy::Lrm,
        _ => AccessPolicy::Lru,
    };
    policy.access = access;
    policy.lfu_log_factor = config.lfu_log_factor as u32;
    policy.lfu_decay_time = config.lfu_decay_time as u32;
    policy.lazyfree_lazy_expire = config.lazyfree_lazy_expire;
    policy.lazyfree_lazy_eviction = config.lazyfree_lazy_eviction;
    policy.lazyfree_lazy_server_del = config.lazyfree_lazy_server_del;
    policy.lazyfree_lazy_user_del = config.lazyfree_lazy_user_del;
    server.keyspace.events.notify_flags = config.notify_keyspace_events;
    server.keyspace.reset_eviction_pool();
}
