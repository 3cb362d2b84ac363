"""Lists known vulnerabilities of the locked versions, each with a verdict (`make audit`).

pip-audit asks a service for the vulnerabilities, and audit.toml contains the verdicts.
A vulnerability without a verdict is an error.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from requirements import tools
from requirements.set_up import VENV_PYTHON
from requirements.stacks import ROOT, SetUpError

LOCK = 'requirements/audit.txt'
VERDICTS = ROOT / 'requirements' / 'audit.toml'
ENVIRONMENT = tools.UV_DIR / 'audit'

# not_affected: this project does not use the vulnerable part.
KINDS = ('not_affected', 'mitigated', 'accepted')
_UNREACHABLE = 7
_UNJUDGED = 1

_READ_TOML = """
import json, sys
try:
    import tomllib
except ImportError:
    import tomli as tomllib
with open(sys.argv[1], 'rb') as file:
    print(json.dumps(tomllib.load(file)))
"""
_ENTRY = re.compile(r'^([a-z0-9._-]+)==(\S+)(?:[^\n]*\\\n)*[^\n]*$', re.MULTILINE)


class Known(NamedTuple):
    """A known vulnerability of a locked version.

    Attributes:
        package: Name of the package.
        version: The locked version.
        ids: Its identifiers; the one of the service comes first.
        fixed: Versions that fix it, according to the service.
        locks: Names of the lock files with this version.
    """

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]
    locks: tuple[str, ...]


class Verdict(NamedTuple):
    """A verdict on a vulnerability.

    Attributes:
        package: Name of the package.
        id: One of the identifiers of the vulnerability.
        versions: The locked versions that the verdict covers.
        verdict: One of `KINDS`.
        reason: Reason for the verdict.
        source: Source of the description.
    """

    package: str
    id: str
    versions: tuple[str, ...]
    verdict: str
    reason: str
    source: str

    def judges(self, known: Known) -> bool:
        """Return whether the verdict covers a vulnerability."""
        return (
            self.package == known.package
            and known.version in self.versions
            and self.id in known.ids
        )


def locked() -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Return the lines and the lock files of each locked version."""
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for path in sorted((ROOT / 'requirements').glob('*.txt')):
        for match in _ENTRY.finditer(path.read_text(encoding='utf-8')):
            _, locks = found.setdefault((match[1], match[2]), (match[0], []))
            locks.append(path.name)
    return found


def read_verdicts(path: Path, python: str) -> list[Verdict]:
    """Read the verdicts.

    Args:
        path: The TOML file.
        python: A Python with tomllib or tomli.

    Raises:
        SetUpError: The file cannot be read, or a verdict is incomplete.
    """
    done = tools.run([python, '-c', _READ_TOML, path])
    if not tools.succeeds(done):
        raise SetUpError(f'cannot read {path.name}: {tools.reason_in(done)}', 2)
    assert done is not None
    verdicts = []
    for entry in json.loads(done.stdout).get('verdict', []):
        if set(entry) != set(Verdict._fields) or not all(entry.values()):
            fields = ', '.join(Verdict._fields)
            raise SetUpError(f'{path.name}: expected {fields} in each verdict, got {entry}', 2)
        if entry['verdict'] not in KINDS:
            kinds = ', '.join(KINDS)
            raise SetUpError(f'{path.name}: expected one of {kinds}, got {entry["verdict"]!r}', 2)
        verdicts.append(Verdict(**{**entry, 'versions': tuple(entry['versions'])}))
    return verdicts


def ask(pip_audit: list[str], options: list[str]) -> list[Known]:
    """Ask the service for the vulnerabilities of all locked versions.

    Args:
        pip_audit: Command of pip-audit.
        options: Options of pip-audit that select the service.

    Raises:
        SetUpError: The service cannot be reached.
    """
    # A requirements file may contain each package only once.
    rounds: list[dict[str, tuple[str, str]]] = []
    versions = locked()
    for package, version in versions:
        group = next((group for group in rounds if package not in group), None)
        if group is None:
            group = {}
            rounds.append(group)
        group[package] = (version, versions[package, version][0])
    known = []
    for group in rounds:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'requirements.txt')
            path.write_text('\n'.join(entry for _, entry in group.values()) + '\n')
            for package, version, found in _run(pip_audit, options, path):
                locks = versions.get((package, version), ('', []))[1]
                ids = (found['id'], *found.get('aliases', ()))
                fixed = tuple(found.get('fix_versions', ()))
                known.append(Known(package, version, ids, fixed, tuple(locks)))
    return sorted(known)


