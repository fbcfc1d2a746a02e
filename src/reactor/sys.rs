//! System calls that std lacks. The only unsafe code outside storage.
#![allow(unsafe_code)]

use std::ffi::CString;

/// The local time of a moment: year, month (0-11), day, hour, minute, second; and by how many seconds it is ahead of UTC.
pub fn local_time(unix_seconds: i64) -> ([i32; 6], i64) {
    // SAFETY: tm is plain data for which zeros are valid.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    let seconds: libc::time_t = unix_seconds;
    // SAFETY: both pointers are to live values of the right types.
    unsafe { libc::localtime_r(&seconds, &mut tm) };
    ([tm.tm_year + 1900, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec], tm.tm_gmtoff)
}

/// Raises the limit of open files to `wanted` if it is lower. Returns the limit in force.
pub fn raise_open_files(wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return 1024;
    }
    if limit.rlim_cur >= wanted {
        return limit.rlim_cur;
    }
    let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max.max(wanted) };
    // SAFETY: the pointer is to a live rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
        return wanted;
    }
    let most = libc::rlimit { rlim_cur: limit.rlim_max.min(wanted), rlim_max: limit.rlim_max };
    // SAFETY: the pointer is to a live rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &most) } == 0 { most.rlim_cur } else { limit.rlim_cur }
}

/// Bytes of a page of memory, the unit of /proc/self/statm.
pub fn page_bytes() -> usize {
    // SAFETY: sysconf takes a number and touches no memory of ours.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Gives this thread a smaller share of a processor that others want as well; when it has something to do it waits until
/// who has the processor lets go of it.
pub(super) fn lower_priority(niceness: i32) {
    // SAFETY: a plain call; zero names the calling thread. To ask for less is always allowed; without it, no harm is done.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
    #[cfg(target_os = "linux")]
    {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the pointer is to live parameters; zero names the calling thread. As above.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
    }
}

/// Asks for processors in slices of so many microseconds, sooner in return where threads with longer ones have them. Systems
/// that know no such slices (Linux before 6.12 among them) go on as they do. <https://docs.kernel.org/scheduler/sched-eevdf.html>
pub(super) fn shorten_slice(us: u64) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the attributes are plain data for which zeros are valid.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>() as u32;
        // SAFETY: the pointer is to live attributes of the size given; the first zero is this thread, the last no flags.
        let told = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &mut attributes, size, 0) } == 0;
        // A kernel without such slices tells of none.
        if told && attributes.sched_runtime > 0 {
            attributes.sched_runtime = us * 1000;
            // SAFETY: as above. If it is refused, nothing changes.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &attributes, 0) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = us;
}

/// Microseconds of a processor that this thread has used; none if the system does not tell.
pub fn thread_cpu_us() -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } == 0;
    told.then_some(time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000)
}

/// The processor that this thread runs on at the moment; none if the system does not tell.
pub fn current_cpu() -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: no arguments, no effects.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Lets the kernel begin to write what a file's pages hold, so that a later sync finds little to do.
pub fn start_sync(file: &std::fs::File) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open for as long as `file` is borrowed. Failure costs nothing but time later.
        unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// CPU seconds of the process, this thread, and ended children: kernel and user mode of each.
pub fn cpu_seconds() -> [f64; 6] {
    let mut all = [0.0; 6];
    let whos = [libc::RUSAGE_SELF, libc::RUSAGE_THREAD, libc::RUSAGE_CHILDREN];
    for (index, who) in whos.into_iter().enumerate() {
        // SAFETY: rusage is plain data for which zeros are valid; the pointer is to a live one.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(who, &mut usage);
            usage
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        all[index * 2] = seconds(usage.ru_stime);
        all[index * 2 + 1] = seconds(usage.ru_utime);
    }
    all
}

