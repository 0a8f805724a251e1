"""Local folders that are replaced whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing_folder(path: Path, *, exclusive: bool = False) -> Iterator[Path]:
    """Give a new folder to fill, which gets the name ``path`` at the end if all went well.

    By then its data is on the disk, where the system can be asked for that. A folder that is
    replaced is moved aside before and removed afterwards. Killed meanwhile, the process leaves a
    hidden folder, ``.kqf-*.tmp``, beside ``path``.

    Arguments:
        exclusive: never replace anything.

    Raises:
        FileExistsError: there is something of this name, and ``exclusive``, or it came up
            meanwhile. OSError: the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    if exclusive and path.exists():
        raise _exists(path)
    is_replaced = path.exists()
    temporary, aside = (path.with_name(f".kqf-{os.urandom(8).hex()}.tmp") for _ in range(2))
    try:
        temporary.mkdir()
    except OSError as error:
        # Nobody knows the temporary name.
        error.filename = str(path)
        raise
    try:
        yield temporary
        if hasattr(os, "sync"):
            os.sync()
        if is_replaced:
            path.rename(aside)
        try:
            if path.exists():
                raise _exists(path)
            temporary.rename(path)
        except BaseException:
            if is_replaced:
                aside.rename(path)
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if is_replaced:
        shutil.rmtree(aside, ignore_errors=True)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
