"""Tells whether two SavedModels compute the same, which their bytes alone do not show.

TensorFlow numbers functions and tables by counters of the process, and puts the path of the
vocabulary into the name of a table. So the same training, repeated, writes another
`saved_model.pb`.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath

from components.common.model_versions import SAVED_MODEL_FILE, digest_of_model, model_files
from components.common.storage import storage_of

# Increased when the same model gets another identity; those recorded before are not compared.
_PREFIX = 'identity-1:'
_VARIABLES = 'variables/variables'
# Checksums, stack traces and Keras's notes: model servers compute without them.
_ABOUT_THE_GRAPH = frozenset(
    {'fingerprint.pb', 'keras_metadata.pb', 'debug/saved_model_debug_info.pb'}
)

# By the digest of the files: a run needs the identity of one model several times.
_known: dict[str, str] = {}


def identity_of_model(model_dir: str) -> str:
    """Return a SHA-256 of what a SavedModel computes.

    It covers the names and values of the variables, the graph apart from the names in it, and
    all other files, such as the vocabulary, the labels and the settings. What cannot be read as
    a SavedModel is identified by its bytes, and a warning is logged.

    Args:
        model_dir: The SavedModel.

    Returns:
        The identity. Models with the same identity are the same model; so are those with the
        same `digest_of_model`, and their identities are equal, too.

    Raises:
        OSError: If a file cannot be read.

    Example:
        identity_of_model(one) == identity_of_model(trained_again)
    """
    digest = digest_of_model(model_dir)
    if digest not in _known:
        _known[digest] = _PREFIX + _compute(model_dir, digest)
    return _known[digest]


def names_of_model(model_dir: str) -> frozenset[str]:
    """Return the digest and the identity of a model: two that share one of them are the same."""
    return frozenset({digest_of_model(model_dir), identity_of_model(model_dir)})


def is_current(identity: str) -> bool:
    """Return whether a recorded identity can be compared with those of this version."""
    return identity.startswith(_PREFIX)


def _compute(model_dir: str, digest: str) -> str:
    # Imported here because they import TensorFlow, which takes seconds; `models` does not need it.
    from components.common.canonical_graph import (
        UnreadableGraphError,
        canonical_graph,
        canonical_variables,
    )

    try:
        graph = canonical_graph(_read(posixpath.join(model_dir, SAVED_MODEL_FILE)))
        prefix = posixpath.join(model_dir, _VARIABLES)
        with_variables = storage_of(prefix).exists(f'{prefix}.index')
        variables = canonical_variables(prefix) if with_variables else b''
    except UnreadableGraphError as err:
        logging.getLogger(__name__).warning(
            'The model in %s is compared by its bytes: %s', model_dir, err
        )
        return digest
    found = hashlib.sha256(graph + variables)
    for name in model_files(model_dir):
        is_variable = with_variables and name.startswith('variables/')
        if not is_variable and name not in {SAVED_MODEL_FILE, *_ABOUT_THE_GRAPH}:
            content = hashlib.sha256(_read(posixpath.join(model_dir, name)))
            found.update(name.encode() + b'\0' + content.digest())
    return found.hexdigest()


def _read(path: str) -> bytes:
    with storage_of(path).GFile(path, 'rb') as file:
        return bytes(file.read())
