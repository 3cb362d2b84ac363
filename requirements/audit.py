"""Lists known vulnerabilities of the locked versions, each with a verdict (`make audit`).

pip-audit asks a service for the vulnerabilities, and audit.yaml contains the verdicts.
A vulnerability without a verdict is an error. pip-audit's own `--ignore-vuln` would hide
a vulnerability of all versions, and could not show verdicts that are no longer needed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from requirements import tools
from requirements.set_up import VENV_PYTHON
from requirements.stacks import ROOT, SetUpError

LOCKS = sorted((ROOT / 'requirements').glob('*.txt'))
VERDICTS = ROOT / 'requirements' / 'audit.yaml'
ENVIRONMENT = tools.UV_DIR / 'audit'

# not_affected: this project does not use the vulnerable part.
KINDS = ('not_affected', 'mitigated', 'accepted')
_UNREACHABLE = 7
_UNJUDGED = 1


class Known(NamedTuple):
    """A known vulnerability of a locked version.

    Attributes:
        package: Name of the package.
        version: The locked version.
        ids: Its identifiers; the one of the service comes first.
        fixed: Versions that fix it, according to the service.
    """

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]


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
    versions: list[str]
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


def read_verdicts(path: Path) -> list[Verdict]:
    """Read the verdicts.

    Raises:
        SetUpError: The file cannot be read, or a verdict is incomplete.
    """
    try:
        verdicts = [Verdict(**entry) for entry in yaml.safe_load(path.read_text(encoding='utf-8'))]
    except (OSError, yaml.YAMLError, TypeError) as err:
        problem = ' '.join(str(err).split())
        raise SetUpError(f'cannot read {path.name}: {problem}', 2) from err
    for verdict in verdicts:
        if not all(verdict) or verdict.verdict not in KINDS:
            kinds = ', '.join(KINDS)
            raise SetUpError(
                f'{path.name}: expected one of {kinds}, and no empty field, got {verdict}', 2
            )
    return verdicts


def ask(pip_audit: list[str], options: list[str]) -> dict[Known, list[str]]:
    """Ask the service for the vulnerabilities of all locked versions.

    Args:
        pip_audit: Command of pip-audit.
        options: Options of pip-audit that select the service.

    Returns:
        The names of the lock files with each vulnerability.

    Raises:
        SetUpError: The service cannot be reached.
    """
    found: dict[Known, list[str]] = {}
    for lock in LOCKS:
        command = [*pip_audit, '--requirement', str(lock), '--require-hashes', '--disable-pip']
        command += ['--format', 'json', '--progress-spinner', 'off', *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            packages = json.loads(done.stdout)['dependencies']
        except (ValueError, TypeError, KeyError) as err:
            lines = done.stderr.strip().splitlines() or ['no message']
            raise SetUpError(
                f'pip-audit could not reach the service: {lines[-1][:200]}; check the network',
                _UNREACHABLE,
            ) from err
        skipped = [package['name'] for package in packages if 'skip_reason' in package]
        if skipped:
            raise SetUpError(
                f'the service has no answer for {", ".join(skipped[:5])}; check its address',
                _UNREACHABLE,
            )
        for package in packages:
            for vuln in package['vulns']:
                ids = (vuln['id'], *vuln['aliases'])
                known = Known(package['name'], package['version'], ids, (*vuln['fix_versions'],))
                found.setdefault(known, []).append(lock.name)
    return found


def report(found: dict[Known, list[str]], verdicts: list[Verdict]) -> int:
    """Print each vulnerability with its verdict, and return the exit code."""
    unjudged = 0
    for known, locks in sorted(found.items()):
        verdict = next((verdict for verdict in verdicts if verdict.judges(known)), None)
        print(f'{known.package} {known.version}  {" ".join(known.ids)}')
        print(f'    in {", ".join(locks)}; fixed in {", ".join(known.fixed) or "no version"}')
        if verdict is None:
            unjudged += 1
            print(f'    NO VERDICT: upgrade the package, or add a verdict to {VERDICTS.name}')
        else:
            print(f'    {verdict.verdict}: {verdict.reason}')
    for verdict in verdicts:
        if not any(verdict.judges(known) for known in found):
            print(
                f'remove from {VERDICTS.name}: {verdict.package} {verdict.id} of '
                f'{", ".join(verdict.versions)} is no longer reported'
            )
    print(f'{len(found)} known vulnerabilities, {unjudged} without a verdict')
    return _UNJUDGED if unjudged else 0


def install() -> list[str]:
    """Install the locked pip-audit in its own environment, and return its command.

    Raises:
        SetUpError: The installation failed.
    """
    uv = tools.find_uv([sys.executable])
    python = str(ENVIRONMENT / 'bin' / 'python')
    make = [uv, 'venv', '--quiet', '--no-project', '--allow-existing']
    sync = [uv, 'pip', 'sync', '--quiet', '--require-hashes', '--python', python]
    for command in (
        [*make, '--python', str(VENV_PYTHON), str(ENVIRONMENT)],
        [*sync, 'requirements/audit.txt'],
    ):
        if subprocess.run(command, cwd=str(ROOT), check=False).returncode:
            raise SetUpError('pip-audit could not be installed (see above)')
    return [python, '-m', 'pip_audit']


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='audit', description=__doc__)
    parser.add_argument('--service', choices=('osv', 'pypi'), default='osv')
    parser.add_argument('--osv-url', help='address of OSV, if it is not the official one')
    options = parser.parse_args(arguments)
    asked = ['--vulnerability-service', options.service]
    asked += ['--osv-url', options.osv_url] if options.osv_url else []
    try:
        # Read the verdicts first, because that fails quickly.
        verdicts = read_verdicts(VERDICTS)
        return report(ask(install(), asked), verdicts)
    except SetUpError as err:
        print(f'error: {err}.', file=sys.stderr)
        return err.exit_code


if __name__ == '__main__':
    sys.exit(main())
