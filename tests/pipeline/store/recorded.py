"""A root whose metadata is real, and whose models are one file each: nothing here loads them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib
from tfx.types import Artifact
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.common.model_versions import digest_of_model
from components.served_baseline.strategy import LatestBlessedBaselineStrategy
from pipeline.settings.config import PipelineConfig, load_config
from pipeline.store import adoption
from pipeline.store.adoption import adopt_served
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.baseline import check_blessed, known_models
from pipeline.store.choice import backend_of


class Root:
    """A new root with real metadata, in which a candidate was trained, and what is served.

    Args:
        folder: For all of it.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        flags = {
            'data.path': '-',
            'root': str(folder / 'runs'),
            'serving_dir': str(folder / 'served'),
        }
        self.config: PipelineConfig = load_config(preset='ngram', flags=flags, settings=())
        self.keeper = ArtifactKeeper(self.config.root_path)
        self.config.pipeline_root.mkdir(parents=True)
        self.backend = backend_of(self.config)
        self.metadata = metadata.Metadata(self.backend.connection())
        self.candidate = self.train('candidate')

    def train(self, content: str) -> Artifact:
        """Record a model, as the Trainer does."""

        def written(execution_id: int) -> Artifact:
            model = Model()
            model.uri = str(self.config.pipeline_root / f'Trainer/model/{execution_id}')
            write_model(pathlib.Path(model.uri, 'Format-Serving'), content)
            return model

        return self._publish('Trainer', 'model', written)

    def _publish(self, node_id: str, key: str, make: Callable[[int], Artifact]) -> Artifact:
        with self.metadata as handle:
            context = context_lib.register_context_if_not_exists(
                handle, 'pipeline', self.config.name
            )
            kind = metadata_store_pb2.ExecutionType(name=node_id)
            execution = execution_publish_utils.register_execution(handle, kind, [context])
            published, _ = execution_publish_utils.publish_succeeded_execution(
                handle, execution.id, [context], {key: [make(execution.id)]}
            )
        (artifact,) = published[key]
        return artifact

    def bless(self, content: str) -> Artifact:
        """Record a model and that it was blessed, as a run does."""
        model = self.train(content)
        blessing = ModelBlessing()
        blessing.uri = f'{model.uri}-blessing'
        blessing.set_int_custom_property('blessed', 1)
        blessing.set_int_custom_property('current_model_id', model.id)
        self._publish('Evaluator', 'blessing', lambda _: blessing)
        self.keeper.keep({'model': [model]})
        return model

    def serve(self, version: int, content: str) -> pathlib.Path:
        """Push a model, from wherever."""
        path = self.config.serving_path / str(version)
        write_model(path, content)
        (path / 'assets.extra').mkdir()
        card = f'SHA-256 of the model, over its files: `{digest_of_model(str(path))}`'
        (path / 'assets.extra' / 'model_card.md').write_text(card)
        return path

    def adopt(self) -> Artifact | None:
        """Adopt, if need be; return the baseline that the resolver finds then."""
        with self.metadata as handle:
            own = self.backend.own_context(self.config.name)
            adopt_served(handle, self.config, self.keeper, [self.candidate], own)
        return self.baseline()

    def baseline(self) -> Artifact | None:
        """Return what the resolver finds."""
        with self.metadata as handle:
            strategy = LatestBlessedBaselineStrategy(str(self.config.serving_path))
            known = known_models(handle.store, self.config.name, [self.candidate])
            return next(iter(strategy.resolve_artifacts(handle.store, known)['model']), None)

    def baseline_id(self) -> int | None:
        """Return the id of what the resolver finds."""
        found = self.baseline()
        return None if found is None else int(found.id)

    def check(self, *, shared: bool = False) -> str:
        """Check the baseline, as a run does before it looks for one."""
        with self.metadata as handle:
            return check_blessed(
                handle.store, self.config, self.keeper, [self.candidate], shared=shared
            )

    def executions(self) -> list[Any]:
        """Return the executions that adopted something, or tried to."""
        with self.metadata as handle:
            return list(handle.store.get_executions_by_type(adoption.NODE_ID))


def write_model(folder: pathlib.Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / 'saved_model.pb').write_text(content)
