//! LATENCY: what held the server up, and how long commands take.

use crate::resp::CommandError;
use crate::server::latency::{EventSeries, Spike};
use crate::server::{Command, CommandId, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;

use crate::commands::help;

pub(super) const LATENCY: Command = Command {
    info: CommandInfo {
        name: "latency",
        arity: Arity::AtLeast(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about latency.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[
        LATENCY_DOCTOR,
        LATENCY_GRAPH,
        LATENCY_HELP,
        LATENCY_HISTOGRAM,
        LATENCY_HISTORY,
        LATENCY_LATEST,
        LATENCY_RESET,
    ]),
};

const LATENCY_DOCTOR: Command = Command {
    info: CommandInfo {
        name: "doctor",
        arity: Arity::Exactly(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells in words what held the server up, and what may help.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(latency_doctor),
};
fn latency_doctor(cx: &mut ServerContext<'_>) -> CommandResult {
    let threshold = cx.server.config.latency_monitor_threshold;
    let now = cx.now.unix().seconds();
    let text = if threshold == 0 {
        "Latency monitoring is off in this instance. CONFIG SET latency-monitor-threshold <milliseconds> turns it \
         on.\n"
            .to_owned()
    } else if cx.server.latency.events.is_empty() {
        format!("No event took {threshold} ms or more: there is nothing to report.\n")
    } else {
        let mut text = format!("Events of {threshold} ms or more:\n\n");
        for (number, (name, series)) in cx.server.latency.events.iter().enumerate() {
            let all: u64 = series.spikes.iter().map(|spike| spike.ms).sum();
            let (count, mean) = (series.spikes.len(), all / series.spikes.len().max(1) as u64);
            let age = series.spikes.last().map_or(0, |spike| now - spike.at);
            text.push_str(&format!(
                "{}. {name}: {count} latency spikes, {mean} ms on average, {} ms at worst, the last one {age} seconds \
                 ago. {}\n",
                number + 1,
                series.max_ms,
                advice(name)
            ));
        }
        text
    };
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

fn advice(event: &str) -> &'static str {
    match event {
        "command" => "SLOWLOG GET shows which commands were slow; large values and long ranges are the usual reason.",
        "fast-command" => "Commands of constant time were slow: look for a busy machine, swapping, or huge values.",
        "expire-cycle" | "expire-del" => "Many keys expire at the same time: spread their times to live.",
        "eviction-cycle" | "eviction-del" => "Memory is short, and keys are evicted: raise maxmemory or write less.",
        _ => "Look at the disk and at what else the machine does.",
    }
}

const LATENCY_GRAPH: Command = Command {
    info: CommandInfo {
        name: "graph",
        arity: Arity::Exactly(3),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Draws the spikes of an event.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("event")],
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(latency_graph),
};
fn latency_graph(cx: &mut ServerContext<'_>) -> CommandResult {
    let name = String::from_utf8_lossy(cx.argv[2]).into_owned();
    let Some(series) = cx.server.latency.events.get(name.as_str()) else {
        return Err(CommandError::err(format!("No samples available for event '{name}'")));
    };
    let text = graph(&name, series, cx.now.unix().seconds());
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: u64 = 4;

/// One column for each spike, its age below it, read from top to bottom.
fn graph(name: &str, series: &EventSeries, now: i64) -> String {
    let spikes = &series.spikes[series.spikes.len().saturating_sub(GRAPH_COLUMNS)..];
    let high = spikes.iter().map(|spike| spike.ms).max().unwrap_or(0);
    let low = spikes.iter().map(|spike| spike.ms).min().unwrap_or(0);
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", series.max_ms);
    text.push_str(&"-".repeat(GRAPH_COLUMNS));
    text.push('\n');
    // Three steps to a row, drawn as a low, a middle and a high stroke.
    let steps = GRAPH_ROWS * 3 - 1;
    let height = |spike: &Spike| ((spike.ms - low) * steps).checked_div(high - low).unwrap_or(0);
    for row in (0..GRAPH_ROWS).rev() {
        let line: String = spikes
            .iter()
            .map(|spike| match (height(spike) / 3).cmp(&row) {
                std::cmp::Ordering::Less => ' ',
                std::cmp::Ordering::Greater => '|',
                std::cmp::Ordering::Equal if spike.ms == high && row == GRAPH_ROWS - 1 => '#',
                std::cmp::Ordering::Equal => ['_', 'o', '#'][(height(spike) % 3) as usize],
            })
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<String> = spikes.iter().map(|spike| age(now - spike.at)).collect();
    for row in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        let line: String = ages.iter().map(|age| age.chars().nth(row).unwrap_or(' ')).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

const LATENCY_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(latency_help),
};
fn latency_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "LATENCY",
        &[
            ("DOCTOR", &["What held the server up, in words."]),
            ("GRAPH <event>", &["The spikes of an event, drawn."]),
            ("HISTOGRAM [<command> ...]", &["How long commands took (default: all that were called)."]),
            ("HISTORY <event>", &["Times and milliseconds of an event's spikes."]),
            ("LATEST", &["The latest spike of each event."]),
            ("RESET [<event> ...]", &["Forgets the spikes of events (default: of all)."]),
        ],
    );
    Ok(Outcome::Done)
}

const LATENCY_HISTOGRAM: Command = Command {
    info: CommandInfo {
        name: "histogram",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands with latency information being retrieved.",
        summary: "Tells how long commands took, as cumulative counts.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("command").multiple().optional()],
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(latency_histogram),
};
fn latency_histogram(cx: &mut ServerContext<'_>) -> CommandResult {
    let table = &cx.server.commands;
    let mut ids: Vec<CommandId> = Vec::new();
    if cx.argv.len() == 2 {
        ids.extend(table.iter().map(|(id, _)| id));
    }
    for name in &cx.argv[2..] {
        let Some(id) = table.lookup_full(name) else { continue };
        let subcommands = table.children(id);
        if subcommands.is_empty() {
            ids.push(id);
        }
        ids.extend(subcommands);
    }
    let called: Vec<_> =
        ids.into_iter().map(|id| table.entry(id)).filter(|entry| entry.stats.histogram.is_some()).collect();
    cx.reply.map(called.len());
    for entry in called {
        let rows = entry.stats.histogram.as_ref().map(|histogram| histogram.cumulative_us()).unwrap_or_default();
        cx.reply.bulk(entry.full_name.as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"calls");
        cx.reply.int(entry.stats.calls as i64);
        cx.reply.bulk(b"histogram_usec");
        cx.reply.map(rows.len());
        for (us, count) in rows {
            cx.reply.int(us as i64);
            cx.reply.int(count as i64);
        }
    }
    Ok(Outcome::Done)
}

const LATENCY_HISTORY: Command = Command {
    info: CommandInfo {
        name: "history",
        arity: Arity::Exactly(3),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells the spikes of an event.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("event")],
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(latency_history),
};
fn latency_history(cx: &mut ServerContext<'_>) -> CommandResult {
    let name = String::from_utf8_lossy(cx.argv[2]);
    let spikes = cx.server.latency.events.get(name.as_ref()).map_or(&[][..], |series| &series.spikes);
    cx.reply.array(spikes.len());
    for spike in spikes {
        cx.reply.array(2);
        cx.reply.int(spike.at);
        cx.reply.int(spike.ms as i64);
    }
    Ok(Outcome::Done)
}

const LATENCY_LATEST: Command = Command {
    info: CommandInfo {
        name: "latest",
        arity: Arity::Exactly(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells the latest spike of each event.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(latency_latest),
};
fn latency_latest(cx: &mut ServerContext<'_>) -> CommandResult {
    let events = &cx.server.latency.events;
    cx.reply.array(events.len());
    for (name, series) in events {
        let last = series.spikes.last().copied().unwrap_or(Spike { at: 0, ms: 0 });
        cx.reply.array(4);
        cx.reply.bulk(name.as_bytes());
        cx.reply.int(last.at);
        cx.reply.int(last.ms as i64);
        cx.reply.int(series.max_ms as i64);
    }
    Ok(Outcome::Done)
}

const LATENCY_RESET: Command = Command {
    info: CommandInfo {
        name: "reset",
        arity: Arity::AtLeast(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Forgets the spikes of events.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("event").multiple().optional()],
        tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Server(latency_reset),
};
fn latency_reset(cx: &mut ServerContext<'_>) -> CommandResult {
    let events = &mut cx.server.latency.events;
    let before = events.len();
    if cx.argv.len() == 2 {
        events.clear();
    }
    cx.argv[2..].iter().for_each(|name| {
        events.remove(String::from_utf8_lossy(name).as_ref());
    });
    cx.reply.int((before - events.len()) as i64);
    Ok(Outcome::Done)
}
