"""The summary of an Examples artifact: row counts, in a file beside the splits."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Sequence

import pydantic

from components.common import features
from components.common.errors import ComponentError

# An execution parameter, and a property of the examples: a description of the spans.
SPANS_PROPERTY = 'spans'

SUMMARY_FILE = 'summary.json'
# Relative to the artifact; one file for each shard.
REJECTS_FILES = 'report/rejects*.jsonl'


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExamplesSummary:
    """Counts of the rows that ExampleGen read.

    >>> summary = ExamplesSummary(splits={'test': (3, 4)}, labels=('neg', 'pos'), rejected={})
    >>> summary.examples('test')
    7

    Attributes:
        splits: By split, the number of negative and of positive examples.
        labels: The data's spelling of the negative and the positive label.
        rejected: By reason, the number of rows that could not be used.
        unlabelled: Number of texts without a label, in the split `unsup`.
        sources: Paths or patterns of the files that were read.
    """

    splits: dict[str, tuple[int, int]]
    labels: tuple[str, str]
    rejected: dict[str, int]
    unlabelled: int = 0
    sources: tuple[str, ...] = ()

    def examples(self, split: str) -> int:
        """Return the number of examples of a split."""
        return self.unlabelled if split == features.UNLABELLED_SPLIT else sum(self.splits[split])

    def require(self, stage: str, splits: Sequence[str], count: int) -> None:
        """Check that a node read each example once.

        Args:
            stage: The node, for the message.
            splits: The splits that it read.
            count: Number of examples that it read.

        Raises:
            ComponentError: If it is not the number that ExampleGen wrote.
        """
        expected = sum(map(self.examples, splits))
        if count != expected:
            raise ComponentError(
                f'{stage}: expected the {expected:,} examples of {" and ".join(splits)} that '
                f'ExampleGen wrote, got {count:,}',
                hint='the examples were changed after they were written: run with another --root',
            )

    @property
    def rejects(self) -> int:
        """Number of rows that could not be used."""
        return sum(self.rejected.values())

    def write(self, examples_uri: str) -> None:
        """Write the summary into the artifact at `examples_uri`."""
        # The report parses a summary without TensorFlow.
        import tensorflow as tf

        with tf.io.gfile.GFile(posixpath.join(examples_uri, SUMMARY_FILE), 'wb') as file:
            file.write(_FORMAT.dump_json(self, indent=2) + b'\n')

    @classmethod
    def read(cls, examples_uri: str) -> ExamplesSummary:
        """Read the summary of the artifact at `examples_uri`."""
        import tensorflow as tf

        with tf.io.gfile.GFile(posixpath.join(examples_uri, SUMMARY_FILE)) as file:
            return cls.parse(file.read())

    @classmethod
    def parse(cls, text: str) -> ExamplesSummary:
        """Parse the content of a summary file.

        Raises:
            ValueError: If it is not what `write` writes.
        """
        return _FORMAT.validate_json(text)


_FORMAT = pydantic.TypeAdapter(ExamplesSummary)
