"""Many files made from others, by the processes of any executor."""

import os
import signal
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from PIL import Image

from kqf.convert import Converted, NotSmaller, Wishes, convert_file, read_input
from kqf.places import (
    exists,
    found,
    is_pattern,
    is_same,
    is_url,
    joined,
    make_folder,
    modified,
    remove,
    renamed,
    with_suffix,
    write,
)
from kqf.terminal import reason

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


def plan(inputs: Iterable[str], output: str, suffix: str | None = None) -> list[Job]:
    """Return the jobs for files and folders, those of a folder in order of their paths.

    Arguments:
        inputs: paths, URLs and patterns; each job finds whether its file is there. Of a folder and
            all in it (a URL's ends with ``/``), the files with a suffix that Pillow reads; of
            these, KQF files only if ``suffix`` is another format's.
        output: path or URL of a folder, in which the tree of each input folder is mirrored; empty
            for files beside their sources.
        suffix: of the files to make; None for .kqf, and .png where the source is KQF.

    Raises:
        ValueError: two files would become one, or nothing matches a pattern.
    """
    jobs: list[Job] = []
    known: set[Job] = set()
    taken: dict[str, str] = {}
    for name in inputs:
        for source, place in sources_of(name, suffix, output):
            made = suffix or (".png" if Path(source).suffix.lower() == ".kqf" else ".kqf")
            target = with_suffix(joined(output, place) if output else source, made)
            other = taken.setdefault(target, source)
            if other != source:
                raise ValueError(f"{source} and {other} would both become {target}")
            if (job := Job(source, target)) not in known:
                known.add(job)
                jobs.append(job)
    return jobs


def is_many(name: str) -> bool:
    """Tell whether a name stands for the files of a folder, or for those that match a pattern."""
    if is_url(name):
        return name.endswith("/") or is_pattern(name)
    return Path(name).is_dir() or (is_pattern(name) and not Path(name).exists())


def sources_of(name: str, suffix: str | None, output: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a name stands for, and their places in what it stands for.

    Arguments:
        suffix, output: as of plan.

    Raises:
        ValueError: nothing matches a pattern.
    """
    if not is_many(name):
        yield name, name.rpartition("/")[2] if is_url(name) else Path(name).name
    elif is_url(name):
        folder, urls = found(name)
        own = output.removesuffix("/") + "/"
        known = _suffixes(suffix)
        for url in urls:
            wanted = is_pattern(name) or Path(url).suffix.lower() in known
            if wanted and not (output and url.startswith(own)):
                yield url, url.removeprefix(folder)
        if not urls:
            raise ValueError(f"nothing matches {name}")
    elif (root := Path(name)).is_dir():
        for path in _pictures(root, suffix, output):
            yield str(path), str(path.relative_to(root))
    else:
        # Shells leave a pattern that is quoted, and some know none.
        while is_pattern(str(root)):
            root = root.parent
        pattern = Path(name).relative_to(root)
        paths = sorted(path for path in root.glob(str(pattern)) if path.is_file())
        made = Path(os.path.realpath(output)) if output else None
        for path in paths:
            if made not in Path(os.path.realpath(path)).parents or made == root.resolve():
                yield str(path), str(path.relative_to(root))
        if not paths:
            raise ValueError(f"nothing matches {name}")


def _suffixes(suffix: str | None) -> set[str]:
    """Return the suffixes of the files of a folder that are wanted, as of plan."""
    Image.init()
    known = {end for end, name in Image.registered_extensions().items() if name in Image.OPEN}
    return known - {".kqf"} if suffix in (None, ".kqf") else {".kqf"}


def _pictures(root: Path, suffix: str | None, output: str) -> Iterator[Path]:
    known = _suffixes(suffix)
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
    target, original = job.target, renamed(job.target, Path(job.source).name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = Outcome(job, "failed")
        try:
            time = modified(job.source)
            if not force and any(_is_done(name, job.source, time) for name in (target, original)):
                return Outcome(job, "done")
            make_folder(target)
            try:
                made, notes = convert_file(job.source, target, wishes, {})
                outcome = Outcome(job, "made", made, list(notes))
                written = target
            except NotSmaller as error:
                outcome = Outcome(job, "kept", notes=[str(error)])
                written = original
                if not is_same(original, job.source):
                    if not wishes.overwrite and exists(original):
                        raise ValueError(f"{original} exists already") from error
                    write(original, read_input(job.source))
                # Of an older source: convert_file would have written over it.
                remove(target)
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
    except FileNotFoundError:
        return False
    return made is None or time is None or made >= time
