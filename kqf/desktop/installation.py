"""Installs KQF's file type and thumbnails for one user, by the rules of freedesktop.org.

The files are those of the Shared MIME-info Database specification, of the thumbnailer
specification of GNOME, which other file managers follow, and of ``magic(5)``.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from kqf.io.files import write_whole

# Text that every file has which is written here, and by which it is known later.
_MARK = b'Written by "kqf desktop install"'
_UPDATE = "update-mime-database"
# Seconds after which updating the database is given up.
_PATIENCE = 60


def install(dry_run: bool = False) -> Iterator[str]:
    """Write the files that make KQF known to the desktop, and yield what is done, line by line.

    Files that ``kqf desktop install`` did not write are left as they are.

    Arguments:
        dry_run: change nothing, and say what would be done.

    Raises:
        OSError: the system has no such files, or one cannot be written.
    """
    _check_system()
    changed = False
    for path, content in _contents().items():
        if path.exists() and not _is_ours(path):
            yield f"{path} is not from kqf and was left as it is{_hint(path)}"
        elif path.exists() and path.read_bytes() == content:
            yield f"{path} is up to date"
        else:
            if not dry_run:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
            changed = True
            yield f"{'would write' if dry_run else 'wrote'} {path}"
    if changed:
        yield _update_database(dry_run)


def uninstall(dry_run: bool = False) -> Iterator[str]:
    """Remove the files that ``kqf desktop install`` wrote, and yield what is done, line by line.

    Arguments:
        dry_run: change nothing, and say what would be done.

    Raises:
        OSError: the system has no such files, or one cannot be removed.
    """
    _check_system()
    changed = False
    for path in _contents():
        if not path.exists():
            continue
        if not _is_ours(path):
            yield f"{path} is not from kqf and was left as it is"
            continue
        if not dry_run:
            path.unlink()
        changed = True
        yield f"{'would remove' if dry_run else 'removed'} {path}"
    yield _update_database(dry_run) if changed else "nothing of kqf is installed"


def _check_system() -> None:
    if sys.platform in ("darwin", "win32"):
        system = "macOS" if sys.platform == "darwin" else "Windows"
        raise OSError(
            f"{system} has no database of file types that kqf can add to: "
            "its file manager shows no thumbnails of KQF files"
        )


def _is_ours(path: Path) -> bool:
    return path.is_file() and _MARK in path.read_bytes()


def _contents() -> dict[Path, bytes]:
    """Return what is installed, by the path at which it is."""
    data = files("kqf.desktop").joinpath("data")
    program = sys.executable
    entry = data.joinpath("kqf.thumbnailer").read_text("utf-8")
    # A percent sign starts a field of the command.
    command = shlex.quote(program).replace("%", "%%")
    return {
        _mime_folder() / "packages" / "kqf.xml": data.joinpath("kqf.xml").read_bytes(),
        _data_home() / "thumbnailers" / "kqf.thumbnailer": entry.format(
            program=program, command=command
        ).encode("utf-8", "surrogateescape"),
        Path.home() / ".magic": data.joinpath("magic").read_bytes(),
    }


def _data_home() -> Path:
    """Return the folder of the user's data (XDG Base Directory specification)."""
    folder = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The specification says to ignore paths that are not absolute.
    return folder if folder.is_absolute() else Path.home() / ".local" / "share"


def _mime_folder() -> Path:
    return _data_home() / "mime"


def _hint(path: Path) -> str:
    if path.name != ".magic":
        return ""
    source = files("kqf.desktop").joinpath("data", "magic")
    return f": for the program file to know KQF, add the lines of {source} to it"


def _update_database(dry_run: bool) -> str:
    """Update the database of file types, and return what was done."""
    command = f"{_UPDATE} {shlex.quote(str(_mime_folder()))}"
    if dry_run:
        return f"would run {command}"
    program = shutil.which(_UPDATE)
    if program is None:
        return f"{_UPDATE} is not installed: the desktop knows of the change once it has run"
    try:
        done = subprocess.run(
            [program, str(_mime_folder())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{command} did not end within {_PATIENCE} s"
    if done.returncode:
        return f"{command} failed: {done.stderr.strip()}"
    return f"ran {command}"
