"""The published weights of a network as a file on this machine: from an installed package, from Keras' own cache, or else
downloaded.

Without an internet connection the error comes within seconds and says where to put the file by hand.
"""

import hashlib
import socket
from pathlib import Path

import keras

from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.config.keras_settings import keras_folder
from kerasvision.config.packaged import packaged_file
from kerasvision.config.published import PACKAGED, PUBLISHED, WITH_IMAGENET
from kerasvision.connection import host_answers
from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean

# A download without progress for this long has failed.
STALL_TIMEOUT_SECONDS = 30.0

_NAMES = {"md5": "MD5", "sha256": "SHA-256"}


def published_file(network: str, *, with_head: bool) -> Path:
    """The file of weights for ImageNet. Its hash is checked; only for two MobileNets, Keras publishes none.

    The file of a network in `PACKAGED` is in an installed package. Another file that is not in the cache is downloaded.

    Args:
        network: our name of the network.
        with_head: True for the file with the head, for 1000 classes; False for the file without it. A package has only a
            file with the head. For a network of keras.applications ("keras/...") it is always the file without.

    Raises:
        ConfigError: there are no published weights for that network; there is no connection; its package is not installed;
            or the file is another one or cut short.
    """
    if network in PACKAGED:
        return _checked_package(network)
    if network in KERAS_NETWORKS:
        row = KERAS_NETWORKS[network]
        return _cached_file(row.url, row.digest, row.algorithm)
    if network not in PUBLISHED:
        raise ConfigError(f"no weights are published for {network}; {did_you_mean(network, WITH_IMAGENET)}")
    return _cached_file(PUBLISHED[network].url(with_head=with_head), PUBLISHED[network].hash(with_head=with_head), "md5")


def _cached_file(url: str, digest: str, algorithm: str) -> Path:
    file = keras_folder() / "models" / url.rpartition("/")[2]
    if not file.is_file():
        return _downloaded(url, digest, file)
    found = _digest(file, algorithm)
    if digest and found != digest:
        # Keras would download it again and, if that fails, delete the file.
        raise ConfigError(
            f"{file} must have the {_NAMES[algorithm]} {digest}",
            received=found,
            hint="delete it, or put the right file there",
        )
    return file


def _downloaded(url: str, digest: str, file: Path) -> Path:
    by_hand = f"download {url} on a machine with an internet connection, and put it at {file}"
    if not host_answers(url):
        raise ConfigError(f"{file.name} is not in {file.parent}, and its server cannot be reached", hint=by_hand)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_TIMEOUT_SECONDS)
    try:
        cache = str(keras_folder())
        return Path(keras.utils.get_file(file.name, url, cache_dir=cache, cache_subdir="models", file_hash=digest or None))
    except Exception as error:  # a bare Exception is what Keras raises here
        file.unlink(missing_ok=True)  # Keras leaves a file with a wrong hash there
        raise ConfigError(f"{url} cannot be downloaded: {str(error).splitlines()[0]}", hint=by_hand) from error
    finally:
        socket.setdefaulttimeout(before)


def _checked_package(network: str) -> Path:
    file, row = packaged_file(network), PACKAGED[network]
    found = _digest(file, "sha256")
    if found != row.sha256:
        raise ConfigError(
            f"{file} must have the SHA-256 {row.sha256}",
            received=found,
            hint=f"pip install --force-reinstall {row.distribution}",
        )
    return file


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()
