"""The Pusher node."""

from __future__ import annotations

from tfx.components import Pusher
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel

from components.pusher.executor import Executor


class AtomicPusher(Pusher):
    """TFX's Pusher with the executor that pushes as a whole."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def make_pusher(model: BaseChannel, model_blessing: BaseChannel, serving_dir: str) -> Pusher:
    """Make the node that copies a blessed `model` to `serving_dir`."""
    return AtomicPusher(
        model=model,
        model_blessing=model_blessing,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
        ),
    ).with_id('Pusher')
