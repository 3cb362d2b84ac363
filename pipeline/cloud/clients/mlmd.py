"""Asks the metadata store of Kubeflow Pipelines what the gate decided.

Its API does not tell what tasks put out. Its user interface knows from the ML Metadata
store, which it lets pages call by gRPC-Web, at the same address. So this does too.
"""

from __future__ import annotations

import struct
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from components.common.errors import OutcomeUnknownError
from pipeline.cloud.clients import refusals
from pipeline.cloud.clients.protocol import Verdict, verdict_of

_SERVICE = '/ml_metadata.MetadataStoreService/'
_CONTENT = 'application/grpc-web+proto'
# As Kubeflow Pipelines registers the runs.
_RUN_TYPE = 'system.PipelineRun'
# A frame: one byte of flags, the length, the content. One with this flag ends the answer.
_FRAME = struct.Struct('>BI')
_TRAILER = 0x80
_TIMEOUT_SECONDS = 60.0
_RETRIES = 3

# What the Pusher and the Evaluator note on their outputs.
_PUSHED, _BLESSED = 'pushed', 'blessed'


def read_verdict(http: Any, host: str, run_id: str, token: str) -> Verdict:
    """Tell what became of a run that succeeded; outputs from the cache count.

    Args:
        http: A urllib3 pool manager.
        host: Address of the user interface of Kubeflow Pipelines.
        run_id: The run.
        token: To send; empty for none.

    Raises:
        OutcomeUnknownError: If the store does not answer, or does not tell.
    """
    from ml_metadata.proto import metadata_store_service_pb2 as service

    store = _Store(http, host, token)
    context = service.GetContextByTypeAndNameResponse()
    store.ask(
        'GetContextByTypeAndName',
        service.GetContextByTypeAndNameRequest(type_name=_RUN_TYPE, context_name=run_id),
        context,
    )
    if not context.HasField('context'):
        raise OutcomeUnknownError(f'the metadata store does not know the run {run_id}')
    answer = service.GetArtifactsByContextResponse()
    request = service.GetArtifactsByContextRequest(context_id=context.context.id)
    store.ask('GetArtifactsByContext', request, answer)
    verdict = verdict_of(_flag(answer.artifacts, _PUSHED), _flag(answer.artifacts, _BLESSED))
    if verdict is not None:
        return verdict
    raise OutcomeUnknownError(f'no output of the run {run_id} says whether it pushed')


def _flag(artifacts: Iterable[Any], name: str) -> bool | None:
    values = {value for artifact in artifacts for value in _numbers(artifact, name)}
    return values == {1} if len(values) == 1 else None


def _numbers(artifact: Any, name: str) -> Iterator[int]:
    # TFX marks a name that is one of the type's own properties, too.
    for key in (name, f'custom:{name}'):
        if key in artifact.custom_properties:
            value = artifact.custom_properties[key]
            yield int(getattr(value, value.WhichOneof('value') or 'int_value'))


class _Store(NamedTuple):
    """The metadata store behind the user interface."""

    http: Any
    host: str
    token: str

    def ask(self, method: str, request: Any, answer: Any) -> None:
        """Call a method, and fill in its answer."""
        import urllib3
        from google.protobuf import message

        try:
            response = self._post(method, request.SerializeToString())
            if response.status != 200:
                raise OutcomeUnknownError(f'the metadata store answered {response.status}')
            if not response.headers.get('Content-Type', '').startswith('application/grpc-web'):
                raise OutcomeUnknownError('no metadata store answers at this address')
            frames = list(_frames(response.data))
            status = _grpc_status(response.headers, [c for flag, c in frames if flag & _TRAILER])
            if status != '0':
                raise OutcomeUnknownError(f'the metadata store refused: gRPC status {status}')
            answer.ParseFromString(b''.join(c for flag, c in frames if not flag & _TRAILER))
        except (urllib3.exceptions.HTTPError, struct.error, message.DecodeError) as err:
            reason = refusals.reason_of(err)
            raise OutcomeUnknownError(f'the metadata store cannot be asked: {reason}') from err

    def _post(self, method: str, content: bytes) -> Any:
        import urllib3

        headers = {'Content-Type': _CONTENT, 'Accept': _CONTENT, 'X-Grpc-Web': '1'}
        if self.token:
            headers['Authorization'] = f'Bearer {self.token}'
        return self.http.request(
            'POST',
            # Even where the user interface is below a path, the store is at the top.
            urllib.parse.urljoin(self.host, f'{_SERVICE}{method}'),
            body=_FRAME.pack(0, len(content)) + content,
            headers=headers,
            redirect=False,
            # Both methods only read.
            retries=urllib3.Retry(
                _RETRIES,
                backoff_factor=1,
                status_forcelist=(502, 503, 504),
                allowed_methods=None,
                raise_on_status=False,
            ),
            timeout=_TIMEOUT_SECONDS,
        )


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        flag, length = _FRAME.unpack_from(data)
        yield flag, data[_FRAME.size : _FRAME.size + length]
        data = data[_FRAME.size + length :]


def _grpc_status(headers: Any, trailers: Sequence[bytes]) -> str:
    """Return the status, which is in the last frame, or in the headers of an empty answer."""
    for line in b'\r\n'.join(trailers).decode('ascii', 'replace').split('\r\n'):
        name, _, value = line.partition(':')
        if name.strip().lower() == 'grpc-status':
            return value.strip()
    return str(headers.get('grpc-status', 'missing'))
