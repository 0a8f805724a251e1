"""The specification against itself and against the declarations and comments of the code."""

import doctest
import re
import zlib
from pathlib import Path

import pytest
from construct import FormatField

from kqf.format import chunks, declarations, signature
from kqf.format.overviews import build_overviews

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "spec" / "kqf.md").read_text(encoding="utf-8")
LAYOUT = "| Offset | Size | Type | Name | Allowed values |"
RULE = re.compile(r"R(?:\d+\.)?\d+-\d+")
RULES = re.findall(rf"^- \*\*({RULE.pattern})\*\* ", SPEC, re.MULTILINE)
HEADINGS = re.findall(r"^##+ (\d[\d.]*) .*$", SPEC, re.MULTILINE)
TYPES = {1: "u8", 4: "u32"}


def section(number):
    """Return the text of a section, without those below it."""
    body = re.split(rf"^##+ {re.escape(number)} .*$", SPEC, flags=re.MULTILINE)
    assert len(body) == 2, f"section {number}"
    return re.split(r"^##+ ", body[1], flags=re.MULTILINE)[0]


def rows(text, header):
    """Return the cells of each row of the one table with this header."""
    _, body = text.split(header + "\n")
    lines = body.split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def layout(number):
    """Return [(offset, size, type, name, allowed), ...] of a section's layout table."""
    return [tuple(row) for row in rows(section(number), LAYOUT)]


def value(expression, **names):
    """Return the value of an offset or size, which may name fields."""
    return eval(expression.replace("\N{MULTIPLICATION SIGN}", "*"), {"__builtins__": {}}, names)


def inner(construct):
    """Return what a named, checked or computed field is stored as."""
    while not isinstance(construct, FormatField):
        inside = getattr(construct, "checksumfield", None) or getattr(construct, "subcon", None)
        if inside is None:
            return construct
        construct = inside
    return construct


def allowed(construct):
    """Return the range that an Allowed admits, None for any other construct."""
    while construct is not None and not isinstance(construct, declarations.Allowed):
        construct = getattr(construct, "subcon", None)
    return construct and construct.allowed


def as_range(text):
    low, _, high = text.partition(" to ")
    return range(int(low), int(high or low) + 1)


# Layout tables.


@pytest.mark.parametrize(
    ("number", "declared"),
    [
        ("5.1", declarations.Header),
        ("5.10", declarations.AnimationFields),
        ("6.4", declarations.Physical),
    ],
)
def test_fields_are_declared_as_in_the_table(number, declared):
    # A stream may follow the fields.
    table = [row for row in layout(number) if row[2] != "bytes"]
    assert [row[3] for row in table] == [field.name for field in declared.subcons]
    offset = 0
    for (at, size, kind, _, values), field in zip(table, declared.subcons, strict=True):
        stored = inner(field)
        assert (int(at), int(size)) == (offset, stored.sizeof())
        assert kind == TYPES[stored.sizeof()]
        assert stored.fmtstr in (">B", ">L")
        assert allowed(field) == as_range(values)
        offset += int(size)
    assert declared.sizeof() == offset


def test_groups_of_frames_are_declared_as_in_the_table():
    header = "| Offset | Size | Type | Name | Allowed values | Present |"
    table = [row for row in rows(section("5.11"), header) if row[2] != "bytes"]
    table = [row for row in table if row[3] != "layout"]
    fields = [*declarations.FrameFields.subcons, *declarations.ChangesFields.subcons]
    assert [row[3] for row in table] == [field.name for field in fields]
    offset = 0
    for (at, size, kind, *_), field in zip(table, fields, strict=True):
        assert (int(at), int(size), kind) == (offset, field.sizeof(), TYPES[field.sizeof()])
        offset += int(size)


def test_signature_is_declared_as_in_the_table():
    ((at, size, kind, name, values),) = layout("4.1")
    (field,) = chunks.Signature.subcons
    assert (at, int(size), kind, name) == ("0", len(signature.SIGNATURE), "bytes", field.name)
    assert bytes.fromhex(values.strip("`")) == signature.SIGNATURE
    assert chunks.Signature.build({}) == signature.SIGNATURE


