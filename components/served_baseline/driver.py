"""The driver of ServedBaseline: makes TFX's cache notice when another version is served."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.served_baseline.baseline import find_baseline
from components.served_baseline.executor import CANDIDATE_KEY, SERVING_DIR_KEY

BASELINE_KEY = 'baseline_digest'


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):  # type: ignore[misc]
    """Adds the digest of the baseline to the parameters of the execution.

    TFX calls drivers before it looks into its cache, and the parameters are part of
    the cache key. So the node runs again when another model is served. For the same
    model, even as another version, TFX reuses the artifact, and so the Evaluator's
    outputs. Services do not call drivers: there the node is never cached.
    """

    def __init__(self, metadata_handle: Any) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: Any) -> driver_output_pb2.DriverOutput:
        """Find the baseline.

        Raises:
            StoreError: If the served version is damaged.
            DataError: If the withdrawn versions cannot be read.
        """
        candidate = artifact_utils.get_single_uri(execution_info.input_dict[CANDIDATE_KEY])
        served = find_baseline(
            execution_info.exec_properties[SERVING_DIR_KEY],
            path_utils.serving_model_path(candidate),
        )
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[BASELINE_KEY].string_value = served.digest if served else 'none'
        return output
