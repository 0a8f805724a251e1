"""What a command says while it works through files."""

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import kqf
from kqf.text import escape, reason

if TYPE_CHECKING:
    from rich.progress import Progress

_BAR_AFTER = 1.0  # seconds
# Characters of a file's name beside the bar.
_NAME_WIDTH = 30


class Session:
    """One command on its way through files, as ``session`` gives it.

    Arguments:
        total: number of files.
        quiet: whether to print errors and results alone.

    Attributes:
        failed: whether anything was wrong with any file.
        error: what was wrong with the latest file, if anything.
        bar: the progress bar, once it is drawn.
    """

    def __init__(self, total: int, quiet: bool = False) -> None:
        self.failed = False
        self.error = ""
        self._quiet = quiet
        self._total = total
        self._done = 0.0
        self._steps = total > 1
        self._counted = False
        self._name = ""
        self.bar: Progress | None = None

    def expect(self, total: int) -> None:
        """Count this many files from here on."""
        self._total, self._done = total, 0.0
        self._steps = total > 1
        self._update()

    def restart(self, total: int) -> None:
        """Count this many files from here on, and show how many are done a second."""
        self._counted = True
        self.expect(total)
        self._steps = True

    def say(self, line: str, on_stderr: bool = False) -> None:
        """Print one line of results; end the command if stdout can't be written to."""
        try:
            print(line, file=sys.stderr if on_stderr else sys.stdout, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            # No file is at fault, and what is said about others would be lost as well.
            sys.exit(f"kqf: stdout: {reason(error)}")

    def tell(self, line: str, on_stderr: bool = False) -> None:
        """Print one line about what was done, unless the command is to be quiet."""
        if not self._quiet:
            self.say(line, on_stderr)

    def note(self, name: str, message: object) -> None:
        """Print on stderr something about a file that is no failure in itself."""
        self.tell(f"kqf: {escape(name)}: {escape(message)}", on_stderr=True)

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Do something about a file: whatever is wrong with it becomes a line on stderr."""
        self.error = ""
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: self.note(name, f"warning: {message}")
            try:
                yield
            except BrokenPipeError:
                raise
            except (kqf.KqfError, ImportError, OSError, ValueError, MemoryError) as error:
                self.failed = True
                self.error = _in_words(name, error)
                self.say(f"kqf: {escape(name)}: {escape(self.error)}", on_stderr=True)

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """Work on one of the files, which counts as done afterwards; errors as in ``attempt``."""
        self._name = name
        self._update()
        with self.attempt(name):
            yield
        self._done = int(self._done) + 1
        self._update()

    def progress(self, share: float) -> None:
        """Show how much of the current file is done, 0 up to 1."""
        self._done = int(self._done) + min(share, 0.999)
        self._steps = True
        self._update()

    def interrupted(self) -> str:
        """Return what to print when the user stops the command."""
        again = "; the same command goes on with the others" if self._counted else ""
        return f"stopped; {int(self._done):,} of {self._total:,} files are done{again}"

    def _update(self) -> None:
        if self.bar:
            total = self._total if self._steps else None
            speed = self.bar.tasks[0].speed
            rate = f"{self._done:,.0f} of {self._total:,}" if self._counted else ""
            if rate and speed:
                rate += f", {speed:.1f} files/s"
            # Several files of a batch are worked on at once.
            name = "" if self._counted else escape(Path(self._name).name)[-_NAME_WIDTH:]
            task = self.bar.task_ids[0]
            self.bar.update(task, completed=self._done, total=total, rate=rate, name=name)

    def show_bar(self) -> None:
        """Draw a progress bar below whatever is printed."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        bar = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            Remaining(),
            TextColumn("{task.fields[rate]}", markup=False),
            console=Console(stderr=True),
            transient=True,
            # Results that go to a pipe must not be printed through the bar's terminal.
            redirect_stdout=sys.stdout.isatty(),
        )
        # A single file may have no steps to count: the bar then only shows that work goes on.
        bar.add_task("", total=None, rate="", name="")
        bar.start()
        self.bar = bar
        self._update()


def _in_words(name: str, error: Exception) -> str:
    """Return what is wrong with a file, in plain words where its name is a KQF file's."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, kqf.KqfError):
        cause = cause.__cause__
    if isinstance(cause, kqf.KqfError) and Path(name).is_file():
        from kqf.cli.messages import in_words

        # Pillow's errors and those of other readers of pictures say less than their causes.
        words = in_words(cause, Path(name))
        return words if words != str(cause) else reason(error)
    return reason(error)


@contextmanager
def session(total: int, quiet: bool = False, bar: bool = True) -> Iterator[Session]:
    """Give a Session; exit with 1 at its end if any file failed, and with 130 on an interrupt.

    A command that takes long shows a bar if stderr is a terminal.

    Arguments:
        total: number of files.
        quiet: whether to print errors and results alone.
        bar: whether to show one.
    """
    opened = Session(total, quiet)
    timer = threading.Timer(_BAR_AFTER, opened.show_bar)
    timer.daemon = True
    if bar and sys.stderr.isatty() and not quiet:
        timer.start()
    stopped = False
    try:
        yield opened
    except KeyboardInterrupt:
        stopped = True
    finally:
        timer.cancel()
        if timer.ident:
            # It may be about to draw.
            timer.join()
        if opened.bar:
            opened.bar.stop()
    if stopped:
        if opened._total > 1:
            opened.say(f"kqf: {opened.interrupted()}", on_stderr=True)
        sys.exit(130)
    if opened.failed:
        sys.exit(1)
