"""The peers: programs that a practitioner would otherwise use to train a model.

`python -m benchmarks.peers.NAME ARCHIVE OUTPUT_DIR` does everything: it reads the
archive, trains on the official training split, tests on the official test split,
saves its model below OUTPUT_DIR, and prints one line of JSON. None of them uses
the pipeline's code.
"""
