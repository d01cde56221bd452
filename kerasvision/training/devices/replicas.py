"""How the rows of a batch are distributed to the replicas."""

from typing import Any

import tensorflow as tf


def shared_out(batches: tf.data.Dataset, *, strategy: tf.distribute.Strategy, micro_batches: int = 1) -> Any:
    """Cuts the batches into equal pieces: for each micro-batch in turn, one piece per replica.

    A micro-batch has the same rows for any number of replicas, and therefore the same statistics of batch normalisation.

    Args:
        batches: (inputs, targets) or (inputs, targets, weights); with several workers, this worker's part of each batch. All
            batches have the same static number of rows, which `Training.check_batch` has checked. Only on one device
            without micro-batches may the number vary.
        strategy: whose replicas get the pieces.
        micro_batches: number of parts into which a step cuts its batch.

    Returns:
        The distributed dataset of the pieces; on one device, a plain dataset.

    >>> batches = tf.data.Dataset.range(8).map(lambda x: (x, -x)).batch(4, drop_remainder=True)
    >>> pieces = shared_out(batches, strategy=tf.distribute.get_strategy(), micro_batches=2)
    >>> [inputs.numpy().tolist() for inputs, _ in pieces]
    [[0, 1], [2, 3], [4, 5], [6, 7]]
    """

    def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = context.num_replicas_in_sync // context.num_input_pipelines
        pieces = replicas * micro_batches
        return batches if pieces == 1 else _in_pieces(batches, pieces)

    return strategy.distribute_datasets_from_function(local)


def _in_pieces(batches: tf.data.Dataset, pieces: int) -> tf.data.Dataset:
    def cut_part(part: tf.Tensor) -> tf.Tensor:
        rows, *shape = part.shape
        return tf.reshape(part, [pieces, rows // pieces, *shape])

    def cut(*batch: Any) -> Any:
        return tf.nest.map_structure(cut_part, batch)

    return batches.map(cut, num_parallel_calls=tf.data.AUTOTUNE).unbatch().prefetch(pieces)
