"""``kqf check``: whether KQF files are sound."""

import kqf
from kqf.cli.files import Files, each_file, source_of
from kqf.cli.messages import in_words
from kqf.cli.parameters import Quiet, Threads
from kqf.cli.session import session
from kqf.text import escape


def check(files: Files, threads: Threads = None, quiet: Quiet = False) -> None:
    """Check that KQF files are whole and undamaged.

    Every chunk and every tile is read, and a line printed for each file. The exit code is 1 if any
    file is bad. "kqf convert --salvage" recovers what is intact in a damaged one.
    """
    with session(len(files), quiet) as here:
        for name in each_file(here, files):
            with here.file(name):
                source = source_of(name)
                try:
                    kqf.check(source, threads=threads)
                except kqf.KqfError as error:
                    here.failed = True
                    here.say(f"{escape(name)}: bad: {escape(in_words(error, source))}")
                else:
                    here.tell(f"{escape(name)}: ok")
