"""A function run in a child process, which may hang, die or grow without harm to this one.

libhdf5 is C that trusts its files: two flipped bits were seen to send it round for ever. Nothing
within a process ends that. Who must survive any file (check, audit) lets a child read it.

One JSON document goes each way, no pickles: what comes back was made beside hostile bytes.

    task    {"path": sys.path, "target": [module, name], "arguments": [...],
             "memory": bytes or null, "seconds": CPU time}
    answer  {"value": ...} or {"error": ERROR} or {"raised": the text of a traceback}
    ERROR   {"modelfmt error": [module, class], "what": text, "where": [path, key, offset],
             "more": {attribute: value}}; a value may hold such errors anywhere
"""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from modelfmt.errors import CorruptFileError, ModelFormatError, UnsafeFileError, Where

#: What a file gets: so many seconds of computing, and one more for so many bytes. On a busy
#: machine that may take several times as long by the clock.
SECONDS, BYTES_A_SECOND, BUSY = 10.0, 5_000_000, 6
#: What it may take beyond the libraries: so much, and three times its size (one of them mapped).
MEMORY = 1 << 30

_TAG = "modelfmt error"
_START = (
    "import json, sys\n"
    "task = json.load(sys.stdin)\n"
    "sys.path[:] = task['path']\n"
    "from modelfmt.storage.isolated import serve\n"
    "serve(task)\n"
)


class ChildError(RuntimeError):
    """The function raised what is no error of ours: a bug of modelfmt; the child's traceback."""


def read_isolated(
    function: Callable[..., Any], path: str, *arguments: Any, seconds: float | None = None
) -> Any:
    """Run ``function(path, *arguments)``, which reads a file, in a child with limits.

    Args:
        function: of a module, by its own name; the child imports it from there. What this
            process registered (layers) or patched, the child does not know.
        path: the file.
        arguments: plain JSON.
        seconds: the limit, of CPU time where there are signals; by default 10, and one more for
            every 5 MB of the file.

    Returns:
        The function's result: plain JSON, errors of ours among it.

    Raises:
        CorruptFileError: the child was killed by a signal, ended early, or took too long.
        UnsafeFileError: it ran out of memory.
        ModelFormatError: as the function raised it.
        ChildError: the function raised anything else.
    """
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    limit = SECONDS + size / BYTES_A_SECOND if seconds is None else seconds
    endless = CorruptFileError(
        f"reading it came to no end within {limit:.1f} s, and was stopped", where=Where(path)
    )
    task = {
        "path": sys.path, "target": [function.__module__, function.__qualname__],
        "arguments": [path, *arguments], "memory": MEMORY + 3 * size, "seconds": limit,
    }
    where = Where(path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _START], input=json.dumps(task), capture_output=True,
            encoding="utf-8", errors="replace", check=False,
            timeout=limit * BUSY if hasattr(signal, "SIGXCPU") else limit,
        )
    except subprocess.TimeoutExpired:
        raise endless from None
    if hasattr(signal, "SIGXCPU") and done.returncode == -signal.SIGXCPU:
        raise endless
    if done.returncode < 0:
        raise CorruptFileError(
            f"reading it killed the process that did so ({_name(-done.returncode)})", where=where
        )
    try:
        answer = json.loads(done.stdout, object_hook=_decoded)
    except json.JSONDecodeError:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise CorruptFileError(
            f"reading it ended the process that did so (status {done.returncode}, {last[:300]})",
            where=where,
        ) from None
    if "raised" in answer:
        raise ChildError(answer["raised"])
    if "grew" in answer:
        raise UnsafeFileError("reading it takes too much memory", where=where)
    if "error" in answer:
        raise answer["error"]
    return answer["value"]


def serve(task: dict[str, Any]) -> None:
    """The child's side: do the task, and answer on what was its standard output."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries that print do not print into the answer
    try:
        module, name = task["target"]
        function: Any = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
        _limit(task["memory"], task["seconds"])
        answer: dict[str, Any] = {"value": function(*task["arguments"])}
    except ModelFormatError as error:
        answer = {"error": error}
    except MemoryError:
        answer = {"grew": True}
    except BaseException:  # the other side raises it again
        answer = {"raised": traceback.format_exc()}
    _send(out, answer)


def _send(out: TextIO, answer: dict[str, Any]) -> None:
    json.dump(answer, out, default=_encoded)
    out.close()
    os._exit(0)  # a damaged HDF5 file may hang or crash on being closed, too


def _limit(memory: int | None, seconds: float) -> None:
    """Bound memory and CPU time, where the system knows of such limits; no core is dumped."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = time.process_time()  # by imports
    wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: math.ceil(used + seconds)}
    if memory is not None and os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm", encoding="ascii") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        wanted[resource.RLIMIT_AS] = taken + memory
    for which, value in wanted.items():
        hard = resource.getrlimit(which)[1]
        if hard == resource.RLIM_INFINITY or value < hard:
            resource.setrlimit(which, (value, hard))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _encoded(value: Any) -> Any:
    """What JSON does not know: errors of ours, else a text. Reversed by ``_decoded``."""
    if not isinstance(value, ModelFormatError):
        return str(value)
    more = {k: v for k, v in vars(value).items() if k not in ("what", "where")}
    for operand in ("expected", "found"):  # a tuple would come back as a list, and read so
        if more[operand] is not None:
            more[operand] = str(more[operand])
    where = value.where
    return {
        _TAG: [type(value).__module__, type(value).__qualname__],
        "what": value.what, "where": [where.path, where.key, where.offset], "more": more,
    }


def _decoded(found: dict[str, Any]) -> Any:
    """An error as it was; of a class that is none of ours, a CorruptFileError."""
    if _TAG not in found:
        return found
    module, name = found[_TAG]
    made: Any = None
    if module.startswith("modelfmt."):
        made = getattr(importlib.import_module(module), name, None)
    if not (isinstance(made, type) and issubclass(made, ModelFormatError)):
        made = CorruptFileError
    error: ModelFormatError = made.__new__(made)
    Exception.__init__(error, found["what"])
    vars(error).update(found["more"])
    error.what, error.where = found["what"], Where(*found["where"])
    return error
