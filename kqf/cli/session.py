"""What a command says while it goes through files."""

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import kqf
from kqf.text import escape, reason

if TYPE_CHECKING:
    from rich.progress import Progress

_BAR_AFTER = 1.0  # seconds


class Session:
    """One command on its way through files: to be had from ``session``.

    Arguments:
        total: number of files.

    Attributes:
        failed: whether anything was wrong with any file.
        error: what was wrong with the latest file, if anything.
        bar: the progress bar, once it is drawn.
    """

    def __init__(self, total: int) -> None:
        self.failed = False
        self.error = ""
        self._total = total
        self._done = 0.0
        self._steps = total > 1
        self._counted = False
        self.bar: Progress | None = None

    def restart(self, total: int) -> None:
        """Count so many files from here on, and show how many a second."""
        self._total, self._done = total, 0.0
        self._steps = self._counted = True
        self._update()

    def say(self, line: str, on_stderr: bool = False) -> None:
        """Print one line; where stdout takes none, end the command."""
        try:
            print(line, file=sys.stderr if on_stderr else sys.stdout, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            # No file is at fault, and what is told about others would be lost as well.
            sys.exit(f"kqf: stdout: {reason(error)}")

    def note(self, name: str, message: object) -> None:
        """Say something about a file on stderr, which is no failure in itself."""
        self.say(f"kqf: {escape(name)}: {escape(message)}", on_stderr=True)

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
                self.error = reason(error)
                self.note(name, self.error)

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """Work on one of the files, which counts as done then; errors as for attempt."""
        with self.attempt(name):
            yield
        self._done = int(self._done) + 1
        self._update()

    def progress(self, share: float) -> None:
        """Say how much of the file at work is done, 0 up to 1."""
        self._done = int(self._done) + min(share, 0.999)
        self._steps = True
        self._update()

    def _update(self) -> None:
        if self.bar:
            total = self._total if self._steps else None
            speed = self.bar.tasks[0].speed
            # Rich's default columns end with the time left.
            rate = f"{self._done:,.0f} of {self._total:,}" if self._counted else ""
            if rate and speed:
                rate += f", {speed:.1f} files/s"
            self.bar.update(self.bar.task_ids[0], completed=self._done, total=total, rate=rate)

    def show_bar(self) -> None:
        """Draw a progress bar below whatever is printed."""
        from rich.console import Console
        from rich.progress import Progress, TextColumn

        # What goes to a pipe must not take its way through the bar's terminal.
        columns = (
            *Progress.get_default_columns(),
            TextColumn("{task.fields[rate]}"),
        )
        bar = Progress(
            *columns,
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        # One file alone may give no steps to count: the bar then only shows that work goes on.
        bar.add_task("", total=None, rate="")
        bar.start()
        self.bar = bar
        self._update()


@contextmanager
def session(total: int) -> Iterator[Session]:
    """Give a Session; exit with 1 at its end if any file failed, and with 130 on an interrupt.

    A command that takes long shows a bar, if stderr is a terminal.
    """
    opened = Session(total)
    timer = threading.Timer(_BAR_AFTER, opened.show_bar)
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield opened
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        timer.cancel()
        if timer.ident:
            # It may be about to draw.
            timer.join()
        if opened.bar:
            opened.bar.stop()
    if opened.failed:
        sys.exit(1)
