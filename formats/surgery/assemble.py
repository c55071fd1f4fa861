"""assemble: the parts that ``extract`` made, put together again.

Nothing edited means the same bytes. An edited text is encoded anew only where it says something
else; edited elements take the place of the old ones, and what holds their checksums is corrected.
Of a SavedModel whose elements were edited, fingerprint.pb tells the hash of the variables as they
are now; one whose graph says something else loses the file, as tf/fingerprint.py tells.
"""

from __future__ import annotations

import dataclasses
import os

from modelfmt.errors import CorruptFileError, UnsupportedError, Where, located
from modelfmt.storage.files import Piece, write_pieces
from modelfmt.storage.output import atomic_folder, atomic_output, check_output
from modelfmt.surgery.parts import Parts, Record, digest

_FILES = ("graphdef", "metagraph", "keras-h5", "keras-weights", "keras")
_FINGERPRINT = "fingerprint.pb"
_MARKERS = ("saved_model.pb", "saved_model.pbtxt")


@dataclasses.dataclass(frozen=True)
class Assembly:
    """What ``assemble`` did; ``edited`` names the texts and elements that say something else.

    ``remarks`` are sentences about what is not as it was for another reason.
    """

    source: str
    kind: str
    destination: str
    edited: list[str] = dataclasses.field(default_factory=list)
    remarks: list[str] = dataclasses.field(default_factory=list)


def assemble(
    parts: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    to: str | None = None,
    force: bool = False,
) -> Assembly:
    """Put the parts of a model file together.

    Args:
        parts: a folder that ``extract`` made, edited or not.
        out: the file to write; for a checkpoint its prefix, for a SavedModel its folder.
        to: the kind of the output; only the kind that the parts are of.
        force: replace an existing output.

    Raises:
        MissingError: a part is not there, or an edited node reads what is not there.
        MismatchError: an array was edited to another dtype or shape.
        CorruptFileError: the manifest or a text is not what it was.
        UnsafeFileError: the manifest leads out of its folder.
        UnsupportedError: another kind was asked for.

    Reverses: ``extract.extract``.
    """
    folder, out = os.fspath(parts), os.fspath(out)
    opened = Parts(folder)
    opened.near = os.path.dirname(os.path.realpath(out))
    remarks: list[str] = []
    try:
        kind = opened.kind
        if kind not in (*_FILES, "savedmodel", "checkpoint"):
            raise UnsupportedError(
                f"parts of kind {kind} cannot be put together", where=opened.where
            )
        if to is not None and to != kind:
            raise UnsupportedError(
                "putting parts together as another kind", where=opened.where,
                expected=kind, found=to, hint="Convert the file that they make.",
            )
        if kind == "savedmodel":
            edited, remarks = _savedmodel(opened, out, force=force)
        else:
            if len(opened.records) != 1:
                raise CorruptFileError(
                    f"the manifest of a {kind} has one part", where=opened.where,
                    found=len(opened.records),
                )
            edited = (_file if kind in _FILES else _checkpoint)(opened, out, force=force)
    finally:
        opened.close()
    return Assembly(folder, kind, out, edited, remarks)


def _file(parts: Parts, out: str, *, force: bool) -> list[str]:
    check_output(out, force=force)
    if parts.records[0].get("part") == "shards":
        from modelfmt.surgery.sharded_parts import implode_shards

        return implode_shards(parts, parts.records[0], out, force=force)
    pieces, edited = _pieces(parts, parts.records[0])
    with atomic_output(out, force=force) as output:
        write_pieces(output.file, pieces)
    return edited


def _checkpoint(parts: Parts, out: str, *, force: bool) -> list[str]:
    from modelfmt.surgery.bundles import implode_bundle, write_imploded

    if parts.records[0].get("part") == "tables":
        from modelfmt.surgery.table_parts import implode_tables

        return implode_tables(parts, parts.records[0], out, force=force)
    prefix = out.removesuffix(".index")
    check_output(f"{prefix}.index", force=force)
    if parts.records[0].get("part") != "bundle":
        raise CorruptFileError("the manifest of a checkpoint has a bundle", where=parts.where)
    made = implode_bundle(parts, parts.records[0])
    write_imploded(made, prefix, force=force)
    return made.edited


def _savedmodel(parts: Parts, out: str, *, force: bool) -> tuple[list[str], list[str]]:
    """What was edited, and remarks."""
    edited: list[str] = []
    remarks: list[str] = []
    is_told = is_graph = False  # whether its text, or anything of saved_model.pb was edited
    is_own = False  # a fingerprint that was edited by hand is meant
    with atomic_folder(out, force=force, markers=_MARKERS) as folder:
        for name in parts.get(parts.manifest, "folders", list):
            os.makedirs(_target(parts, folder, {"output": name}), exist_ok=True)
        for record in parts.records:
            target = _target(parts, folder, record)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if record.get("part") == "bundle":
                from modelfmt.surgery.bundles import implode_bundle, write_imploded

                made = implode_bundle(parts, record)
                write_imploded(made, target, force=False)
                edited += made.edited
                continue
            pieces, changed = _pieces(parts, record)
            edited += changed
            is_own |= parts.output(record) == _FINGERPRINT and bool(changed)
            if parts.output(record) in _MARKERS:
                is_told |= record.get("text", record.get("file")) in changed
                is_graph |= bool(changed)
            with open(target, "xb") as file:
                write_pieces(file, pieces)
        if edited and not is_own:
            from modelfmt.tf.fingerprint import renew

            remarks += renew(folder, graph=is_graph, structure=is_told)
    return edited, remarks


def _target(parts: Parts, folder: str, record: Record) -> str:
    return os.path.join(folder, *parts.output(record).split("/"))


def _pieces(parts: Parts, record: Record) -> tuple[list[Piece], list[str]]:
    """The bytes of a part that makes a file, and the names of its texts that were edited."""
    sort = parts.get(record, "part", str)
    if sort == "message":
        from modelfmt.surgery.messages import implode_message

        return implode_message(parts, record)
    if sort == "text":
        return _text(parts, record)
    if sort == "hdf5":
        from modelfmt.surgery.hdf5_parts import implode_hdf5

        return implode_hdf5(parts, record)
    if sort == "archive":
        from modelfmt.surgery.archive_parts import implode_archive

        return implode_archive(parts, record)
    if sort == "file":
        return [parts.span(parts.get(record, "file", str))], []
    raise CorruptFileError(f"no sort of part {sort!r}", where=parts.where)


def _text(parts: Parts, record: Record) -> tuple[list[Piece], list[str]]:
    """A text proto; one that was edited must still be one."""
    name, kind = parts.get(record, "file", str), parts.get(record, "message", str)
    text = parts.text(name)
    if digest(text.encode()) == parts.get(record, "sha256", str):
        return [parts.span(name)], []
    from modelfmt import proto

    with located(path=parts.path(name)):
        try:
            proto.parse_text(text, getattr(proto, kind))
        except proto.ParseError as error:
            raise CorruptFileError(f"not a text {kind} ({error})", where=Where()) from None
    return [parts.span(name)], [name]
