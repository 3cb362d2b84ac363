"""The services that a pipeline is compiled for."""

from __future__ import annotations

from typing import Literal

Target = Literal['vertex', 'kubeflow']
TARGETS: tuple[Target, ...] = ('vertex', 'kubeflow')
