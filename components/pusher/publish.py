"""Adds a version to a serving folder, completely or not at all."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from components.common.errors import ComponentError
from components.common.model_versions import (
    CARD_PATH,
    DIGEST_PATH,
    SAVED_MODEL_FILE,
    digest_of_model,
    version_names,
)
from components.common.serving_lock import PART_SUFFIX
from components.common.storage import is_remote

CopyFile = Callable[[str, str], Any]


def publish(model_dir: str, serving_dir: str, card: str, *, digest: str) -> str:
    """Copy a SavedModel into a serving folder, with its model card and its digest.

    On a disk, the copy gets a name that no model server takes for a version, and
    becomes visible by one rename. An object store has no rename: there
    `saved_model.pb`, without which a folder is not a model, is copied last. Hold the
    `serving_lock` of the folder.

    Args:
        model_dir: The SavedModel.
        serving_dir: The folder that a model server watches.
        card: The model card, Markdown.
        digest: Digest of the model that was evaluated and tested.

    Returns:
        The path of the new version. Its name is the time in seconds since 1970, or
        one more than the latest version if that is larger.

    Raises:
        ComponentError: If the model no longer has this digest.
        OSError: If the version cannot be written.

    Example:
        with serving_lock(serving_dir):
            publish(model_dir, serving_dir, card, digest=digest_of_model(model_dir))
    """
    if is_remote(serving_dir):
        return _publish_remotely(model_dir, serving_dir, card, digest)
    return publish_locally(
        model_dir, serving_dir, {CARD_PATH: card}, digest=digest, copy_file=shutil.copyfile
    )


def publish_locally(
    model_dir: str,
    serving_dir: str,
    texts: Mapping[str, str],
    *,
    digest: str,
    copy_file: CopyFile,
) -> str:
    """Add a version to a serving folder on a disk, by one rename; see `publish`.

    Args:
        model_dir: The SavedModel.
        serving_dir: The serving folder.
        texts: Files to add or replace, by relative path.
        digest: Digest of the model that was evaluated and tested.
        copy_file: Copies or links a file: source, target.
    """
    texts = {**texts, DIGEST_PATH: f'{digest}\n'}
    os.makedirs(serving_dir, exist_ok=True)
    unfinished = os.path.join(serving_dir, f'.{uuid.uuid4().hex}{PART_SUFFIX}')

    def copy(source: str, target: str) -> Any:
        if os.path.relpath(target, unfinished) not in texts:
            copy_file(source, target)
        return target

    try:
        shutil.copytree(model_dir, unfinished, copy_function=copy)
        for name, text in texts.items():
            path = os.path.join(unfinished, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
        _sync(unfinished)
        if digest_of_model(unfinished) != digest:
            raise _changed(model_dir)
        while True:
            path = os.path.join(serving_dir, str(_next_version(serving_dir)))
            try:
                # A rename never replaces a non-empty folder: take the next number then.
                os.rename(unfinished, path)
            except OSError:
                if not os.path.exists(path):
                    raise
                continue
            _sync_folder(serving_dir)
            return path
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _publish_remotely(model_dir: str, serving_dir: str, card: str, digest: str) -> str:
    from tfx.dsl.io import fileio
    from tfx.utils import io_utils

    path = posixpath.join(serving_dir, str(_next_version(serving_dir)))
    try:
        io_utils.copy_dir(model_dir, path, deny_regex_patterns=[r'saved_model\.pb$'])
        for name, text in ((CARD_PATH, card), (DIGEST_PATH, f'{digest}\n')):
            with fileio.open(posixpath.join(path, name), 'w') as file:
                file.write(text)
        if digest_of_model(model_dir) != digest:
            raise _changed(model_dir)
        io_utils.copy_file(
            posixpath.join(model_dir, SAVED_MODEL_FILE), posixpath.join(path, SAVED_MODEL_FILE)
        )
    except BaseException:
        # What cannot be removed is no version: it has no saved_model.pb.
        with contextlib.suppress(OSError):
            fileio.rmtree(path)
        raise
    return path


def _changed(model_dir: str) -> ComponentError:
    return ComponentError(
        f'the model in {model_dir} changed while it was copied', hint='run the same command again'
    )


def _next_version(serving_dir: str) -> int:
    return max([int(time.time()), *(int(name) + 1 for name in version_names(serving_dir))])


def _sync(folder: str) -> None:
    """Flush all files of a folder to the disk, before it becomes a version."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), 'rb') as file:
                os.fsync(file.fileno())
        _sync_folder(parent)


def _sync_folder(folder: str) -> None:
    """Flush the entries of a folder to the disk, so that a rename is permanent."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
