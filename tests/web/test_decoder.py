"""The decoder in JavaScript, by the vectors of the specification, in Node and in Chromium."""

import hashlib
import json

import numpy as np
import pytest
from javascript import ROOT, await_script, browser, run_node, serve

import kqf

VECTORS = ROOT / "spec" / "vectors"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
WEB = ROOT / "tests" / "web"
# A decoder that reads no overviews reads files whose image is right.
INVALID = {name: e for name, e in MANIFEST["invalid"].items() if not e.get("overviews")}
PATHS = [f"{folder}/{name}" for folder in ("valid", "invalid") for name in MANIFEST[folder]]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return Chromium at a page of the repository."""
    with browser(tmp_path_factory.mktemp("profile")) as found, serve(ROOT) as address:
        found.get(f"{address}/spec/vectors/manifest.json")
        yield found


@pytest.fixture(
    scope="module",
    params=[
        ("node", "kqf.js"),
        ("node", "kqf.min.js"),
        pytest.param(("chromium", "kqf.js"), marks=pytest.mark.slow),
        pytest.param(("chromium", "kqf.min.js"), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
def answers(request, tmp_path_factory):
    """Return what each file decodes to, by its path; one process reads them all."""
    program, module = request.param
    if program == "node":
        names = "\n".join(str(VECTORS / path) for path in PATHS)
        folder = tmp_path_factory.mktemp("scripts")
        decoder = (ROOT / "kqf" / "web" / module).as_uri()
        for script in WEB.glob("*.js*"):
            text = script.read_text("utf-8").replace("../../kqf/web/kqf.js", decoder)
            (folder / script.name).write_text(text, "utf-8")
        assert decoder in (folder / "conformance.js").read_text("utf-8")
        found = run_node(folder / "answer_files.js", stdin=names)
    else:
        found = await_script(
            request.getfixturevalue("page"),
            """const [paths, module] = args;
            const script = await (await fetch("/tests/web/conformance.js")).text();
            const decoder = `${location.origin}/kqf/web/${module}`;
            const text = script.replace("../../kqf/web/kqf.js", decoder);
            if (text === script) throw new Error("the decoder is not imported");
            const file = new Blob([text], { type: "text/javascript" });
            const { answer } = await import(URL.createObjectURL(file));
            const load = async (path) => {
                const response = await fetch("/spec/vectors/" + path);
                return answer(new Uint8Array(await response.arrayBuffer()));
            };
            return Promise.all(paths.map(load));""",
            PATHS,
            module,
        )
    return dict(zip(PATHS, found, strict=True))


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def expected_metadata(entry):
    """Return the metadata of an entry of the manifest as kqf.js names it, dpi apart."""
    names = {"iccp": "iccProfile", "exif": "exif", "xmp ": "xmp", "text": "comment"}
    return {names[key]: value for key, value in entry["metadata"].items() if key != "phys"}


def as_rgba(colors):
    """Return colours (..., C) as (..., 4)."""
    if colors.shape[-1] < 3:
        colors = np.concatenate([np.repeat(colors[..., :1], 3, -1), colors[..., 1:]], -1)
    if colors.shape[-1] < 4:
        colors = np.concatenate([colors, np.full_like(colors[..., :1], 255)], -1)
    return colors


def expected_frames(path, channels):
    """Return how an animation is played, and the SHA-256 of each frame."""
    with kqf.open_animation(path) as animation:
        if len(animation) == 1:
            return {"loop": 1, "durations": [], "frames": []}
        return {
            "loop": animation.loop,
            "durations": pytest.approx(animation.durations),
            "frames": [sha256(as_rgba(f.reshape(*f.shape[:2], channels))) for f in animation],
        }


def test_valid_files_are_read(answers):
    for name, entry in MANIFEST["valid"].items():
        image = kqf.read_indexed(VECTORS / "valid" / name)
        height, width = image.labels.shape
        colors = as_rgba(image.codebook)
        found = answers[f"valid/{name}"]
        assert "kind" not in found, (name, found)
        metadata = found.pop("metadata")
        if "phys" in entry["metadata"]:
            x, y, unit = entry["metadata"]["phys"]
            assert metadata.pop("dpi") == pytest.approx([x * 25400 / unit, y * 25400 / unit])
        assert metadata == expected_metadata(entry), name
        assert found == {
            "width": entry["width"],
            "height": entry["height"],
            "channels": entry["channels"],
            "codebook": entry["codebook"],
            "labels": entry["labels_sha256"],
            "rgba": sha256(colors[image.labels]),
            "region": sha256(image.labels[height // 2 : height // 2 + 1, width // 3 :]),
        } | expected_frames(VECTORS / "valid" / name, entry["channels"]), name


def test_invalid_files_are_refused_for_the_same_reason(answers):
    expected = {name: (e["kind"], e["chunk"]) for name, e in INVALID.items()}
    found = {name: answers[f"invalid/{name}"] for name in expected}
    assert {name: (e.get("kind"), e.get("chunk")) for name, e in found.items()} == expected


def test_wrong_overviews_are_no_reason_to_refuse_the_image(answers):
    # The test above may have taken the metadata away.
    right = answers["valid/6.8_overviews.kqf"] | {"metadata": {}}
    for name in MANIFEST["invalid"].keys() - INVALID.keys():
        assert answers[f"invalid/{name}"] == right, name


def test_messages_name_the_field(answers):
    others = {}
    for name, entry in INVALID.items():
        found = answers[f"invalid/{name}"]
        assert f"{found['chunk']}: {found['field']}: expected" in found["message"]
        if found["field"] != entry["field"]:
            others[name] = found["field"]
    # Python sees the stream's size first, JavaScript what it lacks.
    assert others == {
        "R5.5-4_ends-in-codes_length.kqf": "length of tile 0",
        "R5.5-6_new-labels-long.kqf": "new labels of tile 0",
        "R5.5-6_new-labels-missing.kqf": "new labels of tile 0",
        "R7.3-3_last-list-cut-short.kqf": "entries",
    }
