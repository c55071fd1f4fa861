"""What a graph has beside its inference: optimizer, training, and what nothing uses.

    optimizer  the variables that only Apply ops take beside the weight (slots, beta powers,
               learning rates), global_step, and all that needs them
    training   all that the signatures' outputs, or the inference sinks, do not need; variables,
               their initializers and the saver stay, for those that inference needs
    unused     constants and functions that nothing reads, checkpoint keys that nothing restores
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelfmt.errors import UnsupportedError, Where
from modelfmt.graph import Graph, Node, called_functions, parse_input
from modelfmt.graphs.sinks import sinks
from modelfmt.graphs.variables import VARIABLES, stored
from modelfmt.storage import wire
from modelfmt.surgery.graph_edits import SAVES, GraphEditor, behind, node_of, references
from modelfmt.surgery.pruning import dependents, prune, source_variable
from modelfmt.surgery.slots import is_optimizers
from modelfmt.tf.collections import VariableDef

_APPLY = re.compile(r"(Resource)?(Sparse)?Apply[A-Z]\w*")
_WRITES = re.compile(r"(Assign|Scatter|Resource|Sparse|Apply|Save|Restore|Merge|Queue|Write)\w*")
_SUMMARY = re.compile(r"\w*Summary(V2)?")
#: Steps of names under which TensorFlow and Keras put what trains.
_TRAINING = frozenset({
    "loss", "losses", "metrics", "gradients", "train", "training", "optimizer", "summaries",
    "save", "init", "report_uninitialized_variables",
})  # fmt: skip
#: How TensorFlow names the gradients of custom ops. Source: python/saved_model/save.py.
_GRADIENTS = "__inference_internal_grad_fn"
_TRAIN_SIGNATURES = ("__saved_model_train_op", "train", "eval")
_OBJECT_GRAPH, _CONCRETE = 7, 2


def strip_optimizer(editor: GraphEditor) -> list[str]:
    """Take the optimizer out; the checkpoint keys that are not saved any more."""
    weights: set[str] = set()
    own: set[str] = set()
    applies: list[str] = []
    for name, node in editor.graph.items():
        if not _APPLY.fullmatch(node.op):
            continue
        applies.append(name)
        for number, text in enumerate(node.data_inputs):
            variable = source_variable(editor, text)
            if variable is not None:
                (own if number else weights).add(variable)
    variables = [n for n, node in editor.graph.items() if node.op in VARIABLES]
    listed = set(variables)
    own |= {name for name in variables if is_optimizers(name, listed)}
    gone = dependents(editor, [*(own - weights), *applies])
    return _strip(editor, gone, "the optimizer")


def strip_training(editor: GraphEditor) -> list[str]:
    """Take out what inference does not need; the checkpoint keys that are not saved any more.

    Raises:
        UnsupportedError: nothing tells what inference yields.
    """
    needed = behind(editor.graph, _inference_roots(editor))
    variables = {n for n, node in editor.graph.items() if node.op in VARIABLES}
    lost = dependents(editor, variables - needed)
    roots: set[str] = set()
    for definition in _variable_defs(editor):
        if node_of(definition.name) in needed:
            roots |= {
                node_of(text) for text in
                (definition.initializer, definition.snapshot, definition.initial_value) if text
            }  # fmt: skip
    saver = editor.metagraph.saver if editor.metagraph is not None else None
    if saver is not None:
        roots |= {node_of(t) for t in
                  (saver.filename_tensor, saver.save_tensor, saver.restore_op) if t}
    if editor.metagraph is not None and editor.metagraph.message.HasField("object_graph_def"):
        roots |= _objects(editor)
        needed |= behind(editor.graph, roots)
        lost -= needed
    kept = needed | behind(editor.graph, roots, lost)
    return _strip(editor, set(editor.graph) - kept, "training")


def _inference_roots(editor: GraphEditor) -> set[str]:
    metagraph = editor.metagraph
    roots: set[str] = set()
    if metagraph is not None:
        for key, signature in metagraph.message.signature_def.items():
            if key not in _TRAIN_SIGNATURES:
                for infos in (signature.inputs, signature.outputs):
                    roots |= {node_of(info.name) for info in infos.values() if info.name}
        for asset in metagraph.assets:
            roots.add(node_of(asset.tensor))
        for key in ("saved_model_main_op", "legacy_init_op", "table_initializer"):
            collection = metagraph.collections.get(key)
            if collection is not None and collection.kind == "node_list":
                roots |= {node_of(str(entry)) for entry in collection.entries}
        if any(key not in _TRAIN_SIGNATURES and not key.startswith("__")
               for key in metagraph.message.signature_def):
            return roots
    outputs = {
        name for name in sinks(editor.graph)
        if _is_inference(name, editor.graph[name]) and source_variable(editor, name) is None
    }  # fmt: skip
    outputs = outputs or _hidden_outputs(editor)
    if not outputs:
        raise UnsupportedError(
            "nothing tells training from inference: no signature, and every sink trains",
            where=Where(editor.path), hint="Cut the graph: fmt extract --outputs.",
        )
    return roots | outputs


def _hidden_outputs(editor: GraphEditor) -> set[str]:
    """The sinks of what does not train, where all that it yields goes into a loss."""
    plain = {
        name: node for name, node in editor.graph.items()
        if _is_inference(name, node) and source_variable(editor, name) is None
    }  # fmt: skip
    fed = {name for name, node in editor.graph.items() if node.op.startswith("Placeholder")}
    return {name for name in sinks(Graph(plain)) if behind(editor.graph, [name]) & fed}


def _is_inference(name: str, node: Node) -> bool:
    if _WRITES.fullmatch(node.op) or _SUMMARY.fullmatch(node.op) or node.op in VARIABLES:
        return False
    return not _TRAINING & {step.rstrip("_0123456789") for step in name.split("/")}


def _variable_defs(editor: GraphEditor) -> Iterator[VariableDef]:
    if editor.metagraph is not None:
        for collection in editor.metagraph.collections.values():
            yield from (v for v in collection.values if isinstance(v, VariableDef))


def _objects(editor: GraphEditor) -> set[str]:
    """Nodes that the objects of TensorFlow 2 stand for: constants, and variables by name."""
    assert editor.metagraph is not None  # it has an object graph
    found = set()
    for node in editor.metagraph.message.object_graph_def.nodes:
        if node.WhichOneof("kind") == "constant":
            found.add(node.constant.operation)
    return found


def strip_unused(editor: GraphEditor) -> None:
    """Take out constants and functions that nothing uses."""
    graph = editor.graph
    named = references(editor.metagraph)
    while True:
        read = {parse_input(t).node for _, node in editor.kept() for t in node.inputs}
        dead = {
            name for name, node in editor.kept()
            if node.op == "Const" and name not in read and name not in named
        }  # fmt: skip
        if not dead:
            break
        editor.stripped |= dead
        editor.changes += [f'stripped unused Const "{name}"' for name in graph if name in dead]
    drop_functions(editor, keep_gradients=True)


def drop_functions(editor: GraphEditor, *, keep_gradients: bool) -> None:
    """Take out the functions that no node calls, and no object stands for."""
    functions = editor.graph.functions
    if not functions:
        return
    used = set(called_functions(dict(editor.kept()), functions))
    roots = _concrete(editor) | _gradients(editor)
    if keep_gradients:
        roots |= {name for name in functions if name.startswith(_GRADIENTS)}
    used |= roots
    for name in roots & set(functions):
        used |= set(called_functions(functions[name], functions))
    gone = {name for name in functions if name not in used}
    editor.graph.edits.functions |= gone
    editor.changes += [f'stripped unused function "{name}"' for name in functions if name in gone]


def _concrete(editor: GraphEditor) -> set[str]:
    """The functions that the object graph names."""
    if editor.metagraph is None:
        return set()
    message = editor.metagraph.message
    found = set(message.object_graph_def.concrete_functions)
    found |= set(message.meta_info_def.function_aliases)
    for node in message.object_graph_def.nodes:
        if node.WhichOneof("kind") == "function":
            found |= set(node.function.concrete_functions)
        elif node.WhichOneof("kind") == "bare_concrete_function":
            found.add(node.bare_concrete_function.concrete_function_name)
        elif node.WhichOneof("kind") == "captured_tensor":
            found.add(node.captured_tensor.concrete_function)
    return found


def _gradients(editor: GraphEditor) -> set[str]:
    """Both names of every GradientDef: library field 2, {1 function, 2 gradient}."""
    from modelfmt.tf.nodedef import view_of

    view = view_of(editor.graph.source)
    found = set()
    for library in wire.scan(view):
        if library.field != 2:
            continue
        for span in wire.scan(view, library.offset, library.end):
            if span.field == 2:
                for part in wire.scan(view, span.offset, span.end):
                    found.add(bytes(view[part.offset : part.end]).decode("utf-8", "replace"))
    return found


def used_keys(editor: GraphEditor) -> set[str]:
    """The checkpoint keys that the graph's variables are restored from, or its savers list."""
    assert editor.metagraph is not None  # only then there is a checkpoint
    inlined = editor.metagraph.inlined
    found = {place.key for place in stored(inlined).values()}
    for node in inlined.values():
        if node.op in SAVES or node.op.startswith("Restore"):
            source = inlined.find(parse_input(node.data_inputs[1]).node)
            value = source.attrs.get("value") if source is not None else None
            strings = getattr(value, "strings", None)
            if strings is not None:
                found |= {text.decode("utf-8", "surrogateescape") for text in strings()}
    return found


def _strip(editor: GraphEditor, gone: set[str], what: str) -> list[str]:
    before = len(editor.stripped)
    keys = prune(editor, gone - editor.gone)
    drop_functions(editor, keep_gradients=True)
    count = len(editor.stripped) - before
    if count:
        editor.changes.append(f"stripped {what}: {count} nodes")
    return keys
