"""Runs a command in mount, network and process namespaces of its own.

The command sees the files of this machine, and all that it writes is in memory. Its network
is empty, so that it can use the ports and host names of a cluster. Nothing that it starts
outlives it.
"""

from __future__ import annotations

import fcntl
import http.server
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from components.common.errors import MissingDependencyError

# The services of a cluster that driver and launcher call by name.
METADATA_SERVICE = 'metadata-grpc-service'
_SERVICES = ('ml-pipeline', METADATA_SERVICE)
_GOOGLE = ('www.googleapis.com', 'storage.googleapis.com')
# Where the clients of Kubernetes look in a pod.
ACCOUNT = pathlib.Path('/run/secrets/kubernetes.io/serviceaccount')
KEY = pathlib.Path('/run/kubernetes.key')
_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x41


def require_programs() -> None:
    """Check that this machine can make the namespaces.

    Raises:
        MissingDependencyError: If it cannot.
    """
    if not sys.platform.startswith('linux') or os.geteuid() != 0:
        raise MissingDependencyError(
            'make kubeflow needs Linux and root, for namespaces of its own',
            hint='use sudo or a virtual machine',
        )
    for program in ('unshare', 'mount', 'openssl'):
        if shutil.which(program) is None:
            raise MissingDependencyError(
                f'{program} is not installed', hint=f'on Debian: apt-get install {program}'
            )


def run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command in new namespaces, with further environment variables; return its exit code."""
    folder = tempfile.mkdtemp(prefix='kubeflow-')
    # So that `finally` is reached.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    unshare = ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child']
    inside = [sys.executable, '-m', 'tests.kubeflow.namespaces', folder, *command]
    child = subprocess.Popen([*unshare, *inside], env={**os.environ, **variables})
    try:
        return child.wait()
    except KeyboardInterrupt:
        return child.wait()
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def use_tls(server: http.server.HTTPServer) -> None:
    """Let a server that is not started yet use the certificate of these namespaces."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ACCOUNT / 'ca.crt', KEY)
    # Without the handshake, which would block the thread that accepts connections.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )


def _enter(folder: pathlib.Path) -> None:
    """Make the new root the root of this process."""
    where = os.getcwd()
    os.chroot(_make_root(folder))
    os.chdir(where)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
        request = struct.pack('16sH14s', b'lo', _IFF_UP_RUNNING, b'')
        fcntl.ioctl(loopback, _SIOCSIFFLAGS, request)
    for name in [name for name in os.environ if name.lower().endswith('_proxy')]:
        del os.environ[name]


def _make_root(folder: pathlib.Path) -> pathlib.Path:
    """Mount a root that shows the files of this machine and keeps changes in memory."""
    mounts = pathlib.Path('/proc/self/mounts').read_text().splitlines()
    points = [line.split()[1] for line in mounts]
    # The upper folder of an overlay may not be in its lower one.
    _mount('-t', 'tmpfs', 'none', folder)
    root = folder / 'root'
    overlays = ['/', '/tmp'] if '/tmp' in points else ['/']
    for number, lower in enumerate(overlays):
        upper, work = folder / f'upper{number}', folder / f'work{number}'
        for path in (upper, work, root):
            path.mkdir(exist_ok=True)
        layers = f'lowerdir={lower},upperdir={upper},workdir={work}'
        _mount('-t', 'overlay', 'none', '-o', layers, f'{root}{lower}')
    # An overlay does not show what is mounted below its folder.
    shown = ['/proc', '/run', str(folder)]
    for point in points:
        below = any(f'{point}/'.startswith(f'{path}/') for path in shown)
        if point not in overlays and os.path.isdir(point) and not below:
            _mount('--rbind', point, f'{root}{point}')
            shown.append(point)
    _mount('-t', 'proc', 'none', root / 'proc')
    _mount('-t', 'tmpfs', 'none', root / 'run')
    account = root / ACCOUNT.relative_to('/')
    account.mkdir(parents=True)
    (account / 'namespace').write_text('kubeflow')
    (account / 'token').write_text('token')
    key = ('-newkey', 'rsa:2048', '-nodes', '-keyout', str(root / KEY.relative_to('/')))
    names = ','.join(['IP:127.0.0.1', *(f'DNS:{host}' for host in _GOOGLE)])
    name = ('-subj', '/CN=kubernetes', '-addext', f'subjectAltName={names}')
    certificate = ('-days', '2', '-out', str(account / 'ca.crt'))
    command = ['openssl', 'req', '-x509', *key, *name, *certificate]
    subprocess.run(command, check=True, capture_output=True)
    lines = [
        f'127.0.0.1 {service} {service}.kubeflow {service}.kubeflow.svc.cluster.local'
        for service in _SERVICES
    ]
    lines += [f'127.0.0.1 {host}' for host in ('localhost', *_GOOGLE)]
    (root / 'etc/hosts').write_text('\n'.join([*lines, '']))
    return root


def _mount(*words: object) -> None:
    subprocess.run(['mount', *map(str, words)], check=True)


if __name__ == '__main__':
    _enter(pathlib.Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
