#!/usr/bin/env bash
# TensorFlow 2.21.0 waits ten seconds before it says that a processor's memory is not enough, if oneDNN is on.
#
# On a GPU, other work may soon free memory, so its allocator tries again for ten seconds. With oneDNN, which is the default on
# x86, memory of the processor goes through an allocator of the same kind. So a program that asks once for more than the
# machine has, such as a dense layer on an image of the wrong size, seems to hang before its ResourceExhaustedError comes.
# With TF_ENABLE_ONEDNN_OPTS=0 the same error comes at once.
#
# Observed with tensorflow 2.21.0 and Python 3.11.7 on 2 cores, 24 GiB: tf.zeros of 4 TB raises after
#     10.1 s    by default
#      0.0 s    with TF_ENABLE_ONEDNN_OPTS=0
#
# Exits with 0 if the first still takes at least 9 s and the second less than 3 s, and with 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0
cat > "$folder/ask.py" <<'PYTHON'
import time

import tensorflow as tf

began = time.monotonic()
try:
    tf.zeros((10**6, 10**6))
except tf.errors.ResourceExhaustedError:
    print(f"{time.monotonic() - began:.1f}")
PYTHON
seconds() { CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=$1 "$folder/venv/bin/python" "$folder/ask.py" 2> /dev/null; }
default=$(seconds 1)
without=$(seconds 0)
echo "ResourceExhaustedError after $default s with oneDNN, after $without s without"
awk -v default="$default" -v without="$without" 'BEGIN { exit !(default >= 9 && without < 3) }' || { echo "changed"; exit 1; }
echo "as described"
