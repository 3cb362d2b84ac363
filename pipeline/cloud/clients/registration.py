"""Registers pipelines with Kubeflow Pipelines, so that its user interface shows what a run ran."""

from __future__ import annotations

import hashlib
import json
import pathlib
import urllib.parse
from collections.abc import Callable
from typing import Any

from pipeline.cloud.clients.kfp_client import call

# The refusals of a user who may not register pipelines, but may run them: 400 for the upload of
# a version, 403 for the creation of a pipeline (backend/src/apiserver/server/
# pipeline_upload_server.go, pipeline_server.go); others are those of a proxy.
REFUSALS = (400, 403, 404, 405, 413)
_CONFLICT = 409
_NAME_LENGTH = 12


def register_version(
    client: Any, name: str, file: pathlib.Path, *, namespace: str | None
) -> dict[str, str]:
    """Register a compiled pipeline as a version of the pipeline of this name.

    A version is named after a digest of the file, so an equal file is registered once.

    Args:
        client: kfp's client.
        name: Name of the pipeline, unique in its namespace.
        file: The specification, as YAML.
        namespace: Namespace of the user; None for an installation with one user.

    Returns:
        The ids of the pipeline and of the version, named as the arguments of the client.

    Raises:
        kfp_server_api.ApiException: If the service refuses a request.
    """
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:_NAME_LENGTH]
    # Later versions have a field for the name, too, and take this one if it is missing.
    body = {'display_name': name, 'namespace': namespace or ''}
    pipeline_id = _find_or_create(
        lambda: _find_pipeline(client, name, namespace),
        # The client can only create a pipeline together with a version of the same name.
        lambda: str(call(client, 'POST', 'pipelines', body=body)['pipeline_id']),
    )
    version_id = _find_or_create(
        lambda: _find_version(client, pipeline_id, digest),
        lambda: str(
            client.upload_pipeline_version(
                str(file), pipeline_version_name=digest, pipeline_id=pipeline_id
            ).pipeline_version_id
        ),
    )
    return {'pipeline_id': pipeline_id, 'version_id': version_id}


def _find_or_create(find: Callable[[], str | None], create: Callable[[], str]) -> str:
    import kfp_server_api

    found = find()
    if found is not None:
        return found
    try:
        return create()
    except kfp_server_api.ApiException as err:
        # Another client has created it in the meantime.
        if err.status != _CONFLICT or (found := find()) is None:
            raise
        return found


def _find_pipeline(client: Any, name: str, namespace: str | None) -> str | None:
    import kfp_server_api

    path = f'pipelines/names/{urllib.parse.quote(name, safe="")}'
    try:
        return str(call(client, 'GET', path, query={'namespace': namespace or ''})['pipeline_id'])
    except kfp_server_api.ApiException as err:
        if err.status != 404:
            raise
        return None


def _find_version(client: Any, pipeline_id: str, name: str) -> str | None:
    predicate = {'operation': 'EQUALS', 'key': 'display_name', 'stringValue': name}
    found = client.list_pipeline_versions(
        pipeline_id, filter=json.dumps({'predicates': [predicate]})
    ).pipeline_versions
    return str(found[0].pipeline_version_id) if found else None
