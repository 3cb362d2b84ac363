"""The folder that Kubeflow Pipelines gives a run below its pipeline root."""

from __future__ import annotations

import json
from typing import Any

from components.common.entry_point import PROPERTIES_FILE, PUSHED_MODEL
from pipeline.cloud.kubeflow_spec import PUSHER
from pipeline.process.logs import no_framework_noise


def read_pushed_properties(pipeline_root: str, run_id: str) -> tuple[dict[str, Any], str]:
    """Read the properties that the Pusher's step of a run wrote into its output.

    The folder of an output is PIPELINE/RUN/TASK/SALT/OUTPUT below the root
    (backend/src/v2/metadata/client.go, `GetPipeline` and `GenerateOutputURI`).

    Args:
        pipeline_root: The pipeline root of the run; empty for the default of the cluster.
        run_id: Id of the run.

    Returns:
        The properties, and the reason why there are none if they are empty.
    """
    if not pipeline_root:
        return {}, 'the artifacts are below the default root of the cluster'
    root = pipeline_root.rstrip('/')
    try:
        with no_framework_noise():
            from tfx.dsl.io import fileio

            # A pattern for the name of the pipeline would list each object of a bucket.
            for pipeline in fileio.listdir(root):
                folder = f'{root}/{pipeline.rstrip("/")}/{run_id}/{PUSHER}'
                for path in fileio.glob(f'{folder}/*/{PUSHED_MODEL}/{PROPERTIES_FILE}'):
                    with fileio.open(path) as file:
                        return json.loads(file.read()), ''
    except Exception as err:  # each file system has its own errors
        return {}, f'{root} cannot be read: {err}'
    return {}, f'there is no output of the Pusher of run {run_id} below {root}'
