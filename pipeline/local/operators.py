"""Operators that run an executor in this process or in another one, as TFX's operators do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tfx.orchestration.portable import (
    base_executor_operator,
    beam_executor_operator,
    data_types,
    python_executor_operator,
)
from tfx.proto.orchestration import (
    executable_spec_pb2,
    execution_invocation_pb2,
    placeholder_pb2,
)

from components.beam_jobs.running_job import job_left

PYTHON_SPEC = executable_spec_pb2.PythonClassExecutableSpec
BEAM_SPEC = executable_spec_pb2.BeamExecutableSpec


def make_operator(executor_spec: Any, job_name: str) -> Any:
    """Make the operator that runs an executor in this process, with all of its options.

    Args:
        executor_spec: The specification with the options.
        job_name: Name of the run, for the names of its jobs on a service.
    """
    if not isinstance(executor_spec, BEAM_SPEC):
        return python_executor_operator.PythonExecutorOperator(executor_spec)
    operator = _BeamOperator(executor_spec)
    name = placeholder_pb2.PlaceholderExpression()
    name.value.string_value = f'--job_name={job_name}'
    operator.beam_pipeline_args.insert(0, name)  # first, so that a name in beam.args wins
    return operator


def run_executor(executor_spec: Any, job_name: str, invocation: bytes) -> bytes:
    """Run an executor in a worker.

    Args:
        executor_spec: See `make_operator`.
        job_name: See `make_operator`.
        invocation: An ExecutionInvocation: the artifacts and parameters of the node.

    Returns:
        An ExecutorOutput.
    """
    message = execution_invocation_pb2.ExecutionInvocation.FromString(invocation)
    info = data_types.ExecutionInfo.from_proto(message)
    output: bytes = make_operator(executor_spec, job_name).run_executor(info).SerializeToString()
    return output


class WorkerOperator(base_executor_operator.BaseExecutorOperator):  # type: ignore[misc]
    """Has a worker run an executor."""

    SUPPORTED_EXECUTOR_SPEC_TYPE: ClassVar[list[Any]] = [BEAM_SPEC, PYTHON_SPEC]
    SUPPORTED_PLATFORM_CONFIG_TYPE: ClassVar[list[Any]] = []

    def __init__(self, executor_spec: Any, run: Callable[[data_types.ExecutionInfo], Any]) -> None:
        super().__init__(executor_spec)
        self._run = run

    def run_executor(self, execution_info: data_types.ExecutionInfo) -> Any:
        return self._run(execution_info)


class JobLeft(BaseException):
    """Carries an error past TFX, which removes the outputs of a node at each Exception."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _BeamOperator(beam_executor_operator.BeamExecutorOperator):  # type: ignore[misc]
    """Runs an executor; keeps its outputs if its job on a service may still write them."""

    def run_executor(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().run_executor(*args, **kwargs)
        except Exception as err:
            if job_left() is not None:
                raise JobLeft(err) from err
            raise
