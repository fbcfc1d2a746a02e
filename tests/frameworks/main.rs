//! What applications build on a server, unmodified: queues, locks, rate limiters and sessions, each with a suite, a server and
//! processes of its own. `scripts/test` installs them at the versions that requirements.txt and package.json name.

#[path = "../support/server.rs"]
mod server;
#[path = "../support/suite.rs"]
mod suite;

fn python(script: &str) {
    suite::run(suite::python(&format!("frameworks/{script}"), "RUSSET_TEST_FRAMEWORKS_PYTHON"), script);
}

fn node(script: &str) {
    suite::run(suite::node(&format!("frameworks/{script}"), "RUSSET_TEST_FRAMEWORKS_NODE_DIR"), script);
}

#[test]
fn bullmq_works() {
    node("bullmq.cjs");
}

#[test]
fn rate_limiter_flexible_works() {
    node("rate_limiter.cjs");
}

#[test]
fn sessions_of_express_work() {
    node("express_session.cjs");
}

#[test]
fn the_lock_of_redis_py_works() {
    python("lock.py");
}

#[test]
fn rate_limits_work() {
    python("rate_limits.py");
}

#[test]
fn celery_works() {
    python("celery_suite.py");
}

#[test]
fn rq_works() {
    python("rq_suite.py");
}

#[test]
fn django_works() {
    python("django_suite.py");
}
