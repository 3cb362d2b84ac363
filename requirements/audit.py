"""Lists known vulnerabilities of all locked versions (`make audit`), each with a verdict.

pip-audit asks a service what is known of them; what that means here is written
down in audit.toml. One without a verdict is an error.
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

# What was found to matter; not_affected: the vulnerable part is not used.
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
    """A vulnerability that the service knows of.

    Attributes:
        package: Name of the package.
        version: The locked version that has it.
        ids: Its names; of the service's own first.
        fixed: Versions without it, as the service says.
        locks: Names of the lock files with this version.
    """

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]
    locks: tuple[str, ...]


class Verdict(NamedTuple):
    """What a vulnerability means here.

    Attributes:
        package: Name of the package.
        id: Any name of the vulnerability.
        versions: The locked versions that it was thought about for.
        verdict: One of `KINDS`.
        reason: Why.
        source: Where it is described.
    """

    package: str
    id: str
    versions: tuple[str, ...]
    verdict: str
    reason: str
    source: str

    def judges(self, known: Known) -> bool:
        """Say whether it is about this vulnerability of this version."""
        return (
            self.package == known.package
            and known.version in self.versions
            and self.id in known.ids
        )


def locked() -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Return each locked version with its lines, which have its hashes, and its lock files."""
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
        python: One that can read TOML; Python itself does so only from 3.11 on.

    Raises:
        SetUpError: The file cannot be read, or a verdict lacks something.
    """
    done = tools.run([python, '-c', _READ_TOML, path])
    if not tools.succeeds(done):
        raise SetUpError(f'{path.name} cannot be read: {tools.reason_in(done)}', 2)
    assert done is not None
    verdicts = []
    for entry in json.loads(done.stdout).get('verdict', []):
        if set(entry) != set(Verdict._fields) or not all(entry.values()):
            fields = ', '.join(Verdict._fields)
            raise SetUpError(f'{path.name}: expected {fields} in each verdict, got {entry}', 2)
        if entry['verdict'] not in KINDS:
            kinds = ', '.join(KINDS)
            raise SetUpError(f'{path.name}: {entry["verdict"]!r} is none of {kinds}', 2)
        verdicts.append(Verdict(**{**entry, 'versions': tuple(entry['versions'])}))
    return verdicts


def ask(pip_audit: list[str], options: list[str]) -> list[Known]:
    """Ask the service about all locked versions; nothing is installed.

    Args:
        pip_audit: How it is started.
        options: Which service, and where, as pip-audit takes them.

    Raises:
        SetUpError: It cannot be asked.
    """
    # One file may have each package but once.
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
        lines = done.stderr.strip().splitlines() or ['it said nothing']
        raise SetUpError(
            f'pip-audit could not ask the service: {lines[-1][:200]}; are you online?', _UNREACHABLE
        ) from err
    skipped = [item['name'] for item in answer['dependencies'] if 'skip_reason' in item]
    if skipped:
        raise SetUpError(
            f'the service was not asked about {", ".join(skipped[:5])}: is it the right one?',
            _UNREACHABLE,
        )
    return [
        (item['name'], item['version'], found)
        for item in answer['dependencies']
        for found in item['vulns']
    ]


def report(known: list[Known], verdicts: list[Verdict]) -> int:
    """Print each vulnerability with its verdict; return the exit code."""
    unjudged = 0
    for item in known:
        verdict = next((verdict for verdict in verdicts if verdict.judges(item)), None)
        print(f'{item.package} {item.version}  {" ".join(item.ids)}')
        print(f'    in {", ".join(item.locks)}; fixed in {", ".join(item.fixed) or "no version"}')
        if verdict is None:
            unjudged += 1
            print(f'    NO VERDICT: upgrade it, or say in {VERDICTS.name} what it means here')
        else:
            print(f'    {verdict.verdict}: {verdict.reason}')
    for verdict in verdicts:
        if not any(verdict.judges(item) for item in known):
            print(
                f'no longer needed in {VERDICTS.name}: {verdict.package} {verdict.id} of '
                f'{", ".join(verdict.versions)}: nothing is known of it'
            )
    count = len(locked())
    print(f'{count} locked versions, {len(known)} known vulnerabilities, {unjudged} unjudged')
    return _UNJUDGED if unjudged else 0


def install() -> list[str]:
    """Install pip-audit as it is locked, in an environment of its own; return its command.

    Raises:
        SetUpError: It cannot be installed.
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
    parser.add_argument('--osv-url', help='where OSV is, if not at its own address')
    options = parser.parse_args(arguments)
    asked = ['--vulnerability-service', options.service]
    asked += ['--osv-url', options.osv_url] if options.osv_url else []
    try:
        pip_audit = install()
        # Before asking: a mistake in the file shows at once.
        verdicts = read_verdicts(VERDICTS, pip_audit[0])
        return report(ask(pip_audit, asked), verdicts)
    except SetUpError as err:
        print(f'error: {err}.', file=sys.stderr)
        return err.exit_code


if __name__ == '__main__':
    sys.exit(main())
