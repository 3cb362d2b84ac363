"""Changes or reads a folder of versions, over and over: `python -m tests.torture.serving`.

Its arguments are what to do, the root of the runs, the folder of the models that
may be pushed, and a number to draw by. It works until it is ended, and tells
what it does on standard output, a line each.
"""

from __future__ import annotations

import json
import pathlib
import random
import sys
import time
from collections.abc import Callable

SAID = 'assets.extra/settings.json'  # holds the number that the model answers


def main(what: str, root: pathlib.Path, models: pathlib.Path, seed: int) -> None:
    """Do it until ended."""
    choose = random.Random(seed)
    act = _ACTIONS[what](root, models, choose)
    print('ready', flush=True)
    while True:
        print(f'{what} begins', flush=True)
        print(f'{what} {act()}', flush=True)


def folder_of(root: pathlib.Path) -> pathlib.Path:
    """Return the folder of versions."""
    return root / 'serving' / 'sentiment'


def _pushing(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Callable[[], str]:
    from components.common.model_versions import digest_of_model
    from components.common.serving_lock import serving_lock
    from components.pusher.publish import publish

    serving = str(folder_of(root))
    known = [(str(path), digest_of_model(str(path))) for path in sorted(models.iterdir())]

    def push() -> str:
        # Or the folder grows faster than it can be pruned, and a rollback reads it for minutes.
        time.sleep(choose.uniform(0, 0.3))
        model, digest = choose.choice(known)
        card = f'# Card\n\n- SHA-256 of the model, over its files: `{digest}`.\n'
        with serving_lock(serving):
            return f'done {publish(model, serving, card, digest=digest)}'

    return push


def _rolling_back(
    root: pathlib.Path, models: pathlib.Path, choose: random.Random
) -> Callable[[], str]:
    from components.common.errors import DataError
    from pipeline.models.listing import ServingFolder
    from pipeline.models.rollback import rollback

    def roll_back() -> str:
        try:
            return f'done {rollback(ServingFolder(root=str(root))).now.path}'
        except DataError as err:
            # All that is left may be the same model, or withdrawn.
            if 'no version to go back to' in str(err) or 'live already' in str(err):
                time.sleep(0.2)
                return 'idle'
            raise

    return roll_back


def _pruning(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Callable[[], str]:
    from pipeline.models.listing import ServingFolder
    from pipeline.models.prune import prune

    def prune_some() -> str:
        time.sleep(choose.uniform(0, 0.3))
        removed = [v.name for v, why in prune(ServingFolder(root=str(root)), keep=2) if why is None]
        return f'done {" ".join(removed)}'

    return prune_some


def _reading(root: pathlib.Path, models: pathlib.Path, choose: random.Random) -> Callable[[], str]:
    import tensorflow as tf

    serving = folder_of(root)

    def read() -> str:
        """Load the highest version as TensorFlow Serving does, and ask it its number."""
        version = _highest(serving)
        try:
            model = tf.saved_model.load(str(version))
            said = float(model.signatures['serving_text'](text=tf.constant(['x']))['probability'])
            wanted = json.loads((version / SAID).read_text(encoding='utf-8'))
        except Exception as err:  # whatever it is: a server could not have served it
            # It may be removed as soon as it is not the highest any more.
            if not version.exists() and int(_highest(serving).name) > int(version.name):
                return 'pruned'
            return f'lost {version.name}: {type(err).__name__}: {str(err)[:200]!r}'
        return 'done' if abs(said - wanted) < 1e-6 else f'lost {version.name}: {said}, {wanted}'

    return read


def _highest(serving: pathlib.Path) -> pathlib.Path:
    found = [path for path in serving.iterdir() if path.name.isdecimal()]
    return max(found, key=lambda path: int(path.name))


_ACTIONS = {
    'push': _pushing,
    'rollback': _rolling_back,
    'prune': _pruning,
    'read': _reading,
}


if __name__ == '__main__':
    main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), int(sys.argv[4]))
