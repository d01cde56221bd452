"""The standard stages. Each opens artifacts, calls one library function and writes artifacts; no maths.

TensorFlow and what builds on it is imported inside the functions: a plan needs only their signatures.
"""
