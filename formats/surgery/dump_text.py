"""dump --pbtxt: the message that a file is, as protobuf text.

Of a GraphDef, a MetaGraphDef or a SavedModel; a file that is text already is given as it stands.
What our schema does not know is left out, as protobuf's text format has no names for it.
"""

from __future__ import annotations

import os

from modelfmt import proto
from modelfmt.errors import CorruptFileError, UnsupportedError, Where
from modelfmt.storage.files import SourceFile
from modelfmt.surgery.opening import open as open_container

#: Kind -> the message that its file is.
MESSAGES = {"graphdef": "GraphDef", "metagraph": "MetaGraphDef", "savedmodel": "SavedModel"}


def dump_text(path: str | os.PathLike[str], *, kind: str | None = None) -> str:
    """The text of a file's message.

    Args:
        path: the file, or a SavedModel's folder.
        kind: overrides what the content says.

    Raises:
        UnsupportedError: a kind that is no message.
        CorruptFileError: the bytes are none.
    """
    with open_container(path, kind=kind) as container:
        found, file = container.kind, container.path
        if found not in MESSAGES:
            raise UnsupportedError(
                f"a {found} file is no protobuf message", where=Where(file),
                expected=f"one of {', '.join(MESSAGES)}", hint="Leave --pbtxt out.",
            )
        is_text = bool(getattr(container, "is_text", False))
    if os.path.isdir(file):
        file = os.path.join(file, "saved_model.pbtxt" if is_text else "saved_model.pb")
    with SourceFile(file) as source:
        data = source.read(0, source.size)
    if is_text:
        return data.decode()
    try:
        message = getattr(proto, MESSAGES[found]).FromString(data)
    except proto.DecodeError as error:
        raise CorruptFileError(
            f"not a {MESSAGES[found]} ({error})", where=Where(file)
        ) from None
    return proto.format_text(message)
