"""Fuzz the decoder, the Pillow plugin and the encoder, one target after another.

    pip install '.[fuzz]'
    python tools/stress/fuzz.py [--seconds N] [--target NAME ...] [--corpus FOLDER] [--seed N]
                             [--no-replay]

The fuzzer is atheris. Files begin as the vectors of the specification and are changed by
``mutator.py``; what kqf may do is in ``targets.py``, what an input may take in ``harness.py``.
Inputs that reach something new are kept in ``FOLDER/NAME``, and the next run goes on from them.

An input that breaks a rule ends its target and makes the command exit with 1. It is left in
``FOLDER/NAME.found``, and shows the same again, without the fuzzer, by

    python tools/stress/harness.py --replay NAME FOLDER/NAME.found FOLDER/NAME.found/crash-...

All figures but those of the fuzzer come from a second run over the inputs kept, without it:
coverage of lines and branches, the slowest input, and the one that took most memory.
"""

import argparse
import importlib.util
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coverage import Coverage
from targets import FILE_TARGETS, TARGETS

import kqf

HARNESS = Path(__file__).parent / "harness.py"
VECTORS = [Path(__file__).parents[2] / "spec" / "vectors" / name for name in ("valid", "invalid")]
PACKAGE = Path(kqf.__file__).parent
WATCHED = [
    *map(str, sorted((PACKAGE / "format").glob("[!_]*.py"))),
    *map(str, sorted((PACKAGE / "decoding").glob("[!_]*.py"))),
]
MIB = 2**20
# What libFuzzer itself ends a target for, beside the harness: an input without end.
TIMEOUT = 60
MOST_MIB = 3072
# Bytes of files, and of what the encoder's choices are made by.
MOST_FILE = 2**20
MOST_CHOICES = 512
# Of the encoder's targets to begin with.
SEEDS = 20
SEED_BYTES = 120

# What no target is to reach: a line of the code, and why.
UNREACHED = {
    'raise FormatError(name, "length of all metadata", f"at most {MAX_METADATA}", total)': (
        "takes a file of 64 MiB: tests/conformance makes it"
    ),
    "octets = octets[..., ::-1]": "for processors of the other byte order",
}


@dataclass
class Result:
    """What came of one target.

    Attributes:
        found: what the fuzzer says of an input that breaks a rule.
        coverage: by room, shares of lines and of branches reached.
        slowest: seconds, and bytes of the input. largest: bytes taken, and bytes of the input.
    """

    name: str
    executions: int
    per_second: int
    inputs: int
    found: str | None
    coverage: dict[str, tuple[float, float]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, 0)
    largest: tuple[int, int] = (0, 0)


def fuzz(name: str, seconds: int, seed: int, corpus: Path) -> Result:
    """Run a target for some time, from the inputs kept before."""
    kept, records = corpus / name, corpus / f"{name}.found"
    for folder in kept, records:
        folder.mkdir(parents=True, exist_ok=True)
    most = MOST_FILE if name in FILE_TARGETS else MOST_CHOICES
    options = {
        **({"max_total_time": seconds} if seconds else {"runs": 0}),
        "seed": seed,
        "max_len": most,
        "len_control": 0,
        "timeout": TIMEOUT,
        "rss_limit_mb": MOST_MIB,
        "artifact_prefix": f"{records}/",
        "print_final_stats": 1,
    }
    command = [sys.executable, str(HARNESS), name, str(records)]
    command += [f"-{key}={value}" for key, value in options.items()]
    command += map(str, [kept, *seeds(name, corpus)])
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    output = run.stdout + run.stderr
    lines = [line for line in output.splitlines() if not line.startswith(("#", "stat::"))]
    return Result(
        name,
        executions=_statistic(output, "number_of_executed_units"),
        per_second=_statistic(output, "average_exec_per_sec"),
        inputs=len(list(kept.iterdir())),
        found="\n".join(lines) if run.returncode else None,
    )


def seeds(name: str, corpus: Path) -> list[Path]:
    """Return the folders of inputs to begin with: choices at random for the encoder."""
    if name in FILE_TARGETS:
        return VECTORS
    folder = corpus / f"{name}.seeds"
    folder.mkdir(exist_ok=True)
    rng = random.Random(0)
    for number in range(SEEDS):
        folder.joinpath(str(number)).write_bytes(rng.randbytes(SEED_BYTES))
    return [folder]


