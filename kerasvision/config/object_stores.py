"""Addresses of folders in object stores, as fsspec writes them: `s3://bucket/folder`, `gs://bucket/folder`."""

import re

from kerasvision.errors import ConfigError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
# fsspec reads them as patterns, versions and chains.
_SPECIAL = re.compile(r"[*?#\[\]\0\n]|::")
_HINT = "write s3://bucket/folder, for example"


def is_address(text: str) -> bool:
    """Whether a text names an object store and not a local path.

    >>> is_address("s3://bucket/models"), is_address("exchange/models")
    (True, False)
    """
    return _SCHEME.match(text) is not None


def checked_address(address: str) -> str:
    """The address without slashes at its end.

    Args:
        address: a scheme that fsspec knows, `://`, and a folder. Local folders begin with `file:///`.

    Raises:
        ConfigError: it has another form, or contains a password.

    >>> checked_address("s3://bucket/models/")
    's3://bucket/models'
    >>> checked_address("bucket/models")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the address of an object store begins with a scheme; received 'bucket/models'. Write ...
    """
    if not is_address(address):
        hint = f"write file://{address}" if address.startswith("/") else _HINT
        raise ConfigError("the address of an object store begins with a scheme", received=address, hint=hint)
    scheme, _, rest = address.partition("://")
    if ":" in rest.partition("/")[0].rpartition("@")[0]:
        # The message must not repeat the password.
        raise ConfigError(
            "the address of an object store must not contain a password",
            hint="set it in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3",
        )
    if special := _SPECIAL.search(rest):
        raise ConfigError(
            f"the address of an object store must not contain {special[0]!r}", received=address, hint="choose another folder"
        )
    if scheme in ("file", "local") and not rest.startswith("/"):
        raise ConfigError("a local address names an absolute folder", received=address, hint=f"write {scheme}:///folder")
    folder = rest.rstrip("/")
    if not folder or {"", ".", ".."} & set(folder.removeprefix("/").split("/")):
        raise ConfigError("the address of an object store names a folder", received=address, hint=_HINT)
    return f"{scheme}://{folder}"
