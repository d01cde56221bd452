"""The file of ImageNet weights in an installed Python package, found without importing the package."""

from importlib import metadata
from pathlib import Path

from kerasvision.config.published import PACKAGED
from kerasvision.errors import ConfigError
from kerasvision.extras import install_command


def packaged_file(network: str) -> Path:
    """The path of the file.

    Args:
        network: a name of `PACKAGED`.

    Raises:
        ConfigError: the package is not installed, or lacks the file; the message has the command that installs it.
    """
    row = PACKAGED[network]
    hint = f"install with: {install_command('pretrained')}; or set model.weights=None to train {network} from nothing"
    try:
        file = Path(str(metadata.distribution(row.distribution).locate_file(row.file)))
    except metadata.PackageNotFoundError:
        raise ConfigError(
            f"weights='imagenet' of {network} requires the package {row.distribution}, which is not installed", hint=hint
        ) from None
    if not file.is_file():
        raise ConfigError(f"the package {row.distribution} must contain {row.file}, which is missing", hint=hint)
    return file
