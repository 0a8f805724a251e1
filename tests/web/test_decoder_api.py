"""The functions of kqf.js: sources, regions, limits, damaged streams."""

import base64
import hashlib
import json
import zlib

import numpy as np
import pytest
from conftest import smooth_image
from javascript import ROOT, run_node

import kqf

MODULE = (ROOT / "kqf" / "web" / "kqf.js").as_uri()
# A server of one file that knows ranges, in place of fetch; it lists what it was asked for.
SERVER = """
let requests = [];
const serve = (data, ranges = true) => {
    globalThis.fetch = async (url, { headers }) => {
        const range = /bytes=(\\d+)-(\\d+)/.exec(new Headers(headers).get("Range"));
        const [start, last] = [Number(range[1]), Math.min(Number(range[2]), data.length - 1)];
        if (!ranges) return new Response(data);
        if (start >= data.length) return new Response(null, { status: 416 });
        requests.push([start, last + 1]);
        const size = { "Content-Range": `bytes ${start}-${last}/${data.length}` };
        return new Response(data.subarray(start, last + 1), { status: 206, headers: size });
    };
};
"""
START = f"""
import {{ createHash }} from "node:crypto";
import {{ KqfError, decode, open }} from {json.dumps(MODULE)};
import {{ readFileSync }} from "node:fs";
const files = JSON.parse(readFileSync(0, "utf-8")).map((text) => Buffer.from(text, "base64"));
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const refusal = (result) =>
    result.then(() => null, (error) => [error.kind, error.chunk, error.field]);
{SERVER}
const print = (value) => process.stdout.write(JSON.stringify(value));
"""


def script(text, *files):
    """Run statements that ``print`` one value, with files of these bytes."""
    encoded = json.dumps([base64.b64encode(data).decode() for data in files])
    return run_node("--input-type=module", "-e", START + text, stdin=encoded)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def large():
    """Return a file of several tiles, whose streams are too long to be inflated in JavaScript."""
    noise = np.random.default_rng(0).integers(-9, 9, (300, 500, 3))
    pixels = np.clip(smooth_image(300, 500, 3) + noise, 0, 255).astype(np.uint8)
    return kqf.encode(pixels, tile=(256, 150), predictor="left", seed=0)


@pytest.mark.parametrize("source", ["bytes", "buffer", "blob", "range", "whole"])
def test_sources(large, source):
    sources = {
        "bytes": "files[0]",
        "buffer": "new Uint8Array(files[0]).buffer",
        "blob": "new Blob([files[0]])",
        "range": "(serve(files[0]), 'https://a.example/x.kqf')",
        "whole": "(serve(files[0], false), new URL('https://a.example/x.kqf'))",
    }
    found = script(
        f"""const file = await open({sources[source]});
        const image = await file.read();
        const names = ["width", "height", "predictor", "indexed", "size"];
        print([...names.map((name) => file[name]), sha256(image.labels)]);""",
        large,
    )
    labels = kqf.read_indexed(large).labels
    assert found == [500, 300, "left", True, len(large), sha256(labels)]


def test_rows_are_shown_as_they_arrive(large):
    """The rest of the file arrives once the first rows of its tiles have been shown."""
    found = script(
        """const rows = [];
        let shown;
        const first = new Promise((done) => (shown = done));
        let half = 0;
        for (let tile = 0; tile < 3; tile++) half = files[0].indexOf("LABL", half + 1);
        const body = new ReadableStream({
            async start(controller) {
                controller.enqueue(new Uint8Array(files[0].subarray(0, half)));
                await first;
                controller.enqueue(new Uint8Array(files[0].subarray(half)));
                controller.close();
            },
        });
        const file = await open(new Response(body));
        const sizes = [file.size];
        const image = await file.read({ onRows: (image, ...part) => {
            rows.push([...part, sha256(image.labels.subarray(image.width * part[0],
                image.width * part[1]))]);
            shown();
        } });
        print([rows, sha256(image.labels), sizes[0] === Infinity, file.size]);""",
        large,
    )
    labels = kqf.read_indexed(large).labels
    rows = [[at, at + 150, sha256(labels[at : at + 150])] for at in (0, 150)]
    assert found == [rows, sha256(labels), True, len(large)]


def test_frames_begin_at_the_last_whole_one():
    """A group that is damaged does not matter to whole frames after it."""
    data = (ROOT / "spec" / "vectors" / "valid" / "6.7_fidx.kqf").read_bytes()
    at = data.index(b"FRAM") + 100
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    found = script(
        """const [right, file] = [await open(files[0]), await open(files[1])];
        const frames = async (file, numbers) => {
            const found = [];
            for (const number of numbers) found.push((await file.frame(number)).rgba());
            return numbers.map((number, i) => number + sha256(found[i])).sort();
        };
        print([await frames(right, [2, 3]), await frames(file, [3, 2]),
            await refusal(file.frame(1))]);""",
        data,
        damaged,
    )
    assert found[0] == found[1]
    assert found[2] == ["wrong", "FRAM", "crc"]


