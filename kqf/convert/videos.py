"""Videos converted to animations."""

from PIL import Image

from kqf.convert.animations import make_of_frames
from kqf.convert.making import Made
from kqf.convert.options import ConversionOptions
from kqf.io.videos import Video


def make_video(data: bytes, suffix: str, options: ConversionOptions) -> Made:
    """Return the file of a format that the frames of a video become.

    Raises:
        ImportError: PyAV is not installed. ValueError, KqfError: it cannot be made.
    """
    if options.frame is not None:
        frame = options.frame
        raise ValueError(f"--frame: not of videos, but --frames {frame}:{frame + 1}")
    video = Video(data)
    # Without any metadata.
    return make_of_frames(video, Image.new("L", (1, 1)), suffix, options)
