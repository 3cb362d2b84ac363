"""Finds the files that `--data PATH` names, their format, and their splits."""

from __future__ import annotations

import dataclasses
import glob
import os

from components.common import features
from components.common.errors import ConfigError, DataError
from components.common.settings import FEATURE_TYPES, ColumnSettings, FeatureType
from components.common.storage import is_remote, require_supported_address
from components.example_gen import spans as span_patterns
from components.example_gen import table_folders
from components.example_gen.batches import SourceKind
from components.readers import formats
from components.readers.feature_columns import parse_features, widest
from components.readers.lines import readable, unexpanded_hint
from components.readers.tables import require_columns

ANY_SPLIT = 'all'
# In each file, the rows whose values decide the types of the feature columns.
_TYPED_ROWS = 1_000
_FORMATS = f'{formats.TABLE_SUFFIXES}, .tfrecord, the IMDB folder or its .tar.gz'


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSource:
    """Files below one folder, by the split that they are for.

    Attributes:
        kind: How the files are read.
        base: Folder, or prefix of an object store, that the patterns start from.
        patterns: Pairs of input split and glob pattern. The split is `train`,
            `val`, `test` or `unsup`, with any suffix after a `-`, if the data names
            it, and `all` if a stable hash splits the rows.
        spans: Number of newest spans to read; 0 if the pattern names none.
        features: The feature columns with their types, as `NAME:TYPE`.
    """

    kind: SourceKind
    base: str
    patterns: tuple[tuple[str, str], ...]
    spans: int = 0
    features: tuple[str, ...] = ()

    @property
    def input_base(self) -> str:
        """`base` for TFX, which joins it with the patterns and reads the result as a pattern."""
        return self.base if '://' in self.base else glob.escape(self.base)


def list_files(source: DataSource) -> list[tuple[str | None, str]]:
    """List the local files of a source, of its newest spans if it has any, with their splits."""
    patterns = [*source.patterns]
    if source.spans:
        ((name, pattern),) = patterns
        paths = _match_below(source.base, span_patterns.glob_of(pattern))
        newest = span_patterns.newest(pattern, paths, source.spans, folder=source.base)
        patterns = [(name, span.pattern) for span in newest]
    return [
        (split_of_input(name), path)
        for name, pattern in patterns
        for path in _match_below(source.base, pattern)
    ]


def split_of_input(name: str) -> str | None:
    """Return the split of an input split, None if the rows or a hash decide it.

    >>> split_of_input('train-pos'), split_of_input('all')
    ('train', None)
    """
    split = name.split('-', maxsplit=1)[0]
    return split if split in (*features.SPLITS, features.UNLABELLED_SPLIT) else None


def discover(
    path: str, columns: ColumnSettings, *, elsewhere: bool = False, spans: int = 1
) -> DataSource:
    """Find the files of `path`, and check them as far as their first rows tell.

    >>> discover('gs://bucket/reviews.csv', ColumnSettings()).patterns
    (('all', 'reviews.csv'),)

    Args:
        path: A file, folder or glob pattern; local, or a file or pattern in an
            object store, which is not checked.
        columns: Which columns a table must have.
        elsewhere: Whether another machine reads the data. Then an absolute path
            that does not exist here is not checked.
        spans: Number of newest spans to read, if `path` has placeholders for
            them; the newest one is checked.

    Returns:
        The source, for ExampleGen.

    Raises:
        ConfigError: If `path` is an address to download; if `spans` is above 1, and `path`
            names none; if `path` is no table, and the settings name feature columns or a
            group column; or if the type of a feature column is neither declared nor found.
        DataError: If there is no such file, the format is not known, a file is
            empty, a column is missing, or placeholders contradict each other.
    """
    source = _find(path, columns, elsewhere=elsewhere, spans=spans)
    settings = {'features': columns.features, 'group_column': columns.group_column}
    for name, value in settings.items():
        if value and source.kind is not SourceKind.TABLES:
            raise ConfigError(
                f'data.columns.{name} expects a table, and {path} is none',
                hint='leave out the setting',
            )
    if not columns.features:
        return source
    return dataclasses.replace(source, features=_find_types(source, columns))


