"""The summary of an Examples artifact: row counts, in a file beside the splits."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Sequence

import pydantic

from components.common import features
from components.common.errors import ComponentError, DataError
from components.example_gen.group_counts import GroupCounts

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
        dropped: By label, the number of rows that the settings leave out.
        unlabelled: Number of texts without a label, in the split `unsup`.
        sources: Paths or patterns of the files that were read.
        groups: Counts of the groups; None if no column names them.
        formats: Number of .csv and .tsv files by what is unusual about their format,
            such as `delimiter ';'`; an empty string if nothing is.
    """

    splits: dict[str, tuple[int, int]]
    labels: tuple[str, str]
    rejected: dict[str, int]
    unlabelled: int = 0
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    sources: tuple[str, ...] = ()
    groups: GroupCounts | None = None
    formats: dict[str, int] = dataclasses.field(default_factory=dict)

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

    def describe_formats(self) -> str:
        """Return what is unusual about the files in words, an empty string if nothing is."""
        files = sum(self.formats.values())
        return '; '.join(
            unusual if number == files else f'{unusual} in {number:,} of {files:,} files'
            for unusual, number in sorted(self.formats.items())
            if unusual
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
        """Read the summary of the artifact at `examples_uri`.

        If another ExampleGen wrote the artifact, there is none. Then the examples are
        counted, and the labels are `0` and `1`.

        Raises:
            DataError: If a label is not 0 or 1.
        """
        import tensorflow as tf

        path = posixpath.join(examples_uri, SUMMARY_FILE)
        splits = tf.io.gfile.glob(posixpath.join(examples_uri, 'Split-*'))
        if splits and not tf.io.gfile.exists(path):
            return _count_examples(examples_uri, splits)
        with tf.io.gfile.GFile(path) as file:
            return cls.parse(file.read())

    @classmethod
    def parse(cls, text: str) -> ExamplesSummary:
        """Parse the content of a summary file.

        Raises:
            ValueError: If it is not what `write` writes.
        """
        return _FORMAT.validate_json(text)


_FORMAT = pydantic.TypeAdapter(ExamplesSummary)


def _count_examples(examples_uri: str, folders: Sequence[str]) -> ExamplesSummary:
    import tensorflow as tf

    spec = {features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64, default_value=-1)}
    splits: dict[str, tuple[int, int]] = {}
    unlabelled = 0
    for folder in sorted(folders):
        split = posixpath.basename(folder).removeprefix('Split-')
        files = tf.io.gfile.glob(posixpath.join(folder, '*'))
        records = tf.data.TFRecordDataset(files, 'GZIP').batch(4_096)
        labels = records.map(lambda batch: tf.io.parse_example(batch, spec)[features.LABEL_KEY])
        counts = {-1: 0, 0: 0, 1: 0}
        try:
            for batch in labels.as_numpy_iterator():
                for label in batch.tolist():
                    counts[label] += 1
        except (tf.errors.InvalidArgumentError, KeyError) as err:
            raise _no_label(examples_uri) from err
        if counts[-1] and split != features.UNLABELLED_SPLIT:
            raise _no_label(examples_uri)
        if split == features.UNLABELLED_SPLIT:
            unlabelled = sum(counts.values())
        else:
            splits[split] = counts[0], counts[1]
    return ExamplesSummary(splits=splits, labels=('0', '1'), rejected={}, unlabelled=unlabelled)


def _no_label(examples_uri: str) -> DataError:
    return DataError(
        f'expected the label 0 or 1 as an integer in each example of {examples_uri}',
        hint='convert the labels before ExampleGen, or pass the data with --data',
    )
