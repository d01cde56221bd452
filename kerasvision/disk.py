"""What to say if the system refuses to read or write a file: which file, why, and the way out."""

import errno
from pathlib import Path

from kerasvision.errors import StoreError

NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)
FULL = (errno.ENOSPC, errno.EDQUOT)
# What only writing meets.
WRITING = (errno.EROFS, *FULL)


def refused(error: OSError, *, file: Path | None = None, hint: str = "") -> StoreError | None:
    """The error in words; None if it is not about a file.

    Args:
        error: what the system said.
        file: that was being written; otherwise the one that the error names.
        hint: the way out if it must not be written.

    >>> print(refused(OSError(errno.EROFS, "Read-only file system", "runs/page.html.tmp"), file=Path("runs/page.html")))
    runs/page.html cannot be written: Read-only file system. Make it writable, or name another place.
    >>> print(refused(OSError(errno.ENOSPC, "No space left on device")))
    a file cannot be written: No space left on device. Free some space on that disk.
    """
    name = file or error.filename2 or error.filename
    place = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "a file")
    cannot = f"{place} cannot be written" if file or error.errno in WRITING else f"{place} cannot be read or written"
    if error.errno in FULL:
        return StoreError(f"{cannot}: {error.strerror}", hint="free some space on that disk")
    if error.errno in NOT_ALLOWED:
        return StoreError(f"{cannot}: {error.strerror}", hint=hint or "make it writable, or name another place")
    return StoreError(f"{cannot}: {error.strerror}", hint=hint) if name else None
