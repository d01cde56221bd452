"""Captioners: a backbone reads an image, a recurrent decoder says what is on it, word by word.

    show_and_tell     Vinyals et al., 2015, https://arxiv.org/abs/1411.4555
    show_attend_tell  Xu et al., 2015, https://arxiv.org/abs/1502.03044, with soft ("deterministic") attention

Either takes an image and the words so far, and gives the logits of the next word at each step: in training, all steps of
all captions of an image at once. To write a caption step by step, see `kerasvision.models.decoder`.

All layers are stock Keras, and the file of a network loads where kerasvision does not exist. The backbone's layers bear the
names that they have in the backbone itself; the decoder's begin with "decoder_", and the last is "logits".
"""

from typing import Any, Literal, TypedDict

import keras
from keras import KerasTensor, layers, ops

from kerasvision.errors import ConfigError
from kerasvision.lookup import backbone_with_options, did_you_mean
from kerasvision.models import build
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
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. The mean over its
            last map is what the decoder sees of the image.
        max_length: of a caption, in words; the network has one step more.
        embedding: numbers that a word, or the image, becomes.
        units: of each cell's state.
        cell: "lstm" as in the paper, "gru" or "rnn".
        layers: how many cells, one above the other.
        dropout: share that training drops of the words' embeddings, between the cells and of what goes to the logits (the
            inputs and outputs of the cells: Zaremba et al., 2014), in [0, 1).
        width: the backbone's option of that name, where it has one.
        layout: likewise.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model of [image float32 (N, H, W, C), tokens int32 (N, K, max_length + 1)] to logits float32
        (N, K, max_length + 1, num_classes); K captions of each image.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or has no such option.
    """
    _check(embedding=embedding, units=units, layers=layers, max_length=max_length, cell=cell, dropout=dropout)
    network = _backbone(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    pooled = keras.layers.GlobalAveragePooling2D(name=f"{PREFIX}pool")(_last(network.output))
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
    """Show, Attend and Tell: before each word the decoder looks at the places of a map that matter for it.

    Soft attention by a layer of `attention` units (equations 4 to 6), gated by a number of each step (section 4.2.1); the
    states begin with the mean of the places; the next word is said of state, context and last word (equation 7).

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many words it knows; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        level: whose map it looks at, "c4" say; None takes the last one.
        max_length: of a caption, in words; the network has one step more.
        embedding: numbers that a word becomes.
        units: of each cell's state.
        attention: units of the layer that decides where to look.
        cell: "lstm" as in the paper, "gru" or "rnn".
        layers: how many cells, one above the other; the first one's state decides where to look.
        dropout: share that training drops of the words' embeddings, between the cells and twice on the way to the logits,
            in [0, 1).
        attention_maps: give the attention as well.
        width: the backbone's option of that name, where it has one.
        layout: likewise.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model of [image float32 (N, H, W, C), tokens int32 (N, K, T = max_length + 1)] to logits float32
        (N, K, T, num_classes); with `attention_maps` to {"logits": those, "attention": float32 (N, K, T, h, w)}, whose
        places of a step sum to 1.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or has no such option or level.
    """
    sizes = {"embedding": embedding, "units": units, "attention": attention, "layers": layers, "max_length": max_length}
    _check(**sizes, cell=cell, dropout=dropout)
    network = _backbone(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    seen = _level(network.output, level)
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
    """Every step with the true word before it: logits float32 (N, K, T, V), and of each step where it looked (N, K, L).

    Args:
        steps: the decoder.
        tokens: int32 (N, K, T).
        memory: of the images; see `Steps.start`.
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
    """The states (N, 1, units) of an image, once for each of its captions: (N, K, units)."""
    return tuple(state + ops.cast(ops.zeros_like(tokens[:, :, :1]), state.dtype) for state in states)


def attention_maps_of(looked: list[KerasTensor], seen: KerasTensor) -> KerasTensor:
    """Where each step looked, T times (N, K, L), as float32 (N, K, T, h, w) over the map."""
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
    """name -> layer, of what both captioners have."""
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
    """name -> layer, of what only show_attend_tell has."""
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


def _backbone(backbone: str | keras.Model, image_shape: tuple[int, int, int], **options: Any) -> keras.Model:
    """Its own, or one built by name, told of those options that were chosen."""
    if isinstance(backbone, keras.Model):
        return backbone
    name, chosen = backbone_with_options(backbone, options)
    return build(name, image_shape=image_shape, num_classes=None, **chosen)


def _last(maps: dict[str, KerasTensor]) -> KerasTensor:
    return maps[max(maps, key=lambda name: int(name.removeprefix("c")))]


def _level(maps: dict[str, KerasTensor], level: str | None) -> KerasTensor:
    if level is None:
        return _last(maps)
    if level not in maps:
        raise ConfigError(f"the backbone has no level {level!r}; {did_you_mean(level, maps)}")
    return maps[level]


def _check(*, cell: str, dropout: float, **sizes: int) -> None:
    check_choice("a captioner", "cell", cell, GATES)
    check_share("dropout", dropout)
    for option, size in sizes.items():
        if type(size) is not int or size < 1:
            raise ConfigError(f"{option} must be a positive integer", received=size)
