"""Ops and functions of TensorFlow that reach out of a graph: a table, and the risks of a graph.

Source: tensorflow/core/ops/*.cc, SECURITY.md ("TensorFlow models are programs"), and the op
registry of TensorFlow 2.21 for what is no op of TensorFlow's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from functools import cache

from modelfmt.errors import UnsafeFileError
from modelfmt.graph import Function, Graph, Node, parse_input
from modelfmt.graphs.inline import inline
from modelfmt.ops import opdefs
from modelfmt.ops.opname_rows import NAMES
from modelfmt.storage.files import FileSpan
from modelfmt.surgery.risks import HIGH, MEDIUM, Risk, leads_out
from modelfmt.tensor import Tensor

_CALLS = "calls a Python function of the process by its number"
_READS, _WRITES = "reads files that the graph names", "writes files that the graph names"
_NET = "talks to other machines"
#: What it does -> ops that do it.
_OPS: Mapping[str, str] = {
    _CALLS: "PyFunc PyFuncStateless EagerPyFunc GeneratorDataset",
    _READS: """
        ReadFile MatchingFiles WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2
        FixedLengthRecordReader FixedLengthRecordReaderV2 TFRecordReader TFRecordReaderV2
        LMDBReader LMDBDataset IdentityReaderV2 TextLineDataset TFRecordDataset TFRecordDatasetV2
        FixedLengthRecordDataset FixedLengthRecordDatasetV2 CSVDataset CSVDatasetV2 SqlDataset
        ExperimentalSqlDataset ExperimentalCSVDataset ExperimentalLMDBDataset
        ExperimentalMatchingFilesDataset MatchingFilesDataset LoadDataset SnapshotDataset
        SnapshotDatasetReader SnapshotDatasetV2 LoadAndRemapMatrix GenerateVocabRemapping
        ReaderReadV2 ImmutableConst InitializeTableFromDataset CheckpointHasKey
        FileSystemSetConfiguration
        """,
    _WRITES: """
        WriteFile SaveDataset SaveDatasetV2 CacheDataset CacheDatasetV2 SnapshotChunkDataset
        CreateSummaryFileWriter CreateSummaryDbWriter SummaryWriter ImportEvent WriteSummary
        WriteRawProtoSummary DatasetToTFRecord ExperimentalDatasetToTFRecord
        DistributedSave
        """,
    _NET: """
        RpcCall RpcClient RpcServer RpcServerRegister RpcServerStart DataServiceDataset
        DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4 RegisterDataset
        RegisterDatasetV2 BigQueryReader CloudBigtableClient GcsConfigureBlockCache
        GcsConfigureCredentials
        """,
}
#: Ops that take a file name which a model has a use for: op -> the input that is the name.
_NAMED = {
    "InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1, "SaveV2": 0,
    "RestoreV2": 0, "Save": 0, "SaveSlices": 0, "Restore": 0, "RestoreSlice": 0,
    "MergeV2Checkpoints": 1,
}  # fmt: skip
#: Ops that reach out only where an attr says so: op -> attr, and what says so.
_SAID = {
    "PrintV2": ("output_stream", re.compile(rb"^file://"), _WRITES),
    "DebugIdentity": ("debug_urls", re.compile(rb"^(file|grpc)://"), _WRITES),
    "DebugIdentityV2": ("debug_urls", re.compile(rb"^(file|grpc)://"), _WRITES),
    "DebugIdentityV3": ("debug_urls", re.compile(rb"^(file|grpc)://"), _WRITES),
    "EncodeProto": ("descriptor_source", re.compile(rb"^(?!local://|bytes://|$)"), _READS),
    "DecodeProtoV2": ("descriptor_source", re.compile(rb"^(?!local://|bytes://|$)"), _READS),
}  # fmt: skip
#: Functions of TensorFlow, by what a TFOpLambda calls them.
_FUNCTIONS = {
    re.compile(r"(^|\.)(py_function|numpy_function|py_func|eager_py_func)$"): _CALLS,
    re.compile(r"(^|\.)(io\.)?(read_file|matching_files|gfile\..*)$"): _READS,
    re.compile(r"(^|\.)(io\.)?write_(file|graph)$"): _WRITES,
    re.compile(r"^(data|summary|saved_model|train|debugging\.experimental|profiler)\."):
        "reads or writes files that the config names",
    re.compile(r"(^|\.)(load_op_library|load_library|load_file_system_library)$"):
        "loads a library of machine code",
    re.compile(r"^(distribute|experimental\.dtensor|config)\."): _NET,
}  # fmt: skip


#: A constant of more bytes than that does not stand in a graph as one repeated value.
_BOMB = 256 << 20


@cache
def _known() -> frozenset[str]:
    return frozenset(NAMES.split())


@cache
def _risky() -> dict[str, str]:
    return {op: why for why, ops in _OPS.items() for op in ops.split()}


def op_risk(op: str) -> Risk | None:
    """The risk of an op's type alone, without a place; None: it is one that only computes."""
    why = _risky().get(op)
    if why is not None:
        return Risk(HIGH, "op", "", op, why)
    if op not in _known() and opdefs.get(op) is None and not op.startswith("_"):
        return Risk(
            MEDIUM, "op", "", f"{op}, which is no op of TensorFlow's",
            "needs a library of machine code that is loaded beside the model",
        )
    return None


