"""The tensors in a file of PyTorch weights, `.safetensors` or `.pth`, by name. Only their description is read."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasvision.config.tensors import Tensor

SAFETENSORS = ".safetensors"
ENDINGS = (SAFETENSORS, ".pth", ".pt")


def is_tensor_file(file: Path) -> bool:
    """Whether this is a file of PyTorch weights, judged by its name.

    >>> is_tensor_file(Path("resnet18.safetensors")), is_tensor_file(Path("resnet18.h5"))
    (True, False)
    """
    return file.suffix in ENDINGS


def tensors_in(file: Path) -> dict[str, "Tensor"]:
    """The tensors by name, in the file's order.

    Args:
        file: one whose name ends in one of `ENDINGS`.

    Raises:
        ConfigError: the file cannot be read, is cut short or damaged, or asks for code to be run.
    """
    # Both readers import NumPy, which settings without such a file do not need.
    from kerasvision.config.safetensors_files import safetensors_in
    from kerasvision.config.tensors import bad_file
    from kerasvision.config.torch_files import torch_tensors_in

    if not file.is_file():
        raise bad_file(file, "must be a file", hint="name a file that ends in " + " or ".join(ENDINGS))
    try:
        file.open("rb").close()
    except OSError as error:
        raise bad_file(file, f"cannot be read: {error.strerror}", hint="make the file readable for this user") from error
    return safetensors_in(file) if file.suffix == SAFETENSORS else torch_tensors_in(file)
