"""Tables in folders: which files count as tables, and which split a path names."""

from __future__ import annotations

import os
import re

from components.common import features
from components.readers import formats
from components.readers.tables import SPLIT_NAMES

# A folder of TFX's, with one folder for each split. TFX's two splits are `train` and `eval`.
_SPLIT_FOLDER = 'Split-'
# A hub's folders: CONFIGURATION/SPLIT/0000.parquet.
_FOLDER_LEVELS = 2
# What the library `datasets` writes beside the tables.
_DESCRIPTIONS = ('dataset_dict.json', 'dataset_info.json', 'dataset_infos.json', 'state.json')
_PARTIAL = 'partial-'  # the hub's prefix of a split of which it converted the first rows only


def find_tables(folder: str, levels: int = _FOLDER_LEVELS) -> list[str]:
    """Return the tables in a folder; if it has none, those in its folders.

    Args:
        folder: A local folder.
        levels: Number of levels of folders to search below it.

    Returns:
        Sorted paths, relative to the folder.

    Raises:
        OSError: If a folder cannot be read.
    """
    names = _tables_in(folder)
    deeper = levels and not names
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith('.') or not entry.is_dir():
            continue
        if deeper or entry.name.startswith(_SPLIT_FOLDER):
            below = find_tables(entry.path, levels - 1) if deeper else _tables_in(entry.path)
            names += [os.path.join(entry.name, name) for name in below]
    return names


def _tables_in(folder: str) -> list[str]:
    """Return the tables; a .json or .zip file only if there is no other.

    Beside other tables, .json files describe them, and .zip files are what they came from.
    """
    names = sorted(
        entry.name
        for entry in os.scandir(folder)
        if formats.is_table(entry.name)
        and entry.is_file()
        and not entry.name.startswith('.')
        and entry.name not in _DESCRIPTIONS
    )
    for doubtful in (('.zip', '.json', '.json.gz'), ('.zip',)):
        others = [name for name in names if not name.lower().endswith(doubtful)]
        if others:
            return others
    return names


def split_of_file(name: str) -> str | None:
    """Return the split that the name of a file begins with, or else that of its folder.

    >>> split_of_file('plain_text/train/0000.parquet'), split_of_file('data/test-1.parquet')
    ('train', 'test')
    """
    path, base = os.path.split(name)
    folder = os.path.basename(path)
    if folder.startswith(_SPLIT_FOLDER):
        of_folder = folder.removeprefix(_SPLIT_FOLDER).lower()
        return features.TEST_SPLIT if of_folder == 'eval' else SPLIT_NAMES.get(of_folder)
    for each in (base, folder):
        stem = re.split(r'[^a-z]', each.lower().removeprefix(_PARTIAL))[0]
        if stem in SPLIT_NAMES:
            return SPLIT_NAMES[stem]
    return None
