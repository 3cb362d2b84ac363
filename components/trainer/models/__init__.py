"""The architectures. A further one is one new file and one line here."""

from __future__ import annotations

from collections.abc import Callable

import keras

from components.trainer.models import tutorial

ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    'tutorial': tutorial.build_model,
}
