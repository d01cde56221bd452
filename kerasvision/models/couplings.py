"""A learned distribution of codes: affine couplings between the codes of an autoencoder and standard normal noise.

    code z  <-->  coupling 1, halves swapped  <-->  ...  <-->  coupling K, halves swapped  <-->  noise

A coupling moves and stretches one half of its numbers by what a small network says about the other half and the label. So
it can be undone exactly, and the logarithm of its determinant is a sum (Dinh et al., 2017, "Density estimation using Real
NVP", https://arxiv.org/abs/1605.08803, section 3). The prior p(z) = N(noise(z); 0, 1) |d noise / d z| then learns where the
codes are (Chen et al., 2017, "Variational Lossy Autoencoder", https://arxiv.org/abs/1611.02731, section 3.2, there with
autoregressive couplings). At the beginning the last layers are zero, and the prior is standard normal.
"""

import keras
from keras import KerasTensor, layers, ops

from kerasvision.models.blocks import he_normal
from kerasvision.models.generators import joined

# Width of the two hidden layers of each small network.
UNITS = 256
# The logarithm of a stretch lies between plus and minus this, so that one wild code does not end a training.
MOST_STRETCH = 2.0


class Couplings:
    """Layers that lead from codes to noise and back, within one functional network.

    Args:
        count: how many couplings; from 2 on, all numbers are moved.
        size: how many numbers a code has, at least 2.
        given: the inputs of the network by name; see `kerasvision.models.generators`.

    >>> code = keras.Input((4,))
    >>> prior = Couplings(2, size=4, given={})
    >>> noise, log_determinant = prior.to_noise(code)
    >>> network = keras.Model(code, [noise, log_determinant, prior.to_code(noise)])
    >>> there, stretched, back = network(ops.array([[1.0, 2.0, 3.0, 4.0]]))
    >>> there.numpy().tolist(), stretched.numpy().tolist(), back.numpy().tolist()  # nothing is learned yet
    ([[1.0, 2.0, 3.0, 4.0]], [-0.0], [[1.0, 2.0, 3.0, 4.0]])
    """

    def __init__(self, count: int, *, size: int, given: dict[str, KerasTensor]) -> None:
        self._kept, self._given = size // 2, given
        self._networks = [_small_network(2 * (size - self._kept), number) for number in range(1, count + 1)]

    def to_noise(self, code: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        """From codes float32 (N, Z) to their noise, likewise, and log |d noise / d code|, float32 (N,)."""
        stretches = []
        for number, network in enumerate(self._networks, 1):
            kept, moved = ops.split(code, [self._kept], axis=-1)
            stretch, move = self._stretch_and_move(network, kept, name=f"prior_join{number}")
            code = ops.concatenate([(moved - move) * ops.exp(-stretch), kept], axis=-1)
            stretches.append(stretch)
        return code, -ops.sum(ops.concatenate(stretches, axis=-1), axis=-1)

    def to_code(self, noise: KerasTensor) -> KerasTensor:
        """The codes float32 (N, Z) that have this noise, likewise."""
        for number, network in reversed([*enumerate(self._networks, 1)]):
            moved, kept = ops.split(noise, [noise.shape[-1] - self._kept], axis=-1)
            stretch, move = self._stretch_and_move(network, kept, name=f"prior_join_back{number}")
            noise = ops.concatenate([kept, moved * ops.exp(stretch) + move], axis=-1)
        return noise

    def _stretch_and_move(
        self, network: list[layers.Layer], kept: KerasTensor, *, name: str
    ) -> tuple[KerasTensor, KerasTensor]:
        """Of the other half: the logarithm of the stretch, and the move."""
        x = joined(kept, self._given, name=name)
        for layer in network:
            x = layer(x)
        stretch, move = ops.split(x, 2, axis=-1)
        return MOST_STRETCH * ops.tanh(stretch / MOST_STRETCH), move


def _small_network(outputs: int, number: int) -> list[layers.Layer]:
    dtype = keras.config.floatx()
    hidden = [
        layers.Dense(
            UNITS,
            activation="relu",
            kernel_initializer=he_normal("fan_in"),
            dtype=dtype,
            name=f"prior{number}_hidden{place}",
        )
        for place in (1, 2)
    ]
    return [*hidden, layers.Dense(outputs, kernel_initializer="zeros", dtype=dtype, name=f"prior{number}_moves")]
