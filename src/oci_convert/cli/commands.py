"""The commands: each turns its arguments into one call of the library and shows what it returns."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oci_convert.cli import show
from oci_convert.cli.progress import progress
from oci_convert.cli.record import written
from oci_convert.cli.run import DONE, FAILED, NO
from oci_convert.ground.errors import UsageError
from oci_convert.ground.matrix import matrix, other_spellings, text
from oci_convert.ground.media_types import Family
from oci_convert.journey.options import Keep, OnLoss
from oci_convert.rules.layer_plan import Compress

__all__ = ["app"]

app = typer.Typer(
    name="oci-convert",
    help="Convert container images between the Docker and OCI formats, exactly, both ways.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="oci:PATH[:REF], dir:PATH, docker-archive:FILE[:REF], …"),
]
Json = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no findings.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Blobs worked on at a time; as many as cores."),
]


def _version(wanted: bool) -> None:  # noqa: FBT001 - a callback of typer
    if wanted:
        from importlib.metadata import version

        print(f"oci-convert {version('oci-convert')}")
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command()
def convert(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…", help="oci:PATH[:REF], dir:PATH, docker-archive:FILE[:REF], …"
        ),
    ],
    dest: Annotated[
        str,
        typer.Argument(metavar="DEST", help="The same, a new FILE.tar, or - (standard output)."),
    ],
    *,
    to: Annotated[
        Family | None,
        typer.Option(help="The format to convert to; oci: implies oci."),
    ] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(metavar="OS/ARCH[/VARIANT]", help="Only this platform; may be repeated."),
    ] = None,
    compress: Annotated[Compress, typer.Option(help="How layers are packed.")] = Compress.AUTO,
    level: Annotated[
        int | None,
        typer.Option(min=1, max=9, help="Compression level of repacked layers."),
    ] = None,
    attestations: Annotated[
        Keep, typer.Option(help="Attestations; auto drops those that would change to Docker.")
    ] = Keep.AUTO,
    referrers: Annotated[
        Keep, typer.Option(help="What refers to an image; auto drops it towards Docker.")
    ] = Keep.AUTO,
    signatures: Annotated[
        Keep, typer.Option(help="Signatures; auto carries those that stay valid.")
    ] = Keep.AUTO,
    keep_extensions: Annotated[
        bool, typer.Option("--keep-extensions", help="Leave in place what Docker's schema lacks.")
    ] = False,
    on_loss: Annotated[OnLoss, typer.Option(help="What to do about losses.")] = OnLoss.REPORT,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse images with faults such as lying labels.")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Convert what is there of a sparse index.")
    ] = False,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="An index of one image gives way to that image.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the report here, with what no way back gives."),
    ] = None,
    restore: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Give back the originals in a record."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report, with real digests, and write nothing.")
    ] = False,
    jobs: Jobs = None,
    verify_existing: Annotated[
        bool, typer.Option("--verify-existing", help="Verify blobs that the target holds already.")
    ] = False,
    no_fsync: Annotated[
        bool, typer.Option("--no-fsync", help="Do not flush to disk before the image appears.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the image of a dir: directory, or an archive.")
    ] = False,
    tmpdir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="TMPDIR",
            help="What must wait goes here, but only if nothing is written to disk.",
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link", help="Hard-link blobs instead of copying: source and target are one file."
        ),
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Convert what can be converted, report the rest.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert images, all with one commit: all of them or none.

    Example: oci-convert convert docker-archive:app.tar oci:layout:app
    """
    from oci_convert.journey.convert import convert as run
    from oci_convert.stores.references import parse

    streams = parse(dest).is_stream
    if streams and as_json:
        raise UsageError(
            "--json and an archive cannot both go to standard output",
            code="two-outputs",
            remedy="--record FILE writes the report",
        )
    with written(record) as write_record, progress(wanted=not quiet) as on_progress:
        report = run(
            sources,
            dest,
            to=to,
            platforms=platform or (),
            compress=compress,
            level=level,
            attestations=attestations,
            referrers=referrers,
            signatures=signatures,
            keep_extensions=keep_extensions,
            on_loss=on_loss,
            strict=strict,
            allow_missing=allow_missing,
            flatten=flatten,
            restore=None if restore is None else restore.read_bytes(),
            dry_run=dry_run,
            jobs=jobs,
            verify_existing=verify_existing,
            fsync=not no_fsync,
            force=force,
            link=link,
            keep_going=keep_going,
            tmpdir=tmpdir,
            on_progress=on_progress,
        )
        if record is not None:
            write_record(report.dumps(originals=True))
    if not quiet:
        show.findings(report.findings)
        show.summary(report)
    if as_json:
        _print_json(report.to_json())
    else:
        say = show.tell if streams else show.say
        for image in report.images:
            say(image.new.digest)
    if report.failures:
        show.failures(report.failures)
        raise typer.Exit(FAILED)


