import pickle

import pytest

from kqf.errors import FormatError, KqfError, LimitError, TruncatedError, UnsupportedError

FORMAT_ERRORS = [FormatError, TruncatedError, UnsupportedError, LimitError]


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