def test_chunk_is_declared_as_in_the_table():
    table = layout("4.2")
    fields = chunks.Chunk.subcons
    assert [row[3] for row in table] == [field.name for field in fields]
    offset = 0
    for (at, size, kind, name, _), field in zip(table, fields, strict=True):
        assert value(at, length=5) == offset, name
        stored = inner(field)
        assert value(size, length=5) == stored.sizeof(length=5), name
        if kind != "bytes":
            assert (kind, stored.fmtstr) == ("u32", ">L"), name
        offset += stored.sizeof(length=5)
    assert offset == chunks.HEAD_SIZE + 5 + chunks.CRC_SIZE
    assert as_range(table[0][4]) == range(2**32)
    heads = [field.name for field in chunks.ChunkHead.subcons]
    assert heads == [row[3] for row in table][:2]
    assert chunks.ChunkHead.sizeof() == chunks.HEAD_SIZE


def test_built_chunk_follows_the_table():
    built = chunks.build_chunk(b"text", b"hello")
    cells = {row[3]: (value(row[0], length=5), value(row[1], length=5)) for row in layout("4.2")}
    parts = {name: built[at : at + size] for name, (at, size) in cells.items()}
    assert parts["length"] == b"\0\0\0\5"
    assert (parts["type"], parts["payload"]) == (b"text", b"hello")
    assert sum(map(len, parts.values())) == len(built)


def test_tile_index_is_declared_as_in_the_table():
    ((at, size, kind, name, _),) = layout("6.6")
    (field,) = declarations.TileIndex.subcons
    assert (at, kind, name) == ("0", "u32[tiles]", field.name)
    built = declarations.TileIndex.build({"lengths": [1, 2, 3]}, tiles=3)
    assert len(built) == value(size, tiles=3)
    assert built == bytes.fromhex("00000001 00000002 00000003")


def test_overview_index_is_declared_as_in_the_table():
    table = layout("6.8")
    declared = declarations.Overviews.subcons
    assert [row[3] for row in table] == [field.name for field in declared] + ["lengths", "crcs"]
    for at, row, field in zip((0, 1), table, declared, strict=False):
        assert (int(row[0]), int(row[1]), row[2]) == (at, 1, "u8")
        assert allowed(field) == as_range(row[4])
    ((_, index), (_, data)) = build_overviews([(2, [b"stream"]), (1, [b"a", b"bc"])])
    assert len(index) == value(table[3][0], n=3) + value(table[3][1], n=3)
    assert index[:14] == bytes.fromhex("01 02 00000006 00000001 00000002")
    assert (index[14:18], data) == (zlib.crc32(b"stream").to_bytes(4), b"streamabc")


def test_predictors_are_those_of_the_table():
    header = next(line for line in section("7.1").splitlines() if line.startswith("| predictor"))
    table = rows(section("7.1"), header)
    assert [row[0] for row in table] == ["0", "1", "2"]
    # Those of sections 7.4 and 7.5 have no contexts.
    names = [row[1] for row in table] + ["copy", "packed"]
    assert tuple(names) == tuple(kind.name.lower() for kind in declarations.Predictor)
    assert "### 7.4 Copy" in SPEC
    assert "### 7.5 Packed" in SPEC


def test_metadata_types_are_those_of_the_table():
    table = rows(section("4.3"), "| Type | Payload | Number | Section |")
    kinds = [row[0].strip("`") for row in table]
    metadata = [kind.decode() for kind in declarations.METADATA_TYPES.values()]
    frames = ["ANIM", "FRAM", "fidx"]
    image = ["HEAD", "CODE", "PCOD", "SHAP", "RANK", "LABL", "DONE"]
    assert kinds == [*image, *metadata, "tidx", "oidx", "over", *frames]
    assert all(row[3] in HEADINGS for row in table)


def test_limits_are_those_of_the_code():
    limits = {row[0]: row[1] for row in rows(section("9.1"), "| What | At most | Rule |")}
    mib = {"16 MiB": declarations.MAX_METADATA_CHUNK, "64 MiB": declarations.MAX_METADATA}
    for text, found in mib.items():
        assert text in limits.values()
        assert int(text.split()[0]) * 2**20 == found
    assert int(limits["chunks in the prologue"]) == declarations.MAX_PROLOGUE_CHUNKS
    assert int(limits["entries of the codebook"]) == declarations.MAX_COLORS
    assert int(limits["width, height, tile_width, tile_height"]) == declarations.MAX_SIDE
    assert f"up to {declarations.MAX_PIXELS} pixels" in section("9.2")


# Rules and citations.


def test_rules_are_numbered_once_each_in_their_section():
    assert len(RULES) > 50
    assert len(set(RULES)) == len(RULES)
    for rule in RULES:
        number = rule[1:].split("-")[0]
        assert f"**{rule}**" in section(number), rule


