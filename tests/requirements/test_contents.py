"""What an image is made of, told from files; and what is left out of it."""

from __future__ import annotations

import doctest
import os
import pathlib

from requirements import contents, lock
from requirements.contents import Size
from requirements.stacks import NEW
from tests.conftest import REPO

_NOT_IN_IMAGE = REPO / 'requirements' / 'not-in-image.in'


def write(path: pathlib.Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x' * size)


def install(site_packages: pathlib.Path, name: str, files: dict[str, int]) -> None:
    for path, size in files.items():
        write(site_packages / path, size)
    record = site_packages / f'{name}-1.0.dist-info' / 'RECORD'
    record.parent.mkdir()
    named = [path for path in files if '__pycache__' not in path]
    # Outside of the packages, and of no interest.
    rows = [*named, f'{name}-1.0.dist-info/RECORD', '../../../bin/tool']
    record.write_text(''.join(f'"{row}",sha256=x,1\n' for row in rows))


def test_examples_in_docstrings_hold() -> None:
    results = doctest.testmod(contents)
    assert results.attempted
    assert not results.failed


def test_each_file_counts_once_for_its_family_when_added_up(tmp_path: pathlib.Path) -> None:
    site_packages = tmp_path / 'opt/venv/lib/python3.11/site-packages'
    install(
        site_packages,
        'tensorflow',
        {
            'tensorflow/a.py': 1_000,
            'tensorflow/__pycache__/a.cpython-311.pyc': 300,
            'tensorflow/lib.so.2': 5_000,
        },
    )
    # A folder that many share.
    install(site_packages, 'google_cloud_storage', {'google/cloud/storage.py': 100})
    install(site_packages, 'kfp', {'google/kfp.py': 10})
    install(site_packages, 'click', {'click.py': 1})
    os.link(site_packages / 'tensorflow/lib.so.2', site_packages / 'tensorflow/lib.so')
    (site_packages / 'link.py').symlink_to('click.py')
    write(site_packages / 'unowned/b.py', 7)
    write(tmp_path / 'opt/venv/bin/tool', 3)
    write(tmp_path / 'usr/local/lib/libpython3.11.so.1.0', 50)
    write(tmp_path / 'etc/passwd', 20)

    found = contents.sizes(tmp_path, site_packages, tmp_path / 'usr/local')

    records = {
        name: (site_packages / f'{name}-1.0.dist-info/RECORD').stat().st_size
        for name in ('tensorflow', 'google_cloud_storage', 'kfp', 'click')
    }
    assert found == {
        'TensorFlow, Keras, TensorBoard': Size(6_300 + records['tensorflow'], 300, 5_000),
        "Google Cloud's clients": Size(100 + records['google_cloud_storage']),
        'Kubeflow Pipelines and its Kubernetes client': Size(10 + records['kfp']),
        'all else': Size(1 + records['click'] + len('click.py') + 7 + 3),
        'Python': Size(50, 0, 50),
        'Debian': Size(20),
    }


def test_table_has_the_largest_first_and_the_sum_last() -> None:
    found = {'small': Size(1_400_000, 400_000), 'large': Size(1_234_000_000, 0, 1_000_000_000)}
    assert contents.table(found).splitlines() == [
        '| what | MB | of that byte code | shared libraries |',
        '|---|---:|---:|---:|',
        '| large | 1,234 | 0 | 1,000 |',
        '| small | 1 | 0 | 0 |',
        '| **all** | 1,235 | 0 | 1,000 |',
    ]


def left_out() -> list[str]:
    lines = _NOT_IN_IMAGE.read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def test_what_is_left_out_of_the_image_is_locked() -> None:
    locks = ''.join((REPO / name).read_text() for name in (NEW.lock, NEW.cloud_lock))
    assert left_out()
    for name in left_out():
        assert f'\n{name}==' in f'\n{locks}', f'{name} is not locked any more: take it out'
    # Nor would leaving it out save its build.
    assert not {*left_out()} & {*lock.SOURCE_ONLY}


def test_documents_stay_out_of_the_image_as_the_last_lines_that_fit_them() -> None:
    lines = (REPO / '.dockerignore').read_text(encoding='utf-8').splitlines()
    taken = max(number for number, line in enumerate(lines) if line.startswith('!'))
    assert {'**/__pycache__', '**/*.md', '**/*.png'} <= {*lines[taken + 1 :]}


def test_dockerfile_leaves_it_out() -> None:
    dockerfile = (REPO / 'Dockerfile').read_text(encoding='utf-8')
    assert f'--excludes requirements/{_NOT_IN_IMAGE.name}' in dockerfile
    assert f'!requirements/{_NOT_IN_IMAGE.name}' in (REPO / '.dockerignore').read_text()
