"""Local folders that are replaced whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing_folder(
    path: Path, *, mode: int | None = None, exclusive: bool = False
) -> Iterator[Path]:
    """Give a new folder to fill, which gets the name ``path`` at the end if all went well.

    By then its data is on the disk, where the system can be asked for that. A folder that is
    replaced is moved aside before and removed afterwards; the new one has its permissions. If the
    process is killed meanwhile, a hidden folder stays beside ``path``, named ``.kqf-*.tmp``.

    Arguments:
        mode: the permissions that a new folder may have at most, as those of a file, before the
            umask; None for the usual ones.
        exclusive: never replace anything.

    Raises:
        FileExistsError: there is something of this name, and ``exclusive``, or it came up
            meanwhile. OSError: the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    if exclusive and path.exists():
        raise _exists(path)
    is_replaced = path.exists()
    # Who may read may look into the folder.
    allowed = 0o777 if mode is None else 0o700 | mode | (mode & 0o444) >> 2
    temporary, aside = (path.with_name(f".kqf-{os.urandom(8).hex()}.tmp") for _ in range(2))
    try:
        temporary.mkdir(0o700 if is_replaced else allowed)
    except OSError as error:
        # Nobody knows the temporary name.
        error.filename = str(path)
        raise
    try:
        if is_replaced:
            temporary.chmod(path.stat().st_mode & 0o777)
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
