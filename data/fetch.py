"""Fetches a published file over HTTP: resumable, checked, all or nothing.

A file arrives in `<destination>.part`. Beside it, `<destination>.part.json`
remembers which version of the remote file that is the beginning of, so that a
later call goes on from there and a changed remote file starts again. The
destination itself appears only when its SHA-256 is right.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import time
from collections.abc import Callable, Mapping

import requests
import urllib3.exceptions

from components.common.errors import ConfigError, DataError
from data.part_file import (
    CHUNK_BYTES,
    PartFile,
    RemoteVersion,
    explained_disk_errors,
    file_sha256,
    open_part,
)

# The Large Movie Review Dataset of Maas et al., "Learning Word Vectors for
# Sentiment Analysis", ACL 2011.
IMDB_URL = 'https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz'
IMDB_SHA256 = 'c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe'
IMDB_BYTES = 84_125_825

ProgressCallback = Callable[[int, int | None], None]

_CONTENT_RANGE = re.compile(r'bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)')
_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS = 408, 429


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long one call goes on trying.

    Attributes:
        attempts: Requests in all, at least 1.
        first_wait_seconds: Pause after the first failure, at least 0; it
            doubles with each further one.
        connect_timeout_seconds: Limit for the connection, above 0.
        read_timeout_seconds: Limit for a silence of the server, above 0; the
            whole download has no limit.
    """

    attempts: int = 5
    first_wait_seconds: float = 1.0
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f'attempts must be at least 1, got {self.attempts}')
        if self.first_wait_seconds < 0:
            raise ConfigError(
                f'first_wait_seconds must be at least 0, got {self.first_wait_seconds}'
            )
        for name in ('connect_timeout_seconds', 'read_timeout_seconds'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'{name} must be above 0, got {getattr(self, name)}')


DEFAULT_RETRY = RetryPolicy()


def fetch_imdb(
    destination: pathlib.Path,
    *,
    url: str = IMDB_URL,
    sha256: str = IMDB_SHA256,
    max_bytes: int | None = IMDB_BYTES,
    on_progress: ProgressCallback | None = None,
    retry: RetryPolicy = DEFAULT_RETRY,
) -> pathlib.Path:
    """Fetch the IMDB movie reviews as their authors publish them.

    Args:
        destination: The file to make, a gzipped tar of some 84 MB.
        url: Where to fetch it from, for a mirror of the official address.
        sha256: Its checksum, 64 hexadecimal digits.
        max_bytes: See `fetch`.
        on_progress: See `fetch`.
        retry: See `fetch`.

    Returns:
        `destination`.

    Raises:
        ConfigError: See `fetch`.
        DataError: See `fetch`.
    """
    return fetch(
        url, destination, sha256, max_bytes=max_bytes, on_progress=on_progress, retry=retry
    )


def fetch(
    url: str,
    destination: pathlib.Path,
    sha256: str,
    *,
    max_bytes: int | None = None,
    on_progress: ProgressCallback | None = None,
    retry: RetryPolicy = DEFAULT_RETRY,
) -> pathlib.Path:
    """Fetch a file of known checksum, going on where an earlier call stopped.

    A destination that has the checksum already costs no request.

    Args:
        url: An http or https address.
        destination: The file to make; missing folders above it are made too.
        sha256: The checksum of the whole file, 64 hexadecimal digits.
        max_bytes: Size of the file, if it is known: a server that has more, or
            whose answer has no end, has another file, which must not fill the disk.
        on_progress: Called with the bytes in hand, those of earlier calls
            included, and the bytes in all, None if the server does not say.
            The first falls back when a download has to start again.
        retry: How often to try within this call, and how long to wait.

    Returns:
        `destination`.

    Raises:
        ConfigError: The destination cannot be written, or its disk is full.
        DataError: The server refuses, the connection keeps failing, the file
            has another checksum, or another process is fetching it.
    """
    with explained_disk_errors(destination):
        if destination.is_dir():
            raise ConfigError(
                f'{destination} is a folder, expected the name of a file',
                hint='name the file to make inside of it',
            )
        if destination.is_file():
            with destination.open('rb', buffering=0) as present:
                if file_sha256(present) == sha256.lower():
                    return destination
        destination.parent.mkdir(parents=True, exist_ok=True)

    with open_part(destination) as part:
        _download(url, part, on_progress or _ignore_progress, retry, max_bytes)
        actual_sha256, actual_bytes = part.sha256(), part.size_bytes
        if actual_sha256 != sha256.lower():
            part.clear()
            raise DataError(
                f'{url} gave a file of {actual_bytes:,} bytes with the SHA-256 '
                f'{actual_sha256}, expected {sha256}; it was deleted',
                hint=f'run the command again; if it fails again, {_by_hand(url)}',
            )
        part.publish()
    return destination


class _TransientError(Exception):
    """A request failed in a way that another may not."""


