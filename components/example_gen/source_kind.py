"""How the files of a source are read: what finds them says it, and what reads them asks."""

from __future__ import annotations

import enum


class SourceKind(str, enum.Enum):
    """How the files of a source are read."""

    IMDB_ARCHIVE = 'imdb_archive'
    IMDB_FOLDER = 'imdb_folder'
    TABLES = 'tables'
