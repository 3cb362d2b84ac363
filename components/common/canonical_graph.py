"""Digests of a SavedModel's graph and variables without the names that change by chance.

Nodes and arguments are called by their position, functions and shared resources by the order
of their first use. What refers to nothing and is referred to by nothing is left out.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError, Message
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

# In a checkpoint: which object owns which variable.
_OBJECT_GRAPH_KEY = '_CHECKPOINTABLE_OBJECT_GRAPH'
# The name of a node beside which another is placed, and names with counters: of the function
# for the gradient, and of an argument.
_WITHOUT_MEANING = ('_class', '_gradient_op_type', '_user_specified_name')


class UnreadableGraphError(Exception):
    """The file is not a SavedModel as this module knows them."""


def canonical_graph(content: bytes) -> bytes:
    """Return the SHA-256 of a `saved_model.pb`, without names that change by chance.

    Args:
        content: The serialized SavedModel.

    Raises:
        UnreadableGraphError: If it is none, or refers to what it does not contain.
    """
    digest = hashlib.sha256()
    try:
        saved = saved_model_pb2.SavedModel.FromString(content)
        if not saved.meta_graphs:
            raise UnreadableGraphError('saved_model.pb contains no graph')
        for meta_graph in saved.meta_graphs:
            digest.update(_MetaGraph(meta_graph).digest())
    except DecodeError as err:
        raise UnreadableGraphError('saved_model.pb is not a SavedModel') from err
    except KeyError as err:
        message = f'saved_model.pb refers to {str(err)[:100]}, which it does not contain'
        raise UnreadableGraphError(message) from err
    return digest.digest()


def canonical_variables(prefix: str) -> bytes:
    """Return the SHA-256 of the names and values of a checkpoint's variables.

    Args:
        prefix: Path of the checkpoint, without `.index`.

    Raises:
        UnreadableGraphError: If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        reader = tf.train.load_checkpoint(prefix)
        types = reader.get_variable_to_dtype_map()
        for name in sorted(types):
            value = reader.get_tensor(name)
            if name == _OBJECT_GRAPH_KEY:
                graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(value)
                for node in graph.nodes:
                    for attribute in node.attributes:
                        attribute.full_name = ''  # Keras counts layers: dense, dense_1
                value = _serialized(graph)
            if types[name] == tf.string:
                # An array of strings has only their addresses in its own memory.
                data = repr(value.tolist() if hasattr(value, 'tolist') else value).encode()
            else:
                data = value.tobytes()
            _add(digest, f'{name} {types[name].name} {getattr(value, "shape", ())}', data)
    except (tf.errors.OpError, DecodeError, LookupError, RuntimeError, ValueError) as err:
        reason = ' '.join(str(err).split())[:200]
        raise UnreadableGraphError(f'its variables cannot be read: {reason}') from err
    return digest.digest()


