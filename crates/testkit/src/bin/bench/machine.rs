//! Which machine this is.

use std::fs;

use nt_token::clock::{Clock as _, SystemClock};

/// A list of what matters for reading the figures.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
        value.unwrap_or("unknown").to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "- processor: {}, {cores} cores\n- memory: {}\n- kernel: {}\n\
         - load at the end, benchmarks included: {}\n- last measured: {}",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or("unknown"),
        SystemClock.now(),
    )
}
