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

from kqf.convert.api import Converted, convert_file
from kqf.convert.options import ConversionOptions, Overwrite
from kqf.convert.sizes import NotSmaller
from kqf.convert.targets import Job, check_copy, job_for
from kqf.io.inputs import is_many, sources_of
from kqf.io.palette_images import TranslucentError
from kqf.io.paths import (
    identity,
    is_same,
    is_url,
    joined,
    mode_of,
    modified,
    read,
    remove,
    with_suffix,
    write,
)
from kqf.io.pipes import PIPE
from kqf.text import reason

# Sent out at once for each process: enough that none waits, few enough to stop soon.
_AHEAD = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the job.
        state: "made"; "kept", the result was not smaller, or its format lacks the translucent
            colours, so that a copy of the original stands in its place; "done", an existing result
            is not older than the source; "failed".
        made: of a file made.
        kept_bytes: of an original that was copied.
        notes: what else the user should know, warnings among it.
        error: of a job that failed.
    """

    job: Job
    state: str
    made: Converted | None = None
    kept_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    error: str = ""


def plan(
    inputs: Iterable[str], output: str, suffix: str | None = None
) -> tuple[list[Job], list[Outcome]]:
    """Find what is to be made of files and folders, those of a folder in order of their paths.

    Arguments:
        inputs: paths, URLs and patterns, as for ``sources_of``; a missing file fails as a job.
        output: path or URL of a file, or of a folder if it ends with ``/``, in which the tree of
            each input folder is mirrored; ``-`` for stdout; empty for files beside their sources.
        suffix: of the files to make; None for .kqf, and .png where the source is KQF.

    Returns:
        the jobs, none of which could write what another one reads or writes; and the outcomes of
        all others, which failed or were named before.
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
            source, target = identity(job.source), identity(job.target)
            used.setdefault(source, job.source)
            first, _ = planned.setdefault((source, target), (job, used))
            if first is not job:
                outcomes.append(Outcome(job, "done", notes=[f"named before, as {first.source}"]))
            for file in used:
                users.setdefault(file, {}).setdefault(source, job.source)
    ready = []
    for (source, _), (job, used) in planned.items():
        clashes = (
            f"{name} would be used for {other} as well: name their outputs with -o"
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
    if name == PIPE or not is_many(name):
        yield job_for(name, output, suffix)
        return
    for source, relative in sources_of(name, suffix, output):
        # Object stores take any name.
        if output and (".." in Path(relative).parts or Path(relative).anchor):
            raise ValueError(f"{relative} would be outside of {output}")
        made = suffix or (".png" if Path(source).suffix.lower() == ".kqf" else ".kqf")
        if not output and Path(source).suffix.lower() == made:
            # A file of a folder that has the wanted format already.
            continue
        yield Job(source, with_suffix(joined(output, relative) if output else source, made))


def _outputs(job: Job) -> list[str]:
    """Return what a job may write: its target, and in a batch the copy of its source."""
    if job.named or Path(job.source).suffix.lower() == ".kqf":
        return [job.target]
    return [job.target, job.copy]


def convert_many(
    jobs: Sequence[Job], options: ConversionOptions, executor: Executor, *, ahead: int
) -> Generator[Outcome, None, None]:
    """Do the jobs, and yield what became of each as it ends; no job's failure ends the others'.

    What is done already is skipped, unless all files may be overwritten.

    Arguments:
        executor: of ``concurrent.futures`` or of a Dask client. What it still has to do is
            cancelled if the caller stops early.
        ahead: jobs to have under way at once.

    Raises:
        ChildProcessError: the executor is broken. Files made by then are whole.
    """
    rest = iter(jobs)
    waiting: dict[Future[Outcome], Job] = {}
    try:
        while True:
            while len(waiting) < ahead and (job := next(rest, None)):
                waiting[executor.submit(_do, job, options)] = job
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                job = waiting.pop(future)
                try:
                    outcome = future.result()
                except (BrokenExecutor, CancelledError):
                    raise
                except Exception as error:
                    # Such as a cluster's about a job whose workers died again and again.
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


def _do(job: Job, options: ConversionOptions) -> Outcome:
    """Do one job, in whichever process."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = _convert(job, options)
        except Exception as error:
            # Of any kind, as decoders and the libraries of servers have many: the others go on.
            outcome = Outcome(job, "failed", error=reason(error))
    texts = [f"warning: {each.message}" for each in caught]
    return replace(outcome, notes=[*texts, *outcome.notes])


def _convert(job: Job, options: ConversionOptions) -> Outcome:
    changed = modified(job.source)
    if options.overwrite is not Overwrite.ALL and any(
        _is_done(name, job.source, changed) for name in _outputs(job)
    ):
        return Outcome(job, "done")
    if not is_url(job.target):
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
    try:
        made, notes = convert_file(job, options)
        outcome = Outcome(job, "made", made, notes=list(notes))
    except (NotSmaller, TranslucentError) as error:
        if options.is_part:
            # The original is no copy of what was asked for.
            raise
        outcome = _keep(job, options, changed, str(error))
    if changed is not None and modified(job.source) != changed:
        outcome.notes.append("changed while it was converted: run it again")
        # Older than its source now, the result is made again then.
        for name in _outputs(job):
            if not is_url(name) and Path(name).exists() and not is_same(name, job.source):
                os.utime(name, ns=(changed, changed))
    return outcome


def _keep(job: Job, options: ConversionOptions, changed: int | None, note: str) -> Outcome:
    """Put a copy of the source in the place of a result that would not be smaller."""
    data = read(job.source)
    if check_copy(job, data, options):
        exclusive = options.overwrite is not Overwrite.ALL
        write(job.copy, data, mode=mode_of(job.source), exclusive=exclusive)
    if options.keep_times and changed is not None and not is_same(job.copy, job.source):
        os.utime(job.copy, ns=(changed, changed))
    if job.target.endswith(".kqf"):
        # Made of an older source: convert_file has checked that it may be replaced.
        remove(job.target)
    return Outcome(job, "kept", kept_bytes=len(data), notes=[f"{note}; the original stays"])


def _is_done(name: str, source: str, time: int | None) -> bool:
    """Tell whether a file is not older than its source, or there where times are not known."""
    if is_same(name, source):
        return False
    try:
        made = modified(name)
    except OSError:
        return False
    return made is None or time is None or made >= time
