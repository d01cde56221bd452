"""What a person reads about the disk: why the system refuses to read or write a file, and how large something is."""

import errno
import os
from pathlib import Path

from kerasvision.errors import StoreError

NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)
FULL = (errno.ENOSPC, errno.EDQUOT)
# Errors that only writing can cause.
WRITING = (errno.EROFS, *FULL)


def os_error(error: Exception) -> OSError | None:
    """The error itself if it is an OSError, or the OSError that it stands for; None if it is about something else.

    For a full disk, TensorFlow raises the same error as for a lack of memory. It is recognized by its name and text, so that
    TensorFlow is not imported here.
    """
    if isinstance(error, OSError):
        return error
    if type(error).__name__ == "ResourceExhaustedError":
        for number in FULL:
            file, found, _ = str(error).partition(f"; {os.strerror(number)}")
            if found:
                return OSError(number, os.strerror(number), file)
    return None


def refused(error: OSError, *, file: Path | None = None, hint: str = "") -> StoreError | None:
    """A StoreError that explains the error; None if it is not about a file.

    Args:
        error: what the system raised.
        file: the file that was being written; by default the one that the error names.
        hint: the way out if there is no permission to write.

    >>> print(refused(OSError(errno.EROFS, "Read-only file system", "runs/page.html.tmp"), file=Path("runs/page.html")))
    runs/page.html cannot be written: Read-only file system. Make it writable, or choose another path.
    >>> print(refused(OSError(errno.ENOSPC, "No space left on device")))
    a file cannot be written: No space left on device. Free some space on that disk.
    """
    name = file or error.filename2 or error.filename
    place = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "a file")
    cannot = f"{place} cannot be written" if file or error.errno in WRITING else f"{place} cannot be read or written"
    if error.errno in FULL:
        return StoreError(f"{cannot}: {error.strerror}", hint="free some space on that disk")
    if error.errno in NOT_ALLOWED:
        return StoreError(f"{cannot}: {error.strerror}", hint=hint or "make it writable, or choose another path")
    return StoreError(f"{cannot}: {error.strerror}", hint=hint) if name else None


def readable_size(size: int) -> str:
    """Bytes in B, kB, MB, GB or TB: the unit that gives a number from 1 to 999.

    >>> readable_size(999), readable_size(1_000), readable_size(123_456_789)
    ('999 B', '1.0 kB', '123.5 MB')
    """
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