def _statistic(output: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", output)
    return int(found[1]) if found else 0


def _share(covered: int, number: int) -> float:
    return covered / number if number else 1.0


def measure(result: Result, corpus: Path) -> None:
    """Run the inputs kept, and those that took most, once more."""
    kept, records = corpus / result.name, corpus / f"{result.name}.found"
    extremes = [path for name in ("slowest", "largest") if (path := records / name).exists()]
    inputs = [str(path) for path in (*seeds(result.name, corpus), *extremes, kept)]
    replay = [str(HARNESS), "--replay", result.name, str(records), *inputs]
    data = records / "coverage"
    watched = ["--branch", f"--data-file={data}", f"--include={','.join(WATCHED)}"]
    subprocess.run([sys.executable, "-m", "coverage", "run", *watched, *replay], check=False)
    result.coverage = {
        room: (
            _share(summary["covered_lines"], summary["num_statements"]),
            _share(summary["covered_branches"], summary["num_branches"]),
        )
        for room, (summary, _) in report([data], records).items()
    }
    # Coverage takes time, too: now without, and by the rules.
    run = subprocess.run([sys.executable, *replay], stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        result.found = run.stderr
        return
    figures = json.loads((records / "figures.json").read_text())
    result.slowest = tuple(figures["slowest"])
    result.largest = tuple(figures["largest"])


def report(data: Iterable[Path], folder: Path) -> dict[str, tuple[dict, list[str]]]:
    """Return coverage's summary and the lines and branches missed, by room."""
    coverage = Coverage(data_file=folder / "coverage.all", branch=True)
    coverage.combine([str(path) for path in data], keep=True)
    coverage.json_report(include=WATCHED, outfile=str(folder / "coverage.json"))
    files = json.loads((folder / "coverage.json").read_text())["files"]
    found = {}
    for name, file in files.items():
        code = Path(name).read_text("utf-8").splitlines()
        missed = [f"{line}: {code[line - 1].strip()}" for line in file["missing_lines"]]
        missed += [
            f"{line} to {other if other > 0 else 'the end'}: {code[line - 1].strip()}"
            for line, other in file["missing_branches"]
            if line not in file["missing_lines"] and other not in file["missing_lines"]
        ]
        found[Path(name).name] = file["summary"], missed
    return found


def table(results: list[Result]) -> str:
    """Return the figures as a table in Markdown."""
    modules = [Path(module).name for module in WATCHED]
    heads = ["target", "executions", "a second", "kept", *modules, "slowest", "most memory"]
    rows = [heads, ["---"] * len(heads)]
    for result in results:
        shares = [result.coverage.get(name) for name in modules]
        rows.append(
            [
                result.name,
                f"{result.executions:,}",
                str(result.per_second),
                str(result.inputs),
                *("" if share is None else f"{share[0]:.1%}, {share[1]:.1%}" for share in shares),
                f"{result.slowest[0] * 1000:.0f} ms of {result.slowest[1]:,} bytes",
                f"{result.largest[0] / MIB:.1f} MiB of {result.largest[1]:,} bytes",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz kqf: see the top of the file.")
    parser.add_argument(
        "--seconds", type=int, default=300, help="for each target; 0 to measure alone"
    )
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--corpus", type=Path, default=Path("build") / "fuzz", help="folder")
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzer")
    parser.add_argument("--no-replay", action="store_true", help="fuzz, and measure nothing")
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is missing: pip install '.[fuzz]', with CPython on Linux, x86-64")
    results = []
    for name in arguments.target:
        result = fuzz(name, arguments.seconds, arguments.seed, arguments.corpus)
        print(f"{name}: {result.executions:,} executions, {result.inputs} inputs kept", flush=True)
        if not result.found and not arguments.no_replay:
            measure(result, arguments.corpus)
        if result.found:
            print(result.found, flush=True)
        results.append(result)
    if not arguments.no_replay:
        print("\nCoverage is of lines, of branches.\n")
        print(table(results))
        if set(arguments.target) == set(TARGETS):
            print_missed(results, arguments.corpus)
    return 1 if any(result.found for result in results) else 0


def print_missed(results: list[Result], corpus: Path) -> None:
    data = [corpus / f"{result.name}.found" / "coverage" for result in results]
    print("\nReached by no target:\n")
    for room, (summary, missed) in report(filter(Path.exists, data), corpus).items():
        print(f"- {room}: {summary['percent_covered']:.1f} % of lines and branches reached")
        for line in missed:
            reason = UNREACHED.get(line.split(": ", 1)[1], "not expected")
            print(f"  - {line} ({reason})")


if __name__ == "__main__":
    sys.exit(main())
