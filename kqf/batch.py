"""Many files made from others, by the processes of any executor."""

import os
import signal
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from glob import has_magic
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from PIL import Image

import kqf
from kqf.convert import Converted, NotSmaller, Wishes, convert_file
from kqf.files import write_whole
from kqf.terminal import reason

# Sent out at once for each process: enough that none waits, few enough to stop soon.
_AHEAD = 3


@dataclass(frozen=True)
class Job:
    """One file to make: paths of the source and of what is to be made from it."""

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


def plan(inputs: Iterable[str], output: str, suffix: str | None = None) -> list[Job]:
    """Return the jobs for files and folders, those of a folder in order of their paths.

    Arguments:
        inputs: paths and patterns; each job finds whether its file is there. Of a folder and all
            in it, the files with a suffix that Pillow reads; of these, KQF files only if
            ``suffix`` is another format's.
        output: folder, in which the tree of each input folder is mirrored; empty for files beside
            their sources.
        suffix: of the files to make; None for .kqf, and .png where the source is KQF.

    Raises:
        ValueError: two files would become one, or nothing matches a pattern.
    """
    jobs: list[Job] = []
    taken: dict[str, Path] = {}
    for name in inputs:
        base, sources = sources_of(name, suffix, output)
        for source in sources:
            place = Path(output) / source.relative_to(base) if output else source
            made = suffix or (".png" if source.suffix.lower() == ".kqf" else ".kqf")
            target = str(place.with_suffix(made))
            if other := taken.get(target):
                raise ValueError(f"{source} and {other} would both become {target}")
            taken[target] = source
            jobs.append(Job(str(source), target))
    return jobs


def is_many(name: str) -> bool:
    """Tell whether a name stands for the files of a folder, or for those that match a pattern."""
    return Path(name).is_dir() or (has_magic(name) and not Path(name).exists())


def sources_of(name: str, suffix: str | None, output: str) -> tuple[Path, Iterable[Path]]:
    """Return the files that a name stands for, and the folder that their places count from.

    Arguments:
        suffix, output: as of plan.

    Raises:
        ValueError: nothing matches a pattern, or it is a URL.
    """
    if "://" in name:
        raise ValueError(f"{name} is a URL: a batch takes files and folders")
    root = Path(name)
    if root.is_dir():
        return root, _pictures(root, suffix, output)
    if not is_many(name):
        return root.parent, [root]
    # Shells leave a pattern that is quoted, and some know none.
    while has_magic(str(root)):
        root = root.parent
    pattern = Path(name).relative_to(root)
    if not (found := sorted(path for path in root.glob(str(pattern)) if path.is_file())):
        raise ValueError(f"nothing matches {name}")
    return root, found


def _pictures(root: Path, suffix: str | None, output: str) -> Iterator[Path]:
    Image.init()
    known = {end for end, name in Image.registered_extensions().items() if name in Image.OPEN}
    known = known - {".kqf"} if suffix in (None, ".kqf") else {".kqf"}
    # A target inside of the source is none of the sources.
    own = os.path.realpath(output) if output else None
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if os.path.realpath(Path(folder) / name) != own
        )
        for name in sorted(names):
            if Path(name).suffix.lower() in known:
                yield Path(folder) / name


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
        keep_times: give a file made the modification time of its source.
        force: also make again what is done.

    Raises:
        ChildProcessError: a process of the executor died. Files made by then are whole.
    """
    rest = iter(jobs)
    waiting: set[Future[Outcome]] = set()
    try:
        while True:
            while len(waiting) < ahead and (job := next(rest, None)):
                waiting.add(executor.submit(_do, job, wishes, keep_times, force))
            if not waiting:
                return
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()
    except BrokenProcessPool as error:
        message = "a process at work died: run it again, what is done is skipped"
        raise ChildProcessError(message) from error
    finally:
        for future in waiting:
            future.cancel()


def pool(processes: int) -> ProcessPoolExecutor:
    """Return an executor whose processes leave Ctrl-C to this one, and end when it is killed."""
    context = get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)


def ahead_of(processes: int) -> int:
    """Return how many jobs keep so many processes busy."""
    return _AHEAD * processes


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _do(job: Job, wishes: Wishes, keep_times: bool, force: bool) -> Outcome:
    """Do one job, in whichever process."""
    target, original = Path(job.target), Path(job.target).with_name(Path(job.source).name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = Outcome(job, "failed")
        try:
            time = Path(job.source).stat()
            if not force and any(_is_done(path, job.source, time) for path in (target, original)):
                return Outcome(job, "done")
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                made, notes = convert_file(job.source, job.target, wishes, {})
                outcome = Outcome(job, "made", made, list(notes))
                written = target
            except NotSmaller as error:
                outcome = Outcome(job, "kept", notes=[str(error)])
                written = original
                if not _is_same(original, job.source):
                    if original.exists() and not wishes.overwrite:
                        raise ValueError(f"{original} exists already") from error
                    write_whole(original, Path(job.source).read_bytes())
                # Of an older source: convert_file would have written over it.
                target.unlink(missing_ok=True)
            if keep_times and not _is_same(written, job.source):
                os.utime(written, ns=(time.st_atime_ns, time.st_mtime_ns))
        except (kqf.KqfError, ImportError, OSError, ValueError, MemoryError) as error:
            outcome = replace(outcome, state="failed", error=reason(error))
    texts = [f"warning: {each.message}" for each in caught]
    return replace(outcome, notes=[*texts, *outcome.notes])


def _is_done(path: Path, source: str, time: os.stat_result) -> bool:
    try:
        return not _is_same(path, source) and path.stat().st_mtime_ns >= time.st_mtime_ns
    except FileNotFoundError:
        return False


def _is_same(path: Path, source: str) -> bool:
    return path.exists() and path.samefile(source)
