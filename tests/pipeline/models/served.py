"""A serving folder with versions of small models, and the records of their runs."""

from __future__ import annotations

import json
import pathlib
import shutil

from components.common.model_versions import digest_of_model
from components.common.serving_lock import serving_lock
from components.pusher.publish import publish
from pipeline.models.listing import ServingFolder
from pipeline.results.outcome import Pushed, RunOutcome, save_record

NAME = 'sentiment'


class Served:
    """The versions that runs pushed.

    Args:
        root: The folder for all that runs write.
        sound: A SavedModel; all models are variants of it.
    """

    def __init__(self, root: pathlib.Path, sound: pathlib.Path) -> None:
        self.serving_folder = ServingFolder(root=str(root))
        self.folder = root / 'serving' / NAME
        self._root = root
        self._sound = sound
        self._runs = 0

    def push(self, which: str, accuracy: float = 0.9) -> str:
        """Push the model `which`, as a run does; return its version."""
        model = self.model(which)
        digest = digest_of_model(str(model))
        card = f'# Model card: {NAME}\n'
        with serving_lock(str(self.folder)):
            path = pathlib.Path(publish(str(model), str(self.folder), card, digest=digest))
        self._runs += 1
        outcome = RunOutcome(
            run_id=f'2026-11-25T00-00-{self._runs:02}',
            outcome='pushed',
            name=NAME,
            data='reviews.csv',
            metrics={'binary_accuracy': accuracy},
            pushed=Pushed(path=str(path), version=path.name),
        )
        save_record(outcome, self._root)
        return path.name

    def model(self, which: str) -> pathlib.Path:
        """Return the model `which`, as the Trainer exports it.

        With an apostrophe, it is the same model in other bytes, as another training writes it.
        """
        model = self._root / 'trained' / which
        if not model.exists():
            shutil.copytree(self._sound, model)
            (model / 'assets.extra' / 'settings.json').write_text(json.dumps(which.rstrip("'")))
            (model / 'keras_metadata.pb').write_text(which)
        return model

    def live(self) -> pathlib.Path:
        """Return the version that TensorFlow Serving loads: the highest number."""
        return max(self.folder.glob('[0-9]*'), key=lambda path: int(path.name))

    def serves(self) -> str:
        """Return which model is live."""
        which: str = json.loads((self.live() / 'assets.extra' / 'settings.json').read_text())
        return which

    def names(self) -> list[str]:
        """Return the versions, oldest first."""
        return sorted((path.name for path in self.folder.glob('[0-9]*')), key=int)
