"""Decides which nodes may start."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tfx.proto.orchestration import pipeline_pb2

# They judge the model and publish it, so they start only when all nodes before them have ended.
# Any other node may start before a node whose outputs it does not read has ended: the model is
# trained while ExampleValidator still looks at the data.
_WAIT_FOR_ALL = ('Evaluator', 'Pusher')


class Schedule:
    """The nodes of a pipeline, each with the nodes that must end before it starts.

    Args:
        nodes: The compiled nodes by id, in an order in which they can run one after the other.

    Example:
        schedule = Schedule(nodes)
        schedule.find_ready(ended={'ExampleGen'}, started={'ExampleGen'})
    """

    def __init__(self, nodes: Mapping[str, pipeline_pb2.PipelineNode]) -> None:
        ids = list(nodes)
        self._needs = {
            node_id: set(ids[:index]) if node_id in _WAIT_FOR_ALL else _producers(node)
            for index, (node_id, node) in enumerate(nodes.items())
        }

    def find_ready(self, *, ended: Collection[str], started: Collection[str]) -> list[str]:
        """Return the nodes that may start now, in their order.

        Args:
            ended: Ids of the nodes that succeeded.
            started: Ids of all nodes that have started.
        """
        return [
            node_id
            for node_id, needs in self._needs.items()
            if node_id not in started and needs.issubset(ended)
        ]


def _producers(node: pipeline_pb2.PipelineNode) -> set[str]:
    """Return the ids of the nodes whose outputs a node reads."""
    return {
        channel.producer_node_query.id
        for inputs in node.inputs.inputs.values()
        for channel in inputs.channels
    }
