//! Which processors a thread may run on: `server-cpulist`, `bio-cpulist`, `bgsave-cpulist` and `aof-rewrite-cpulist`.

use crate::base::disk::reason;
use crate::base::log;

use super::sys;

/// Processors that can be named.
const PROCESSORS_MAX: usize = 1024;

/// Binds the calling thread to the processors of a list; an empty one leaves it as it is.
pub(super) fn bind_thread(directive: &str, list: &str) {
    if list.is_empty() {
        return;
    }
    let Some(processors) = parse(list) else {
        return log::warning(&format!("{directive}: not a list of processors: {list}"));
    };
    if let Err(error) = sys::bind_thread_to(&processors) {
        log::warning(&format!("{directive}: {}", reason(&error)));
    }
}

/// Numbers and ranges with a step, between commas: `1,4-7,8-16:2`.
fn parse(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.split(',') {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let step: usize = step.trim().parse().ok()?;
        if step == 0 || first > last || last >= PROCESSORS_MAX {
            return None;
        }
        processors.extend((first..=last).step_by(step));
    }
    Some(processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_understood() {
        assert_eq!(parse("1, 3"), Some(vec![1, 3]));
        assert_eq!(parse("4-7,8-13:2"), Some(vec![4, 5, 6, 7, 8, 10, 12]));
        for wrong in ["", "x", "3-1", "1-2:0", "1024", "1,", "-1", "1-2-3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