class _MetaGraph:
    """The canonical form of a graph with the functions that it calls, and of its signatures."""

    def __init__(self, meta_graph: Any) -> None:
        self._meta_graph = meta_graph
        self._functions = {f.signature.name: f for f in meta_graph.graph_def.library.function}
        self._numbers: dict[str, int] = {}
        self._waiting: collections.deque[str] = collections.deque()
        self._shared: dict[bytes, bytes] = {}
        self._digest = hashlib.sha256()

    def digest(self) -> bytes:
        meta = self._meta_graph
        nodes = self._add_nodes(meta.graph_def.node, ())
        self._add(meta.graph_def.versions, *sorted(meta.meta_info_def.tags))
        self._add_functions()
        for key, signature in sorted(meta.signature_def.items()):
            self._add(key, signature.method_name)
            for tensors in (signature.inputs, signature.outputs):
                self._add(str(len(tensors)))
                for name, info in sorted(tensors.items()):
                    self._add(name, _with_positions(info, nodes))
        for asset in meta.asset_file_def:
            self._add(asset.filename, _with_positions(asset.tensor_info, nodes))
        saver = meta.saver_def
        for name in (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name):
            self._add(_position(name, nodes) if name else '')
        for key, collection in sorted(meta.collection_def.items()):
            listed = collection.node_list.value
            self._add(key, *(_position(name, nodes) for name in listed))
            if not listed:
                self._add(collection)
        self._add_objects(nodes)
        return self._digest.digest()

    def _add(self, *parts: str | bytes | Message) -> None:
        _add(self._digest, *(_serialized(p) if isinstance(p, Message) else p for p in parts))

    def _function(self, name: str) -> str:
        """Return the canonical name of a function, which is added if this is its first use."""
        if name not in self._numbers:
            self._numbers[name] = len(self._numbers)
            self._waiting.append(name)
        return f'function {self._numbers[name]}'

    def _add_functions(self) -> None:
        while self._waiting:
            function = self._functions[self._waiting.popleft()]
            signature = function.signature
            inputs = [argument.name for argument in signature.input_arg]
            nodes = self._add_nodes(function.node_def, inputs)
            self._add(
                *(_position(function.ret[output.name], nodes) for output in signature.output_arg)
            )
            # What runs without being an output.
            self._add(*sorted(nodes[name] for name in function.control_ret.values()))
            short = type(function)()
            short.signature.CopyFrom(signature)
            short.signature.name = ''
            del short.signature.control_output[:]
            for argument in (*short.signature.input_arg, *short.signature.output_arg):
                argument.name = ''
            for key in sorted(function.attr):
                short.attr[key].CopyFrom(function.attr[key])
            self._clean(short.attr)
            for index in sorted(function.arg_attr):
                short.arg_attr[index].CopyFrom(function.arg_attr[index])
                self._clean(short.arg_attr[index].attr)
            self._add(short)

    def _add_nodes(self, nodes: Sequence[Any], arguments: Iterable[str]) -> dict[str, str]:
        """Add nodes, and return their canonical names and those of the arguments."""
        names = {name: f'argument {index}' for index, name in enumerate(arguments)}
        names.update((node.name, f'node {index:09}') for index, node in enumerate(nodes))
        self._add(str(len(nodes)))
        node = NodeDef()
        for original in nodes:
            node.CopyFrom(original)
            node.name = ''
            node.ClearField('experimental_debug_info')
            if node.op in self._functions:
                node.op = self._function(node.op)
            del node.input[:]
            data = [name for name in original.input if not name.startswith('^')]
            waits = [name[1:] for name in original.input if name.startswith('^')]
            node.input.extend(_position(name, names) for name in data)
            node.input.extend(sorted(f'^{names[name]}' for name in waits))
            self._clean(node.attr)
            if 'shared_name' in node.attr:
                # Nodes of one name share a resource; without a name, the node's is taken.
                shared = original.attr['shared_name'].s or original.name.encode()
                number = b'resource %d' % len(self._shared)
                node.attr['shared_name'].s = self._shared.setdefault(shared, number)
            self._add(node)
        return names

    def _clean(self, attributes: Any) -> None:
        for key in _WITHOUT_MEANING:
            if key in attributes:
                del attributes[key]
        for key in sorted(attributes):
            self._rewrite(attributes[key])

    def _rewrite(self, value: Any) -> None:
        """Give the functions in the value of an attribute their canonical names."""
        kind = value.WhichOneof('value')
        if kind == 's' and value.s.decode(errors='replace') in self._functions:
            value.s = self._function(value.s.decode()).encode()
        functions = [value.func] if kind == 'func' else value.list.func if kind == 'list' else ()
        for function in functions:
            if function.name in self._functions:  # or an operation of TensorFlow
                function.name = self._function(function.name)
            self._clean(function.attr)

    def _add_objects(self, nodes: Mapping[str, str]) -> None:
        """Add what Python's loader makes: objects, and the functions that they have."""
        objects = self._meta_graph.object_graph_def
        for original in objects.nodes:
            node = type(original)()
            node.CopyFrom(original)
            kind = node.WhichOneof('kind')
            if kind == 'function':
                names = list(node.function.concrete_functions)
                del node.function.concrete_functions[:]
                node.function.concrete_functions.extend(self._function(name) for name in names)
            elif kind == 'bare_concrete_function':
                bare = node.bare_concrete_function
                bare.concrete_function_name = self._function(bare.concrete_function_name)
            elif kind == 'captured_tensor':
                tensor = node.captured_tensor
                inner = self._functions[tensor.concrete_function]
                places = {n.name: f'node {i:09}' for i, n in enumerate(inner.node_def)}
                tensor.name = _position(tensor.name, places)
                tensor.concrete_function = self._function(tensor.concrete_function)
            elif kind == 'constant':
                node.constant.operation = nodes[node.constant.operation]
            elif kind == 'variable':
                node.variable.name = ''
            self._add(node)
        self._add_functions()
        for name, number in self._numbers.items():
            if name in objects.concrete_functions:
                self._add(str(number), objects.concrete_functions[name])


def _position(name: str, positions: Mapping[str, str]) -> str:
    """Return a reference such as `node:output:0` with the canonical name of the node."""
    node, colon, output = name.partition(':')
    return f'{positions[node]}{colon}{output}'


def _with_positions(info: Any, nodes: Mapping[str, str]) -> Message:
    copy: Message = type(info)()
    copy.CopyFrom(info)
    if copy.WhichOneof('encoding') == 'name':
        copy.name = _position(info.name, nodes)
    elif copy.WhichOneof('encoding') == 'coo_sparse':
        for field in ('values_tensor_name', 'indices_tensor_name', 'dense_shape_tensor_name'):
            setattr(copy.coo_sparse, field, _position(getattr(info.coo_sparse, field), nodes))
    elif copy.WhichOneof('encoding') == 'composite_tensor':
        for part, original in zip(
            copy.composite_tensor.components, info.composite_tensor.components, strict=True
        ):
            part.CopyFrom(_with_positions(original, nodes))
    return copy


def _serialized(message: Any) -> bytes:
    # The entries of a map have no order otherwise.
    return bytes(message.SerializeToString(deterministic=True))


def _add(digest: Any, *parts: str | bytes) -> None:
    """Add a list of parts, so that no two lists give the same bytes."""
    digest.update(b'%d\n' % len(parts))
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        digest.update(b'%d\n' % len(encoded))
        digest.update(encoded)
