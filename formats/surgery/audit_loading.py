"""What of a MetaGraph runs when it is loaded, before anybody calls it.

    collections saved_model_main_op, legacy_init_op, saved_model_init_op      (TensorFlow 1)
    signature __saved_model_init_op                                           (TensorFlow 2)

Source: tensorflow/cc/saved_model/loader_util.cc, python/saved_model/loader_impl.py.
"""

from __future__ import annotations

from modelfmt.errors import ModelFormatError
from modelfmt.graph import parse_input
from modelfmt.tf.metagraph import MetaGraph

_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "saved_model_init_op")
_SIGNATURE = "__saved_model_init_op"


def loaded_nodes(metagraph: MetaGraph) -> frozenset[str]:
    """The nodes that run at loading, through data and control edges."""
    roots: list[str] = []
    stored = metagraph.message.collection_def
    for key in _COLLECTIONS:
        if key in stored:
            roots += stored[key].node_list.value
    signature = metagraph.message.signature_def
    if _SIGNATURE in signature:
        roots += [info.name for info in signature[_SIGNATURE].outputs.values()]
    found: set[str] = set()
    todo = [parse_input(name).node for name in roots]
    while todo:
        name = todo.pop()
        node = metagraph.graph.find(name)
        if node is None or name in found:
            continue
        found.add(name)
        try:
            todo += [parse_input(edge).node for edge in (*node.data_inputs, *node.controls)]
        except ModelFormatError:
            continue  # a damaged edge leads nowhere
    return frozenset(found)
