"""Downloads a published file with pooch: checked, and as a whole or not at all."""

from __future__ import annotations

import errno
import pathlib
from collections.abc import Callable
from typing import Any

from components.common.errors import ConfigError, DataError

# The Large Movie Review Dataset of Maas et al., "Learning Word Vectors for
# Sentiment Analysis", ACL 2011.
IMDB_URL = 'https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz'
IMDB_SHA256 = 'c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe'
IMDB_BYTES = 84_125_825

CHUNK_BYTES = 1 << 20
_RETRIES = 2
_TIMEOUT_SECONDS = 60
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

ProgressCallback = Callable[[int, int], None]


def fetch(
    destination: pathlib.Path,
    *,
    url: str = IMDB_URL,
    sha256: str = IMDB_SHA256,
    size_bytes: int = IMDB_BYTES,
    on_progress: ProgressCallback | None = None,
) -> pathlib.Path:
    """Download a file of known size and checksum; by default, the IMDB reviews.

    A destination that has the checksum already costs no request.

    Args:
        destination: The file to write. Missing parent folders are created.
        url: An http or https address.
        sha256: Checksum of the file, 64 hexadecimal digits.
        size_bytes: Size of the file. A server that sends more is cut off, so that
            it cannot fill the disk.
        on_progress: Called with the bytes received so far and the bytes in all.

    Returns:
        `destination`.

    Raises:
        ConfigError: The destination cannot be written, or its disk is full.
        DataError: The server refuses, the connection fails, or the server has a
            different file.

    Example:
        fetch(pathlib.Path('aclImdb_v1.tar.gz'))
    """
    import pooch
    import requests

    if destination.is_dir():
        raise ConfigError(
            f'{destination} is a folder; expected the name of a file',
            hint='name the file to write inside the folder',
        )
    manually = _download_manually(url)
    pooch.get_logger().setLevel('WARNING')
    transfer = _Transfer(url, size_bytes, on_progress)
    downloader = pooch.HTTPDownloader(
        progressbar=transfer,
        chunk_size=CHUNK_BYTES,
        timeout=_TIMEOUT_SECONDS,
        hooks={'response': transfer.start},
    )
    source = pooch.create(
        path=destination.parent,
        base_url='',
        registry={destination.name: f'sha256:{sha256}'},
        urls={destination.name: url},
        retry_if_failed=_RETRIES,
    )
    try:
        source.fetch(destination.name, downloader=downloader)
        # pooch makes temporary files, which only their owner can read.
        destination.chmod(0o644)
    except requests.RequestException as err:
        raise DataError(
            f'cannot download {url}: {_root_cause(err)}',
            hint=f'check the network connection and run the command again, or {manually}',
        ) from err
    except ValueError as err:
        raise DataError(
            f'{url} is not the expected file: {err}',
            hint=f'run the command again; if it fails again, {manually}',
        ) from err
    except OSError as err:
        if err.errno in _NO_SPACE:
            raise ConfigError(
                f'no space left for {destination}: {err.strerror}',
                hint='free some space or pass another file with --output',
            ) from err
        raise ConfigError(
            f'cannot write {destination}: {err}',
            hint='pass a file in a folder that you can write to with --output',
        ) from err
    return destination


class _Transfer:
    """Follows one download: a progress bar and a response hook, as pooch takes them."""

    def __init__(self, url: str, size_bytes: int, on_progress: ProgressCallback | None) -> None:
        self.total = 0  # pooch sets it to the Content-Length
        self._url = url
        self._size_bytes = size_bytes
        self._on_progress = on_progress
        self._received = 0

    def start(self, response: Any, *_: Any, **__: Any) -> None:
        # Some servers label a .gz file as encoded. The checksum is that of the file as it is.
        response.raw.headers.pop('Content-Encoding', None)
        self._received = 0

    def update(self, count: int) -> None:
        # pooch counts the last chunk as a whole one.
        self._received += count
        if self._received >= self._size_bytes + CHUNK_BYTES:
            raise DataError(
                f'{self._url} is not the expected file: it is larger than '
                f'{self._size_bytes:,} bytes',
                hint=f'run the command again; if it fails again, {_download_manually(self._url)}',
            )
        if self._on_progress is not None:
            self._on_progress(min(self._received, self._size_bytes), self._size_bytes)

    def reset(self) -> None:
        self._received = 0

    def close(self) -> None:
        pass


def _download_manually(url: str) -> str:
    return f'download {url} with a browser and pass the file with --data'


def _root_cause(err: BaseException) -> str:
    # requests and urllib3 wrap the one readable phrase, such as 'Connection refused'.
    while True:
        inner = getattr(err, 'reason', None) or (err.args[0] if err.args else None)
        if not isinstance(inner, BaseException):
            return str(err) or type(err).__name__
        err = inner
