"""A full disk is recognized whoever reports it, and told from a lack of memory."""

import errno
import sys

import pytest
import tensorflow as tf

from kerasvision.cli import main
from kerasvision.disk import os_error
from kerasvision.tuning.worker import _lacks_memory


@pytest.fixture
def full():
    """TensorFlow's own error for a device that is always full."""
    with pytest.raises(tf.errors.ResourceExhaustedError) as caught, tf.io.TFRecordWriter("/dev/full") as writer:
        writer.write(b"x" * 100_000)
    return caught.value


def test_tensorflows_error_for_a_full_disk_is_an_os_error(full):
    found = os_error(full)
    assert (found.errno, found.filename) == (errno.ENOSPC, "/dev/full")


def test_a_lack_of_memory_is_no_full_disk(full):
    lack = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[100000,100000]")
    assert os_error(lack) is None
    assert os_error(MemoryError("no more")) is None
    assert [_lacks_memory(error) for error in (lack, MemoryError(), full, OSError(errno.ENOSPC, "full"))] == [
        True, True, False, False
    ]  # fmt: skip


def test_the_command_line_says_that_the_disk_is_full(full, monkeypatch, capsys):
    def fails():
        raise full

    monkeypatch.setattr("kerasvision.cli.app", fails)
    monkeypatch.setattr("kerasvision.quiet.install", lambda: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit):
        main()
    told = " ".join(capsys.readouterr().err.split())
    assert told == "StoreError: /dev/full cannot be written: No space left on device. Free some space on that disk."
