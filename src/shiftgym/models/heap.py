"""Returns memory to the system that torch has freed but glibc still holds."""

import ctypes
import os
from pathlib import Path

MOST_RESIDENT = 768 * 2**20
"""Bytes that a process may hold before it hands freed memory back."""


def hand_back() -> None:
    """Hand freed memory back to the system once the process holds much. Batches have ever new shapes, so glibc's heap
    would grow to gigabytes in each process, most of it unused; doing this at every step would cost page faults."""
    libc = ctypes.CDLL(None)
    resident = Path("/proc/self/statm")
    if not hasattr(libc, "malloc_trim"):
        return
    if not resident.exists() or int(resident.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_RESIDENT:
        libc.malloc_trim(0)