@app.command()
def inspect(source: Source, *, as_json: Json = False) -> None:
    """Show the tree: kinds, media types, digests, sizes, platforms, names.

    Example: oci-convert inspect oci:layout:app
    """
    from oci_convert.journey.inspect import inspect as run

    inspection = run(source)
    if as_json:
        _print_json(inspection.to_json())
    else:
        show.tree(inspection)


@app.command()
def verify(
    source: Source,
    *,
    same_as: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="Compare with another image, whatever its format."),
    ] = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check every digest, size, media type and diff_id; or whether two images are the same.

    Exit status 0 says yes, 3 says no. Example: oci-convert verify oci:layout:app
    """
    if same_as is not None:
        from oci_convert.journey.compare import same_as as compare

        with progress(wanted=not quiet) as on_progress:
            comparison = compare(source, same_as, jobs=jobs, on_progress=on_progress)
        _answer(comparison.same, "the same", "different", comparison, as_json=as_json, quiet=quiet)
    else:
        from oci_convert.journey.verify import verify as run

        with progress(wanted=not quiet) as on_progress:
            found = run(source, jobs=jobs, on_progress=on_progress)
        _answer(found.sound, "sound", "not sound", found, as_json=as_json, quiet=quiet)


def _answer(
    yes: bool,  # noqa: FBT001 - the answer
    word: str,
    other: str,
    answer: Any,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    if not quiet:
        show.findings(answer.findings)
    if as_json:
        _print_json(answer.to_json())
    else:
        show.say(word if yes else other)
    raise typer.Exit(DONE if yes else NO)


@app.command()
def prove(
    source: Source,
    *,
    original: Annotated[
        str,
        typer.Option(
            metavar="sha256:…|FILE", help="What was signed: a digest, a manifest, or a record."
        ),
    ],
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show that an image is the faithful conversion of one that somebody signed.

    Exit status 0 says proved, 3 says not. Example: oci-convert prove oci:layout:app --original
    sha256:80277bed3790930c746fc404e2b419e7789c1270b60b198384a5954d1c581663
    """
    from oci_convert.journey.prove import prove as run

    # A digest is never taken for the name of a file: a file can say anything.
    given = original if re.match("sha[0-9]+:", original) else Path(original).read_bytes()
    with progress(wanted=not quiet) as on_progress:
        proof = run(source, given, jobs=jobs, on_progress=on_progress)
    if as_json:
        _print_json(proof.to_json())
    else:
        show.proof(proof)
    raise typer.Exit(DONE if proof.proved else NO)


@app.command()
def translate(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A manifest or an index.")] = "-",
    *,
    to: Annotated[Family, typer.Option(help="The format to translate to.")],
    digest_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="The report of an index's children."),
    ] = None,
    compress: Annotated[
        Compress, typer.Option(help="keep: unofficial names are taken as well.")
    ] = Compress.AUTO,
    keep_extensions: Annotated[
        bool, typer.Option("--keep-extensions", help="Leave in place what Docker's schema lacks.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Translate one document from standard input to standard output, byte for byte.

    Example: oci-convert translate manifest.json --to oci
    """
    from oci_convert.papers.report import read_map
    from oci_convert.rules.translate import translate as run

    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
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


@app.command("media-types")
def media_types(*, as_json: Json = False) -> None:
    """Print the compatibility matrix: what each family calls what.

    Example: oci-convert media-types --json
    """
    if as_json:
        rows = [row.to_json() for row in matrix()]
        _print_json({"version": 1, "matrix": rows, "other_spellings": other_spellings()})
    else:
        sys.stdout.write(text())


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
