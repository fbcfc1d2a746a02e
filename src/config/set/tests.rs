use super::*;
use crate::config::Text;

const OPEN: Permit = Permit { protected: true, loading: false };

fn set_one(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    set(config, &[(name.as_bytes(), value.as_bytes())], OPEN, &mut |_, _| Ok(()))
}

#[test]
fn refusals_read_as_those_of_redis() {
    let table = [
        ("timeout", "abc", "argument couldn't be parsed into an integer"),
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("timeout", " 1", "argument couldn't be parsed into an integer"),
        ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
        ("loglevel", "foo", "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"),
        ("maxmemory", "abc", "argument must be a memory value"),
        ("maxmemory", "-1", "argument must be a memory value"),
        ("maxmemory", "99999999999999999999", "argument must be greater or equal to 0"),
        ("maxmemory", "18446744073709551615", "argument must be greater or equal to 0"),
        ("tracking-table-max-keys", "-1", "argument must be greater or equal to 0"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "-5%", "argument must be a memory or percent value"),
        ("maxmemory-clients", "x", "argument must be a memory or percent value"),
        ("save", "abc", "Invalid save parameters"),
        ("save", "60 1 ", "Invalid save parameters"),
        ("save", "100 -1", "Invalid save parameters"),
        ("client-output-buffer-limit", "foo 1 2 3", "Invalid client class specified in buffer limit configuration."),
        (
            "client-output-buffer-limit",
            "normal x 2 3",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        ("oom-score-adj-values", "1  2 3", "wrong number of arguments"),
        ("oom-score-adj-values", "1 2 x", "Invalid oom-score-adj-values, elements must be between -2000 and 2000."),
        (
            "latency-tracking-info-percentiles",
            "50 101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        ("latency-tracking-info-percentiles", "50 x", "Invalid latency-tracking-info-percentiles parameters"),
        ("notify-keyspace-events", "KEAq", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("daemonize", "yes", "can't set immutable config"),
        (
            "tls-expected-peer-name",
            "  ",
            "tls-expected-peer-name contains no usable name; use an empty string to disable it",
        ),
        (
            "tls-expected-peer-name",
            "a\tb",
            "tls-expected-peer-name must not contain whitespace other than spaces separating names; use an empty string to \
             disable it",
        ),
        ("cluster-announce-hostname", "a_b", "Hostnames may only contain alphanumeric characters, hyphens or dots"),
        ("proc-title-template", "{foo}", "template format is invalid or contains unknown variables"),
        ("shutdown-on-sigterm", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
        ("dbfilename", "a/b", "dbfilename can't be a path, just a filename"),
        ("slowlog-log-slower-than", "-2", "argument must be between -1 and 9223372036854775807 inclusive"),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("client-query-buffer-limit", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("repl-backlog-size", "0", "argument must be between 1 and 9223372036854775807 inclusive"),
    ];
    let mut config = Config::default();
    for (name, value, reason) in table {
        let text = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(set_one(&mut config, name, value), Err(text));
    }
    assert_eq!(
        set_one(&mut config, "foo", ""),
        Err("ERR Unknown option or number of arguments for CONFIG SET - 'foo'".into())
    );
    let closed = Permit { protected: false, loading: true };
    let refused = set(&mut config, &[(b"dir", b"/")], closed, &mut |_, _| Ok(()));
    assert!(refused.is_err_and(|text| text.ends_with("can't set protected config")));
    let twice: [(&[u8], &[u8]); 2] = [(b"timeout", b"1"), (b"TIMEOUT", b"2")];
    assert!(
        set(&mut config, &twice, OPEN, &mut |_, _| Ok(())).is_err_and(|text| text.ends_with("duplicate parameter"))
    );
    assert_eq!(config, Config::default());
}

#[test]
fn several_are_set_all_or_none() {
    let mut config = Config::default();
    let pairs: [(&[u8], &[u8]); 3] = [(b"timeout", b"5"), (b"maxclients", b"10000"), (b"port", b"1")];
    let mut told = Vec::new();
    let result = set(&mut config, &pairs, OPEN, &mut |directive, config| {
        told.push((directive.name(), config.timeout, config.port));
        if config.port == 1 && directive.name() == "port" {
            Err("Unable to listen on this port".to_owned())
        } else {
            Ok(())
        }
    });
    assert_eq!(
        result,
        Err("ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port".into())
    );
    assert_eq!(told, [("timeout", 5, 1), ("port", 5, 1), ("timeout", 0, 6379), ("port", 0, 6379)]);
    assert_eq!(config, Config::default());
    let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"5"), (b"port", b"x")];
    assert!(set(&mut config, &pairs, OPEN, &mut |_, _| Err("not reached".to_owned())).is_err());
    assert_eq!(config.timeout, 0);
}

#[test]
fn get_finds_names_patterns_and_aliases() {
    let config = Config::default();
    let names = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        get(&config, &patterns).iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    };
    assert_eq!(names(&["*-read-only"]), ["replica-read-only", "slave-read-only"]);
    assert_eq!(names(&["CLUSTER-PING-INTERVAL", "timeout", "TIMEOUT"]), ["CLUSTER-PING-INTERVAL", "timeout"]);
    assert!(names(&["cluster-ping*", "nothing"]).is_empty());
    assert_eq!(get(&config, &[b"save"])[0].1, b"3600 1 300 100 60 10000");
    assert_eq!(get(&config, &[b"hash-max-ziplist-entries"])[0].1, b"512");
}

#[test]
fn what_get_shows_set_takes() {
    let mut config = Config::default();
    let odd: [(&str, &str, &str); 10] = [
        ("hz", "1000", "500"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "Kgl", "glK"),
        ("maxmemory", "1gb", "1073741824"),
        ("maxmemory-clients", "5%", "5%"),
        ("latency-tracking-info-percentiles", "50.10 99.999", "50.1 99.999"),
        ("client-output-buffer-limit", "replica 1mb 2 3", "normal 0 0 0 slave 1048576 2 3 pubsub 33554432 8388608 60"),
        ("shutdown-on-sigterm", "force nosave", "nosave force"),
        ("maxmemory-policy", "ALLKEYS-LRM", "allkeys-lrm"),
        ("bind", "", ""),
    ];
    for (name, value, shown) in odd {
        assert_eq!(set_one(&mut config, name, value), Ok(()), "{name}");
        assert_eq!(get(&config, &[name.as_bytes()])[0].1, shown.as_bytes(), "{name}");
        config.check_invariants();
    }
    config.requirepass = Text::from("a b\"\\");
    let before = config.clone();
    for directive in DIRECTIVES.iter().filter(|directive| !directive.flags.contains(Flags::IMMUTABLE)) {
        let value = directive.show(&config);
        let mut is_applied = false;
        let result = set(&mut config, &[(directive.name().as_bytes(), &value)], OPEN, &mut |_, _| {
            is_applied = true;
            Ok(())
        });
        assert_eq!(result, Ok(()), "{}", directive.name());
        // Only what names something that may have changed follows from the same value.
        assert_eq!(is_applied, directive.flags.contains(Flags::VOLATILE), "{}", directive.name());
    }
    assert_eq!(config, before);
}

#[test]
fn names_are_unique_and_in_lower_case() {
    let mut names: Vec<&str> = DIRECTIVES.iter().flat_map(|directive| directive.names).copied().collect();
    let is_plain = |name: &&str| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    assert!(names.iter().all(is_plain) && DIRECTIVES.iter().all(|directive| !directive.doc.is_empty()));
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
