//! HELP: the subcommands of a container, in the shape that clients know.

use crate::resp::Reply;

/// Subcommands with the lines about each.
type Entry = (&'static str, &'static [&'static str]);

/// Writes the list.
pub fn write(reply: &mut Reply<'_>, container: &str, entries: &[Entry]) {
    let lines: usize = entries.iter().map(|(_, about)| 1 + about.len()).sum();
    reply.array(lines + 3);
    reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (subcommand, about) in entries {
        reply.simple(subcommand);
        about.iter().for_each(|line| reply.simple(&format!("    {line}")));
    }
    reply.simple("HELP");
    reply.simple("    This list.");
}
