"""ServedBaseline's executor: copies the served version into its output artifact."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.common.model_versions import recorded_digest
from components.served_baseline.baseline import (
    NO_BASELINE_FILE,
    VERSION_FILE,
    damaged_version,
    find_baseline,
)
from components.smoke_test.run import SmokeTestError, smoke_test

CANDIDATE_KEY = 'candidate'
MODEL_KEY = 'model'
SERVING_DIR_KEY = 'serving_dir'


class Executor(base_executor.BaseExecutor):
    """Copies the baseline, because a version may be deleted while the Evaluator reads it."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copy the baseline into the artifact, or record that there is none.

        Args:
            input_dict: `candidate`: this run's model.
            output_dict: `model`: the baseline, in the Trainer's layout.
            exec_properties: `serving_dir`: the folder of pushed versions.

        Raises:
            StoreError: If the served version is damaged.
            DataError: If the withdrawn versions cannot be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        candidate = artifact_utils.get_single_uri(input_dict[CANDIDATE_KEY])
        baseline = artifact_utils.get_single_uri(output_dict[MODEL_KEY])
        serving_dir = exec_properties[SERVING_DIR_KEY]
        served = find_baseline(serving_dir, path_utils.serving_model_path(candidate))
        if served is None:
            io_utils.write_string_file(posixpath.join(baseline, NO_BASELINE_FILE), '')
            return
        version = posixpath.join(serving_dir, served.version)
        if recorded_digest(version) is None:
            _require_servable(version)
        io_utils.copy_dir(version, path_utils.serving_model_dir(baseline))
        io_utils.write_string_file(
            posixpath.join(baseline, VERSION_FILE), json.dumps(served._asdict())
        )


def _require_servable(version: str) -> None:
    """Check a version without a recorded digest: only loading it can show damage."""
    try:
        smoke_test(version, must_explain=False)
    except SmokeTestError as err:
        raise damaged_version(version, str(err)) from err
