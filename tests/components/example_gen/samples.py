"""Files of labelled texts, as the tests of ExampleGen need them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence


def encode_table(name: str, rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return the content of a table with these rows, in the format that its name says."""
    file = io.StringIO(newline='')
    if '.jsonl' in name:
        file.writelines(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
    else:
        writer = csv.DictWriter(file, list(rows[0]), delimiter='\t' if '.tsv' in name else ',')
        writer.writeheader()
        writer.writerows(rows)
    content = file.getvalue().encode('utf-8')
    return gzip.compress(content) if name.endswith('.gz') else content


def encode_archive(
    members: Iterable[tuple[str, bytes | tarfile.TarInfo]],
    *,
    mode: str = 'w:gz',
    tar_format: int = tarfile.DEFAULT_FORMAT,
) -> bytes:
    """Return a tar archive of files by name, or of members that are no files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=tar_format) as archive:  # type: ignore
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    """Return a member that points elsewhere: `tarfile.SYMTYPE` or `tarfile.LNKTYPE`."""
    member = tarfile.TarInfo()
    member.type, member.linkname = kind, target
    return member
