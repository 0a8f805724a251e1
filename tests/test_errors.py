import pickle

import pytest

from kqf.errors import (
    DamageWarning,
    FormatError,
    KqfError,
    LimitError,
    TruncatedError,
    UnsupportedError,
)

FORMAT_ERRORS = [FormatError, TruncatedError, UnsupportedError]


def test_the_root_is_no_value_error():
    assert issubclass(KqfError, Exception)
    assert not issubclass(KqfError, ValueError)


@pytest.mark.parametrize("kind", FORMAT_ERRORS)
def test_format_errors_are_kqf_errors_and_value_errors(kind):
    assert issubclass(kind, KqfError)
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize("kind", FORMAT_ERRORS[1:])
def test_kinds_of_format_error_are_caught_apart(kind):
    others = [other for other in FORMAT_ERRORS[1:] if other is not kind]
    assert issubclass(kind, FormatError)
    assert not issubclass(kind, tuple(others))


def test_the_message_names_chunk_field_expected_and_found():
    error = FormatError("HEAD", "width", "1 to 9", 0)
    assert str(error) == "HEAD: width: expected 1 to 9, found 0"


@pytest.mark.parametrize("kind", FORMAT_ERRORS)
def test_errors_survive_pickling_with_their_fields(kind):
    error = pickle.loads(pickle.dumps(kind("CODE", "length", 3, 4)))
    assert type(error) is kind
    assert (error.chunk, error.field, error.expected, error.found) == ("CODE", "length", 3, 4)
    assert str(error) == "CODE: length: expected 3, found 4"


def test_a_limit_is_no_rule_of_the_format():
    error = pickle.loads(pickle.dumps(LimitError("pixels", "max_pixels", 3, 4)))
    assert isinstance(error, KqfError)
    assert isinstance(error, ValueError)
    assert not isinstance(error, FormatError)
    assert (error.what, error.limit, error.allowed, error.found) == ("pixels", "max_pixels", 3, 4)
    assert str(error) == "pixels: expected at most max_pixels=3, found 4"


def test_a_message_takes_the_place_of_the_four():
    error = pickle.loads(pickle.dumps(TruncatedError("file", "end", 1, 2, "half a file")))
    assert str(error) == "half a file"
    assert (error.chunk, error.found) == ("file", 2)


def test_a_damage_warning_survives_pickling():
    warning = DamageWarning(((0, 0, 1, 1),), 2, ("exif is lost",), (1, 0, 2, 1))
    again = pickle.loads(pickle.dumps(warning))
    assert str(again) == str(warning)
    assert again.doubtful == (1, 0, 2, 1)
