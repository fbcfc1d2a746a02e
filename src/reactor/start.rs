//! From the command line to a running loop.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::UnixStream;

use crate::acl;
use crate::base::disk::reason;
use crate::base::log;
use crate::base::sha;
use crate::commands;
use crate::config::file::{self, ConfigFiles, Entry, LoadError, Loaded, Role, Sources};
use crate::config::{Config, Directive, Text};
use crate::node::Node;
use crate::server::{Identity, permission};

use super::host::{Changes, Clock, RealHost, set_background_thread, set_oom_score};
use super::jobs::Jobs;
use super::main_loop::{JOBS, MainLoop};
use super::supervisor::Supervisor;
use super::title::Title;
use super::{affinity, check, listener, logging, sys, tls, tools};

/// The version of Redis whose behaviour clients are told to expect.
const PRODUCT: &str = "Redis 7.4.0";
/// Descriptors needed beside those of clients.
pub(super) const RESERVED_FILES: u64 = 32;

/// Runs the program. Under which name it was called decides what it is.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let called = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = Path::new(&called).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let words: Vec<String> = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match (words.split_first(), name.ends_with("check-rdb")) {
        (_, true) => return tools::check_rdb(&called, &words),
        (Some((tool, rest)), _) if tool == "check-rdb" => return tools::check_rdb("russet check-rdb", rest),
        (Some((tool, rest)), _) if tool == "convert" => {
            let [first, second, ..] = random_seed().map(u64::from);
            return tools::convert(rest, first << 8 | second);
        }
        _ => {}
    }
    if name.ends_with("sentinel") {
        eprintln!("Sentinel is not available in this version of Russet.");
        return ExitCode::FAILURE;
    }
    if name.ends_with("check-aof") {
        return check::aof(&arguments[1..]);
    }
    match arguments.get(1).map(|word| word.as_bytes()) {
        Some(b"check-aof") => return check::aof(&arguments[2..]),
        Some(b"-v" | b"--version") => {
            println!("Russet server v={} (compatible with {PRODUCT}) bits=64", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some(b"-h" | b"--help") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let title_area = sys::TitleArea::claim();
    match start(&called, &arguments[1..], title_area) {
        Ok(code) => ExitCode::from(code),
        Err(StartError::Unsaid(text)) => {
            eprintln!("{}", text.trim_end());
            ExitCode::FAILURE
        }
        Err(StartError::Logged) => ExitCode::FAILURE,
    }
}

/// Why the server does not start.
enum StartError {
    /// The operator has not been told yet.
    Unsaid(String),
    /// The log says it.
    Logged,
}

impl From<String> for StartError {
    fn from(text: String) -> StartError {
        StartError::Unsaid(text)
    }
}

impl StartError {
    /// Says it in the log.
    fn logged(text: &str) -> StartError {
        log::warning(text);
        StartError::Logged
    }
}

/// Directives of parts that are still to come: kept and shown, but nothing follows from them.
const WITHOUT_EFFECT: [&str; 2] = ["replicaof", "cluster-enabled"];

const USAGE: &str = "\
Usage: russet [/path/to/redis.conf | /path/to/russet.toml | -] [options]
       russet check-aof [--fix | --truncate-to-timestamp seconds] file.manifest | file.aof
       russet -v or --version
       russet -h or --help
       russet check-rdb FILE
       russet convert IN OUT [--to redis|valkey|redis-7.0|aof]

Examples:
       russet                                    serve on port 6379 with the defaults
       russet /etc/redis/6379.conf               with the directives of a file
       russet --port 7777 --maxmemory 700mb      with directives as options
       echo 'maxmemory 128mb' | russet -         with directives from standard input
";

/// Files as the configuration reads them.
struct RealFiles;

impl ConfigFiles for RealFiles {
    fn read(&mut self, path: &[u8]) -> io::Result<Vec<u8>> {
        std::fs::read(std::ffi::OsStr::from_bytes(path))
    }

    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>> {
        let pattern = String::from_utf8_lossy(pattern);
        let paths = glob::glob(&pattern).map(|paths| paths.flatten().collect::<Vec<_>>()).unwrap_or_default();
        paths.into_iter().map(|path| path.into_os_string().into_vec()).collect()
    }

    fn enter(&mut self, dir: &[u8]) -> io::Result<()> {
        std::env::set_current_dir(std::ffi::OsStr::from_bytes(dir))
    }
}

fn start(called: &str, arguments: &[OsString], title_area: Option<sys::TitleArea>) -> Result<u8, StartError> {
    let words: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
    let line = file::parse_command_line(&words);
    let mut stdin = Vec::new();
    if line.reads_stdin {
        io::stdin().read_to_end(&mut stdin).map_err(|error| reason(&error))?;
    }
    // Made absolute before `dir` changes where relative paths lead, so that CONFIG REWRITE finds the file again.
    let config_file = line.path.as_ref().map(|path| {
        let path = std::ffi::OsStr::from_bytes(path);
        std::path::absolute(path).unwrap_or_else(|_| path.into())
    });
    let sources = Sources {
        path: line.path.as_deref(),
        stdin: line.reads_stdin.then_some(stdin.as_slice()),
        options: &line.options,
    };
    let loaded = file::load(sources, Role::Server, &mut RealFiles).map_err(|error| error.report(PRODUCT))?;
    logging::probe(&loaded.config).map_err(|why| LoadError::Whole(why).report(PRODUCT))?;
    let Loaded { mut config, users, rename_commands, load_modules, module_settings, .. } = loaded;
    if config.dir.is_empty() {
        let here = std::env::current_dir().map_err(|error| reason(&error))?;
        config.dir = Text(here.into_os_string().into_vec());
    }
    let supervisor = Supervisor::find(config.supervised);
    if config.daemonize && !supervisor.is_there() {
        sys::daemonize().map_err(|error| format!("Can't daemonize: {}", reason(&error)))?;
        if config.pidfile.is_empty() {
            config.pidfile = Text::from("/var/run/redis.pid");
        }
    }
    logging::start(&config);
    supervisor.begin();
    let pid = std::process::id();
    log::notice("oO0OoO0OoO0Oo Russet is starting oO0OoO0OoO0Oo");
    log::notice(&format!("Russet version={}, bits=64, pid={pid}, just started", env!("CARGO_PKG_VERSION")));
    match &config_file {
        Some(_) => log::notice("Configuration loaded"),
        None if line.options.is_empty() && !line.reads_stdin => log::warning(&format!(
            "Warning: no config file specified, using the default config. In order to specify a config file use {called} \
             /path/to/russet.conf"
        )),
        None => log::notice("Configuration loaded"),
    }
    warn_of_missing_parts(&config);
    if let Some(module) = load_modules.first().and_then(|entry| entry.words.get(1)) {
        let path = String::from_utf8_lossy(module);
        return Err(StartError::logged(&format!("Can't load module from {path}: server aborting")));
    }
    if !module_settings.is_empty() {
        return Err(StartError::logged(
            "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
        ));
    }
    adjust_open_files(&mut config);
    if config.disable_thp {
        sys::disable_thp();
    }
    let clock = Clock::new();
    let shutting_down = Arc::new(AtomicBool::new(false));
    let tls = tls::configure(&config);
    let tls = tls.map_err(|()| StartError::logged("Failed to configure TLS. Check logs for more info."))?;
    let (listeners, signals) = open_sockets(&config, &shutting_down)?;
    listener::warn_of_source_address(&config);
    log::notice(&format!("monotonic clock: {}", clock.describe()));
    show_logo(&config, pid);
    write_pidfile(&config, pid);
    // The sink has told the operator already.
    let _ = set_oom_score(&config);
    set_background_thread(&config);
    let config_file = config_file.map(|path| path.display().to_string()).unwrap_or_default();
    let title = title_area.filter(|_| config.set_proc_title).map(|area| Title::new(area, called, &config_file));
    title.iter().for_each(|title| title.show(&config));
    let seed = random_seed();
    let identity = Identity {
        run_id: sha::sha1_hex(&seed)[..40].to_owned(),
        process_id: pid,
        executable: std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default(),
        config_file,
        supervised: supervisor.name(),
        started: clock.now().mono,
        os: operating_system(),
        monotonic_clock: clock.describe(),
    };
    let changes = Rc::new(RefCell::new(Changes { tls, ..Changes::default() }));
    let poll = mio::Poll::new().map_err(|error| reason(&error))?;
    let waker = mio::Waker::new(poll.registry(), JOBS).map_err(|error| reason(&error))?;
    let host = Box::new(RealHost { clock: clock.clone(), changes: changes.clone(), jobs: Jobs::new(waker), title });
    let seed = u64::from_le_bytes(seed[..8].try_into().expect("eight of sixteen bytes"));
    let mut node = Node::new(config, seed, clock.now(), identity, host);
    for entry in &rename_commands {
        let renamed = match entry.words.as_slice() {
            [_, name, to] => node.server.commands.rename(name, to),
            _ => false,
        };
        if !renamed {
            return Err(entry.error("No such command in rename-command").report(PRODUCT).into());
        }
    }
    load_users(&mut node, &users)?;
    let main_loop = MainLoop::new(poll, node, clock, listeners, changes, signals, shutting_down);
    let mut main_loop = main_loop.map_err(|error| reason(&error))?;
    log::notice("Server initialized");
    // The other threads run by now, on processors of their own.
    affinity::bind_thread("server-cpulist", &main_loop.config().server_cpulist.display());
    main_loop.load();
    supervisor.ready();
    let code = main_loop.run();
    supervisor.stopping();
    Ok(code)
}

/// Makes the users of the configuration, or of the ACL file.
fn load_users(node: &mut Node, users: &[Entry]) -> Result<(), StartError> {
    let server = &mut node.server;
    let path = server.config.aclfile.display().into_owned();
    if !users.is_empty() && !path.is_empty() {
        return Err(StartError::logged(
            "Configuring Russet with users defined in its configuration file and at the same setting an ACL file path is \
             invalid. This setup is very likely to lead to configuration errors and security holes, please define either an \
             ACL file or declare users directly in the configuration file, but not both.",
        ));
    }
    let new = permission::new_channels(server);
    for entry in users {
        let [_, name, rules @ ..] = entry.words.as_slice() else { continue };
        let rules: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
        let user = acl::file::parse_user(&server.acl, name, &rules, new).map_err(|error| {
            let name = String::from_utf8_lossy(name);
            entry.error(format!("Error in user declaration '{name}': {}", error.bare_text())).report(PRODUCT)
        })?;
        server.acl.put(user);
    }
    if !path.is_empty() {
        let read = commands::acl::users_of_file(server, &path);
        let users =
            read.map_err(|why| StartError::logged(&format!("Aborting startup because of ACL errors: {why}")))?;
        server.acl.replace_all(users);
    }
    Ok(())
}

fn warn_of_missing_parts(config: &Config) {
    let default = Config::default();
    for directive in WITHOUT_EFFECT.iter().filter_map(|name| Directive::find(name.as_bytes())) {
        if !directive.is_equal(config, &default) {
            log::warning(&format!("WARNING: {} has no effect in this version of Russet.", directive.name()));
        }
    }
}

fn open_sockets(
    config: &Config,
    shutting_down: &Arc<AtomicBool>,
) -> Result<(Vec<listener::Listener>, UnixStream), StartError> {
    let ports = [
        (config.port, "tcp", listener::listen_tcp as fn(&Config) -> io::Result<Vec<listener::Listener>>),
        (config.tls_port, "tls", listener::listen_tls),
    ];
    let mut listeners = Vec::new();
    for (port, kind, listen) in ports {
        let failed = || StartError::logged(&format!("Failed listening on port {port} ({kind}), aborting."));
        let found = listen(config).map_err(|_| failed())?;
        // Without any address to bind to there may still be a Unix socket.
        if port != 0 && found.is_empty() && !config.bind.0.is_empty() {
            return Err(failed());
        }
        listeners.extend(found);
    }
    let unix = listener::listen_unix(config)
        .map_err(|error| StartError::logged(&format!("Failed opening Unix socket: bind: {}", reason(&error))))?;
    listeners.extend(unix);
    if listeners.is_empty() {
        return Err(StartError::logged("Configured to not listen anywhere, exiting."));
    }
    let signals = (|| {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        for signal in [libc::SIGTERM, libc::SIGINT] {
            register_signal(signal, writer.try_clone()?, shutting_down.clone())?;
        }
        // A terminal that is closed does not end the server. Nobody asks whether this was set.
        signal_hook::flag::register(libc::SIGHUP, Arc::default())?;
        io::Result::Ok(UnixStream::from_std(reader))
    })();
    let signals = signals.map_err(|error| reason(&error))?;
    Ok((listeners, signals))
}

/// Makes a signal write its number into the stream. A SIGINT while one is being obeyed ends the process: the loop may be
/// busy with the last save.
fn register_signal(
    signal: i32,
    writer: std::os::unix::net::UnixStream,
    shutting_down: Arc<AtomicBool>,
) -> io::Result<()> {
    let (mut reader, inner) = std::os::unix::net::UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal, inner)?;
    std::thread::Builder::new().name(format!("signal-{signal}")).spawn(move || {
        use std::io::Write;
        let mut writer = writer;
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() {
            if shutting_down.swap(true, Ordering::Relaxed) && signal == libc::SIGINT {
                log::warning("You insist... exiting now.");
                // It is there if that save was being written.
                let _ = std::fs::remove_file(format!("temp-{}.rdb", std::process::id()));
                sys::exit_at_once(1);
            }
            if writer.write_all(&[signal as u8]).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn adjust_open_files(config: &mut Config) {
    let wanted = u64::from(config.maxclients) + RESERVED_FILES;
    let limit = sys::raise_open_files(wanted);
    if limit < wanted {
        let old = config.maxclients;
        config.maxclients = limit.saturating_sub(RESERVED_FILES).max(1) as u32;
        log::warning(&format!(
            "You requested maxclients of {old} requiring at least {wanted} max file descriptors. Current maximum open files \
             is {limit}. maxclients has been reduced to {} to compensate for low ulimit.",
            config.maxclients
        ));
    }
}

fn show_logo(config: &Config, pid: u32) {
    let show = config.always_show_logo
        || (!config.daemonize && config.logfile.is_empty() && !config.syslog_enabled && sys::stdout_is_terminal());
    let port = if config.port != 0 { config.port } else { config.tls_port };
    if !show {
        log::notice(&format!("Running mode=standalone, port={port}."));
        return;
    }
    println!(
        "\n    .--.      Russet {} ({PRODUCT} protocol)\n   /  \\ \\     Running in standalone mode\n  |    | |    Port: {port}\n   \
         \\  / /     PID: {pid}\n    `--'\n",
        env!("CARGO_PKG_VERSION")
    );
}

fn write_pidfile(config: &Config, pid: u32) {
    if config.pidfile.is_empty() {
        return;
    }
    if let Err(error) = std::fs::write(config.pidfile.display().as_ref(), format!("{pid}\n")) {
        log::warning(&format!("Failed to write PID file: {}", reason(&error)));
    }
}

fn random_seed() -> [u8; 16] {
    let mut seed = [0; 16];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    if read.is_err() {
        // Without a source of entropy the time is what there is.
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        seed.copy_from_slice(&time.as_nanos().to_le_bytes());
    }
    seed
}

fn operating_system() -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    format!("{} {} {}", read("ostype").trim(), read("osrelease").trim(), std::env::consts::ARCH)
}