/// Detaches from the terminal: forks, ends the parent, starts a session, points the standard streams to /dev/null.
/// Must be called before any thread is started.
///
/// # Errors
/// As fork's.
pub fn daemonize() -> std::io::Result<()> {
    // SAFETY: no other thread exists, so the child is a whole copy; the parent leaves without running destructors.
    unsafe {
        match libc::fork() {
            -1 => return Err(std::io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null >= 0 {
            for stream in 0..3 {
                libc::dup2(null, stream);
            }
            if null > 2 {
                libc::close(null);
            }
        }
    }
    Ok(())
}

/// Stops this process until somebody lets it go on.
pub fn stop_self() {
    // SAFETY: raise takes a number and touches no memory of ours.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Lets the calling thread run on these processors only.
///
/// # Errors
/// As sched_setaffinity's; unsupported where there is no such call.
pub fn bind_thread_to(processors: &[usize]) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the set is plain data for which zeros are valid.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        for &processor in processors.iter().filter(|&&processor| processor < libc::CPU_SETSIZE as usize) {
            // SAFETY: the number lies within the set.
            unsafe { libc::CPU_SET(processor, &mut set) };
        }
        // SAFETY: the pointer is to a live set of the size given; 0 is this thread.
        match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
    #[cfg(not(target_os = "linux"))]
    Err(std::io::Error::other(format!("cannot bind a thread to {} processors here", processors.len())))
}

/// The number of a group, if the system knows the name.
pub fn group_id(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    let mut buffer = [0; 16 * 1024];
    // SAFETY: group is plain data for which zeros are valid.
    let mut group: libc::group = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: the name is NUL-terminated, the buffer has the length given, and all pointers are to live values.
    let code = unsafe { libc::getgrnam_r(name.as_ptr(), &mut group, buffer.as_mut_ptr(), buffer.len(), &mut found) };
    (code == 0 && !found.is_null()).then_some(group.gr_gid)
}

/// Sends a line to syslog.
pub fn syslog(priority: i32, text: &str) {
    if let Ok(text) = CString::new(text) {
        // SAFETY: the format takes one string, which is NUL-terminated.
        unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
    }
}

/// Opens syslog under a name that lives as long as the process.
pub fn open_syslog(ident: &str, facility: i32) {
    if let Ok(ident) = CString::new(ident) {
        // SAFETY: openlog keeps the pointer, so the string is leaked.
        unsafe { libc::openlog(ident.into_raw(), libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT, facility) };
    }
}

/// Keeps transparent huge pages away from this process.
pub fn disable_thp() {
    // SAFETY: prctl with these constants takes plain integers.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Does the processor count cycles at one rate, whatever its frequency and idle states?
pub fn has_steady_cycles() -> bool {
    cfg!(target_arch = "x86_64")
        && std::fs::read_to_string("/proc/cpuinfo")
            .is_ok_and(|text| text.contains(" constant_tsc") && text.contains(" nonstop_tsc"))
}

/// The processor's cycle counter; zero where there is none.
#[inline]
pub fn cycles() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: rdtsc reads a counter and has no other effect; every x86_64 processor has it.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Is standard output a terminal?
pub fn stdout_is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal()
}

/// The memory where the process's arguments and environment lie, which `ps` shows.
pub struct TitleArea {
    start: *mut u8,
    len: usize,
}

impl TitleArea {
    /// Takes the area for the title: the arguments' bytes and, behind them, the environment's, whose strings move to the
    /// heap. Must be called before any thread is started. None where there is no /proc.
    pub fn claim() -> Option<TitleArea> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Fields 48 to 51 of proc(5): arg_start, arg_end, env_start, env_end; the third field is the first here.
        let at = |number: usize| fields.get(number - 3)?.parse::<usize>().ok();
        let (start, arg_end, env_start, env_end) = (at(48)?, at(49)?, at(50)?, at(51)?);
        let adjoins = arg_end == env_start && env_end > env_start;
        if adjoins {
            for (name, value) in std::env::vars_os() {
                // SAFETY: no other thread exists. setenv(3) copies what it is given and lets go of the old string.
                unsafe { std::env::set_var(name, value) };
            }
        }
        let end = if adjoins { env_end } else { arg_end };
        (end > start).then(|| TitleArea { start: std::ptr::with_exposed_provenance_mut(start), len: end - start })
    }

    /// Writes the title, cut to the room there is.
    pub fn set(&self, title: &str) {
        let bytes = &title.as_bytes()[..title.len().min(self.len - 1)];
        // SAFETY: the kernel placed arguments and environment there for the life of the process. `claim` moved the
        // environment away; whoever asks for the arguments later reads other bytes, but still ones that end with a zero.
        unsafe {
            std::ptr::write_bytes(self.start, 0, self.len);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start, bytes.len());
        }
    }
}

/// Ends the process without waiting for its other threads: what runs at an orderly end may need what they hold.
pub(super) fn exit_at_once(code: i32) -> ! {
    // SAFETY: _exit has no precondition and does not return.
    unsafe { libc::_exit(code) }
}
