"""The size of a batch is the one with the most rows per second, as measured, and follows the machine."""

from kerasvision.serving.batch_sizes import TRIED_AGAIN, TRIES, BatchSizes


def chosen(sizes, seconds, *, batches, queue="queue"):
    """The sizes of so many full batches, if a batch of n rows takes `seconds(n)`."""
    found = []
    for _ in range(batches):
        found.append(sizes.largest(queue))
        sizes.measured(queue, found[-1], seconds=seconds(found[-1]))
    return found


def caches_overflow_above_8(rows):
    """5 ms for a call, 1 ms for a row up to 8 rows, and 2 ms for each further one."""
    return 0.005 + 0.001 * rows + 0.001 * max(rows - 8, 0)


def test_the_largest_comes_first_and_the_fastest_stays():
    """Rows per second by hand: 32: 32 / 61 ms = 525, 16: 16 / 29 = 552, 8: 8 / 13 = 615, 4: 4 / 9 = 444 (0.72 of 615)."""
    found = chosen(BatchSizes(32), caches_overflow_above_8, batches=4 * TRIES + 20)
    assert found == [32] * TRIES + [16] * TRIES + [8] * TRIES + [4] * TRIES + [8] * 20


def test_if_a_call_costs_much_the_largest_stays():
    found = chosen(BatchSizes(32), lambda rows: 0.1 + 0.001 * rows, batches=40)
    assert found == [32] * TRIES + [16] * TRIES + [32] * (40 - 2 * TRIES)


def test_of_sizes_that_are_nearly_as_fast_the_smallest_is_used():
    """With nothing to gain, one row at a time gives the shortest wait."""
    assert chosen(BatchSizes(4), lambda rows: 0.01 * rows, batches=3 * TRIES + 5)[-5:] == [1] * 5


def test_another_size_is_tried_now_and_then_and_a_change_is_followed():
    sizes = BatchSizes(16)
    chosen(sizes, caches_overflow_above_8, batches=100)
    assert sizes.largest("queue") == 8
    later = chosen(sizes, lambda rows: 0.1 + 0.001 * rows, batches=20 * TRIED_AGAIN)
    assert 16 in later[: 2 * TRIED_AGAIN]
    assert later[-TRIED_AGAIN:].count(16) >= TRIED_AGAIN - 2


def test_batches_of_other_sizes_do_not_count():
    sizes = BatchSizes(8)
    for _ in range(20):
        sizes.measured("queue", 5, seconds=0.001)
    assert chosen(sizes, lambda rows: 0.1, batches=3) == [8, 8, 8]


def test_queues_are_measured_apart_and_old_ones_are_forgotten():
    sizes = BatchSizes(4)
    chosen(sizes, lambda rows: 0.01 * rows, batches=20)
    assert (sizes.largest("queue"), sizes.largest("other")) == (1, 4)
    for number in range(100):
        sizes.measured(number, 4, seconds=0.1)
    assert sizes.largest("queue") == 4


def test_every_number_of_rows_is_a_limit():
    assert [chosen(BatchSizes(most), lambda rows: 0.1 * rows, batches=1) for most in (1, 7, 24)] == [[1], [7], [24]]
