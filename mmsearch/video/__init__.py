"""The only video decoder.

Files are opened by `opening`, so that FFmpeg's libraries see nothing else.

**Seconds** of a frame are its presentation time minus that of the first frame, so audio that
starts earlier does not count. Qwen3-VL's `<{t:.1f} seconds>` marks are the mean of the two frames
of a pair. The official code takes a frame's number divided by the average rate instead: at a
constant rate that is the same number, to the last bit, and where the rate varies ours is right.
"""

from __future__ import annotations

from mmsearch.video.decoding import MAX_PIXELS, Video, open_video
from mmsearch.video.opening import EXTENSIONS, looks_like_video
from mmsearch.video.pictures import Frame
from mmsearch.video.sampling import frames, sample

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "Frame",
    "Video",
    "frames",
    "looks_like_video",
    "open_video",
    "sample",
]
