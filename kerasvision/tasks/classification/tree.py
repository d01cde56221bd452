"""A binary tree whose leaves are the classes: Huffman's by their frequencies, or one inside a hierarchy that a person gives.

Sources: Morin & Bengio, 2005, "Hierarchical Probabilistic Neural Network Language Model"; Mikolov et al., 2013,
https://arxiv.org/abs/1310.4546, section 2.1, for Huffman's tree.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kerasvision.errors import ConfigError
from kerasvision.shortened import shortened

# A class number, or the two branches of an inner node.
Branch = int | tuple[Any, Any]


class Level(NamedTuple):
    """The inner nodes of one depth, and where each of their two branches leads.

    The branches are numbered: the first of each node, then the second of each node.

    Attributes:
        nodes: how many inner nodes have this depth.
        inner: int32 (next level's nodes,), the branches that lead to them.
        leaves: int32, the branches that end in a class.
    """

    nodes: int
    inner: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree of C - 1 inner nodes, numbered from the root by depth.

    Attributes:
        levels: from the root down.
        classes: int32 (C,), the class of each leaf, in the order of the levels' leaves.
        nodes: int32 (C, L), the inner nodes from the root to each class, filled up with 0.
        signs: float32 (C, L), 1 where a path takes the first branch, -1 for the second, 0 where it is filled up.
    """

    levels: tuple[Level, ...]
    classes: npt.NDArray[np.int32]
    nodes: npt.NDArray[np.int32]
    signs: npt.NDArray[np.float32]


def huffman(weighted: Iterable[tuple[float, Branch]]) -> tuple[float, Branch]:
    """Joins the two lightest branches until one is left: its weight, and the branch. Of equal weights the first go first.

    >>> huffman([(5.0, 0), (1.0, 1), (2.0, 2)])
    (8.0, ((1, 2), 0))
    """
    order = count()
    heap = [(weight, next(order), branch) for weight, branch in weighted]
    heapq.heapify(heap)
    while len(heap) > 1:
        (one, _, first), (other, _, second) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (one + other, next(order), (first, second)))
    return heap[0][0], heap[0][2]


def tree_of(counts: Sequence[int], *, groups: Sequence[Sequence[str]] | None = None) -> Tree:
    """The tree of C >= 2 classes.

    Args:
        counts: how many training images each class has.
        groups: for each class the names of its groups from the root down. A group is a branch of the tree; inside it, and
            between groups, the tree is Huffman's. None: there are no groups.

    >>> tree = tree_of([5, 1, 2])
    >>> tree.nodes.tolist(), tree.signs.tolist()  # a frequent class needs one decision, the others two
    ([[0, 0], [0, 1], [0, 1]], [[-1.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    """
    leaves = [(float(weight), (number, *(groups[number] if groups else ()))) for number, weight in enumerate(counts)]
    return _numbered(_grouped(leaves)[1], classes=len(counts))


def groups_of(classes: Sequence[str], hierarchy: Mapping[str, Sequence[str]]) -> list[Sequence[str]]:
    """The groups of each class, as `tree_of` takes them.

    Raises:
        ConfigError: the hierarchy misses a class.
    """
    if missing := [name for name in classes if name not in hierarchy]:
        raise ConfigError(
            f"task.hierarchy must name every class; it misses {len(missing):,}: {shortened(missing, most=5)}",
            hint="add them, each with its groups from the root down",
        )
    return [hierarchy[name] for name in classes]


def _grouped(leaves: Iterable[tuple[float, tuple[Any, ...]]]) -> tuple[float, Branch]:
    """The branch of classes (weight, (number, group, group, ...)): Huffman's over what the first level has."""
    within: dict[str, list[tuple[float, tuple[Any, ...]]]] = {}
    alone: list[tuple[float, Branch]] = []
    for weight, (number, *path) in leaves:
        if path:
            within.setdefault(path[0], []).append((weight, (number, *path[1:])))
        else:
            alone.append((weight, number))
    return huffman([*alone, *(_grouped(members) for members in within.values())])


def _numbered(root: Branch, *, classes: int) -> Tree:
    levels, order, paths = [], list[int](), dict[int, list[tuple[int, float]]]()
    nodes, first = [(root, list[tuple[int, float]]())], 0
    while nodes:
        branches = list(_branches(nodes, first))
        is_inner = np.array([isinstance(branch, tuple) for branch, _ in branches])
        levels.append(Level(len(nodes), *(np.flatnonzero(part).astype(np.int32) for part in (is_inner, ~is_inner))))
        for branch, path in branches:
            if not isinstance(branch, tuple):
                order.append(branch)
                paths[branch] = path
        first += len(nodes)
        nodes = [(branch, path) for branch, path in branches if isinstance(branch, tuple)]
    longest = max(map(len, paths.values()))
    filled = np.array([[*paths[number], *[(0, 0.0)] * (longest - len(paths[number]))] for number in range(classes)])
    return Tree(tuple(levels), np.array(order, np.int32), filled[..., 0].astype(np.int32), filled[..., 1].astype(np.float32))


def _branches(nodes: Sequence[tuple[Any, list[tuple[int, float]]]], first: int) -> Iterator[tuple[Branch, list[Any]]]:
    """(branch, the path to it): the first branch of each node, then the second ones. `first` is the first node's number."""
    for side, sign in ((0, 1.0), (1, -1.0)):
        for number, (node, path) in enumerate(nodes, first):
            yield node[side], [*path, (number, sign)]