def test_rules_count_up():
    for number in {rule.split("-")[0] for rule in RULES}:
        found = [int(rule.split("-")[1]) for rule in RULES if rule.split("-")[0] == number]
        assert found == list(range(1, len(found) + 1)), number


def test_cited_rules_exist():
    assert set(RULE.findall(SPEC)) == set(RULES)


def test_every_refusal_cites_a_rule_that_binds():
    table = rows(section("10"), "| A file with | Rule | Kind |")
    assert len(table) > 30
    for what, rule, kind in table:
        assert rule in RULES, what
        assert kind in ("wrong", "truncated", "unsupported"), what


def test_every_rule_of_layout_and_compression_is_refused_or_not_checkable():
    # What a decoder cannot see in a file: how it is to be read, and what "should" be.
    not_in_bytes = {
        *("R3-1", "R4.2-1", "R4.3-3", "R5.2-2", "R5.2-3", "R5.3-1", "R5.3-2", "R5.3-3"),
        *("R5.4-1", "R5.4-2", "R6.1-1", "R6.2-1", "R6.3-1", "R6.4-3"),
        *("R7.1-1", "R7.2-1", "R7.2-2", "R5.1-3", "R5.1-8", "R5.7-2", "R7-1"),
        *("R7.4-1", "R7.4-3", "R7.4-4", "R7.4-5", "R7.5-1"),
        *("R5.11-13", "R5.11-15", "R6.8-9"),
    }
    cited = set(RULE.findall(section("10")))
    of_files = {rule for rule in RULES if int(re.match(r"R(\d+)", rule)[1]) <= 8}
    assert of_files - cited == not_in_bytes


def test_cited_sections_exist():
    cited = citations(SPEC)
    assert cited <= set(HEADINGS), cited - set(HEADINGS)


def citations(text):
    """Return the numbers of all "section 4.1" and "sections 4.2, 4.4 and 6"."""
    number = r"\d+(?:\.\d+)?"
    runs = re.findall(rf"[Ss]ections? ({number}(?:(?:, | and | to ){number})*)", text)
    return set(re.findall(number, " ".join(runs)))


@pytest.mark.parametrize(
    "path", sorted([*(ROOT / "kqf").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]), ids=str
)
def test_sections_cited_by_the_code_exist(path):
    cited = citations(path.read_text(encoding="utf-8"))
    assert cited <= set(HEADINGS), cited - set(HEADINGS)


def test_code_cites_the_layout_it_declares():
    source = "".join(Path(module.__file__).read_text("utf-8") for module in (chunks, declarations))
    assert {"4.1", "4.2", "5.1", "6.4", "6.6"} <= citations(source)


# Annex A.


def annex():
    text = SPEC.split("## Annex A")[1].split("## Annex B")[0]
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


def test_example_runs():
    test = doctest.DocTestParser().get_doctest(annex(), {}, "annex A", "kqf.md", 0)
    results = doctest.DocTestRunner().run(test)
    assert results.attempted > 10
    assert results.failed == 0


def examples():
    """Return the text and the bytes of each example, by the name of its vector."""
    text = SPEC.split("## Annex A")[1].split("## Annex B")[0]
    found = {}
    for part in text.split("\n### A.")[1:]:
        literal = re.search(r"fromhex\('''(.*?)'''\)", part, re.DOTALL)[1]
        name = re.search(r"`spec/vectors/valid/(\S+)\.kqf`", part)[1]
        found[name] = part, bytes.fromhex(literal.replace("...", ""))
    return found


EXAMPLES = examples()


def test_there_is_an_example_of_each_version():
    assert [data[32] for _, data in EXAMPLES.values()] == [1, 2]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_vectors(name):
    path = ROOT / "spec" / "vectors" / "valid" / f"{name}.kqf"
    assert path.read_bytes() == EXAMPLES[name][1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_explain_every_byte(name):
    text, data = EXAMPLES[name]
    explained = {0: signature.SIGNATURE}
    for at, cell in re.findall(r"^\| (\d+) \| `([0-9a-f ]+)` \|", text, re.MULTILINE):
        assert int(at) not in explained
        explained[int(at)] = bytes.fromhex(cell)
    end = 0
    for at, part in sorted(explained.items()):
        assert at == end, f"byte {end}"
        assert data[at : at + len(part)] == part, f"byte {at}"
        end = at + len(part)
    assert end == len(data)
