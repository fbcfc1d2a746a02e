use super::*;
use crate::base::glob::{Case, is_match};
use crate::base::rng::Rng;
use crate::config::rewrite::{Extent, rewrite_file};
use crate::config::{DIRECTIVES, Flags, SavePoint, SavePoints, Text};
use std::collections::BTreeMap;

/// Files in memory.
pub(crate) struct Memory {
    files: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Memory {
    pub(crate) fn new(files: &[(&str, &str)]) -> Memory {
        let files = files.iter().map(|(path, text)| (path.as_bytes().to_vec(), text.as_bytes().to_vec()));
        Memory { files: files.collect() }
    }
}

impl ConfigFiles for Memory {
    fn read(&mut self, path: &[u8]) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>> {
        self.files.keys().filter(|path| is_match(pattern, path, Case::Sensitive)).cloned().collect()
    }

    fn enter(&mut self, dir: &[u8]) -> io::Result<()> {
        if dir == b"/nonexistent" { Err(io::Error::from_raw_os_error(2)) } else { Ok(()) }
    }
}

fn load_conf(text: &str) -> Result<Loaded, LoadError> {
    load_with(text, &[])
}

fn load_with(text: &str, arguments: &[&str]) -> Result<Loaded, LoadError> {
    let mut files = Memory::new(&[
        ("a.conf", text),
        ("inc1.conf", "hz 20\n"),
        ("inc2.conf", "port 5\n"),
        ("loop", "include loop\n"),
    ]);
    let mut all = vec!["a.conf".as_bytes()];
    all.extend(arguments.iter().map(|argument| argument.as_bytes()));
    let line = parse_command_line(&all);
    let sources = Sources { path: line.path.as_deref(), stdin: None, options: &line.options };
    load(sources, Role::Server, &mut files)
}

fn refusal(text: &str, arguments: &[&str]) -> String {
    match load_with(text, arguments) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.report("Redis 8.2.3"),
    }
}

