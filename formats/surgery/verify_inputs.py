"""Inputs to try a model on: recorded ones, or random ones that the model can take.

    floats      standard normal
    integers    from 0 on, below the number of rows of every table that they pick from
    bools       either; a learning phase is false
    strings     words of the vocabulary that they are looked up in, else words
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modelfmt.container import Container
from modelfmt.errors import MismatchError, ModelFormatError, UnsupportedError, Where
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.view import View
from modelfmt.network import Layer, Network
from modelfmt.surgery.describe import Report

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]

#: What stands for an unknown size that is not the batch.
UNKNOWN_SIZE = 8
_WORDS = ("alpha", "beta", "gamma", "delta", "omega")
_TABLES = {"GatherV2": (0, 1), "Gather": (0, 1), "ResourceGather": (0, 1)}


def random_inputs(
    report: Report, samples: int, seed: int, limits: Mapping[str, Any] | None = None
) -> Arrays:
    """Inputs of the shapes and dtypes that ``dump`` tells of.

    Args:
        report: of ``dump``; its ``inputs`` are rows of name, dtype and shape.
        samples: the batch size.
        seed: equal seeds give equal inputs.
        limits: for an input of integers how many there are, of strings the words.

    Raises:
        UnsupportedError: the rank of an input is not known.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    feeds: Arrays = {}
    for row in report["inputs"]:
        if row["shape"] is None:
            raise UnsupportedError(
                f'input "{row["name"]}" has no known shape', where=Where(report["path"]),
                hint="Pass --inputs FILE.npz.",
            )
        shape = [UNKNOWN_SIZE if size is None else size for size in row["shape"]]
        if row["shape"] and row["shape"][0] is None:
            shape[0] = samples
        limit = (limits or {}).get(row["name"])
        if "learning_phase" in row["name"] and not shape:
            limit = 1
        feeds[row["name"]] = _drawn(rng, shape, row["dtype"] or "float32", limit)
    return feeds


def _drawn(
    rng: np.random.Generator, shape: list[int], kind: str, limit: Any
) -> npt.NDArray[Any]:
    import numpy as np

    if kind == "string":
        words = np.array(limit if isinstance(limit, list) and limit else _WORDS)
        return np.asarray(rng.choice(words, shape))
    dtype = np.dtype(kind)
    if dtype.kind in "iub":
        count = limit if isinstance(limit, int) and limit > 0 else 2
        return np.asarray(rng.integers(0, count, shape)).astype(dtype)
    if isinstance(limit, int) and limit > 0:  # whole numbers that an Embedding casts
        return np.asarray(rng.integers(0, limit, shape)).astype(dtype)
    return np.asarray(rng.standard_normal(shape)).astype(dtype)


def limits_of(container: Container) -> dict[str, Any]:
    """For inputs that pick from a table: how many rows it has, or its words; by input name."""
    try:
        if container.has_network:
            return dict(_of_network(container.network))
        if container.has_graph:
            return _of_graph(container)
    except ModelFormatError:  # drawn without, then
        pass
    return {}


def _of_network(network: Network) -> Iterator[tuple[str, Any]]:
    found: dict[str, Any] = {}
    for layer in network.layers:
        limit = _limit(layer)
        if limit is None:
            continue
        for call in layer.calls:
            for ref in call.inputs:
                old = found.get(ref.layer)
                both = isinstance(old, int) and isinstance(limit, int)
                found[ref.layer] = min(old, limit) if both else limit
    names = {ref.layer for ref in network.inputs}
    yield from ((name, limit) for name, limit in found.items() if name in names)


def _limit(layer: Layer) -> Any:
    config = layer.config
    if layer.class_name in ("Embedding", "ReversibleEmbedding"):
        return config.get("input_dim")
    if layer.class_name == "CategoryEncoding":
        return config.get("num_tokens") or config.get("max_tokens")
    words = config.get("vocabulary")
    if layer.class_name in ("StringLookup", "TextVectorization") and isinstance(words, list):
        return [word for word in words if word]
    return None


def _of_graph(container: Container) -> dict[str, Any]:
    from modelfmt.tf.metagraph import GraphWithVariables

    values = container.values if isinstance(container, GraphWithVariables) else None
    view = look(container.graph, None, None, values)
    found: dict[str, int] = {}
    for node in view.live.values():
        if node.op in _TABLES:
            table, picks = _TABLES[node.op]
            rows = (view.shape(node.inputs[table]) or (None,))[0]
            if rows is not None:
                for name in _sources(node.inputs[picks], view):
                    found[name] = min(found.get(name, rows), rows)
    return found


def _sources(tensor: str, view: View) -> set[str]:
    """The inputs that a tensor of indices follows from."""
    found: set[str] = set()
    todo, seen = [view.resolve(tensor)], set[str]()
    while todo and len(seen) < 64:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in view.inputs:
            found.add(name.split(":")[0])
            continue
        node = view.producer(name)
        if node is not None and view.constant(name) is None:
            todo += [view.resolve(i) for i in node.inputs]
    return found


def fitted(feeds: Arrays, report: Report) -> Arrays:
    """The same arrays under another file's input names: by name, else by shape in order.

    Raises:
        MismatchError: the file has other inputs.
    """
    names = [row["name"] for row in report["inputs"]]
    if set(names) == set(feeds):
        return {name: feeds[name] for name in names}
    left, found = dict(feeds), {}
    for row in report["inputs"]:
        if "learning_phase" in row["name"] and row["shape"] == []:
            import numpy as np

            found[row["name"]] = np.zeros((), row["dtype"] or "bool")
            continue
        for key, array in left.items():
            if _fits(array, row["shape"]):
                found[row["name"]] = left.pop(key)
                break
    spare = [key for key in left if "learning_phase" not in key]
    if len(found) != len(names) or spare:
        raise MismatchError(
            "the files have other inputs", where=Where(report["path"]),
            expected={name: list(array.shape) for name, array in feeds.items()}, found=names,
        )
    return found


def _fits(array: npt.NDArray[Any], shape: list[int | None] | None) -> bool:
    return shape is None or (
        len(shape) == array.ndim
        and all(s is None or s == d for s, d in zip(shape, array.shape, strict=True))
    )
