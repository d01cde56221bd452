"""A captioner word by word: for writing captions, or for reading its own words in training."""

from collections.abc import Callable

import keras
from keras import KerasTensor, ops

from kerasvision.models.captioner import attention_maps_of, of_each_caption
from kerasvision.models.recurrence import PREFIX, Steps

Tensors = tuple[KerasTensor, ...]


class Decoder:
    """A captioner, built or loaded from its file, as a function of one word at a time.

    Every row is a separate caption: rows of the memory and of the states can be gathered and repeated along axis 0.

    Args:
        network: `show_and_tell` or `show_attend_tell`, with any options.
    """

    def __init__(self, network: keras.Model) -> None:
        self._steps = _steps(network)
        self._encode = keras.Model(network.inputs[0], list(_memory(network)))
        self._map = _seen(network)
        self.attends = self._steps.attends
        self.max_length = network.inputs[1].shape[-1] - 1
        self.num_classes = network.get_layer("logits").units

    def encode(self, images: KerasTensor) -> Tensors:
        """What the decoder reads of scaled images float32 (N, H, W, C): float32 tensors of N rows."""
        return tuple(keras.tree.flatten(self._encode(images, training=False)))

    def start(self, memory: Tensors) -> Tensors:
        """The states before the first token, [start]: float32 (M, 1, units) for a memory of M rows, as from `encode`."""
        return self._steps.start(memory)

    def step(self, memory: Tensors, tokens: KerasTensor, states: Tensors) -> tuple[KerasTensor, Tensors, KerasTensor | None]:
        """The result of one more token in each row.

        Args:
            memory: from `encode`, M rows.
            tokens: int32 (M,).
            states: from `start` or the last step, M rows.

        Returns:
            logits float32 (M, V) of the next token; the states; and the attention, float32 (M, h, w), or None for a network
            without attention.
        """
        embedded, read = self._steps.words(ops.expand_dims(tokens, axis=1))
        states, context, looked = self._steps.after(read, states, memory)
        logits = self._steps.say(embedded, self._steps.top(states), context)
        attention = attention_maps_of([looked], self._map)[:, 0, 0] if self.attends else None
        return logits[:, 0], states, attention


def taught(network: keras.Model, choose: Callable[[list[KerasTensor]], KerasTensor]) -> keras.Model:
    """The same captioner, except that a layer chooses each word that it reads after the first. The two share their layers.

    Args:
        network: `show_and_tell` or `show_attend_tell`, with any options, just built.
        choose: a Keras layer from [true tokens int32 (N, K), logits of the step before float32 (N, K, V)] to the tokens
            that are read, int32 (N, K). It is called once for each step except the first.

    Returns:
        Model of the same inputs and outputs.
    """
    steps, memory, tokens = _steps(network), _memory(network), network.inputs[1]
    states = of_each_caption(steps.start(memory), tokens)
    logits: list[KerasTensor] = []
    looked: list[KerasTensor | None] = []
    for true in ops.unstack(tokens, tokens.shape[-1], axis=2):
        read_token = choose([true, logits[-1]]) if logits else true
        embedded, read = steps.words(read_token)
        states, context, places = steps.after(read, states, memory)
        logits.append(steps.say(embedded, steps.top(states), context))
        looked.append(places)
    outputs = ops.stack(logits, axis=2)
    if isinstance(network.output, dict):
        outputs = {"logits": outputs, "attention": attention_maps_of(looked, _seen(network))}
    return keras.Model(network.inputs, outputs, name=network.name)


def _steps(network: keras.Model) -> Steps:
    return Steps({layer.name: layer for layer in network.layers})


def _memory(network: keras.Model) -> Tensors:
    """The tensors of the network that `Steps` takes as its memory."""
    names = {layer.name for layer in network.layers}
    kept = ("annotations", "keys") if f"{PREFIX}annotations" in names else ("image",)
    return tuple(network.get_layer(f"{PREFIX}{name}").output for name in kept)


def _seen(network: keras.Model) -> KerasTensor | None:
    """The map for the attention, (N, h, w, C); None without attention."""
    found = next((layer for layer in network.layers if layer.name == f"{PREFIX}annotations"), None)
    return None if found is None else found.input
