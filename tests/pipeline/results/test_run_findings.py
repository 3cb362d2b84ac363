from __future__ import annotations

import json
import pathlib

import pytest
from tfx.types import standard_artifacts

from components.transform.properties import STOCK_REASON_PROPERTY
from pipeline.results.run_findings import RunFindings


@pytest.mark.parametrize(
    ('vocabularies', 'reason', 'note'),
    [
        ({'words': 1_234}, '', '1,234 words in the vocabulary'),
        ({'texts': 2, 'w': 40}, '', '2 words in texts; 40 words in w'),
        ({'w': 2}, 'statistics are wanted', "2 words in w; TFX's executor: statistics are wanted"),
        ({}, 'the analyzer mean', "TFX's executor: the analyzer mean"),
        ({}, '', ''),
    ],
)
def test_note_of_transform_counts_words_and_names_the_executor(
    vocabularies: dict[str, int], reason: str, note: str, tmp_path: pathlib.Path
) -> None:
    graph = standard_artifacts.TransformGraph()
    graph.uri = str(tmp_path)
    graph.set_string_custom_property(STOCK_REASON_PROPERTY, reason)
    for folder in ('transform_fn/assets', 'transformed_metadata'):
        (tmp_path / folder).mkdir(parents=True)
    for name, words in vocabularies.items():
        (tmp_path / 'transform_fn' / 'assets' / name).write_text('word\n' * words)
    if vocabularies:
        path = tmp_path / 'transformed_metadata' / 'asset_map'
        path.write_text(json.dumps({name: name for name in vocabularies}))
    assert RunFindings().add('Transform', {'transform_graph': [graph]}) == note
