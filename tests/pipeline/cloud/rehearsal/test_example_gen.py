"""ExampleGen and its resolver in the compiled pipelines."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from components.common.entry_point import RESOLVED_INPUT
from components.example_gen.summary import ExamplesSummary
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.kubeflow_spec import EXAMPLE_GEN, RESOLVER
from pipeline.cloud.rehearsal.step_runner import StepRunner
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud import golden
from tests.pipeline.cloud.rehearsal.preloaded import PreloadedEngine
from tests.pipeline.cloud.rehearsal.small_pipelines import RecordedProgress

# The window of two spans, as TFX writes it: the type of the artifact has
# a property called span, which TFX does not use.
WINDOW = {'custom:span': 20455, 'spans': '2 spans 2025-12-31 to 2026-01-02'}


@dataclasses.dataclass(frozen=True)
class ExampleGenRun:
    """A rehearsed run of ExampleGen and its resolver.

    Attributes:
        state: State of ExampleGen.
        examples: Number of examples in all splits.
        metadata: Properties of the artifact `examples`.
        found: What the resolver found, if it is a step.
    """

    state: str
    examples: int
    metadata: dict[str, Any]
    found: dict[str, Any]


def run_example_gen(target: Target, folder: pathlib.Path, *settings: str) -> ExampleGenRun:
    workspace = Workspace(root=folder, target=target)
    root = f'cloud.pipeline_root={workspace.pipeline_root}'
    pipeline = compile_pipeline(golden.config(*settings, root, 'serving_dir=/serving'), target)
    tasks = pipeline.spec['root']['dag']['tasks']
    for name in set(tasks) - {EXAMPLE_GEN, RESOLVER}:
        del tasks[name]
    runner = StepRunner(
        pipeline=pipeline,
        values=pipeline.parameter_values([]),
        engine=PreloadedEngine(),
        workspace=workspace,
        run_id=workspace.start_run(),
    )
    runner.run(RecordedProgress())
    artifact = runner.outputs[EXAMPLE_GEN].artifacts['examples']
    summary = ExamplesSummary.read(str(workspace.find(artifact.uri)))
    resolver = runner.outputs.get(RESOLVER)
    return ExampleGenRun(
        state=runner.results[-1].state,
        examples=sum(summary.examples(split) for split in ('train', 'val', 'test')),
        metadata=dict(artifact.metadata),
        found=json.loads(resolver.parameters[RESOLVED_INPUT]) if resolver else {},
    )


def write_reviews(path: pathlib.Path, rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [f'Film {n} was {"good" if n % 2 else "bad"},{n % 2}' for n in range(rows)]
    path.write_text('\n'.join(['text,label', *texts, '']))


def test_example_gen_runs_again_on_kubeflow_only_when_the_data_changes(
    tmp_path: pathlib.Path,
) -> None:
    data = tmp_path / 'data' / 'reviews.csv'
    write_reviews(data, 200)
    first = run_example_gen('kubeflow', tmp_path / 'root', f'data.path={data}')
    assert (first.state, first.examples) == ('executed', 200)
    fingerprint = first.found['parameterValues']['input_fingerprint']
    assert first.metadata['input_fingerprint'] == fingerprint
    again = run_example_gen('kubeflow', tmp_path / 'root', f'data.path={data}')
    assert again == dataclasses.replace(first, state='cached')
    with data.open('a') as file:
        file.write('One more,1\n')
    changed = run_example_gen('kubeflow', tmp_path / 'root', f'data.path={data}')
    assert (changed.state, changed.examples) == ('executed', 201)


@pytest.mark.parametrize('target', TARGETS)
def test_newest_spans_are_read_when_the_data_path_has_spans(
    target: Target, tmp_path: pathlib.Path
) -> None:
    spans = tmp_path / 'reviews'
    for day, rows in (('20251230', 10), ('20251231', 100), ('20260102', 120)):
        write_reviews(spans / f'day-{day}' / 'reviews.csv', rows)
    settings = (f'data.path={spans}/day-{{YYYY}}{{MM}}{{DD}}/*.csv', 'data.spans=2')
    first = run_example_gen(target, tmp_path / 'root', *settings)
    assert (first.state, first.examples) == ('executed', 220)
    assert first.metadata.items() >= WINDOW.items()
    assert first.metadata['input_fingerprint'].count('split:all-') == 2
    if target == 'kubeflow':
        write_reviews(spans / 'day-20260103' / 'reviews.csv', 30)
        newer = run_example_gen(target, tmp_path / 'root', *settings)
        assert (newer.state, newer.examples) == ('executed', 150)
