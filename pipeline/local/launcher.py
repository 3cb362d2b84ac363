"""Has TFX execute the nodes of a pipeline, one at a time."""

from __future__ import annotations

from typing import NamedTuple

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils

from components.common.errors import ComponentError
from pipeline.results.artifacts import Artifacts, published
from pipeline.store.backend import OwnContext


class Executed(NamedTuple):
    """What came of a node that succeeded.

    Attributes:
        outputs: Its artifacts by key.
        cached: Whether they are those of an earlier execution.
    """

    outputs: Artifacts
    cached: bool


class NodeLauncher:
    """The nodes of a compiled pipeline, for one run: TFX's LocalDagRunner, taken apart.

    Args:
        pipeline: The pipeline.
        run_id: Name of the run.
        connection: Where ML Metadata is.
        own: The context of all that is executed below this root.

    Attributes:
        inputs_of: By id, the nodes that a node depends on, in the order of execution.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        run_id: str,
        connection: metadata_store_pb2.ConnectionConfig,
        own: OwnContext,
    ) -> None:
        self._pipeline = compiler.Compiler().compile(pipeline)
        runtime_parameter_utils.substitute_runtime_parameter(
            self._pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        self._deployment = runner_utils.extract_local_deployment_config(self._pipeline)
        self._connection = connection
        self._nodes = {
            node.pipeline_node.node_info.id: node.pipeline_node for node in self._pipeline.nodes
        }
        self.inputs_of = {name: list(node.upstream_nodes) for name, node in self._nodes.items()}
        self._mark_as_own(own)

    def _mark_as_own(self, own: OwnContext) -> None:
        """Have what is executed put into the context of this root, too."""
        for node in self._nodes.values():
            if own.kind not in {context.type.name for context in node.contexts.contexts}:
                context = node.contexts.contexts.add()
                context.type.name = own.kind
                context.name.field_value.string_value = own.name

    def launch(self, node_id: str, *, cache: bool) -> Executed:
        """Execute a node, after those that it depends on.

        Args:
            node_id: Which one.
            cache: Whether outputs of an earlier execution will do.

        Raises:
            ComponentError: If it did not start; what it raises comes as it is.
        """
        node = self._nodes[node_id]
        if not cache:
            node.execution_options.caching_options.enable_cache = False
        info = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(self._connection),
            pipeline_info=self._pipeline.pipeline_info,
            pipeline_runtime_spec=self._pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(self._deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, node_id),
        ).launch()
        if info is None or info.execution_id is None:
            raise ComponentError(
                f'{node_id} did not run: what it needs from earlier nodes is missing',
                hint='see the log',
            )
        with metadata.Metadata(self._connection) as handle:
            state, outputs = published(handle.store, info.execution_id)
        if state == metadata_store_pb2.Execution.FAILED:
            raise ComponentError(f'{node_id} could not start', hint='see the log')
        return Executed(outputs, cached=state == metadata_store_pb2.Execution.CACHED)
