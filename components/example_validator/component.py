"""The ExampleValidator node: no anomaly passes."""

from __future__ import annotations

from tfx.components import ExampleValidator
from tfx.dsl.components.base import executor_spec
from tfx.types import BaseChannel

from components.example_validator.executor import Executor


class StrictExampleValidator(ExampleValidator):
    """TFX's ExampleValidator with the executor that fails at an anomaly."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def make_example_validator(statistics: BaseChannel, schema: BaseChannel) -> ExampleValidator:
    """Make the node that holds `statistics` against `schema`."""
    return StrictExampleValidator(statistics=statistics, schema=schema).with_id('ExampleValidator')
