"""`make image`: build the image, and tell its size."""

import os
import sys

from image.build import TAG, build, size
from image.tools import ImageError, tool


def main() -> int:
    """Build it; one sentence when it cannot be built."""
    tag = os.environ.get("TAG") or TAG
    try:
        chosen = tool()
        build(chosen, tag, os.environ.get("BASE", ""))
        print(f"{tag}: {size(chosen, tag) / 1e6:.0f} MB, built by {chosen}")
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
