"""What ``oci-convert help`` tells besides the commands; the manual pages tell it, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from oci_convert.cli.status import MEANINGS

__all__ = ["TOPICS", "Block", "Topic", "about_code", "write"]

Block: TypeAlias = str | Mapping[str, str]
"""A paragraph, or terms with what they mean."""

_REFERENCES: Final[Sequence[Block]] = (
    "Sources and destinations are written as in skopeo:",
    {
        "oci:PATH[:REF]": "An OCI layout. Images are added to one that is there.",
        "dir:PATH": "A directory with one image, as skopeo and podman write it.",
        "docker-archive:FILE[:REF]": "An archive of docker save, of any age and producer.",
        "oci-archive:FILE[:REF]": "An OCI layout in a tar file.",
        "docker://HOST/REPOSITORY:TAG": (
            "An image in a registry; @DIGEST may take the place of the tag. As a source, :* means "
            "every tag; in a destination, {tag} stands for the tag of the source."
        ),
        "-": "An archive on standard input or output.",
        "a bare path": (
            "What its content says. A new one becomes a layout with --to oci, a dir: with "
            "--to docker, and an archive if it ends like one."
        ),
    },
    (
        "REF is a name, @N for the N-th image (from 0), or a digest. Without one, every image of "
        "the source is converted."
    ),
    (
        "oci: and oci-archive: imply --to oci, docker-archive: implies --to docker. A dir: and a "
        "registry hold either format."
    ),
    (
        "A path may hold colons: it is the longest one that exists, else what stands before the "
        "first colon."
    ),
    (
        "An archive is read packed or not (gzip, zstd, bzip2, xz), and written as its name says: "
        ".tar, .tar.gz, .tgz, .tar.zst."
    ),
)


@dataclass(frozen=True, slots=True)
class Topic:
    """A text that is no command."""

    summary: str
    blocks: Callable[[], Sequence[Block]]


def _findings() -> Sequence[Block]:
    from oci_convert.cli.spelling import as_option
    from oci_convert.findings import CODES, Level  # no help needs them
    from oci_convert.text.wording import Wording

    blocks: list[Block] = [
        (
            "A finding has a code that stays the same from version to version. A loss is something "
            "of the source that is not in the target: --on-loss fail refuses it before anything is "
            "written. oci-convert help CODE tells what to do about one."
        )
    ]
    for level in (Level.LOSS, Level.WARNING, Level.INFO, Level.ERROR):
        blocks.append(f"{level.value.capitalize()}:")
        of_level = {name: it.meaning for name, it in CODES.items() if it.level is level}
        told = {name: Wording(it).spelled(as_option) for name, it in of_level.items()}
        blocks.append(told)
    return blocks


def _exit_status() -> Sequence[Block]:
    return (
        MEANINGS,
        (
            "Standard output has only the result: a digest, one line an image; an answer; JSON "
            "with --json; an archive with -. Everything else goes to standard error."
        ),
    )


TOPICS: Final = {
    "references": Topic("How sources and destinations are written.", lambda: _REFERENCES),
    "findings": Topic("What may be reported about an image.", _findings),
    "exit-status": Topic("What the exit status says.", _exit_status),
}


def about_code(name: str) -> Sequence[Block]:
    """What a finding means, and what can be done about it."""
    from oci_convert.cli.spelling import as_option
    from oci_convert.findings import CODES
    from oci_convert.text.wording import Wording

    code = CODES[name]
    level = f"{code.level.value}; --strict refuses it" if code.fault else code.level.value
    told = (Wording(text).spelled(as_option) for text in (code.meaning, code.advice))
    return (f"{name} ({level})", *told)


def write(blocks: Sequence[Block], formatter: Any) -> None:
    """Write them as a help is written; `code` needs no marks there."""
    for block in blocks:
        if isinstance(block, str):
            formatter.write_paragraph()
            formatter.write_text(block.replace("`", ""))
        else:
            with formatter.indentation():
                formatter.write_dl([(it, said.replace("`", "")) for it, said in block.items()])