def function_risk(name: str) -> Risk | None:
    """The risk of a function of TensorFlow that a config calls; None: it only computes."""
    raw = re.fullmatch(r"raw_ops\.(\w+)", name)
    if raw:
        return op_risk(raw[1])
    for pattern, why in _FUNCTIONS.items():
        if pattern.search(name):
            return Risk(HIGH, "function", "", f"the function {name}", why)
    return None


def graph_risks(graph: Graph, at_load: Set[str] = frozenset()) -> Iterator[Risk]:
    """The risks of a graph's nodes and functions.

    Args:
        graph: with its functions.
        at_load: nodes that run when the model is loaded.
    """
    functions = graph.functions
    for node in graph.values():
        early = " when the model is loaded" if node.name in at_load else ""
        yield from _node_risks(node, graph, functions, f'node "{node.name}"', early)
    for name, function in functions.items():
        for node in function.values():
            place = f'function "{name}", node "{node.name}"'
            yield from _node_risks(node, function, functions, place, "")


def _node_risks(
    node: Node, nodes: Mapping[str, Node], functions: Mapping[str, Function], place: str, early: str
) -> Iterator[Risk]:
    risk = None if node.op in functions else op_risk(node.op)
    if risk is not None:
        yield Risk(risk.severity, risk.rule, place, risk.what, risk.why + early)
    if node.op in _SAID:
        key, pattern, why = _SAID[node.op]
        value = node.attrs.get(key)
        for said in value if isinstance(value, list) else [value]:
            text = said if isinstance(said, bytes) else str(said or "").encode()
            if pattern.search(text):
                yield Risk(HIGH, "op", place, f"{node.op} with {key} {_shown(text)}", why + early)
    if node.op in _NAMED:
        for text in _file_names(node, nodes):
            if leads_out(text.decode("utf-8", "replace")):
                yield Risk(
                    HIGH, "file", place, f"{node.op} of the file {_shown(text)}",
                    (_WRITES if node.op.startswith(("Save", "Merge")) else _READS) + early,
                )


def _file_names(node: Node, nodes: Mapping[str, Node]) -> list[bytes]:
    """What a node's file name is, where a Const says it."""
    port = _NAMED[node.op]
    data = node.data_inputs
    source = nodes.get(parse_input(data[port]).node) if port < len(data) else None
    hops = 0
    while source is not None and source.op in ("Identity", "PlaceholderWithDefault") and hops < 16:
        before = source.data_inputs
        source = nodes.get(parse_input(before[0]).node) if before else None
        hops += 1
    value = source.attrs.get("value") if source is not None and source.op == "Const" else None
    if not isinstance(value, Tensor) or value.strings is None:
        return []
    return value.strings()


def bomb_risks(graph: Graph) -> Iterator[Risk]:
    """Constants of a few bytes that stand for many, and functions that call and call.

    Raises:
        UnsafeFileError: functions that expand to more nodes than any model has.
    """
    for node in graph.values():
        try:
            value = node.attrs.get("value") if node.op == "Const" else None
        except UnsafeFileError as error:
            yield Risk(
                HIGH, "bomb", f'node "{node.name}"', f"{error.what} ({error.found})",
                "making it fills the memory",
            )  # fmt: skip
            continue
        if isinstance(value, Tensor) and value.strings is None and value.nbytes > _BOMB and (
            not isinstance(value.payload, FileSpan)
        ):
            yield Risk(
                HIGH, "bomb", f'node "{node.name}"',
                f"a constant {value.dtype}{list(value.shape)} of one repeated value",
                f"it takes {value.nbytes} bytes when it is made",
            )
    inline(graph)


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace"))
