//! The `russet` program: one binary under several names. Everything lives in the library.

fn main() -> std::process::ExitCode {
    russet::reactor::main()
}
