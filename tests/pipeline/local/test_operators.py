"""Executors run with the options of Beam and with the name of the run."""

from __future__ import annotations

from tfx.proto.orchestration import executable_spec_pb2

from pipeline.local.operators import make_operator


def test_executor_gets_the_options_of_beam_and_a_job_name_when_it_uses_beam() -> None:
    spec = executable_spec_pb2.BeamExecutableSpec()
    spec.python_executor_spec.class_path = 'components.example_gen.executor.Executor'
    spec.beam_pipeline_args_placeholders.add().value.string_value = '--direct_num_workers=2'
    name, *options = make_operator(spec, 'reviews-1').beam_pipeline_args
    assert name.value.string_value == '--job_name=reviews-1'
    assert options == [*spec.beam_pipeline_args_placeholders]
