"""What is held for good is put aside, and what was needed for the start alone is given back."""

import contextlib
import ctypes
import gc


def settle() -> None:
    """After the first audit: the model stays, so the search for cycles need not walk it again.

    A walk through the notes of 150,000 pods' readers keeps all threads from running. Lists and
    decoding leave free memory between what is kept; the C library holds it until it is asked.
    """
    gc.freeze()
    with contextlib.suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)
