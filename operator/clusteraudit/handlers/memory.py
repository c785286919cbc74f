"""What is held for good is put aside, and what is needed no more is given back."""

import contextlib
import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of glibc's malloc.h."""
_LARGE = 2**20


def set_large_apart() -> None:
    """From now on a block of a mebibyte or more has pages of its own, which go when it goes.

    By default glibc takes ever larger ones from among the small ones: once one of some size was
    freed, the next goes there, and twice as much may lie free above all. A table that grows is
    copied, and leaves a hole that fills with what stays; and what lies free above what a thread
    holds is not given back when asked to. Call it before there are threads.
    """
    with contextlib.suppress(AttributeError):  # a C library other than glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGE)


def settle() -> None:
    """After the first audit: the model stays, so the search for cycles need not walk it again.

    A walk through the notes of 150,000 pods' readers keeps all threads from running. So does one
    through what came since; young objects are looked at often enough that there are few of them.
    """
    gc.freeze()
    gc.set_threshold(5_000, 10, 800)
    give_back()


def give_back() -> None:
    """Free memory between what is kept, back to the system: milliseconds.

    Lists, decoding and pods that come and go leave it; the C library holds it until it is asked,
    or until there is none in use above it.
    """
    with contextlib.suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)