#[test]
fn an_empty_line_stands_before_the_options() {
    let line = |stdin: Option<&[u8]>| {
        let sources = Sources { path: None, stdin, options: b"port abc" };
        match load(sources, Role::Server, &mut Memory::new(&[])) {
            Err(LoadError::Line { number, .. }) => number,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([line(None), line(Some(b"hz 1")), line(Some(b"hz 1\n"))], [2, 2, 3]);
}

#[test]
fn errors_read_as_those_of_redis() {
    let table: &[(&str, &[&str], &str)] = &[
        ("timeout abc", &[], "2\n>>> 'timeout abc'\nargument couldn't be parsed into an integer"),
        ("timeout", &[], "2\n>>> 'timeout'\nwrong number of arguments"),
        ("timeout 1 2", &[], "2\n>>> 'timeout 1 2'\nwrong number of arguments"),
        ("bar \"abc", &[], "2\n>>> 'bar \"abc'\nUnbalanced quotes in configuration line"),
        (
            "loglevel foo",
            &[],
            "2\n>>> 'loglevel foo'\nargument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
        (
            "user foo\nuser foo",
            &[],
            "3\n>>> 'user foo'\nError in user declaration 'foo': Duplicate user found. A user can only be defined once in config files",
        ),
        ("user", &[], "2\n>>> 'user'\nBad directive or wrong number of arguments"),
        ("replicaof a", &[], "2\n>>> 'replicaof a'\nwrong number of arguments"),
        ("replicaof a abc", &[], "2\n>>> 'replicaof a abc'\nInvalid master port"),
        ("save 1", &[], "2\n>>> 'save 1'\nInvalid save parameters"),
        (
            "client-output-buffer-limit normal 1",
            &[],
            "2\n>>> 'client-output-buffer-limit normal 1'\nWrong number of arguments in buffer limit configuration.",
        ),
        ("appenddirname a/b", &[], "2\n>>> 'appenddirname a/b'\nappenddirname can't be a path, just a dirname"),
        ("appenddirname ''", &[], "2\n>>> 'appenddirname '''\nappenddirname can't be empty"),
        ("dir /nonexistent", &[], "2\n>>> 'dir /nonexistent'\nNo such file or directory"),
        ("unixsocketperm abc", &[], "2\n>>> 'unixsocketperm abc'\nargument couldn't be parsed as an octal number"),
        ("unixsocketperm 1000", &[], "2\n>>> 'unixsocketperm 1000'\nargument must be between 0 and 777 inclusive"),
        ("port 99999", &[], "2\n>>> 'port 99999'\nargument must be between 0 and 65535 inclusive"),
        ("oom-score-adj-values 1 2", &[], "2\n>>> 'oom-score-adj-values 1 2'\nwrong number of arguments"),
        (
            "sentinel monitor a b c d",
            &[],
            "2\n>>> 'sentinel monitor a b c d'\nsentinel directive while not in sentinel mode",
        ),
        ("port 1 #comment", &[], "2\n>>> 'port 1 #comment'\nwrong number of arguments"),
        ("loglevel 'notice'x", &[], "2\n>>> 'loglevel 'notice'x'\nUnbalanced quotes in configuration line"),
        ("\"\"", &[], "2\n>>> '\"\"'\nBad directive or wrong number of arguments"),
        (
            "bind 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
            &[],
            "2\n>>> 'bind 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7'\nToo many bind addresses specified.",
        ),
        ("include", &[], "2\n>>> 'include'\nBad directive or wrong number of arguments"),
        ("foo bar", &[], "2\n>>> 'foo bar'\nBad directive or wrong number of arguments"),
        ("hz 1", &["--timeout", "abc"], "4\n>>> 'timeout \"abc\"'\nargument couldn't be parsed into an integer"),
        ("hz 1", &["--port"], "4\n>>> 'port'\nwrong number of arguments"),
        ("hz 1", &["--port", "1", "2"], "4\n>>> 'port \"1\" \"2\"'\nwrong number of arguments"),
        ("hz 1", &["--port", "--bla"], "4\n>>> 'port \"--bla\"'\nargument couldn't be parsed into an integer"),
        ("hz 1", &["--replicaof", "127.0.0.1", "abc"], "4\n>>> 'replicaof \"127.0.0.1\" \"abc\"'\nInvalid master port"),
        (
            "hz 1",
            &["--user", "foo", "--user", "foo"],
            "5\n>>> 'user \"foo\"'\nError in user declaration 'foo': Duplicate user found. A user can only be defined once in config files",
        ),
        (
            "hz 1",
            &["--save", "--loglevel", "foo"],
            "5\n>>> 'loglevel \"foo\"'\nargument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
    ];
    for (line, arguments, message) in table {
        let head = "\n*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\nReading the configuration file, at line ";
        assert_eq!(
            refusal(&format!("# first\n{line}\n"), arguments),
            format!("{head}{message}\n"),
            "{line} {arguments:?}"
        );
    }
    assert_eq!(
        refusal("include nofile.conf", &[]),
        "Fatal error, can't open config file 'nofile.conf': No such file or directory\n"
    );
    let whole = "\n*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\nreplicaof directive not allowed in cluster mode\n";
    assert_eq!(refusal("cluster-enabled yes\nreplicaof a 1", &[]), whole);
    assert!(refusal("include loop", &[]).contains("nested too deeply"));
}

#[test]
fn lines_are_read_in_order_and_lists_add_up() {
    let text = "SAVE 1 2\r\nsave 3 4\n  # note\nport 1\nport 2\ninclude inc*.conf\nlogfile \"a\\x41\"\nbind 127.0.0.1 ::1\n\
                rename-command GET \"\"\nuser bob on\nmy.setting 1\nloadmodule /m a b\nreplicaof no one\nslave-priority 3\n\
                client-output-buffer-limit pubsub 1mb 2 3\nshutdown-on-sigterm nosave now\nlua-replicate-commands yes\n";
    let loaded = load_conf(text).unwrap_or_else(|error| panic!("{}", error.report("")));
    let config = &loaded.config;
    config.check_invariants();
    let points = vec![SavePoint { seconds: 1, changes: 2 }, SavePoint { seconds: 3, changes: 4 }];
    assert_eq!(config.save, SavePoints(points));
    assert_eq!((config.port, config.hz, config.replica_priority), (5, 20, 3));
    assert_eq!(config.logfile, Text::from("aA"));
    assert_eq!(config.bind.0.len(), 2);
    assert_eq!(config.client_output_buffer_limit.pubsub.hard_bytes, 1 << 20);
    assert_eq!(loaded.rename_commands[0].words[2], b"");
    assert_eq!((loaded.users.len(), loaded.load_modules.len(), loaded.module_settings.len()), (1, 1, 1));
    assert_eq!(load_conf("save ''").map(|loaded| loaded.config.save.0.len()).unwrap_or(9), 0);
    assert_eq!(load_conf("save 1 1\nsave ''").map(|loaded| loaded.config.save.0.len()).unwrap_or(9), 0);
}

#[test]
fn the_command_line_becomes_lines() {
    let options = |arguments: &[&str]| {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        parse_command_line(&arguments)
    };
    let line = options(&["--maxmemory '700mb'", "--save", "--hz", "7"]);
    assert_eq!(String::from_utf8_lossy(&line.options), "maxmemory '700mb' \nsave \"\"\nhz \"7\" ");
    assert_eq!(options(&["--save"]).options, b"save \"\"");
    assert_eq!(
        options(&["--proc-title-template", "--my--title", "--hz", "1"]).options,
        b"proc-title-template \"--my--title\" \nhz \"1\" "
    );
    let line = options(&["a.conf", "--port", "1", "-"]);
    assert!(line.reads_stdin && line.path.as_deref() == Some(b"a.conf"));
    assert!(options(&["-", "--port", "1"]).reads_stdin);
    let loaded = load_with("port 1", &["--port 9", "--shutdown-on-sigint", "nosave force", "--save", ""]);
    let config = loaded.unwrap_or_else(|error| panic!("{}", error.report(""))).config;
    assert_eq!((config.port, config.shutdown_on_sigint.0, config.save.0.len()), (9, 10, 0));
}

#[test]
fn toml_says_the_same() {
    let text = "# note\nport = 1_000\nappendonly = true\nsave = [[1, 2], \"3 4\"]\nbind = [\"127.0.0.1\", \"::1\"]\n\
                user = [\"bob on >x\", [\"al\", \"off\"]]\nlatency-tracking-info-percentiles = [50, 99.9]\nrename-command = ['GET \"\"']\n\
                maxmemory = \"1gb\"\nrequirepass = \"a b\"\nunixsocketperm = \"700\"\n";
    let read = |text: &str| {
        let mut files = Memory::new(&[("a.toml", text)]);
        load(Sources { path: Some(b"a.toml"), ..Sources::default() }, Role::Server, &mut files)
    };
    let loaded = read(text).unwrap_or_else(|error| panic!("{}", error.report("")));
    let config = &loaded.config;
    assert_eq!((config.port, config.appendonly, config.save.0.len(), config.bind.0.len()), (1000, true, 2, 2));
    assert_eq!(config.latency_tracking_info_percentiles.0, [50.0, 99.9]);
    assert_eq!((config.maxmemory, config.unixsocketperm, &*config.requirepass), (1 << 30, 0o700, b"a b".as_slice()));
    assert_eq!(
        (loaded.users[1].words[1].as_slice(), loaded.rename_commands[0].words[2].as_slice()),
        (b"al".as_slice(), b"".as_slice())
    );
    for (text, number) in [
        ("port = 1\nhz = \n", 2),
        ("a = {}\n", 1),
        ("\n\nfoo = 1", 3),
        ("port = 1\nport = 2", 2),
        ("hz = 1979-05-27", 1),
    ] {
        match read(text) {
            Err(LoadError::Line { number: at, .. }) => assert_eq!(at, number, "{text}"),
            other => panic!("{text}: {:?}", other.map(|_| ())),
        }
    }
}

#[test]
fn noise_is_refused_or_read_but_never_a_panic() {
    let mut rng = Rng::new(9);
    for round in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..rng.below(4) {
            let directive = &DIRECTIVES[rng.below(DIRECTIVES.len() as u64) as usize];
            text.extend_from_slice(directive.name().as_bytes());
            text.extend_from_slice(if round % 2 == 0 { b" " } else { b" = " });
            text.extend((0..rng.below(12)).map(|_| b"019-%mbkg \"'\\xy[],.="[rng.below(20) as usize]));
            text.push(b'\n');
        }
        if round % 7 == 0 {
            text.extend((0..rng.below(30)).map(|_| rng.next_u64() as u8));
        }
        let path = if round % 2 == 0 { "a" } else { "a.toml" };
        let mut files = Memory::new(&[]);
        files.files.insert(path.into(), text);
        if let Ok(loaded) =
            load(Sources { path: Some(path.as_bytes()), ..Sources::default() }, Role::Server, &mut files)
        {
            loaded.config.check_invariants();
            // All of it anew, and the file it came from with some of it changed.
            let changed = Config { maxclients: 77, save: Config::default().save, ..loaded.config.clone() };
            let old = files.files.get(path.as_bytes()).cloned().unwrap_or_default();
            for (config, old, extent) in [(&loaded.config, &[][..], Extent::All), (&changed, &old, Extent::Needed)] {
                let Ok(new) = rewrite_file(path.as_bytes(), old, config, &[], extent) else {
                    panic!("what was read from this file can be written to it: {old:?}");
                };
                files.files.insert(path.into(), new);
                let reloaded =
                    load(Sources { path: Some(path.as_bytes()), ..Sources::default() }, Role::Server, &mut files);
                let reloaded = reloaded.unwrap_or_else(|error| panic!("{}", error.report("")));
                assert_eq!(&reloaded.config, config);
            }
        }
    }
    assert!(DIRECTIVES.iter().any(|directive| directive.flags.contains(Flags::HIDDEN)));
}
