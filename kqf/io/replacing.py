"""Local files that are replaced whole or not at all."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_PRIVATE = stat.S_IRUSR | stat.S_IWUSR


@contextmanager
def replacing(
    path: Path, *, mode: int | None = None, exclusive: bool = False
) -> Iterator[BinaryIO]:
    """Give a new file to write and read, which gets the name ``path`` at the end if all went well.

    By then its data is on the disk: after a power cut there is the old file or the new one. A file
    that is replaced keeps its permissions and, where the system allows it, its owner; at no time
    can anybody read the new data who could not read the old file. Symbolic links are followed.

    Arguments:
        mode: the permissions that a new file may have at most, before the umask; its owner may
            always read and write it. None for the usual ones.
        exclusive: never replace a file.

    Raises:
        FileExistsError: there is a file, and ``exclusive``. OSError: it cannot be written.
    """
    path = Path(os.path.realpath(path))
    try:
        old: os.stat_result | None = path.stat()
    except FileNotFoundError:
        old = None
    if old and exclusive:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    allowed = _PRIVATE if old else _PRIVATE | (0o666 if mode is None else mode & 0o777)
    temporary = path.with_name(f".kqf-{os.urandom(8).hex()}.tmp")
    unnamed = _unnamed(path.parent, allowed)
    try:
        with unnamed or _named(temporary, allowed) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if unnamed:
                if not old:
                    try:
                        _link(unnamed, path)
                        return
                    except FileExistsError:
                        # Made by somebody else in the meantime.
                        if exclusive:
                            raise
                _link(unnamed, temporary)
        if old:
            _take_over(temporary, old)
        if exclusive:
            _rename_to_new(temporary, path)
        else:
            temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and str(temporary) in map(
            str, (error.filename, error.filename2)
        ):
            # Nobody knows the temporary name.
            error.filename, error.filename2 = str(path), None
        raise


def _take_over(file: Path, old: os.stat_result) -> None:
    """Give a file the owner and the permissions of the one that it replaces."""
    mode = stat.S_IMODE(old.st_mode)
    # Windows has no owners of this kind.
    if hasattr(os, "chown"):
        new = file.stat()
        if new.st_uid != old.st_uid:
            with suppress(PermissionError):
                os.chown(file, old.st_uid, -1)
        if new.st_gid != old.st_gid:
            try:
                os.chown(file, -1, old.st_gid)
            except PermissionError:
                # What the old group was allowed is not for another group.
                mode &= ~stat.S_IRWXG
    file.chmod(mode)


def _rename_to_new(file: Path, path: Path) -> None:
    """Rename a file to a name that no file has; raise FileExistsError if one has it."""
    if os.name == "nt":
        file.rename(path)
        return
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:
        # File systems without links: reserve the name, then replace the empty file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        file.replace(path)
    else:
        file.unlink()


def _named(path: Path, mode: int) -> BinaryIO:
    return open(path, "x+b", opener=lambda name, flags: os.open(name, flags, mode))


def _link(file: BinaryIO, path: Path) -> None:
    """Give an unnamed file a name that no file has."""
    # With a descriptor (of no use to a whole path), links are followed to the file.
    number = file.fileno()
    os.link(f"/proc/self/fd/{number}", path, src_dir_fd=number)


def _unnamed(folder: Path, mode: int) -> BinaryIO | None:
    """Return a new file without a name, which ends with its process; None where there are none."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").exists():
        return None
    try:
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, mode), "w+b")
    except OSError:
        # Creating a named file tells what is wrong with the folder.
        return None
