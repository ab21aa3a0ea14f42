"""``translate``: one document, from standard input to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from oci_convert.cli import show
from oci_convert.cli.app import Debug, Limit, Quiet, app
from oci_convert.cli.help import Command
from oci_convert.cli.registry_options import Registries, takes_registries
from oci_convert.enums import Compress
from oci_convert.errors import UsageError
from oci_convert.spec.media_types import Family

__all__ = ["translate"]


@app.command(
    cls=Command,
    short_help="Translate one document, byte for byte.",
    epilog="0 translated; 1 failed; 2 wrong usage",
)
@takes_registries()
def translate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE|-]", help="A manifest or an index; or docker://HOST/REPO:TAG."
        ),
    ] = "-",
    *,
    to: Annotated[Family, typer.Option(help="The format to translate to.")],
    digest_map: Annotated[
        Path | None,
        typer.Option(
            "--map", metavar="FILE", help="Report of the conversion of an index's images."
        ),
    ] = None,
    compress: Annotated[
        Compress, typer.Option(help="Compression of layers; keep allows unofficial types.")
    ] = Compress.AUTO,
    keep_extensions: Annotated[
        bool,
        typer.Option(
            "--keep-extensions", help="Keep fields that the Docker schema does not define."
        ),
    ] = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    quiet: Quiet = False,
) -> None:
    """Translate one document from standard input to standard output, byte for byte.

    Example: oci-convert translate manifest.json --to oci
    """
    from oci_convert.report import read_map
    from oci_convert.transform.translate import translate as run

    raw = _read(file, registries)
    known = None if digest_map is None else read_map(digest_map.read_bytes(), str(digest_map))
    where = "standard input" if file == "-" else file
    translation = run(
        raw,
        to,
        digest_map=known,
        compress=compress,
        keep_extensions=keep_extensions,
        where=where,
    )
    if not quiet:
        show.findings(translation.findings)
    sys.stdout.buffer.write(translation.raw)
    sys.stdout.buffer.flush()


def _read(file: str, registries: Registries) -> bytes:
    """The bytes of a document: of a file, of standard input, or of an image in a registry."""
    if file == "-":
        return sys.stdin.buffer.read()
    store = registries.source(file)
    if isinstance(store, str):
        return Path(file).read_bytes()
    from oci_convert.stores.opening import opened

    with opened(store) as (_, source, roots):
        if len(roots) != 1:
            raise UsageError(
                f"there are {len(roots)} images",
                code="several-images",
                where=file,
                remedy="name one: docker://HOST/REPOSITORY:TAG",
            )
        return b"".join(source.read(roots[0].descriptor, file))
