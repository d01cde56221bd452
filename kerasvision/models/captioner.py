"""Captioners: a backbone reads an image, and a recurrent decoder describes it word by word.

    show_and_tell     Vinyals et al., 2015, https://arxiv.org/abs/1411.4555
    show_attend_tell  Xu et al., 2015, https://arxiv.org/abs/1502.03044, with soft ("deterministic") attention

Both take an image and the words so far, and return the logits of the next word at each step. In training they process all
steps of all captions of an image at once. To write a caption step by step, see `kerasvision.models.decoder`.

All layers are stock Keras, so the file of a network loads where kerasvision is not installed. The backbone's layers keep
their names; the names of the decoder's layers begin with "decoder_", and the last layer is "logits".
"""

from typing import Literal, TypedDict

import keras
from keras import KerasTensor, layers, ops

from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean
from kerasvision.models.backbones import backbone_network, last_map
from kerasvision.models.blocks import check_choice, check_share, logits_layer
from kerasvision.models.recurrence import GATES, PREFIX, STATES, Kind, Steps, cell_layers


def show_and_tell(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet18",
    max_length: int = 20,
    embedding: int = 512,
    units: int = 512,
    cell: Kind = "lstm",
    layers: int = 1,
    dropout: float = 0.5,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Show and Tell: the decoder reads the image once, as if it were the word before the first (equations 10 to 12).

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many words it knows; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. The decoder reads
            the mean over its last map.
        max_length: words in a caption, at most; the network has one step more.
        embedding: length of the vector for a word, and for the image.
        units: size of each cell's state.
        cell: "lstm" as in the paper, "gru" or "rnn".
        layers: how many cells, one above the other.
        dropout: share of the words' embeddings, of the values between the cells, and of the input of the logits that
            training drops (the inputs and outputs of the cells: Zaremba et al., 2014), in [0, 1).
        width: the backbone's option of that name, if it has one.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from [image float32 (N, H, W, C), tokens int32 (N, K, max_length + 1)] to logits float32
        (N, K, max_length + 1, num_classes), for K captions of each image.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or has no such option.
    """
    _check(embedding=embedding, units=units, layers=layers, max_length=max_length, cell=cell, dropout=dropout)
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    pooled = keras.layers.GlobalAveragePooling2D(name=f"{PREFIX}pool")(last_map(network.output))
    memory = (keras.layers.Dense(embedding, name=f"{PREFIX}image")(pooled),)
    parts = _decoder_layers(num_classes, embedding=embedding, units=units, cell=cell, count=layers, dropout=dropout)
    tokens = keras.Input((None, max_length + 1), dtype="int32", name="tokens")
    outputs, _ = all_steps(Steps(parts), tokens, memory)
    return keras.Model([network.input, tokens], outputs, name="show_and_tell")


def show_attend_tell(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet18",
    level: str | None = None,
    max_length: int = 20,
    embedding: int = 512,
    units: int = 512,
    attention: int = 512,
    cell: Kind = "lstm",
    layers: int = 1,
    dropout: float = 0.5,
    attention_maps: bool = False,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Show, Attend and Tell: before each word the decoder attends to the places of a map that matter for the word.

    Soft attention uses a layer of `attention` units (equations 4 to 6) and a gate at each step (section 4.2.1). The first
    states come from the mean of the places. The next word depends on state, context and last word (equation 7).

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many words it knows; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        level: the level of the map for the attention, for example "c4"; None for the last level.
        max_length: words in a caption, at most; the network has one step more.
        embedding: length of the vector for a word.
        units: size of each cell's state.
        attention: units of the layer that computes the attention scores.
        cell: "lstm" as in the paper, "gru" or "rnn".
        layers: how many cells, one above the other; the state of the first one is the query of the attention.
        dropout: share of the words' embeddings, of the values between the cells, and, twice, of the values on the way to
            the logits that training drops, in [0, 1).
        attention_maps: return the attention too.
        width: the backbone's option of that name, if it has one.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from [image float32 (N, H, W, C), tokens int32 (N, K, T = max_length + 1)] to logits float32
        (N, K, T, num_classes); with `attention_maps` to {"logits": the same, "attention": float32 (N, K, T, h, w)}, where
        the places of each step sum to 1.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or has no such option or level.
    """
    sizes = {"embedding": embedding, "units": units, "attention": attention, "layers": layers, "max_length": max_length}
    _check(**sizes, cell=cell, dropout=dropout)
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    seen = _level(network.output, level)
    if attention_maps and None in seen.shape[1:]:
        raise ConfigError("attention_maps=True requires images of one size", received=tuple(image_shape))
    if num_classes is None:
        return network
    places = keras.layers.Reshape((-1, seen.shape[-1]), name=f"{PREFIX}annotations")(seen)
    memory = (places, keras.layers.Dense(attention, name=f"{PREFIX}keys")(places))
    shared: _DecoderSizes = {"embedding": embedding, "units": units, "cell": cell, "count": layers, "dropout": dropout}
    parts = _decoder_layers(num_classes, **shared) | _attention_layers(attention, **shared)
    tokens = keras.Input((None, max_length + 1), dtype="int32", name="tokens")
    outputs, looked = all_steps(Steps(parts), tokens, memory)
    if attention_maps:
        outputs = {"logits": outputs, "attention": attention_maps_of(looked, seen)}
    return keras.Model([network.input, tokens], outputs, name="show_attend_tell")


def all_steps(
    steps: Steps, tokens: KerasTensor, memory: tuple[KerasTensor, ...]
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """All steps, each with the true word before it.

    Args:
        steps: the decoder.
        tokens: int32 (N, K, T).
        memory: of the images; see `Steps.start`.

    Returns:
        logits float32 (N, K, T, V), and for each step its attention, float32 (N, K, L), or None without attention.
    """
    embedded, read = steps.words(tokens)
    states = of_each_caption(steps.start(memory), tokens)
    h, contexts, looked = [], [], []
    for word in ops.unstack(read, tokens.shape[-1], axis=2):
        states, context, places = steps.after(word, states, memory)
        h.append(steps.top(states))
        contexts.append(context)
        looked.append(places)
    seen = ops.stack(contexts, axis=2) if steps.attends else None
    return steps.say(embedded, ops.stack(h, axis=2), seen), looked


def of_each_caption(states: tuple[KerasTensor, ...], tokens: KerasTensor) -> tuple[KerasTensor, ...]:
    """The states of each image, repeated for each of its captions: float32 (N, 1, units) to (N, K, units).

    `tokens` is int32 (N, K, T).
    """
    return tuple(state + ops.cast(ops.zeros_like(tokens[:, :, :1]), state.dtype) for state in states)


def attention_maps_of(looked: list[KerasTensor], seen: KerasTensor) -> KerasTensor:
    """The attention of T steps, each (N, K, L), as float32 (N, K, T, h, w) over the map `seen`, (N, h, w, C)."""
    rows = ops.split(ops.stack(looked, axis=2), seen.shape[1], axis=-1)
    return ops.cast(ops.stack(rows, axis=-2), "float32")


class _DecoderSizes(TypedDict):
    embedding: int
    units: int
    cell: Kind
    count: int
    dropout: float


def _decoder_layers(
    num_classes: int, *, embedding: int, units: int, cell: Kind, count: int, dropout: float
) -> dict[str, keras.Layer]:
    """name -> layer, for the layers of both captioners."""
    made = [
        layers.Embedding(num_classes, embedding, name=f"{PREFIX}words"),
        layers.Dropout(dropout, name=f"{PREFIX}words_dropout"),
        layers.Dropout(dropout, name=f"{PREFIX}dropout"),
        logits_layer(num_classes),
    ]
    for number in range(1, count + 1):
        made += cell_layers(cell, number=number, units=units)
    if count > 1:
        made.append(layers.Dropout(dropout, name=f"{PREFIX}state_dropout"))
    return {layer.name: layer for layer in made}


def _attention_layers(
    attention: int, *, embedding: int, units: int, cell: Kind, count: int, dropout: float
) -> dict[str, keras.Layer]:
    """name -> layer, for the layers of show_attend_tell only."""
    made = [
        layers.Dense(attention, use_bias=False, name=f"{PREFIX}query"),
        layers.AdditiveAttention(name=f"{PREFIX}attention"),
        layers.Dense(1, activation="sigmoid", name=f"{PREFIX}gate"),
        layers.Dense(GATES[cell] * units, use_bias=False, name=f"{PREFIX}{cell}1_context"),
        layers.Dense(embedding, use_bias=False, name=f"{PREFIX}state_output"),
        layers.Dense(embedding, use_bias=False, name=f"{PREFIX}context_output"),
        layers.Dropout(dropout, name=f"{PREFIX}output_dropout"),
    ]
    for number in range(1, count + 1):
        made += [layers.Dense(units, activation="tanh", name=f"{PREFIX}{state}{number}") for state in STATES[cell]]
    return {layer.name: layer for layer in made}


def _level(maps: dict[str, KerasTensor], level: str | None) -> KerasTensor:
    if level is None:
        return last_map(maps)
    if level not in maps:
        raise ConfigError(f"the backbone has no level {level!r}; {did_you_mean(level, maps)}")
    return maps[level]


def _check(*, cell: str, dropout: float, **sizes: int) -> None:
    check_choice("a captioner", "cell", cell, GATES)
    check_share("dropout", dropout)
    for option, size in sizes.items():
        if type(size) is not int or size < 1:
            raise ConfigError(f"{option} must be a positive integer", received=size)
