"""The decoder of a captioner, word by word: cells, soft attention and the logits, made of stock Keras layers.

Everything here acts on the last axis only. So the same step runs over the captions of a batch, (N, K, ...), with one
memory for all K captions of an image, and over the rows of a beam search, (M, 1, ...). A step is

    word, h, c  ->  [attention over the annotations, by h]  ->  cell 1 -> ... -> cell n  ->  h, c

A cell is two dense layers instead of a `keras.layers.LSTM`: so the contributions of all words of a sentence are one large
product before the first step, instead of a small product in each step.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import keras
from keras import KerasTensor, layers, ops

Kind = Literal["lstm", "gru", "rnn"]
States = tuple[KerasTensor, ...]

PREFIX = "decoder_"
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
# The states that a cell keeps from step to step: h, and for LSTM also c.
STATES = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}


def cell_layers(kind: Kind, *, number: int, units: int) -> list[keras.Layer]:
    """The dense layers of a cell: one for its input, and one for its state.

    The state's weights start orthogonal, as in Keras' cells.

    Args:
        kind: "lstm" (Hochreiter & Schmidhuber, 1997), "gru" (Cho et al., 2014) or "rnn" (Elman, 1990).
        number: 1 for the cell that reads the words.
        units: width of its state.
    """
    width, name = GATES[kind] * units, f"{PREFIX}{kind}{number}"
    orthogonal = keras.initializers.Orthogonal()
    return [
        layers.Dense(width, name=f"{name}_input"),
        layers.Dense(width, use_bias=kind == "gru", kernel_initializer=orthogonal, name=f"{name}_state"),
    ]


@dataclass(frozen=True)
class Cell:
    """One recurrent cell over layers that exist.

    Attributes:
        kind: "lstm", "gru" or "rnn".
        input: dense layer for its input.
        state: dense layer for its own h.
        context: dense layer for the context of the attention; None without attention.
    """

    kind: Kind
    input: keras.Layer
    state: keras.Layer
    context: keras.Layer | None = None

    def next(self, read: KerasTensor, states: States) -> States:
        """The states after a step.

        Args:
            read: float32 (..., gates * units), the output of `input`, plus that of `context` with attention.
            states: h, float32 (..., units), and for LSTM also c of the same shape.

        Returns:
            The new states, of the same shapes.
        """
        h = states[0]
        if self.kind == "rnn":
            return (ops.tanh(read + self.state(h)),)
        if self.kind == "gru":
            return (_gru(read, self.state(h), h),)
        return _lstm(read + self.state(h), states[1])


def _lstm(gates: KerasTensor, c: KerasTensor) -> States:
    """Input, forget, output, candidate. The added 1 opens the forget gate at the start (Jozefowicz et al., 2015)."""
    i, f, o, g = ops.split(gates, 4, axis=-1)
    c = ops.sigmoid(f + 1.0) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


def _gru(read: KerasTensor, state: KerasTensor, h: KerasTensor) -> KerasTensor:
    """Update, reset, candidate, with the reset after the product, as in cuDNN and Keras."""
    (read_z, read_r, read_n), (state_z, state_r, state_n) = ops.split(read, 3, axis=-1), ops.split(state, 3, axis=-1)
    z, r = ops.sigmoid(read_z + state_z), ops.sigmoid(read_r + state_r)
    n = ops.tanh(read_n + r * state_n)
    return n + z * (h - n)


class Steps:
    """A captioner's decoder over its layers, which may be new or loaded from a file.

    Args:
        parts: name -> layer; of the layers without "decoder_" it uses "logits" only.
    """

    def __init__(self, parts: Mapping[str, keras.Layer]) -> None:
        self._parts = {name.removeprefix(PREFIX): layer for name, layer in parts.items() if name.startswith(PREFIX)}
        self._logits = parts["logits"]
        found = [(kind, re.fullmatch(rf"{kind}(\d+)_input", name)) for kind in get_args(Kind) for name in self._parts]
        names: list[tuple[int, Kind]] = sorted((int(match[1]), kind) for kind, match in found if match)
        self.cells = [
            Cell(kind, *(self._parts.get(f"{kind}{number}_{part}") for part in ("input", "state", "context")))
            for number, kind in names
        ]
        self.attends = "attention" in self._parts

    def start(self, memory: Sequence[KerasTensor]) -> States:
        """The states before the first word.

        Without attention they are those after the image, read as if it were a word. With attention they are computed from
        the mean annotation (Xu et al., 2015, section 3.1.2).

        Args:
            memory: (image (N, embedding),), or with attention (annotations (N, L, D), keys (N, L, A)); float32.

        Returns:
            The states of all cells, each float32 (N, 1, units).
        """
        if self.attends:
            mean = ops.mean(memory[0], axis=1, keepdims=True)
            return tuple(
                self._parts[f"{state}{number}"](mean)
                for number, cell in enumerate(self.cells, 1)
                for state in STATES[cell.kind]
            )
        image = ops.expand_dims(memory[0], axis=1)
        read = self.cells[0].input(image)
        units = read.shape[-1] // GATES[self.cells[0].kind]
        nothing = ops.zeros_like(read[..., :units])
        states = (nothing,) * sum(len(STATES[cell.kind]) for cell in self.cells)
        return self.after(read, states, memory)[0]

    def words(self, tokens: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        """For tokens int32 (...): their embeddings, float32 (..., E), and the first cell's input (..., gates * units)."""
        embedded = self._parts["words_dropout"](self._parts["words"](tokens))
        return embedded, self.cells[0].input(embedded)

    def after(
        self, read: KerasTensor, states: States, memory: Sequence[KerasTensor]
    ) -> tuple[States, KerasTensor | None, KerasTensor | None]:
        """One step after a word.

        Args:
            read: float32 (N, K, gates * units), the second result of `words`.
            states: the states before the step, each float32 (N, K, units).
            memory: of the image; see `start`.

        Returns:
            The states after the step; and the context (N, K, D) and the attention weights (N, K, L), or None and None
            without attention.
        """
        context = looked = None
        if (of_context := self.cells[0].context) is not None:
            context, looked = self._look(states[0], memory)
            read = read + of_context(context)
        after: list[States] = []
        for number, cell in enumerate(self.cells):
            if after:
                read = cell.input(self._parts["state_dropout"](after[-1][0]))
            first = number * len(STATES[cell.kind])
            after.append(cell.next(read, states[first : first + len(STATES[cell.kind])]))
        return sum(after, ()), context, looked

    def top(self, states: States) -> KerasTensor:
        """The h of the last cell, float32 (..., units), which predicts the next word."""
        return states[-len(STATES[self.cells[-1].kind])]

    def say(self, embedded: KerasTensor, h: KerasTensor, context: KerasTensor | None) -> KerasTensor:
        """Logits float32 (..., V) from h (..., units); with attention also from the context and the word's embedding.

        Source: Xu et al., 2015, equation 7.
        """
        if not self.attends:
            return self._logits(self._parts["dropout"](h))
        deep = embedded + self._parts["state_output"](self._parts["dropout"](h)) + self._parts["context_output"](context)
        return self._logits(self._parts["output_dropout"](deep))

    def _look(self, h: KerasTensor, memory: Sequence[KerasTensor]) -> tuple[KerasTensor, KerasTensor]:
        annotations, keys = memory
        context, looked = self._parts["attention"](
            [self._parts["query"](h), annotations, keys], return_attention_scores=True
        )
        # The gate says how much of the context the next word needs: beta of section 4.2.1.
        return context * self._parts["gate"](h), looked
