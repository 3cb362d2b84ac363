"""Finds the baseline in the folder that models are served from."""

from __future__ import annotations

import posixpath
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.common.model_versions import complete_versions, digest_of_model
from components.common.rollback_state import withdrawn_models

CANDIDATE_KEY = 'candidate'
MODEL_KEY = 'model'
SERVING_DIR_KEY = 'serving_dir'
# A file, as TFX's BLESSED is: it says the same wherever the artifact is carried to.
NO_BASELINE_FILE = 'NO_BASELINE'


class Executor(base_executor.BaseExecutor):
    """Hands on a copy of the model that is served, the candidate itself left out.

    A copy, because a version may be deleted while the Evaluator still reads it.
    Where a run is repeated, the candidate is what is served, and it would be
    judged against itself; the version before it is the baseline then.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copy the baseline into the artifact, or leave a note that there is none.

        Args:
            input_dict: `candidate`: this run's model.
            output_dict: `model`: the baseline, laid out as the Trainer does.
            exec_properties: `serving_dir`: the folder of versions.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        candidate = artifact_utils.get_single_uri(input_dict[CANDIDATE_KEY])
        baseline = artifact_utils.get_single_uri(output_dict[MODEL_KEY])
        served = find_baseline(
            exec_properties[SERVING_DIR_KEY], path_utils.serving_model_path(candidate)
        )
        if served is None:
            io_utils.write_string_file(posixpath.join(baseline, NO_BASELINE_FILE), '')
        else:
            io_utils.copy_dir(served, path_utils.serving_model_dir(baseline))


def find_baseline(serving_dir: str, candidate: str) -> str | None:
    """Return the path of the latest version that is neither the candidate nor withdrawn.

    Returns:
        None if there is none.

    Raises:
        DataError: If it cannot be told what is withdrawn.
    """
    versions = list(complete_versions(serving_dir))
    others = {digest_of_model(candidate), *withdrawn_models(serving_dir)} if versions else set()
    return next((path for path in versions if digest_of_model(path) not in others), None)


def is_absent(model_uri: str) -> bool:
    """Tell whether the artifact stands for a baseline that does not exist."""
    return bool(fileio.exists(posixpath.join(model_uri, NO_BASELINE_FILE)))
