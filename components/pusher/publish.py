"""Makes a new version of a folder of versions: as a whole, or not at all."""

from __future__ import annotations

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
    SAVED_MODEL_FILE,
    digest_of_model,
    version_numbers,
)
from components.common.serving_lock import PART_SUFFIX
from components.common.storage import is_remote

CopyFile = Callable[[str, str], Any]


def publish(model_dir: str, serving_dir: str, card: str, *, digest: str) -> str:
    """Copy a SavedModel, and a card of it, into a folder of versions.

    On a local disk the copy is made aside, under a name that no model server
    takes for a version, and becomes visible by one rename. An object store has
    no rename: there `saved_model.pb`, without which nothing is a model, comes
    last. Call it with the folder's `serving_lock`.

    Args:
        model_dir: The SavedModel.
        serving_dir: Folder, local or not, that a model server watches.
        card: The model card, Markdown.
        digest: Of the model, when it was found good.

    Returns:
        The path of the new version: its name is the time in seconds since
        1970, or one more than the latest version if that is not larger.

    Raises:
        ComponentError: If the model is not that of the digest any more.
        OSError: If it cannot be written.
    """
    if is_remote(serving_dir):
        return _publish_remotely(model_dir, serving_dir, card)
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
    """Make a version of a SavedModel by one rename, on a local disk.

    Args:
        model_dir: The SavedModel.
        serving_dir: The folder of versions.
        texts: What to write beside it or in place of what it has, by path below
            it.
        digest: Of the model, when it was found good.
        copy_file: Puts a file where another path is, with the same content.

    Returns:
        The path of the new version, as of `publish`.

    Raises:
        ComponentError: If the model is not that of the digest any more.
        OSError: If it cannot be written.
    """
    os.makedirs(serving_dir, exist_ok=True)
    aside = os.path.join(serving_dir, f'.{uuid.uuid4().hex}{PART_SUFFIX}')

    def copy(source: str, target: str) -> Any:
        if os.path.relpath(target, aside) not in texts:
            copy_file(source, target)
        return target

    try:
        shutil.copytree(model_dir, aside, copy_function=copy)
        for name, text in texts.items():
            path = os.path.join(aside, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
        _sync(aside)
        if digest_of_model(aside) != digest:
            raise ComponentError(
                f'the model in {model_dir} changed while it was copied',
                hint='the same command tries again',
            )
        while True:
            path = os.path.join(serving_dir, str(_next_version(serving_dir)))
            try:
                # A non-empty folder is never replaced, so a race only means another try.
                os.rename(aside, path)
            except OSError:
                if not os.path.exists(path):
                    raise
                continue
            _sync_folder(serving_dir)
            return path
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _publish_remotely(model_dir: str, serving_dir: str, card: str) -> str:
    from tfx.dsl.io import fileio
    from tfx.utils import io_utils

    path = posixpath.join(serving_dir, str(_next_version(serving_dir)))
    try:
        io_utils.copy_dir(model_dir, path, deny_regex_patterns=[r'saved_model\.pb$'])
        with fileio.open(posixpath.join(path, CARD_PATH), 'w') as file:
            file.write(card)
        io_utils.copy_file(
            posixpath.join(model_dir, SAVED_MODEL_FILE), posixpath.join(path, SAVED_MODEL_FILE)
        )
    except BaseException:
        if fileio.exists(path):
            fileio.rmtree(path)
        raise
    return path


def _next_version(serving_dir: str) -> int:
    return max([int(time.time()), *(version + 1 for version in version_numbers(serving_dir))])


def _sync(folder: str) -> None:
    """Have the disk hold all files before their folder becomes a version."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), 'rb') as file:
                os.fsync(file.fileno())
        _sync_folder(parent)


def _sync_folder(folder: str) -> None:
    """Have the disk hold the names in a folder, too: a rename is one of them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