def _find_types(source: DataSource, columns: ColumnSettings) -> tuple[str, ...]:
    """Return the feature columns with their types, those of the first rows if none is declared."""
    wanted = parse_features(columns.features)
    found: dict[str, set[FeatureType | None]] = {name: set() for name, _ in wanted}
    readable_here = not is_remote(source.base) and any(
        _match_below(source.base, span_patterns.glob_of(pattern)) for _, pattern in source.patterns
    )
    for split, path in list_files(source) if readable_here else []:
        if split != features.UNLABELLED_SPLIT:
            with readable(path), open(path, 'rb') as stream:
                types = formats.read_feature_types(
                    stream, os.path.basename(path), columns, _TYPED_ROWS
                )
            for name, kind in types.items():
                found[name].add(kind)
    declared = {name: kind or widest(found[name]) for name, kind in wanted}
    unknown = [name for name, kind in declared.items() if kind is None]
    if unknown:
        why = f'has no value in the first {_TYPED_ROWS:,} rows'
        raise ConfigError(
            f'data.columns.features: the type of {unknown[0]!r} is not known, because the column '
            f'{why if readable_here else "cannot be read here"}',
            hint=f'declare it: {unknown[0]}:TYPE, with one of {", ".join(FEATURE_TYPES)}',
        )
    return tuple(f'{name}:{kind}' for name, kind in declared.items())


def _find(path: str, columns: ColumnSettings, *, elsewhere: bool, spans: int) -> DataSource:
    _require_unicode(path)
    require_supported_address(path)
    if span_patterns.has_placeholders(path) and not os.path.exists(path):
        return _find_spans(path, columns, spans, elsewhere=elsewhere)
    if spans > 1:
        raise ConfigError(
            f'data.spans is {spans}, but {path} names no spans',
            hint='put {SPAN}, or {YYYY}, {MM} and {DD}, into --data',
        )
    if is_remote(path):
        return _describe_file(path, remote=True)
    if elsewhere and os.path.isabs(path) and not os.path.exists(path) and not glob.glob(path):
        return _describe_file(path, remote=True)
    named = path
    path = os.path.abspath(path)
    if os.path.isdir(path):
        return _search_folder(path, columns)
    if os.path.isfile(path):
        _require_content(path)
        source = _describe_file(path)
        if source.kind is SourceKind.TABLES:
            _require_columns(path, columns, None)
        return source
    if glob.has_magic(path):
        return _match_glob(path, columns)
    problem = 'neither a file nor a folder' if os.path.lexists(path) else 'no such file or folder'
    raise DataError(
        f'{problem}: {path}',
        hint=unexpanded_hint(named)
        or f'--data takes a file ending in {_FORMATS}, or a folder or glob of such files',
    )


def _describe_file(path: str, *, remote: bool = False) -> DataSource:
    base, name = path.rsplit('/', 1) if remote else os.path.split(path)
    if formats.format_of(name) is None:
        raise DataError(f'cannot tell the format of {name!r}', hint=_hint_of(name))
    kind = SourceKind.TABLES if formats.is_table(name) else SourceKind.IMDB_ARCHIVE
    pattern = name if remote else glob.escape(name)
    return DataSource(kind=kind, base=base, patterns=((ANY_SPLIT, pattern),))


def _hint_of(name: str) -> str:
    """Return what to do with a file of a format that is not read."""
    lower = name.lower()
    if lower.endswith(('.xlsx', '.xlsm', '.xls', '.ods', '.numbers')):
        return 'open it in the spreadsheet program, and save the table as CSV in UTF-8'
    if lower.endswith(('.bz2', '.xz', '.zst', '.7z', '.rar')):
        return f'decompress it first; the formats are {_FORMATS}'
    return f'the formats are {_FORMATS}'


def _search_folder(path: str, columns: ColumnSettings) -> DataSource:
    nested = os.path.join(path, 'aclImdb')
    for folder in (path, nested):
        if os.path.isdir(os.path.join(folder, 'train', 'pos')):
            return _search_imdb_folder(folder, columns)
    with readable(path):
        names = table_folders.find_tables(path)
    if not names:
        raise DataError(
            f'no data in the folder {path}',
            hint=f'expected files ending in {_FORMATS}, or the folders train/pos, train/neg, …',
        )
    return _collect_tables(path, names, columns)


def _search_imdb_folder(folder: str, columns: ColumnSettings) -> DataSource:
    patterns = []
    for split in (features.TRAIN_SPLIT, features.TEST_SPLIT):
        for label in ('neg', 'pos'):
            if not os.path.isdir(os.path.join(folder, split, label)):
                raise DataError(
                    f'{folder} looks like the IMDB data set, but has no folder {split}/{label}',
                    hint='extract the archive again, or pass the archive itself',
                )
            patterns.append((f'{split}-{label}', f'{split}/{label}/*.txt'))
    unlabelled = glob.iglob(os.path.join(glob.escape(folder), 'train', 'unsup', '*.txt'))
    if columns.use_unlabelled and next(unlabelled, None):
        patterns.append((features.UNLABELLED_SPLIT, 'train/unsup/*.txt'))
    return DataSource(kind=SourceKind.IMDB_FOLDER, base=folder, patterns=tuple(patterns))