def _run(pip_audit: list[str], options: list[str], path: Path) -> list[tuple[str, str, Any]]:
    command = [*pip_audit, '--requirement', str(path), '--require-hashes', '--disable-pip']
    command += ['--format', 'json', '--progress-spinner', 'off', *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
        if not isinstance(answer, dict):
            raise ValueError('no object')
    except ValueError as err:
        lines = done.stderr.strip().splitlines() or ['no message']
        raise SetUpError(
            f'pip-audit could not reach the service: {lines[-1][:200]}; check the network',
            _UNREACHABLE,
        ) from err
    skipped = [item['name'] for item in answer['dependencies'] if 'skip_reason' in item]
    if skipped:
        raise SetUpError(
            f'the service has no answer for {", ".join(skipped[:5])}; check its address',
            _UNREACHABLE,
        )
    return [
        (item['name'], item['version'], found)
        for item in answer['dependencies']
        for found in item['vulns']
    ]


def report(known: list[Known], verdicts: list[Verdict]) -> int:
    """Print each vulnerability with its verdict, and return the exit code."""
    unjudged = 0
    for item in known:
        verdict = next((verdict for verdict in verdicts if verdict.judges(item)), None)
        print(f'{item.package} {item.version}  {" ".join(item.ids)}')
        print(f'    in {", ".join(item.locks)}; fixed in {", ".join(item.fixed) or "no version"}')
        if verdict is None:
            unjudged += 1
            print(f'    NO VERDICT: upgrade the package, or add a verdict to {VERDICTS.name}')
        else:
            print(f'    {verdict.verdict}: {verdict.reason}')
    for verdict in verdicts:
        if not any(verdict.judges(item) for item in known):
            print(
                f'remove from {VERDICTS.name}: {verdict.package} {verdict.id} of '
                f'{", ".join(verdict.versions)} is no longer reported'
            )
    print(
        f'{len(locked())} locked versions, {len(known)} known vulnerabilities, '
        f'{unjudged} without a verdict'
    )
    return _UNJUDGED if unjudged else 0


def install() -> list[str]:
    """Install the locked pip-audit in its own environment, and return its command.

    Raises:
        SetUpError: The installation failed.
    """
    uv = tools.find_uv([sys.executable])
    make = [uv, 'venv', '--quiet', '--no-project', '--allow-existing']
    sync = [uv, 'pip', 'sync', '--quiet', '--require-hashes', '--python', str(ENVIRONMENT)]
    for command in ([*make, '--python', str(VENV_PYTHON), str(ENVIRONMENT)], [*sync, LOCK]):
        if subprocess.run(command, cwd=str(ROOT), check=False).returncode:
            raise SetUpError('pip-audit could not be installed (see above)')
    return [str(ENVIRONMENT / 'bin' / 'python'), '-m', 'pip_audit']


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='audit', description=__doc__)
    parser.add_argument('--service', choices=('osv', 'pypi'), default='osv')
    parser.add_argument('--osv-url', help='address of OSV, if it is not the official one')
    options = parser.parse_args(arguments)
    asked = ['--vulnerability-service', options.service]
    asked += ['--osv-url', options.osv_url] if options.osv_url else []
    try:
        pip_audit = install()
        # Read the verdicts first, because that fails quickly.
        verdicts = read_verdicts(VERDICTS, pip_audit[0])
        return report(ask(pip_audit, asked), verdicts)
    except SetUpError as err:
        print(f'error: {err}.', file=sys.stderr)
        return err.exit_code


if __name__ == '__main__':
    sys.exit(main())
