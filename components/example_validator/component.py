"""The ExampleValidator node: fails if the data does not fit the schema."""

from __future__ import annotations

from tfx.components import ExampleValidator
from tfx.dsl.components.base import executor_spec
from tfx.types import BaseChannel

from components.example_validator.executor import Executor


class StrictExampleValidator(ExampleValidator):
    """TFX's ExampleValidator with the executor that fails on an anomaly."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def make_example_validator(statistics: BaseChannel, schema: BaseChannel) -> ExampleValidator:
    """Make the node that compares `statistics` with `schema`."""
    return StrictExampleValidator(statistics=statistics, schema=schema).with_id('ExampleValidator')