def _match_glob(pattern: str, columns: ColumnSettings) -> DataSource:
    paths = sorted(p for p in glob.glob(pattern) if os.path.isfile(p))
    if not paths:
        raise DataError(f'no file matches {pattern}', hint='check the pattern')
    base = os.path.commonpath([os.path.dirname(p) for p in paths])
    names = [os.path.relpath(p, base) for p in paths]
    for name in names:
        if not formats.is_table(name):
            raise DataError(
                f'the pattern matches {name!r}, which is not a table',
                hint=f'a pattern may match files ending in {formats.TABLE_SUFFIXES}',
            )
    return _collect_tables(base, names, columns)


def _find_spans(path: str, columns: ColumnSettings, count: int, *, elsewhere: bool) -> DataSource:
    span_patterns.require_valid(path)
    if not formats.is_table(path):
        raise DataError(
            f'cannot tell the format of {os.path.basename(path)!r}',
            hint=f'files of spans must end in {formats.TABLE_SUFFIXES}',
        )
    remote = is_remote(path)
    base, pattern = span_patterns.fixed_part(path if remote else os.path.abspath(path))
    source = DataSource(
        kind=SourceKind.TABLES, base=base, patterns=((ANY_SPLIT, pattern),), spans=count
    )
    found = [] if remote else _match_below(base, span_patterns.glob_of(pattern))
    if found or not (remote or (elsewhere and os.path.isabs(path))):
        newest = span_patterns.newest(pattern, found, 1, folder=base)[0]
        _require_newest(base, newest, columns)
    return source


def _require_newest(base: str, span: span_patterns.Span, columns: ColumnSettings) -> None:
    names = [os.path.relpath(path, base) for path in _match_below(base, span.pattern)]
    splits = {split for split, _ in _collect_tables(base, names, columns).patterns}
    if not all(split.startswith(ANY_SPLIT) for split in splits):
        raise DataError(
            f'the files of span {span.label} name their split, but spans are split by a stable '
            'hash of the text, so that a text has one split in all of them',
            hint='rename them; to choose the splits yourself, pass --split-column NAME',
        )


def _match_below(base: str, pattern: str) -> list[str]:
    return sorted(
        path for path in glob.glob(os.path.join(glob.escape(base), pattern)) if os.path.isfile(path)
    )


def _collect_tables(base: str, names: list[str], columns: ColumnSettings) -> DataSource:
    named = [(table_folders.split_of_file(name) or ANY_SPLIT, name) for name in names]
    if not columns.use_unlabelled:
        named = [pair for pair in named if pair[0] != features.UNLABELLED_SPLIT]
    for split, name in named:
        _require_unicode(name)
        path = os.path.join(base, name)
        _require_content(path)
        _require_columns(path, columns, split)
    counters: dict[str, int] = {}
    patterns = []
    for split, name in _agree_on_splits(named):
        counters[split] = counters.get(split, 0) + 1
        patterns.append((f'{split}-{counters[split]}', glob.escape(name)))
    return DataSource(kind=SourceKind.TABLES, base=base, patterns=tuple(patterns))


def _agree_on_splits(named: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Check that files name all splits or none; with one split only, a hash splits the rows."""
    splits = {split for split, _ in named} - {features.UNLABELLED_SPLIT}
    if not splits:
        raise DataError('all files hold texts without a label', hint='add a file of labelled texts')
    known = splits - {ANY_SPLIT}
    if known and ANY_SPLIT in splits:
        stray = next(name for split, name in named if split == ANY_SPLIT)
        raise DataError(
            f'some files name their split ({", ".join(sorted(known))}), but {stray!r} does not',
            hint='name all of them train*, val* or test*, or none',
        )
    if len(known) == 1:
        return [(ANY_SPLIT if split in known else split, name) for split, name in named]
    if known and not {features.TRAIN_SPLIT, features.TEST_SPLIT} <= known:
        raise DataError(
            f'the files name the splits {" and ".join(sorted(known))}; train and test are needed',
            hint='add the missing file, or remove the splits from all names, to split by hash',
        )
    return named


def _require_unicode(name: str) -> None:
    # It becomes a parameter of a node, which must be Unicode.
    try:
        name.encode('utf-8')
    except UnicodeEncodeError as err:
        raise DataError(f'the name {name!r} is not UTF-8', hint='rename the file') from err


def _require_content(path: str) -> None:
    with readable(path):
        if os.path.getsize(path) == 0:
            raise DataError(
                f'the file is empty: {path}', hint='expected at least one labelled text'
            )


def _require_columns(path: str, columns: ColumnSettings, split: str | None) -> None:
    name = os.path.basename(path)
    with readable(path), open(path, 'rb') as stream:
        present = formats.read_columns(stream, name, columns)
    require_columns(present, name, columns, split)
