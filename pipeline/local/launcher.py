"""Executes single nodes of a compiled pipeline with TFX."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import (
    base_driver_operator,
    cache_utils,
    data_types,
    launcher,
    python_driver_operator,
)
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import (
    driver_output_pb2,
    execution_result_pb2,
    pipeline_pb2,
)

from components.common.errors import ComponentError
from pipeline.local.operators import (
    BEAM_SPEC,
    PYTHON_SPEC,
    JobLeft,
    WorkerOperator,
    make_operator,
    run_executor,
)
from pipeline.local.workers import NodeWorkers
from pipeline.results.run_findings import Artifacts

# Returns what is wrong with the outputs of a node, None if nothing is.
FindDamage = Callable[[Artifacts], str | None]


class Launched(NamedTuple):
    """The result of a node that succeeded.

    Attributes:
        execution_id: Its execution in ML Metadata.
        outputs: Its artifacts by key.
        cached: Whether they are the outputs of an earlier execution.
        damage: Damage because of which cached outputs were not used, None if there is none.
    """

    execution_id: int
    outputs: Artifacts
    cached: bool
    damage: str | None


class NodeLauncher:
    """Launches nodes as TFX's LocalDagRunner does, but does not use damaged cached outputs.

    Args:
        pipeline: The compiled pipeline, with values for its run-time parameters.
        find_damage: Checks the outputs that TFX would take from its cache.
        workers: Processes for the executors; None to run them in this process. With them,
            nodes can be launched in several threads, of which one at a time uses ML Metadata.
    """

    def __init__(
        self,
        pipeline: pipeline_pb2.Pipeline,
        find_damage: FindDamage,
        workers: NodeWorkers | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._find_damage = find_damage
        self._workers = workers
        self._in_tfx = threading.Lock()
        self._deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = self._deployment.metadata_connection_config
        self._connection = getattr(connection, connection.WhichOneof('connection_config'))
        run_id = pipeline.runtime_spec.pipeline_run_id.field_value.string_value
        self._job_name = f'{pipeline.pipeline_info.id}-{run_id}'

    def launch(self, node: pipeline_pb2.PipelineNode, *, cache: bool) -> Launched:
        """Execute a node, after all nodes that it depends on.

        Args:
            node: The node.
            cache: Whether outputs of an earlier execution may be used.

        Raises:
            ComponentError: If it could not start. Exceptions of the node are passed on.
        """
        with self._in_tfx:
            return self._launch(node, cache=cache)

    def _launch(self, node: pipeline_pb2.PipelineNode, *, cache: bool) -> Launched:
        node_id = node.node_info.id
        node.execution_options.caching_options.enable_cache = cache
        executor_spec = runner_utils.extract_executor_spec(self._deployment, node_id)
        cache_spec = _without_beam_args(executor_spec)
        damages: list[str] = []

        def is_damaged(outputs: Artifacts) -> bool:
            found = self._find_damage(outputs)
            damages.extend([found] if found else [])
            return bool(found)

        node_launcher = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(self._connection),
            pipeline_info=self._pipeline.pipeline_info,
            pipeline_runtime_spec=self._pipeline.runtime_spec,
            executor_spec=cache_spec,
            # TFX passes the specification of which it makes the cache key, without Beam's options.
            custom_executor_operators=dict.fromkeys(
                (BEAM_SPEC, PYTHON_SPEC), lambda **_: self._make_operator(node_id, executor_spec)
            ),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, node_id)
            or PYTHON_SPEC(),
            custom_driver_operators={
                PYTHON_SPEC: functools.partial(
                    _CacheCheckingDriver, executor_spec=cache_spec, is_damaged=is_damaged
                )
            },
        )
        try:
            info = node_launcher.launch()
        except JobLeft as left:
            raise left.error from left.error.__cause__
        if info is None or info.execution_id is None:
            raise ComponentError(
                f'{node_id} did not run: an artifact that it needs is missing',
                hint='run the same command again; the log names the artifact',
            )
        with metadata.Metadata(self._connection) as handle:
            (execution,) = handle.store.get_executions_by_id([info.execution_id])
            outputs = execution_lib.get_output_artifacts(handle, info.execution_id)
        if execution.last_known_state == execution.FAILED:
            raise ComponentError(f'{node_id} could not start', hint='see the log')
        cached = execution.last_known_state == execution.CACHED
        return Launched(info.execution_id, outputs, cached, damages[0] if damages else None)

    def _make_operator(self, node_id: str, executor_spec: Any) -> Any:
        if self._workers is None:
            return make_operator(executor_spec, self._job_name)
        return WorkerOperator(
            executor_spec, functools.partial(self._run_in_worker, node_id, executor_spec)
        )

    def _run_in_worker(
        self, node_id: str, executor_spec: Any, info: data_types.ExecutionInfo
    ) -> execution_result_pb2.ExecutorOutput:
        assert self._workers is not None
        arguments = (executor_spec, self._job_name, info.to_proto().SerializeToString())
        self._in_tfx.release()
        try:
            output = self._workers.run(node_id, (run_executor, arguments))
        finally:
            self._in_tfx.acquire()
        return execution_result_pb2.ExecutorOutput.FromString(output)


def _without_beam_args(executor_spec: Any) -> Any:
    """Return what the cache key holds of an executor: not Beam's options, such as the number
    of workers, because outputs do not depend on them.
    """
    if not isinstance(executor_spec, BEAM_SPEC):
        return executor_spec
    return BEAM_SPEC(python_executor_spec=executor_spec.python_executor_spec)


class _CacheCheckingDriver(base_driver_operator.BaseDriverOperator):  # type: ignore[misc]
    """Turns off the cache for a node whose cached outputs are damaged.

    TFX itself checks only that the folders of the outputs exist. It runs the driver
    of a node right before it looks into its cache. This driver first runs the node's
    own driver, if there is one, so it gets the cache key that TFX will use.
    """

    SUPPORTED_EXECUTABLE_SPEC_TYPE: ClassVar[list[Any]] = [PYTHON_SPEC]

    def __init__(
        self,
        driver_spec: Any,
        connection: metadata.Metadata,
        *,
        executor_spec: Any,
        is_damaged: Callable[[Artifacts], bool],
    ) -> None:
        super().__init__(driver_spec, connection)
        self._executor_spec = executor_spec
        self._is_damaged = is_damaged

    def run_driver(self, execution_info: data_types.ExecutionInfo) -> Any:
        output = driver_output_pb2.DriverOutput()
        if self._driver_spec.class_path:
            operator = python_driver_operator.PythonDriverOperator(
                self._driver_spec, self._mlmd_connection
            )
            output = operator.run_driver(execution_info)
        caching = execution_info.pipeline_node.execution_options.caching_options
        if caching.enable_cache:
            cached = self._cached_outputs(execution_info, output)
            caching.enable_cache = cached is None or not self._is_damaged(cached)
        return output

    def _cached_outputs(self, info: data_types.ExecutionInfo, driver_output: Any) -> Any | None:
        """Return the outputs of the newest execution with the same cache key."""
        outputs = dict(info.output_dict)
        for key, found in driver_output.output_artifacts.items():
            outputs[key] = [_make_artifact(outputs[key][0].type, one) for one in found.artifacts]
        changed = data_types_utils.build_value_dict(driver_output.exec_properties)
        with self._mlmd_connection as handle:
            context = cache_utils.get_cache_context(
                handle,
                info.pipeline_node,
                info.pipeline_info,
                self._executor_spec,
                info.input_dict,
                outputs,
                {**info.exec_properties, **changed},
            )
            executions = execution_lib.sort_executions_newest_to_oldest(
                e
                for e in handle.store.get_executions_by_context(context.id)
                if execution_lib.is_execution_successful(e)
            )
            if not executions:
                return None
            return execution_lib.get_output_artifacts(handle, executions[0].id)


def _make_artifact(artifact_class: Any, stored: metadata_store_pb2.Artifact) -> Any:
    artifact = artifact_class()
    artifact.set_mlmd_artifact(stored)
    return artifact
