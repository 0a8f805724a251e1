"""Results that are not smaller than their sources."""

from kqf.convert.options import ConversionOptions


class NotSmaller(ValueError):  # noqa: N818 - a result that is not wanted, not an error in itself
    """The result takes no fewer bytes than its source; nothing was written."""


def compare_sizes(bytes_in: int, bytes_out: int, options: ConversionOptions) -> list[str]:
    """Return what to tell the user about the size of a result: nothing if it is smaller.

    Raises:
        NotSmaller: it is not smaller, and ``only_smaller``.
    """
    if bytes_out < bytes_in:
        return []
    text = f"{bytes_out:,} bytes, not smaller than its source of {bytes_in:,}"
    if bytes_in:
        text += f" ({100 * bytes_out / bytes_in:.0f} %)"
    if options.only_smaller:
        raise NotSmaller(f"the result would be {text}")
    return [f"the result is {text}"]