def _download(
    url: str, part: PartFile, report: ProgressCallback, retry: RetryPolicy, max_bytes: int | None
) -> None:
    for attempt in range(1, retry.attempts + 1):
        try:
            _request_rest(url, part, report, retry, max_bytes)
        except _TransientError as err:
            if attempt == retry.attempts:
                raise DataError(
                    f'{url} could not be fetched in {attempt} attempts, '
                    f'{part.size_bytes:,} bytes are here; the last one: {err}',
                    hint=f'run the command again to go on from there, or {_by_hand(url)}',
                ) from err
            time.sleep(retry.first_wait_seconds * 2 ** (attempt - 1))
        else:
            return


def _request_rest(
    url: str, part: PartFile, report: ProgressCallback, retry: RetryPolicy, max_bytes: int | None
) -> None:
    version = part.version(url)
    # Some servers label a .gz with a Content-Encoding, and the checksum is that
    # of the file: hence `identity` here and `decode_content=False` below.
    headers = {'Accept-Encoding': 'identity'}
    if version is not None:
        if part.size_bytes == version.total_bytes:
            report(part.size_bytes, version.total_bytes)
            return
        headers |= {'Range': f'bytes={part.size_bytes}-', 'If-Range': version.validator}
    timeouts = (retry.connect_timeout_seconds, retry.read_timeout_seconds)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeouts) as response:
            total_bytes = _accept(response, url, part, version)
            report(part.size_bytes, total_bytes)
            _require_size(total_bytes, max_bytes, url, part)
            if part.size_bytes != total_bytes:
                for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                    part.append(chunk)
                    report(part.size_bytes, total_bytes)
                    _require_size(part.size_bytes, max_bytes, url, part)
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as err:
        raise _TransientError(_root_cause(err)) from err
    except requests.RequestException as err:
        raise DataError(f'{url} cannot be fetched: {err}', hint=_by_hand(url)) from err

    if total_bytes is not None and part.size_bytes != total_bytes:
        message = f'got {part.size_bytes:,} bytes, expected {total_bytes:,}'
        if part.size_bytes > total_bytes:
            part.clear()
        raise _TransientError(message)


def _require_size(size: int | None, max_bytes: int | None, url: str, part: PartFile) -> None:
    if size is not None and max_bytes is not None and size > max_bytes:
        part.clear()
        raise DataError(
            f'{url} gives more than the {max_bytes:,} bytes that the file has; it was deleted',
            hint=_by_hand(url),
        )


def _accept(
    response: requests.Response, url: str, part: PartFile, version: RemoteVersion | None
) -> int | None:
    """Make the part file ready for the body of the response.

    Returns:
        The size of the whole remote file in bytes, None if not told.
    """
    status = response.status_code
    if status == requests.codes.ok:
        total_bytes = _content_length(response.headers)
        validator = _validator(response.headers)
        part.start(RemoteVersion(url, validator, total_bytes) if validator else None)
        return total_bytes
    if version is not None and status == requests.codes.partial_content:
        start, total_bytes = _content_range(response.headers)
        # Not every server heeds If-Range.
        if (
            start != part.size_bytes
            or _validator(response.headers) not in (None, version.validator)
            or (version.total_bytes is not None and total_bytes not in (None, version.total_bytes))
        ):
            part.clear()
            raise _TransientError('the server sent another part, or of another file, than asked')
        return total_bytes or version.total_bytes
    if version is not None and status == requests.codes.requested_range_not_satisfiable:
        _, total_bytes = _content_range(response.headers)
        if total_bytes != part.size_bytes:
            part.clear()
            raise _TransientError('the server has fewer bytes than are here')
        return total_bytes
    answer = f'the server answered {status} {response.reason}'
    if status >= 500 or status in (_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS):
        raise _TransientError(answer)
    raise DataError(f'{url} cannot be fetched: {answer}', hint=_by_hand(url))


def _validator(headers: Mapping[str, str]) -> str | None:
    etag = headers.get('ETag')
    # RFC 9110, 13.1.5: a weak ETag must not be used in If-Range.
    if etag and not etag.startswith('W/'):
        return etag
    return headers.get('Last-Modified')


def _content_length(headers: Mapping[str, str]) -> int | None:
    value = headers.get('Content-Length', '')
    return int(value) if value.isdecimal() else None


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the first byte and the size of the whole, None for what is not told."""
    match = _CONTENT_RANGE.fullmatch(headers.get('Content-Range', ''))
    if match is None:
        return None, None
    start, total_bytes = match.groups()
    return int(start) if start else None, int(total_bytes) if total_bytes else None


def _root_cause(err: BaseException) -> str:
    # requests wraps its cause as an argument, urllib3 chains it; both wrappers
    # bury the one readable phrase, such as 'Connection refused'.
    if err.args and isinstance(err.args[0], BaseException):
        err = err.args[0]
    # urllib3 before 2.0 chains less, and keeps it as a `reason`.
    while isinstance(cause := err.__cause__ or getattr(err, 'reason', None), BaseException):
        err = cause
    return str(err) or type(err).__name__


def _by_hand(url: str) -> str:
    return f'download {url} by hand and pass the file with --data'


def _ignore_progress(bytes_done: int, bytes_total: int | None) -> None:
    del bytes_done, bytes_total
