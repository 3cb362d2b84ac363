"""Say what an image is made of, by family of packages, as a Markdown table.

It runs inside the image, where none of this folder is:

    docker run --rm --interactive IMAGE python - < requirements/contents.py

`make image-contents` does that.
"""

from __future__ import annotations

import csv
import os
import re
import sysconfig
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

CODE = Path('/opt/reviews')
# Where a kernel, an engine or a user keeps things: no part of an image.
_NOT_FILES = ('/proc', '/sys', '/dev', '/run', '/tmp')
_MB = 1_000_000
_REST = 'all else'

# By family, patterns of the normalised names of distributions; the first that fits counts.
FAMILIES: Tuple[Tuple[str, str], ...] = (
    (
        'TensorFlow, Keras, TensorBoard',
        'tensorflow|tensorflow-(estimator|hub|serving-api|io-gcs-filesystem)|keras|tf-keras'
        '|keras-tuner|kt-legacy|tensorboard.*|h5py|ml-dtypes|optree|libclang|gast|astunparse'
        '|opt-einsum|google-pasta|flatbuffers|namex|markdown|werkzeug',
    ),
    (
        'TFX, TFDV, TFMA, TFT, ML Metadata',
        'tfx.*|ml-pipelines-sdk|ml-metadata|tensorflow-(data-validation|model-analysis|transform'
        '|metadata)|pyfarmhash|rouge-score|sacrebleu|nltk|lxml',
    ),
    (
        'Beam, and what it reads and writes',
        'apache-beam|pyarrow|fastavro|pymongo|dnspython|orjson|hdfs|zstandard|crcmod|objsize|fasteners'
        '|dill|cloudpickle|pydot|redis|oracledb|pg8000|pymysql|python-tds|sqlalchemy|greenlet|mmh3',
    ),
    (
        "Google Cloud's clients",
        'google.*|grpc.*|proto-plus|protobuf|vertexai|cloud-sql.*|oauth2client|httplib2|keyrings?.*'
        '|opentelemetry.*|cryptography|uritemplate|shapely',
    ),
    (
        'NumPy, SciPy, pandas, scikit-learn',
        'numpy|scipy|pandas|scikit-learn|joblib|threadpoolctl|pytz|tzdata|pillow|matplotlib',
    ),
    ('Kubeflow Pipelines and its Kubernetes client', 'kfp.*|kubernetes|docker|urllib3|websocket.*'),
    (
        'notebooks, which TFDV and TFMA show things in',
        'ipython.*|jedi|parso|prompt-toolkit|.*nbextension|jupyterlab-widgets|pygments|wcwidth'
        '|matplotlib-inline|stack-data|pexpect|traitlets',
    ),
)


class Size(NamedTuple):
    """Bytes of files.

    Attributes:
        all: Of all of them.
        byte_code: Of those that Python has compiled.
        libraries: Of shared libraries.
    """

    all: int = 0
    byte_code: int = 0
    libraries: int = 0

    def plus(self, path: str, size: int) -> 'Size':
        return Size(
            self.all + size,
            self.byte_code + (size if path.endswith('.pyc') else 0),
            self.libraries + (size if re.search(r'\.so(\.\d+)*$', path) else 0),
        )


def family(distribution: str) -> str:
    """Name the family of a distribution.

    >>> family('google-cloud-storage'), family('click')
    ("Google Cloud's clients", 'all else')
    """
    name = re.sub(r'[-_.]+', '-', distribution).lower()
    for title, pattern in FAMILIES:
        if re.fullmatch(pattern, name):
            return title
    return _REST


def owners(site_packages: Path) -> Dict[str, str]:
    """Tell the distribution of each installed file, by its path from `site_packages`."""
    found = {}
    for record in site_packages.glob('*.dist-info/RECORD'):
        name = record.parent.name.split('-')[0]
        with record.open(encoding='utf-8', newline='') as file:
            for row in csv.reader(file):
                found[os.path.normpath(row[0])] = name
    return found


def source_of(path: str) -> str:
    """Return the module that byte code is of; any other path as it is.

    >>> source_of('a/__pycache__/b.cpython-311.pyc')
    'a/b.py'
    """
    folder, name = os.path.split(path)
    if os.path.basename(folder) != '__pycache__':
        return path
    return os.path.join(os.path.dirname(folder), name.split('.')[0] + '.py')


def files_below(root: Path, leaving_out: Tuple[str, ...] = ()) -> Iterator[Tuple[str, int]]:
    """Yield path and bytes of each file, once where it has several names."""
    seen = set()
    for folder, folders, names in os.walk(str(root)):
        folders[:] = [
            name for name in folders if os.path.join(folder, name) not in leaving_out
        ]
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield path, status.st_size


def sizes(root: Path, site_packages: Path, base: Path) -> Dict[str, Size]:
    """Add up files.

    Args:
        root: Of all of them.
        site_packages: Where the distributions are.
        base: The prefix of the Python that is not of Debian.

    Returns:
        By family, Debian and Python among them.
    """
    by_file = owners(site_packages)
    found: Dict[str, Size] = defaultdict(Size)
    for path, size in files_below(root, _NOT_FILES):
        if path.startswith(f'{site_packages}/'):
            inside = os.path.relpath(path, str(site_packages))
            title = family(by_file.get(inside) or by_file.get(source_of(inside)) or _stray(inside))
        elif path.startswith(f'{CODE}/'):
            title = 'the code'
        elif path.startswith(f'{base}/'):
            title = 'Python'
        elif path.startswith(f'{site_packages.parents[2]}/'):
            title = _REST
        else:
            title = 'Debian'
        found[title] = found[title].plus(path, size)
    return dict(found)


def _stray(inside: str) -> str:
    return inside.split('/', maxsplit=1)[0]


def table(found: Dict[str, Size]) -> str:
    """Write sizes down in MB, 1,000,000 bytes, the largest first."""
    lines = ['| what | MB | of that byte code | shared libraries |', '|---|---:|---:|---:|']
    rows: List[Tuple[str, Size]] = sorted(found.items(), key=lambda row: -row[1].all)
    rows.append(('**all**', Size(*(sum(column) for column in zip(*found.values())))))
    lines += [
        f'| {title} | ' + ' | '.join(f'{part / _MB:,.0f}' for part in size) + ' |'
        for title, size in rows
    ]
    return '\n'.join(lines)


def main() -> None:
    paths = sysconfig.get_paths()
    base = Path(sysconfig.get_config_var('installed_base'))
    print(table(sizes(Path('/'), Path(paths['purelib']), base)))


if __name__ == '__main__':
    main()
