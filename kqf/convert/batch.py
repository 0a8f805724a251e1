"""Many files made from others, by the processes of any executor."""

import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from dataclasses import dataclass, field, replace
from pathlib import Path

from kqf.convert.api import Converted, NotSmaller, Wishes, convert_file
from kqf.io.inputs import sources_of
from kqf.io.paths import (
    exists,
    file_name,
    identity,
    is_same,
    is_url,
    joined,
    modified,
    read,
    remove,
    renamed,
    with_suffix,
    write,
)
from kqf.text import reason

# Sent out at once for each process: enough that none waits, few enough to stop soon.
_AHEAD = 3


@dataclass(frozen=True)
class Job:
    """One file to make: path or URL of the source and of what is to be made from it."""

    source: str
    target: str


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the job.
        state: "made"; "kept", the result was not smaller, so that a copy of the original stands
            beside the place of the target; "done", what is there is not older than the source;
            "failed".
        made: of a file made.
        notes: what else the user should know, warnings among it.
        error: of a job that failed.
    """

    job: Job
    state: str
    made: Converted | None = None
    notes: list[str] = field(default_factory=list)
    error: str = ""


def plan(
    inputs: Iterable[str], output: str, suffix: str | None = None
) -> tuple[list[Job], list[Outcome]]:
    """Find what is to do about files and folders, those of a folder in order of their paths.

    Arguments:
        inputs: paths, URLs and patterns, as of ``sources_of``; each job finds whether its file is
            there.
        output: path or URL of a folder, in which the tree of each input folder is mirrored; empty
            for files beside their sources.
        suffix: of the files to make; None for .kqf, and .png where the source is KQF.

    Returns:
        the jobs, no two of which could write what the other one reads or writes; and what became
        of all else, failed or named before.
    """
    outcomes: list[Outcome] = []
    # By the identities of source and target: a job, and by theirs the files that it may use.
    planned: dict[tuple[str, str], tuple[Job, dict[str, str]]] = {}
    # By the identity of a file: the jobs' sources that may use it, by theirs.
    users: dict[str, dict[str, str]] = {}
    for name in inputs:
        try:
            jobs = list(_jobs_of(name, output, suffix))
        except (ImportError, OSError, ValueError) as error:
            outcomes.append(Outcome(Job(name, ""), "failed", error=reason(error)))
            continue
        for job in jobs:
            used = {identity(file): file for file in _outputs(job)}
            source, target = identity(job.source), next(iter(used))
            used.setdefault(source, job.source)
            first, _ = planned.setdefault((source, target), (job, used))
            if first is not job:
                outcomes.append(Outcome(job, "done", notes=[f"named before, as {first.source}"]))
            for file in used:
                users.setdefault(file, {}).setdefault(source, job.source)
    ready = []
    for (source, _), (job, used) in planned.items():
        clashes = (
            f"{name} would be used for {other} as well"
            for file, name in used.items()
            for user, other in users[file].items()
            if user != source
        )
        if clash := next(clashes, ""):
            outcomes.append(Outcome(job, "failed", error=clash))
        else:
            ready.append(job)
    return ready, outcomes


def _jobs_of(name: str, output: str, suffix: str | None) -> Iterator[Job]:
    for source, place in sources_of(name, suffix, output):
        # Object stores take any name.
        if output and (".." in Path(place).parts or Path(place).anchor):
            raise ValueError(f"the place of {place} would be outside of {output}")
        made = suffix or (".png" if Path(source).suffix.lower() == ".kqf" else ".kqf")
        yield Job(source, with_suffix(joined(output, place) if output else source, made))


def _outputs(job: Job) -> list[str]:
    """Return what a job may write: what it is to make, or of a KQF file the copy in its place."""
    copy = renamed(job.target, file_name(job.source))
    return [job.target, copy] if job.target.endswith(".kqf") else [job.target]


def convert_many(
    jobs: Sequence[Job],
    wishes: Wishes,
    executor: Executor,
    *,
    ahead: int,
    keep_times: bool = False,
    force: bool = False,
) -> Generator[Outcome, None, None]:
    """Do the jobs, and yield what became of each as it ends; no job's failure ends the others'.

    Arguments:
        wishes: for all; ``smaller`` and ``overwrite`` among them.
        executor: of ``concurrent.futures`` or of a Dask client. What it still has to do is
            cancelled if the caller stops early.
        ahead: jobs to have under way at once.
        keep_times: give a file made the modification time of its source; not by URL.
        force: also make again what is done.

    Raises:
        ChildProcessError: the executor is broken. Files made by then are whole.
    """
    rest = iter(jobs)
    waiting: dict[Future[Outcome], Job] = {}
    try:
        while True:
            while len(waiting) < ahead and (job := next(rest, None)):
                waiting[executor.submit(_do, job, wishes, keep_times, force)] = job
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                job = waiting.pop(future)
                try:
                    outcome = future.result()
                except (BrokenExecutor, CancelledError):
                    raise
                except Exception as error:
                    # A cluster's word on a job whose workers died again and again, among others.
                    outcome = Outcome(job, "failed", error=reason(error))
                yield outcome
    except (BrokenExecutor, CancelledError) as error:
        message = "a process at work died: run it again, what is done is skipped"
        raise ChildProcessError(message) from error
    finally:
        for future in waiting:
            future.cancel()


def ahead_of(processes: int) -> int:
    """Return how many jobs keep so many processes busy."""
    return _AHEAD * processes


def _do(job: Job, wishes: Wishes, keep_times: bool, force: bool) -> Outcome:
    """Do one job, in whichever process."""
    outputs = _outputs(job)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = Outcome(job, "failed")
        try:
            time = modified(job.source)
            if not force and any(_is_done(name, job.source, time) for name in outputs):
                return Outcome(job, "done")
            if not is_url(job.target):
                Path(job.target).parent.mkdir(parents=True, exist_ok=True)
            written = job.target
            try:
                made, notes = convert_file(job.source, job.target, wishes, {})
                outcome = Outcome(job, "made", made, list(notes))
            except NotSmaller as error:
                outcome = Outcome(job, "kept", notes=[str(error)])
                written = outputs[1]
                if not is_same(written, job.source):
                    if not wishes.overwrite and exists(written):
                        raise ValueError(f"{written} exists already") from error
                    write(written, read(job.source))
                # Of an older source: convert_file would have written over it.
                remove(job.target)
            if keep_times and time is not None and not is_same(written, job.source):
                os.utime(written, ns=(time, time))
        except Exception as error:
            # Whatever it is that a decoder or a server's library ends in: the others go on.
            outcome = replace(outcome, state="failed", error=reason(error))
    texts = [f"warning: {each.message}" for each in caught]
    return replace(outcome, notes=[*texts, *outcome.notes])


def _is_done(name: str, source: str, time: int | None) -> bool:
    """Tell whether a file is not older than its source, or there where times are not known."""
    if is_same(name, source):
        return False
    try:
        made = modified(name)
    except OSError:
        return False
    return made is None or time is None or made >= time
