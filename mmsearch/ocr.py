from __future__ import annotations
from mmsearch.types import PageText
def join_lines(lines): return "\n".join(lines)
def recognise(image, **k): return PageText()