def test_a_region_of_a_large_file_fetches_few_bytes():
    labels = np.random.default_rng(0).integers(0, 256, (2000, 2000), np.uint8)
    codebook = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    data = kqf.encode_indexed(labels, codebook, predictor="none", tile=100)
    requests, found = script(
        """serve(files[0]);
        const file = await open("https://a.example/x.kqf");
        const image = await file.read({ region: [1110, 1510, 1120, 1520] });
        print([requests, sha256(image.labels)]);""",
        data,
    )
    assert found == sha256(labels[1510:1520, 1110:1120])
    assert sum(end - start for start, end in requests) < 200_000 < len(data) // 10


@pytest.mark.parametrize("cut", [0, 5, 8, 100, 5000])
def test_cut_files_are_truncated(large, cut):
    text = "print([await refusal(decode(files[0])), await refusal((async () => {serve(files[0]);"
    text += "await (await open('https://a.example/x')).read()})())]);"
    found = script(text, large[:cut])
    assert [kind for kind, *_ in found] == ["truncated"] * 2


def test_limits_are_no_faults_of_the_file(large):
    found = script("print(await refusal(decode(files[0], { maxPixels: 149999 })));", large)
    assert found == ["limit", "file", "pixels of the tiles to read"]


@pytest.mark.parametrize(
    "region", ["[0, 0, 501, 300]", "[-1, 0, 5, 5]", "[5, 0, 5, 5]", "[0, 0, 5]", "[0.5, 0, 5, 5]"]
)
def test_regions_lie_in_the_image(large, region):
    text = "const error = await decode(files[0], { region: %s }).catch((error) => error);"
    found = script(text % region + "print(`${error}`);", large)
    assert found.startswith("RangeError: region: expected a part of 500 x 300 pixels")


def chunk(kind, payload):
    crc = zlib.crc32(payload, zlib.crc32(kind))
    return len(payload).to_bytes(4) + kind + payload + crc.to_bytes(4)


def file_of(stream, width, height, colors=256):
    """Return a file of one tile with predictor none, whose stream is given."""
    sides = b"".join(side.to_bytes(4) for side in (width, height, width, height))
    parts = [
        chunk(b"HEAD", sides + bytes([1, 1, colors - 1, 0])),
        chunk(b"CODE", bytes(range(colors))),
        chunk(b"LABL", stream),
        chunk(b"DONE", b""),
    ]
    return b"\x89KQF\r\n\x1a\n" + b"".join(parts)


NOISE = np.random.default_rng(1).integers(0, 256, 40_000, np.uint8).tobytes()
STREAM = zlib.compress(NOISE)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (STREAM, None),
        (zlib.compress(NOISE, 0), None),
        (STREAM[:-1], ["truncated", "LABL", "zlib stream"]),
        (STREAM[:-5], ["truncated", "LABL", "zlib stream"]),
        (STREAM[:20_000], ["truncated", "LABL", "zlib stream"]),
        (STREAM + b"\0", ["wrong", "LABL", "zlib stream"]),
        (STREAM + STREAM[-4:-3], ["wrong", "LABL", "zlib stream"]),
        (STREAM[:-1] + bytes([STREAM[-1] ^ 1]), ["wrong", "LABL", "zlib stream"]),
        (zlib.compress(NOISE + b"\0"), ["wrong", "LABL", "inflated size"]),
        (zlib.compress(NOISE[:-1]), ["wrong", "LABL", "inflated size of tile 0"]),
        (zlib.compress(bytes(40_000)), None),
        # It inflates to 200 MB, which nobody waits for.
        (zlib.compress(bytes(200_000_000), 1), ["wrong", "LABL", "inflated size"]),
    ],
    # The names that pytest makes hold the bytes: too many for the environment of Node.
    ids=range(12),
)
def test_streams(stream, expected):
    text = """const before = process.memoryUsage.rss();
        const result = await refusal(decode(files[0]));
        print([result, process.memoryUsage.rss() - before]);"""
    found, memory = script(text, file_of(stream, 200, 200))
    assert found == expected
    assert memory < 150_000_000


def test_what_a_file_claims_takes_no_memory():
    """A large image that the file's bytes cannot bear out."""
    text = """const before = process.memoryUsage.rss();
        const result = await refusal(decode(files[0], { maxPixels: Infinity }));
        print([result, process.memoryUsage.rss() - before]);"""
    found, memory = script(text, file_of(STREAM, 2**31 - 1, 2**31 - 1))
    assert found == ["truncated", "LABL", "count"]
    assert memory < 50_000_000


def test_readings_of_one_file_follow_one_another(large):
    found = script(
        """const file = await open(files[0]);
        const regions = [[0, 0, 500, 300], [100, 100, 300, 200], [499, 299, 500, 300]];
        const images = await Promise.all(regions.map((region) => file.read({ region })));
        print(images.map((image) => sha256(image.labels)));""",
        large,
    )
    labels = kqf.read_indexed(large).labels
    assert found == [
        sha256(part) for part in (labels, labels[100:200, 100:300], labels[299:, 499:])
    ]


def test_a_reading_can_be_aborted(large):
    text = """const error = await decode(files[0], { signal: AbortSignal.abort() }).catch((e) => e);
        print(error.name);"""
    assert script(text, large) == "AbortError"
