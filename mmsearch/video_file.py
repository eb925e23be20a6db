"""The name that `ingest.finding` knows `mmsearch.video.opening` by."""

from __future__ import annotations

from mmsearch.video.opening import looks_like_video as looks_like_video
