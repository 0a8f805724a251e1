"""A batch of conversions, told on the terminal."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain

import typer

from kqf.cli import messages as lines
from kqf.cli.session import Session
from kqf.cluster import executors
from kqf.convert.batch import Outcome, ahead_of, convert_many, plan
from kqf.convert.options import ConversionOptions
from kqf.io.paths import absolute


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is to be done: the options of the command with these names."""

    jobs: int | None
    scheduler: str | None
    strict: bool
    as_json: bool


def convert_batch(
    here: Session, names: list[str], output: str, options: ConversionOptions, work: BatchOptions
) -> None:
    """Convert many files by several processes, and end with a line of totals."""
    start = time.monotonic()
    if work.scheduler is not None:
        # The processes of a cluster may work in other folders.
        names = list(map(absolute, names))
        output = absolute(output) + "/" * bool(output)
    jobs, planned = plan(names, output, options.suffix)
    here.restart(len(jobs) + len(planned))
    states: Counter[str] = Counter()
    bytes_in = bytes_out = 0
    with _executor(here, work, len(jobs)) as (executor, processes, threads):
        options = replace(options, encoder={"threads": threads, **options.encoder})
        outcomes = convert_many(jobs, options, executor, ahead=ahead_of(processes))
        with here.attempt(output or "."), closing(outcomes):
            for outcome in chain(planned, outcomes):
                states[outcome.state] += 1
                if outcome.made:
                    bytes_in += outcome.made.bytes_in
                    bytes_out += outcome.made.bytes_out
                bytes_in += outcome.kept_bytes
                bytes_out += outcome.kept_bytes
                _tell(here, outcome, work)
    seconds = time.monotonic() - start
    here.tell(f"kqf: {lines.ended(states, bytes_in, bytes_out, seconds)}", on_stderr=True)


def _tell(here: Session, outcome: Outcome, work: BatchOptions) -> None:
    source = outcome.job.source
    with here.file(source):
        for note in outcome.notes:
            here.note(source, note)
        if outcome.error:
            raise ValueError(outcome.error)
        if outcome.state == "kept" and work.strict:
            raise ValueError("kept as it is, and --strict was given")
    if work.as_json:
        record = asdict(outcome.made) if outcome.made else {"input": source}
        errors = {"error": here.error} if here.error else {}
        here.say(json.dumps({**record, "state": outcome.state, **errors}))
    elif outcome.made:
        here.tell(lines.converted(outcome.made))


@contextmanager
def _executor(here: Session, work: BatchOptions, jobs: int) -> Iterator[tuple[Executor, int, int]]:
    """Give what does the work, how many processes it has, and threads for each file."""
    if work.scheduler is None:
        processors = os.cpu_count() or 1
        processes = max(min(work.jobs or processors, jobs), 1)
        with executors.pool(processes) as pool:
            yield pool, processes, max(processors // processes, 1)
        return
    with ExitStack() as stack:
        try:
            executor, threads = stack.enter_context(executors.cluster(work.scheduler))
        except (ImportError, ValueError) as error:
            raise typer.BadParameter(str(error), param_hint="--scheduler") from error
        if not threads:
            here.note(work.scheduler, "has no workers yet, and waits for some")
        yield executor, work.jobs or max(threads, 1), 1
