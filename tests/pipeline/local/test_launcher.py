"""The cache keys of nodes leave out the options of Beam."""

from __future__ import annotations

from tfx.proto.orchestration import executable_spec_pb2

from pipeline.local.launcher import _without_beam_args

_EXECUTOR = 'components.example_gen.executor.Executor'


def _spec(*options: str) -> executable_spec_pb2.BeamExecutableSpec:
    spec = executable_spec_pb2.BeamExecutableSpec()
    spec.python_executor_spec.class_path = _EXECUTOR
    for option in options:
        spec.beam_pipeline_args_placeholders.add().value.string_value = option
    return spec


def test_key_is_equal_when_only_options_of_beam_differ() -> None:
    two, four = _spec('--direct_num_workers=2'), _spec('--direct_num_workers=4')
    assert two != four
    assert _without_beam_args(two) == _without_beam_args(four)
    other = _spec()
    other.python_executor_spec.class_path = 'components.statistics_gen.executor.Executor'
    assert _without_beam_args(two) != _without_beam_args(other)


def test_key_is_the_whole_specification_when_the_executor_has_no_beam() -> None:
    spec = _spec().python_executor_spec
    assert _without_beam_args(spec) is spec
