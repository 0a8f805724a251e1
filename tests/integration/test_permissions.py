"""Files and folders that may not be written to, and targets that cannot be files."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command import names
from readers_and_writers import ENVIRONMENT, linux, writers

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]


AS_NOBODY = """
import os, sys
import numpy as np
import kqf
os.chdir(sys.argv[1])
pixels = np.zeros((2, 3), np.uint8)
# Its modules may lie where nobody else may read.
kqf.encode(pixels, effort=1)
if not os.geteuid():
    os.seteuid(65534)
for name in sys.argv[2:]:
    try:
        kqf.write(name, pixels, effort=1)
        print("written")
    except OSError as error:
        print(type(error).__name__, os.path.basename(error.filename))
"""


@linux
def test_files_and_folders_without_permission_stay_as_they_are():
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        (where / "closed").mkdir()
        (where / "file.kqf").write_bytes(b"old")
        (where / "file.kqf").chmod(0o444)
        (where / "closed").chmod(0o555)
        where.chmod(0o777)
        process = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, name, "file.kqf", "closed/new.kqf", "new.kqf"],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        (where / "closed").chmod(0o755)
        assert process.stdout.splitlines() == [
            "PermissionError file.kqf",
            "PermissionError new.kqf",
            "written",
        ], process.stderr
        assert (where / "file.kqf").read_bytes() == b"old"
        assert names(where / "closed") == []


@writers
@pytest.mark.parametrize(
    ("target", "kind"), [(".", IsADirectoryError), ("none/a.kqf", FileNotFoundError)]
)
def test_targets_that_cannot_be_are_refused_before_the_work(write, target, kind, monkeypatch):
    monkeypatch.setattr("kqf.encoding.api.encode", lambda *_, **__: pytest.fail("worked in vain"))
    monkeypatch.setattr("kqf.encoding.api.encode_indexed", lambda *_, **__: pytest.fail("in vain"))
    monkeypatch.setattr("kqf.cluster.api.Blocks", lambda *_, **__: pytest.fail("in vain"))
    with pytest.raises(kind):
        write(target)
    assert names() == []
