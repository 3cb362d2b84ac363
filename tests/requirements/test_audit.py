"""The audit, with the real pip-audit and a fake OSV service."""

from __future__ import annotations

import http.server
import json
import pathlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from requirements import audit, tools
from requirements.audit import Known, Verdict
from requirements.stacks import SetUpError
from tests.conftest import REPO


class FakeOsv(http.server.ThreadingHTTPServer):
    """OSV's API, as far as it is used.

    Attributes:
        vulnerable: By package and version, the names of what is known.
        asked: Package and version of each question.
    """

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.vulnerable: dict[tuple[str, str], list[str]] = {}
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_address[1]}/v1/query'


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FakeOsv

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        assert question['package']['ecosystem'] == 'PyPI'
        asked = question['package']['name'], question['version']
        self.server.asked.append(asked)
        ids = self.server.vulnerable.get(asked, [])
        answer = {'vulns': [_advisory(ids, asked[0])]} if ids else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _advisory(ids: list[str], package: str) -> dict[str, Any]:
    events = [{'introduced': '0'}, {'fixed': '999.0'}]
    return {
        'id': ids[0],
        'aliases': ids[1:],
        'summary': 'Something bad',
        'published': '2026-01-01T00:00:00Z',
        'affected': [
            {
                'package': {'name': package, 'ecosystem': 'PyPI'},
                'ranges': [{'type': 'ECOSYSTEM', 'events': events}],
            }
        ],
    }


@pytest.fixture
def osv() -> Iterator[FakeOsv]:
    server = FakeOsv()
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def locked_versions() -> list[tuple[str, str]]:
    texts = [path.read_text(encoding='utf-8') for path in audit.LOCKS]
    return re.findall(r'^([a-z0-9._-]+)==(\S+)', '\n'.join(texts), re.MULTILINE)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Four packages of two locks, because a query for all takes half a minute."""
    locks = []
    for lock in ('tfx-1.16.txt', 'tfx-1.21.txt', 'uv.txt'):
        text = (REPO / 'requirements' / lock).read_text(encoding='utf-8')
        entries = re.findall(r'^(?:absl-py|protobuf|js2py|uv)==(?:[^\n]*\\\n)*[^\n]*\n', text, re.M)
        assert entries
        locks.append(tmp_path / lock)
        locks[-1].write_text(''.join(entries))
    monkeypatch.setattr(audit, 'LOCKS', locks)


def test_each_lock_is_audited() -> None:
    assert {path.name for path in audit.LOCKS} == {
        path.name for path in (REPO / 'requirements').glob('*.txt')
    }
    assert audit.ENVIRONMENT.is_relative_to(tools.UV_DIR)


@pytest.mark.usefixtures('few')
def test_audit_queries_all_versions_and_fails_when_a_vulnerability_has_no_verdict(
    osv: FakeOsv, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.vulnerable = {
        ('protobuf', '3.20.3'): ['GHSA-8qvm-5x2c-j2w7', 'CVE-2025-4565'],
        ('js2py', '0.74'): ['PYSEC-1', 'CVE-0000-1'],
    }
    found: dict[Known, list[str]] = {}
    ask = audit.ask

    def recorded(pip_audit: list[str], options: list[str]) -> dict[Known, list[str]]:
        found.update(ask(pip_audit, options))
        return found

    monkeypatch.setattr(audit, 'ask', recorded)
    assert audit.main(['--osv-url', osv.url]) == 1
    assert set(osv.asked) == set(locked_versions())
    assert len([package for package, _ in set(osv.asked) if package == 'protobuf']) > 1
    js2py, protobuf = sorted(found)
    assert js2py.package == 'js2py'
    assert set(protobuf.ids) == {'GHSA-8qvm-5x2c-j2w7', 'CVE-2025-4565'}
    assert protobuf[:2] == ('protobuf', '3.20.3')
    assert protobuf.fixed == ('999.0',)
    assert found[protobuf] == ['tfx-1.16.txt']

    out = capsys.readouterr().out
    of_js2py, of_protobuf = out.split('\nprotobuf ')
    assert 'NO VERDICT' in of_js2py
    assert 'not_affected: Deeply nested' in of_protobuf
    assert out.splitlines()[-1] == '2 known vulnerabilities, 1 without a verdict'
    # This service has another answer for js2py.
    assert 'remove from audit.yaml: js2py CVE-2024-28397 of 0.74' in out

    monkeypatch.setattr(audit, 'ask', lambda *_: {protobuf: found[protobuf]})
    assert audit.main(['--osv-url', osv.url]) == 0


@pytest.mark.usefixtures('few')
def test_error_is_one_line_when_the_service_cannot_be_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audit.main(['--osv-url', 'http://127.0.0.1:9/v1/query']) == 7
    out, err = capsys.readouterr()
    assert out == ''
    assert err.startswith('error: pip-audit could not reach the service: ')
    assert err.count('\n') == 1


def test_verdicts_cover_locked_versions() -> None:
    verdicts = audit.read_verdicts(audit.VERDICTS)
    assert verdicts
    for verdict in verdicts:
        for version in verdict.versions:
            assert (verdict.package, version) in locked_versions()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('- {package: a}', 'cannot read a.yaml: .*missing 5 required .* arguments'),
        ('- {package: a, id: b, more: c}', 'cannot read a.yaml: .*more'),
        ('- {package', 'cannot read a.yaml: '),
        ('', 'cannot read a.yaml: '),
        (
            "- {package: a, id: b, versions: ['1'], verdict: fine, reason: c, source: d}",
            'expected one of not_affected, .*fine',
        ),
        (
            "- {package: a, id: b, versions: ['1'], verdict: accepted, reason: '', source: d}",
            "no empty field, got .*reason=''",
        ),
    ],
)
def test_verdict_is_refused_when_incomplete(
    text: str, message: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'a.yaml').write_text(text)
    with pytest.raises(SetUpError, match=message) as caught:
        audit.read_verdicts(tmp_path / 'a.yaml')
    assert '\n' not in str(caught.value)


def test_verdict_covers_its_versions_and_any_identifier() -> None:
    known = Known('a', '1', ('GHSA-1', 'CVE-1'), ())
    verdict = Verdict('a', 'CVE-1', ['1', '2'], 'accepted', 'why', 'where')
    assert verdict.judges(known)
    assert not verdict.judges(known._replace(version='3'))
    assert not verdict.judges(known._replace(ids=('CVE-2',)))
