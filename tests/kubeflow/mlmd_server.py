"""Serves ML Metadata's gRPC API from the store of the `ml-metadata` package.

    python mlmd_server.py DATABASE ADDRESS

The package contains the C++ store, but not its server. Each method of the gRPC service is a
function of the wrapped store that takes and returns the same bytes, so the server passes each
call on unchanged. Kubeflow Pipelines uses ML Metadata before 3.0.
"""

from __future__ import annotations

import concurrent.futures
import sys
import threading

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store
from ml_metadata.proto import metadata_store_pb2

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class MetadataHandler(grpc.GenericRpcHandler):
    """Answers all calls from one store."""

    def __init__(self, database: str) -> None:
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = database
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        options = metadata_store_pb2.MigrationOptions()
        self._store = metadata_store.CreateMetadataStore(
            config.SerializeToString(), options.SerializeToString()
        )
        # The store is not for several threads.
        self._lock = threading.Lock()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = getattr(metadata_store, details.method.rpartition('/')[2])

        def call(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._lock:
                response, message, code = method(self._store, request)
            if code:
                text = message.decode() if isinstance(message, bytes) else message
                context.abort(_CODES[code], text)
            return response

        return grpc.unary_unary_rpc_method_handler(call)


def main(database: str, address: str) -> None:
    executor = concurrent.futures.ThreadPoolExecutor(4)
    server = grpc.server(executor, handlers=[MetadataHandler(database)])
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == '__main__':
    main(*sys.argv[1:])
