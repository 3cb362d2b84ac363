"""What the nodes that run on Beam can run on."""

from __future__ import annotations

from typing import Literal, get_args

RunnerName = Literal['direct', 'portable', 'flink', 'spark', 'dataflow']
RUNNERS: tuple[RunnerName, ...] = get_args(RunnerName)
