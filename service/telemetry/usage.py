"""Metrics of the process: its version and its use of resources."""

import resource

import psutil

from service import __version__
from service.telemetry.logs import writer
from service.telemetry.metrics import Metrics


def measure_process(metrics: Metrics) -> None:
    """Add the process's metrics, read at each scrape."""
    process = psutil.Process()

    def cpu_seconds() -> float:
        spent = process.cpu_times()
        return spent.user + spent.system

    metrics.counter_of("process_cpu_seconds_total", "Processor time used, in user and system mode.", cpu_seconds)
    metrics.gauge_of("process_resident_memory_bytes", "Resident memory.", lambda: process.memory_info().rss)
    metrics.gauge_of("process_open_fds", "Open file descriptors.", process.num_fds)
    metrics.gauge_of("process_start_time_seconds", "When the process started.", process.create_time)
    metrics.gauge_of(
        "process_max_fds",
        "Maximum number of open file descriptors.",
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
    metrics.counter_of(
        "log_lines_dropped_total", "Log lines dropped, because nobody read them in time.", lambda: writer.dropped
    )
    metrics.gauge_of("build_info", "The running version.", lambda: {__version__: 1}, "version")
