"""How many sizes the pages of a folder come to: a GPU computes pictures of one size together.

    python -m bench.sizes FOLDER [--tokens 1800 1280] [--json]

Counts pages of PDFs at 200 dpi and images that are larger than the budget, and so are brought down.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image

from mmsearch.images import EXTENSIONS, picture_size


def main() -> None:
    """Print, for each budget, the sizes and the share of the eight commonest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[1800, 1280])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    pages = [size for path in sorted(arguments.folder.rglob("*")) for size in sizes(path)]
    rows: list[dict[str, Any]] = []
    for tokens in arguments.tokens:
        budget = tokens * 32 * 32
        large = [size for size in pages if size[0] * size[1] > budget]
        found = Counter(picture_size(*size, max_pixels=budget) for size in large)
        share = sum(count for _, count in found.most_common(8)) / max(len(large), 1)
        rows.append({"tokens": tokens, "pages": len(large), "sizes": len(found), "top8": share})
        print(f"{tokens} tokens: {len(large)} pages, {len(found)} sizes, 8 of them {share:.1%}")
    if arguments.json:
        print(json.dumps({"rows": rows}))


def sizes(path: Path) -> list[tuple[float, float]]:
    """Width and height in pixels of each page of a file; none of one that cannot be read."""
    try:
        if path.suffix.lower() == ".pdf":
            with pypdfium2.PdfDocument(path) as document:
                points = [document.get_page_size(number) for number in range(len(document))]
            return [(width * 200 / 72, height * 200 / 72) for width, height in points]
        if path.suffix.lower() in EXTENSIONS:
            with Image.open(path) as image:
                return [image.size]
    except (pypdfium2.PdfiumError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        pass
    return []


if __name__ == "__main__":
    main()
