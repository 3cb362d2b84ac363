"""Plays the part of the Kubernetes API that driver and launcher read: three kinds of GET."""

from __future__ import annotations

import base64
import http.server
import json
import threading

from tests.kubeflow import namespaces

ADDRESS = ('127.0.0.1', 6443)
S3_ADDRESS = ('127.0.0.1', 9000)
_BUCKET_SECRET = 'mlpipeline-minio-artifact'
_PROVIDERS = {
    # Without an override, 3.0 refuses a root outside of the default one.
    'gs': {
        'default': {'credentials': {'fromEnv': True}},
        'Overrides': [
            {'bucketName': 'bucket', 'keyPrefix': 'runs', 'credentials': {'fromEnv': True}}
        ],
    },
    'minio': {
        'default': {
            'endpoint': ':'.join(map(str, S3_ADDRESS)),
            'disableSSL': True,
            'region': 'us-east-1',
            'credentials': {
                'fromEnv': False,
                'secretRef': {
                    'secretName': _BUCKET_SECRET,
                    'accessKeyKey': 'accesskey',
                    'secretKeyKey': 'secretkey',
                },
            },
        }
    },
}
CONFIG_MAPS = {
    'kfp-launcher': {
        'defaultPipelineRoot': 'minio://mlpipeline/v2/artifacts',
        'providers': json.dumps(_PROVIDERS),
    }
}
SECRETS = {
    _BUCKET_SECRET: {'accesskey': 'minio', 'secretkey': 'minio123'},
    # Of the settings in project.py.
    'bucket': {'key.json': '{}'},
    'minio': {'secret_key': 'minio123'},
}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, name = self.path.partition('?')[0].split('/')[-2:]
        data: dict[str, str] | None = None
        if kind == 'pods':
            data = {}
        elif kind == 'configmaps':
            data = CONFIG_MAPS.get(name)
        elif kind == 'secrets' and name in SECRETS:
            data = {
                key: base64.b64encode(value.encode()).decode()
                for key, value in SECRETS[name].items()
            }
        body = json.dumps(
            {
                'metadata': {'name': name, 'namespace': 'kubeflow', 'uid': f'uid-of-{name}'},
                'data': data or {},
            }
        ).encode()
        self.send_response(404 if data is None else 200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve() -> http.server.ThreadingHTTPServer:
    """Serve the API in a thread, with the certificate that `namespaces` has made."""
    server = http.server.ThreadingHTTPServer(ADDRESS, _Handler)
    namespaces.use_tls(server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
