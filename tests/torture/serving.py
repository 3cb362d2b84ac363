"""Changes or reads a folder of versions until it is killed: `python -m tests.torture.serving`.

Its arguments are the action, the root of the runs, the folder of the models to push, and a seed.
It prints a line before and after each action.
"""

from __future__ import annotations

import json
import pathlib
import random
import sys
import time
from collections.abc import Callable

from components.common.errors import DataError
from components.common.model_versions import digest_of_model
from components.common.serving_lock import serving_lock
from components.pusher.publish import publish
from pipeline.models.listing import ServingFolder
from pipeline.models.prune import prune
from pipeline.models.rollback import rollback

ANSWER_FILE = 'assets.extra/settings.json'  # contains the number that the model returns

Act = Callable[[], str]


def folder_of(root: pathlib.Path) -> pathlib.Path:
    """Return the folder of versions."""
    return ServingFolder(root=str(root)).path


def _pusher(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Act:
    serving = str(folder_of(root))
    known = [(str(path), digest_of_model(str(path))) for path in sorted(models.iterdir())]

    def push() -> str:
        # Without a pause, the folder grows faster than it is pruned, and a rollback reads it for
        # minutes.
        time.sleep(choose.uniform(0, 0.3))
        model, digest = choose.choice(known)
        with serving_lock(serving):
            return f'done {publish(model, serving, "# Card", digest=digest)}'

    return push


def _roller_back(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Act:
    def roll_back() -> str:
        try:
            return f'done {rollback(ServingFolder(root=str(root))).now.path}'
        except DataError as err:
            # All other versions may be the same model, or withdrawn.
            if 'no version to go back to' in str(err) or 'live already' in str(err):
                time.sleep(0.2)
                return 'idle'
            raise

    return roll_back


def _pruner(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Act:
    def prune_some() -> str:
        time.sleep(choose.uniform(0, 0.3))
        removed = [v.name for v, why in prune(ServingFolder(root=str(root)), keep=2) if why is None]
        return f'done {" ".join(removed)}'

    return prune_some


def _reader(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Act:
    import tensorflow as tf

    def highest() -> pathlib.Path:
        found = [path for path in folder_of(root).iterdir() if path.name.isdecimal()]
        return max(found, key=lambda path: int(path.name))

    def read() -> str:
        """Load the highest version as TensorFlow Serving does, and check the number it returns."""
        version = highest()
        try:
            model = tf.saved_model.load(str(version))
            found = float(model.signatures['serving_text'](text=tf.constant(['x']))['probability'])
            expected = json.loads((version / ANSWER_FILE).read_text(encoding='utf-8'))
        except Exception as err:  # Whatever it is, a server could not have served the version.
            # A version may be removed as soon as there is a higher one.
            if not version.exists() and int(highest().name) > int(version.name):
                return 'pruned'
            return f'lost {version.name}: {type(err).__name__}: {str(err)[:200]!r}'
        equal = abs(found - expected) < 1e-6
        return 'done' if equal else f'lost {version.name}: {found}, {expected}'

    return read


_ACTIONS = {'push': _pusher, 'rollback': _roller_back, 'prune': _pruner, 'read': _reader}


def main(action: str, root: str, models: str, seed: str) -> None:
    act = _ACTIONS[action](pathlib.Path(root), pathlib.Path(models), random.Random(int(seed)))
    while True:
        print(f'{action} begins', flush=True)
        print(f'{action} {act()}', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
