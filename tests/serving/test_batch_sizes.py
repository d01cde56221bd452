"""The size of a batch is the one with the most rows per second, as measured, and follows the machine."""

from kerasvision.serving.batch_sizes import TRIED_AGAIN, TRIES, BatchSizes


def chosen(sizes, seconds, *, batches, queue="queue"):
    """The sizes of so many full batches, if a batch of n rows takes `seconds(n)`."""
    found = []
    for _ in range(batches):
        found.append(sizes.largest(queue, waiting=1000))
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
    assert sizes.largest("queue", waiting=1000) == 8
    later = chosen(sizes, lambda rows: 0.1 + 0.001 * rows, batches=20 * TRIED_AGAIN)
    assert 16 in later[: 2 * TRIED_AGAIN]
    assert later[-TRIED_AGAIN:].count(16) >= TRIED_AGAIN - 2


def asked_by(clients, sizes, seconds, *, batches):
    """The sizes of so many batches, if each of the clients always waits with one row."""
    found = []
    for _ in range(batches):
        found.append(sizes.largest("queue", waiting=clients))
        rows = min(found[-1], clients)
        sizes.measured("queue", rows, seconds=seconds(rows))
    return found


def test_clients_who_do_not_fill_a_neighbour_of_the_best_size_do_not_get_it_for_ever():
    sizes = BatchSizes(64)
    chosen(sizes, lambda rows: 0.1 + 0.001 * rows + 0.1 * (rows > 32), batches=TRIED_AGAIN - 3)
    found = asked_by(40, sizes, lambda rows: 0.1 + 0.001 * rows, batches=2000)
    assert found.count(32) >= 2000 * (1 - 2 / TRIED_AGAIN)


def test_few_clients_get_the_best_of_the_sizes_that_they_fill():
    """20 rows fill no batch of 32. Rows per second by hand: 16: 552, 8: 615, 4: 444 (0.72 of 615)."""
    found = asked_by(20, BatchSizes(32), caches_overflow_above_8, batches=3 * TRIES + 20)
    assert found == [16] * TRIES + [8] * TRIES + [4] * TRIES + [8] * 20


def test_if_the_largest_size_that_is_filled_is_the_best_all_that_waits_is_taken():
    """And the size below is tried again, although batches of 20 rows have no size."""
    found = asked_by(20, BatchSizes(32), lambda rows: 0.1 + 0.001 * rows, batches=3 * TRIED_AGAIN)
    assert found[: 2 * TRIES + 1] == [16] * TRIES + [8] * TRIES + [32]
    assert (found.count(32), found.count(16)) == (3 * TRIED_AGAIN - 2 * TRIES - 3, TRIES + 3)


def test_more_clients_than_before_have_the_larger_sizes_tried():
    sizes = BatchSizes(32)
    asked_by(4, sizes, lambda rows: 0.1 + 0.001 * rows, batches=40)
    assert (
        asked_by(40, sizes, lambda rows: 0.1 + 0.001 * rows, batches=3 * TRIES)[: 2 * TRIES] == [32] * TRIES + [16] * TRIES
    )


def test_batches_of_other_sizes_do_not_count():
    sizes = BatchSizes(8)
    for _ in range(20):
        sizes.measured("queue", 5, seconds=0.001)
    assert chosen(sizes, lambda rows: 0.1, batches=3) == [8, 8, 8]


def test_queues_are_measured_apart_and_old_ones_are_forgotten():
    sizes = BatchSizes(4)
    chosen(sizes, lambda rows: 0.01 * rows, batches=20)
    assert (sizes.largest("queue", waiting=4), sizes.largest("other", waiting=4)) == (1, 4)
    for number in range(100):
        sizes.measured(number, 4, seconds=0.1)
    assert sizes.largest("queue", waiting=1000) == 4


def test_every_number_of_rows_is_a_limit():
    assert [chosen(BatchSizes(most), lambda rows: 0.1 * rows, batches=1) for most in (1, 7, 24)] == [[1], [7], [24]]
