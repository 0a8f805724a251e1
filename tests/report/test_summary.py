"""Formats compared over several images."""

import math

import pytest

from kqf.report.measure import ImageReport, Measurement
from kqf.report.suggestion import Suggestion
from kqf.report.summary import compare, overview, summarize


def made(name, size, error=math.inf, *, share=0.5, colors=None, quality=None):
    return Measurement(name, colors, quality, size, share, size / 10, error)


def reported(name, *rows):
    given = made("PNG file as given", 10)
    return ImageReport(name, "PNG", 10, 1, 1, 3, 1, (given, *rows), Suggestion(16, "why"))


def test_summary_is_of_geometric_means():
    reports = [
        reported("a", made("x", 2, share=0.1), made("y", 4, 30.0), made("z", 9)),
        reported("b", made("x", 8, share=0.4), made("y", 4, 40.0), made("z", 1, 20.0)),
    ]
    given, x, y, z = summarize(reports)
    assert given.name == "file as given"
    assert (x.name, x.images, x.lossless, x.psnr) == ("x", 2, 2, math.inf)
    assert x.bytes == pytest.approx(4)
    assert x.kqf_share == pytest.approx(0.2)
    assert x.bits_per_pixel == pytest.approx(0.4)
    assert (x.worst_share, x.worst_image) == (0.4, "b")
    assert (y.psnr, y.worst_psnr, y.lossless) == (35.0, 30.0, 0)
    assert (z.psnr, z.lossless) == (20.0, 1)


def test_summary_is_of_what_all_images_have():
    reports = [reported("a", made("x", 2), made("y", 4)), reported("b", made("x", 2))]
    assert [row.name for row in summarize(reports)] == ["file as given", "x"]
    assert summarize([]) == ()
    assert compare([]) == ()
    assert overview([], []) == []


def test_comparisons_are_of_the_same_labels():
    def rows(*sizes):
        kinds = [("KQF", 16, 100), ("KQF", 64, 100), ("PNG8 (KQF's labels)", 64, None)]
        named = [
            made(encoder, size, 30.0, colors=colors, quality=quality)
            for (encoder, colors, quality), size in zip(kinds, sizes, strict=True)
        ]
        return [*named, made("KQF", 1, 30.0, colors=64, quality=50)]

    (found,) = compare([reported("a", *rows(9, 50, 100)), reported("b", *rows(9, 80, 40))])
    assert found.name == "KQF, 64 colours, quality 100"
    assert found.other == "PNG8 (KQF's labels), 64 colours"
    assert found.share == pytest.approx(1.0)
    assert (found.worst, found.worst_image, found.images) == (2.0, "b", 2)


def test_the_overview_ends_with_all_together():
    reports = [
        reported(
            "a",
            made("KQF", 4),
            made("GIF", 8, share=0.5),
            made("JPEG", 1),
            made("WebP lossless", 3),
        ),
        reported("b", made("KQF", 6), made("GIF", 3, share=2.0)),
    ]
    first, second, together = overview(reports, ["A", "B"])
    assert (first.name, first.file_bytes, first.kqf_bytes) == ("A", 10, 4)
    assert (first.others, first.shares) == ({"GIF": 8}, {"GIF": 0.5})
    assert second.suggested == 16
    assert (together.file_bytes, together.kqf_bytes) == (20, 10)
    assert together.others == {"GIF": 11}
    assert together.shares == {"GIF": pytest.approx(1.0)}
    assert len(overview(reports[:1], ["A"])) == 1
