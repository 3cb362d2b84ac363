"""What a practitioner would otherwise use, each as a program of its own.

`python -m benchmarks.peers.NAME ARCHIVE OUTPUT_DIR` does everything: it reads the
archive, trains on the official training split, tests on the official test split,
saves its model below OUTPUT_DIR, and prints one line of JSON. None of them uses
the pipeline's code.
"""
