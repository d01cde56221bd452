"""The standard stages. Each opens artifacts, calls one library function and writes artifacts. They contain no maths.

TensorFlow and packages that use it are imported inside the functions, because a plan needs only their signatures.
"""
