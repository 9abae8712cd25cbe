"""Background tasks, which one failure does not end."""

import asyncio
import logging

from service.process.backoff import backoff_seconds
from service.process.tasks import background
from tests.process import ANSWER_SECONDS_MAX


async def test_one_that_fails_runs_again_and_says_how_soon(caplog):
    runs, is_running = 0, asyncio.Event()

    async def work():
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("bad luck")
        is_running.set()
        await asyncio.Event().wait()

    async with background(work), asyncio.timeout(ANSWER_SECONDS_MAX):
        await is_running.wait()
    [line] = [record for record in caplog.records if record.name == "service.process.tasks"]
    assert (line.levelno, line.message) == (logging.ERROR, "a background task failed")
    assert line.task.endswith("work")
    assert line.wait_seconds == 1
    assert "bad luck" in line.exc_text


async def test_one_that_waits_to_run_again_ends_with_its_block():
    failed = asyncio.Event()

    async def work():
        failed.set()
        raise ValueError("again")

    async with background(work), asyncio.timeout(ANSWER_SECONDS_MAX):
        await failed.wait()


def test_the_wait_doubles_to_a_limit():
    assert [backoff_seconds(failures, 30) for failures in (1, 2, 3, 5, 6, 10_000)] == [1, 2, 4, 16, 30, 30]
