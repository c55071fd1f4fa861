"""MetaGraphDef, writing: a graph whose weights are variables, with its checkpoint beside it.

    PREFIX.meta                    the MetaGraphDef (metagraph.py tells the fields); or its text
                                   form, as PREFIX.meta.pbtxt or PREFIX.pbtxt
    PREFIX.index, PREFIX.data-*    the variables
    checkpoint                     says that PREFIX is the folder's latest

Source: tensorflow/core/protobuf/meta_graph.proto, python/framework/meta_graph.py.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence

from modelfmt import proto
from modelfmt.errors import MismatchError, Where
from modelfmt.graph import Dims, Function, Graph, Node, called_functions
from modelfmt.graphs.retarget import settle_node
from modelfmt.graphs.saver import Variable, with_saver
from modelfmt.ops.opages import Version
from modelfmt.storage import wire
from modelfmt.storage.files import Piece, atomic_output, piece_bytes, write_pieces
from modelfmt.storage.output import OutputExistsError, check_output
from modelfmt.storage.splice import delimited
from modelfmt.tensor import Tensor
from modelfmt.tf import checkpoint_state
from modelfmt.tf.bundle import data_path
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.collections import variable_def, write_variable_def
from modelfmt.tf.defs import saver_def, write_saver_def
from modelfmt.tf.functiondef import write_library
from modelfmt.tf.graphdef import PRODUCER, check_size
from modelfmt.tf.library import op_list
from modelfmt.tf.metagraph import Signature, TensorInfo, checkpoint_prefix
from modelfmt.tf.nodedef import write_node

_GRAPH_DEF, _NODE, _LIBRARY, _VERSIONS = 2, 1, 2, 4
SERVING = "serving_default"
_PREDICT = "tensorflow/serving/predict"
_TABLES = "init_all_tables"


@dataclasses.dataclass(frozen=True)
class Model:
    """What a MetaGraphDef is written of.

    Attributes:
        graph: the nodes of the computation, variables and their reads among them, and the
            functions that they call.
        variables: whose values go to the checkpoint.
        signature: inputs and outputs by key.
        table_initializers: nodes to run once, before anything else.
        tensorflow: the version whose ops the graph is made of; empty where nobody knows.
        producer: the GraphDef version that the nodes are to be read by; 0 where none was said.
        release: the TensorFlow that is to read it, where one was asked for.
    """

    graph: Graph
    variables: Sequence[Variable]
    signature: Signature
    table_initializers: Sequence[str] = ()
    tensorflow: str = ""
    producer: int = PRODUCER
    release: Version | None = None


def write_metagraph(model: Model, path: str, *, force: bool = False) -> None:
    """Write a .meta file, its checkpoint and the folder's ``checkpoint`` file.

    A name that ends in ``.pbtxt`` asks for text. The .meta appears last, when the rest is whole
    and on disk. A model without variables has no checkpoint.

    Raises:
        OutputExistsError: one of the files exists, and not ``force``.
        MismatchError: a path that does not end in ``.meta`` or ``.pbtxt``.
        UnsupportedError: the message would pass protobuf's limit of 2 GiB.
    """
    prefix = checkpoint_prefix(path)
    if prefix is None:
        raise MismatchError(
            "the checkpoint would have no prefix of its own", where=Where(path),
            expected="a name that ends in .meta, .meta.pbtxt or .pbtxt",
        )
    if model.variables:
        for name in (f"{prefix}.index", data_path(prefix, 0, 1)):
            check_output(name, force=force)
    earlier = other_checkpoints(os.path.dirname(prefix), force=force) if model.variables else []
    pieces = metagraph_pieces(model)
    check_size(pieces, path, "MetaGraphDef")
    if path.endswith(".pbtxt"):
        pieces = [_format_text(pieces)]
    with atomic_output(path, force=force) as out:
        write_pieces(out.file, pieces)
        out.file.flush()
        os.fsync(out.file.fileno())  # after the checkpoint has its name nothing takes time
        if model.variables:
            write_bundle(prefix, stored(model.variables), force=force)
            note_latest(prefix, earlier)


def stored(variables: Sequence[Variable]) -> Iterator[Tensor]:
    """The tensors of the checkpoint, in order of their keys, as a Saver saves them."""
    for variable in sorted(variables, key=lambda variable: variable.checkpoint_key):
        yield variable.value.renamed(variable.checkpoint_key)


def note_latest(prefix: str, earlier: Sequence[str]) -> None:
    """Say in the folder's ``checkpoint`` file that this is the latest, after ``earlier``."""
    name = os.path.basename(prefix)
    checkpoint_state.write_checkpoint_state(
        os.path.dirname(prefix) or ".", name,
        all_names=[n for n in earlier if n != name], force=True,
    )  # fmt: skip


