"""A metadata store in one SQLite file: what was made, by what, from what."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from components.common.errors import ConfigError

_TABLES = """
CREATE TABLE IF NOT EXISTS artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    live INTEGER NOT NULL DEFAULT 0,
    type TEXT NOT NULL DEFAULT '{}',
    uri TEXT NOT NULL DEFAULT '',
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS executions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    run TEXT NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    cache_key TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT NOT NULL,
    parameters TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_cache_key ON executions (pipeline, cache_key);
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredArtifact:
    """An artifact as the service knows it.

    Attributes:
        id: Unlike any other's.
        type: Its `ArtifactTypeSchema`.
        uri: Where its files are.
        metadata: Its properties, as JSON values.
    """

    id: int
    type: Mapping[str, Any]
    uri: str
    metadata: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Produced:
    """What a step put out: artifacts and parameters by key."""

    artifacts: Mapping[str, StoredArtifact] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class MetadataStore:
    """Artifacts and executions, kept between runs.

    Args:
        path: The file; it and its folder are made if absent.
        pipeline: Whose artifacts are seen: as with the services, one pipeline
            knows nothing of another's.

    Raises:
        ConfigError: If the file cannot be used.
    """

    def __init__(self, path: pathlib.Path, pipeline: str) -> None:
        self._path = path
        self._pipeline = pipeline
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._connection() as connection:
                connection.executescript(_TABLES)
        except (OSError, sqlite3.Error) as err:
            raise ConfigError(
                f'cannot keep metadata in {path}: {err}',
                hint='name a folder that can be written, with --root DIR',
            ) from err

    def reserve(self) -> int:
        """Return an id for an artifact that is about to be made."""
        with self._connection() as connection:
            cursor = connection.execute(
                'INSERT INTO artifacts (pipeline) VALUES (?)', (self._pipeline,)
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def publish(
        self,
        *,
        run: str,
        step: str,
        state: str,
        inputs: Mapping[str, int],
        outputs: Produced,
        cache_key: str = '',
    ) -> None:
        """Record that a step has ended.

        Args:
            run: Name of the run.
            step: Name of the step.
            state: `executed`, `cached` or `failed`.
            inputs: Ids of the artifacts that went in, by key.
            outputs: What came out; each artifact is live from now on.
            cache_key: Under which `find_cached` finds the outputs; empty for
                none.
        """
        with self._connection() as connection:
            for artifact in outputs.artifacts.values():
                connection.execute(
                    'UPDATE artifacts SET live = 1, type = ?, uri = ?, metadata = ? WHERE id = ?',
                    (
                        json.dumps(artifact.type),
                        artifact.uri,
                        json.dumps(artifact.metadata),
                        artifact.id,
                    ),
                )
            connection.execute(
                'INSERT INTO executions '
                '(pipeline, run, step, state, cache_key, inputs, outputs, parameters) '
                'VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
                (
                    self._pipeline,
                    run,
                    step,
                    state,
                    cache_key,
                    json.dumps(inputs),
                    json.dumps({key: a.id for key, a in outputs.artifacts.items()}),
                    json.dumps(outputs.parameters),
                ),
            )

    def find_cached(self, cache_key: str) -> Produced | None:
        """Return what the last complete execution with this key put out, None if none."""
        with self._connection() as connection:
            row = connection.execute(
                'SELECT outputs, parameters FROM executions '
                "WHERE pipeline = ? AND cache_key = ? AND state = 'executed' "
                'ORDER BY id DESC LIMIT 1',
                (self._pipeline, cache_key),
            ).fetchone()
            if row is None:
                return None
            outputs, parameters = json.loads(row[0]), json.loads(row[1])
            artifacts = {key: self._artifact(connection, id) for key, id in outputs.items()}
        return Produced(artifacts=artifacts, parameters=parameters)

    def live_artifacts(self) -> list[StoredArtifact]:
        """Return all artifacts of the pipeline that were completed, latest first."""
        with self._connection() as connection:
            rows = connection.execute(
                'SELECT id, type, uri, metadata FROM artifacts '
                'WHERE pipeline = ? AND live = 1 ORDER BY id DESC',
                (self._pipeline,),
            ).fetchall()
        return [_stored(row) for row in rows]

    def _artifact(self, connection: sqlite3.Connection, artifact_id: int) -> StoredArtifact:
        return _stored(
            connection.execute(
                'SELECT id, type, uri, metadata FROM artifacts WHERE id = ?', (artifact_id,)
            ).fetchone()
        )

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: two rehearsals may share it."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            yield connection


def _stored(row: tuple[int, str, str, str]) -> StoredArtifact:
    return StoredArtifact(
        id=row[0], type=json.loads(row[1]), uri=row[2], metadata=json.loads(row[3])
    )
