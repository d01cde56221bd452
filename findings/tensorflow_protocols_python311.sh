#!/usr/bin/env bash
# On Python 3.11, TensorFlow 2.21.0 lists the attributes of 3 protocols 4,830 times while it traces one ResNet-50.
#
# While a graph is traced, TensorFlow tests many values with isinstance against a runtime-checkable typing.Protocol. Before
# Python 3.12, isinstance lists the attributes of the protocol anew each time. If typing keeps each list, the same tracing
# takes less processor time.
#
# Observed with tensorflow 2.21.0, keras 3.15.0 and Python 3.11.7 on 2 cores, medians of 5 processes in turns:
#     as it is               3.79 s
#     with kept lists        3.67 s; the median of the ratios is 1.09
#
# Exits with 0 if one tracing still lists attributes more than 1,000 times for fewer than 20 protocols and takes at least
# 1.02 times as long as with kept lists, and with 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0 keras==3.15.0
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import json
import statistics
import subprocess
import sys
from importlib.metadata import version

PROGRAM = """
import collections, functools, json, sys, time, typing
import tensorflow as tf
import keras

listed = collections.Counter()
attributes_of = typing._get_protocol_attrs
if sys.argv[1] == "kept":
    typing._get_protocol_attrs = functools.cache(attributes_of)
if sys.argv[1] == "counted":
    def counted(protocol):
        listed[protocol.__name__] += 1
        return attributes_of(protocol)
    typing._get_protocol_attrs = counted
began = time.process_time()
network = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3))
network.compile("sgd", "sparse_categorical_crossentropy")
step = tf.function(lambda x, y: network.train_step((x, y)))
step.get_concrete_function(tf.TensorSpec((2, 64, 64, 3)), tf.TensorSpec((2,), tf.int32))
print(json.dumps([time.process_time() - began, sum(listed.values()), len(listed)]))
"""


def traced(how):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


print("tensorflow", version("tensorflow"), "keras", version("keras"), "python", sys.version.split()[0])
_, count, protocols = traced("counted")
print(f"lists of attributes: {count}, of {protocols} protocols")
rounds = [[traced(how)[0] for how in ("usual", "kept")] for _ in range(5)]
usual, kept = (statistics.median(column) for column in zip(*rounds))
ratio = statistics.median(one / other for one, other in rounds)
print(f"processor seconds: {usual:.2f}, with kept lists {kept:.2f}: {ratio:.2f} times as long")
if not (count > 1000 and protocols < 20 and ratio >= 1.02):
    sys.exit("changed: the lists are no longer made anew, or cost little")
PYTHON