def other_checkpoints(folder: str, *, force: bool) -> list[str]:
    """The checkpoints that a folder's ``checkpoint`` file lists; a folder has one such file."""
    path = os.path.join(folder, checkpoint_state.NAME)
    if not os.path.lexists(path):
        return []
    if os.path.isfile(path) and checkpoint_state.is_checkpoint_state(path):
        return list(checkpoint_state.read_checkpoint_state(folder or ".").all)
    if force and os.path.isfile(path):
        return []
    raise OutputExistsError(path)


def metagraph_pieces(
    model: Model, *, tags: Sequence[str] = (), keys: Sequence[str] = (SERVING,)
) -> list[Piece]:
    """A serialised MetaGraphDef; payloads that the graph holds are not read.

    Args:
        model: what to write.
        tags: for a SavedModel.
        keys: the signature stands under each of them.

    Read by: ``metagraph.MetaGraph``.
    """
    nodes, variables, saver = with_saver(model.graph, model.variables)
    if model.release is not None:
        nodes = {name: settle_node(node, model.release) for name, node in nodes.items()}
    functions = called_functions(nodes, model.graph.functions)
    head, tail = proto.MetaGraphDef(), proto.MetaGraphDef()
    head.meta_info_def.tags.extend(tags)
    head.meta_info_def.tensorflow_version = model.tensorflow
    head.meta_info_def.stripped_op_list.op.extend(op_list(nodes, functions))
    if saver is not None:
        tail.saver_def.MergeFromString(write_saver_def(saver_def(saver)))
    _fill_variables(tail, variables)
    if model.table_initializers:
        tail.collection_def["table_initializer"].node_list.value.extend(model.table_initializers)
        if tags:
            initialiser = _run_all(model.table_initializers, nodes)
            nodes[initialiser.name] = initialiser
            tail.collection_def["saved_model_main_op"].node_list.value.append(initialiser.name)
    for key in keys:
        fill_signature(tail.signature_def[key], model.signature)
    return [
        head.SerializeToString(deterministic=True),
        *delimited(_GRAPH_DEF, _graph_pieces(nodes, functions, model.producer)),
        tail.SerializeToString(deterministic=True),
    ]


def _graph_pieces(
    nodes: Mapping[str, Node], functions: Mapping[str, Function], producer: int
) -> list[Piece]:
    pieces = [piece for node in nodes.values() for piece in delimited(_NODE, write_node(node))]
    library = write_library(functions)
    if library:
        pieces += delimited(_LIBRARY, library)
    if producer:  # a file without versions means the oldest, and stays without
        pieces.append(wire.length_delimited(_VERSIONS, wire.varint_field(1, producer)))
    return pieces


def _format_text(pieces: Sequence[Piece]) -> bytes:
    data = b"".join(piece_bytes(piece) for piece in pieces)
    return proto.format_text(proto.MetaGraphDef.FromString(data)).encode()


def _run_all(names: Sequence[str], nodes: Mapping[str, Node]) -> Node:
    name, count = _TABLES, 0
    while name in nodes:
        count += 1
        name = f"{_TABLES}_{count}"
    return Node(name, "NoOp", [f"^{name}" for name in names])


def _fill_variables(message: proto.MetaGraphDef, variables: Sequence[Variable]) -> None:
    """The collections that tell Python of the variables, each a list of VariableDefs."""
    if not variables:
        return
    listed = [write_variable_def(variable_def(variable)) for variable in variables]
    trained = [d for d, v in zip(listed, variables, strict=True) if v.trainable]
    for key, values in (
        ("variables", listed), ("model_variables", listed), ("trainable_variables", trained),
    ):  # fmt: skip
        if values:
            message.collection_def[key].bytes_list.value.extend(values)


def fill_signature(message: proto.SignatureDef, signature: Signature) -> None:
    """Write a Signature into a SignatureDef."""
    for field, infos in ((message.inputs, signature.inputs), (message.outputs, signature.outputs)):
        for key, info in infos.items():
            _fill_info(field[key], info)
    message.method_name = signature.method or _PREDICT


def _fill_info(message: proto.TensorInfo, info: TensorInfo) -> None:
    message.name = info.tensor if ":" in info.tensor else f"{info.tensor}:0"
    message.dtype = info.dtype.enum if info.dtype is not None else 0
    fill_shape(message.tensor_shape, info.shape)


def fill_shape(message: proto.TensorShapeProto, shape: Dims) -> None:
    """Write a static shape into a TensorShapeProto."""
    message.SetInParent()
    if shape is None:
        message.unknown_rank = True
        return
    for size in shape:
        message.dim.add(size=-1 if size is None else size)
