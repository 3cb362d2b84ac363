"""Measures the records between the stages of Beam jobs, which a runner such as Flink limits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from apache_beam.runners.worker import bundle_processor

# A record may have 4 MB with any data. That of the tests is small, so they hold records to less.
MAX_BYTES = 100_000


class RecordSizes:
    """The sizes of records by the Beam transform that writes or reads them, in this process.

    A group is one record: key and all values together. So are the accumulators of a key.

    Attributes:
        largest: Bytes of the largest record, by name of the transform.
    """

    def __init__(self) -> None:
        self.largest: dict[str, int] = {}

    def add(self, transform: str, size: int) -> None:
        self.largest[transform] = max(size, self.largest.get(transform, 0))

    @property
    def too_large(self) -> dict[str, int]:
        """Bytes of the largest record of each transform that has one of more than `MAX_BYTES`."""
        return {name: size for name, size in self.largest.items() if size > MAX_BYTES}


class _MeasuringCoder:
    """Adds the size of each record that a coder of Beam encodes or decodes."""

    def __init__(self, coder: Any, transform: str, sizes: RecordSizes) -> None:
        self._coder = coder
        self._transform = transform
        self._sizes = sizes

    def encode_to_stream(self, value: Any, stream: Any, nested: bool) -> None:
        before = stream.size()
        self._coder.encode_to_stream(value, stream, nested)
        self._sizes.add(self._transform, stream.size() - before)

    def decode_from_stream(self, stream: Any, nested: bool) -> Any:
        before = stream.size()  # of what is left to read
        value = self._coder.decode_from_stream(stream, nested)
        self._sizes.add(self._transform, before - stream.size())
        return value


@contextlib.contextmanager
def measured_records() -> Iterator[RecordSizes]:
    """Measure the records of Beam jobs that run in this process during the block.

    Example:
        with measured_records() as sizes:
            run_pipeline()
        assert sizes.too_large == {}
    """
    sizes = RecordSizes()
    # The base class of what reads and writes the records of a worker.
    operation = bundle_processor.RunnerIOOperation
    create = operation.__init__

    def create_measuring(self: Any, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        self.windowed_coder_impl = _MeasuringCoder(
            self.windowed_coder_impl, self.transform_id, sizes
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operation, '__init__', create_measuring)
        yield sizes
