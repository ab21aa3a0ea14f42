"""``convert``: the main job."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oci_convert.cli import show
from oci_convert.cli.app import (
    Debug,
    FollowLinks,
    Jobs,
    Json,
    Limit,
    Quiet,
    Verbose,
    app,
    complete_reference,
    print_json,
)
from oci_convert.cli.help import Command
from oci_convert.cli.progress import progress
from oci_convert.cli.registry_options import SCHEME, Registries, takes_registries
from oci_convert.cli.replacement import written
from oci_convert.cli.status import FAILED
from oci_convert.enums import Algorithm, Compress, Keep, OnLoss
from oci_convert.errors import UsageError
from oci_convert.spec.media_types import Family

if TYPE_CHECKING:
    from oci_convert.profiles.schema import Profile
    from oci_convert.report import Report

__all__ = ["Targets", "convert"]

_format = partial(typer.Option, rich_help_panel="Format")
_images = partial(typer.Option, rich_help_panel="Images")
_safety = partial(typer.Option, rich_help_panel="Safety")
_disk = partial(typer.Option, rich_help_panel="Disk")

Targets = Annotated[
    list[str] | None,
    _format(
        "--for",
        metavar="PROFILE",
        help="Convert so that this target takes it: one that profiles lists, or a TOML file.",
    ),
]


@app.command(
    cls=Command,
    short_help="Convert images: all of them, or none if one fails.",
    epilog="0 converted; 1 failed (with --keep-going: in part); 2 wrong usage",
)
@takes_registries(writes=True)
def convert(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="oci:PATH[:REF], dir:PATH, docker-archive:FILE[:REF], …",
            autocompletion=complete_reference,
        ),
    ],
    dest: Annotated[
        str,
        typer.Argument(
            metavar="DEST",
            help="The same, a new FILE.tar (or .tar.gz, .tar.zst), or - (standard output).",
            autocompletion=complete_reference,
        ),
    ],
    *,
    to: Annotated[Family | None, _format(help="Target format; oci: implies oci.")] = None,
    platform: Annotated[
        list[str] | None,
        _images(
            metavar="OS/ARCH[/VARIANT]",
            help="Only these, after commas or repeated; windows/amd64:10.0.20348, too.",
        ),
    ] = None,
    compress: Annotated[Compress, _format(help="Compression of layers.")] = Compress.AUTO,
    level: Annotated[
        int | None,
        _format(metavar="N", min=1, max=9, help="Compression level of recompressed layers."),
    ] = None,
    fast: Annotated[
        bool,
        _format("--fast", help="Compress fast; the bytes of gzip then depend on the processor."),
    ] = False,
    attestations: Annotated[
        Keep, _images(help="Attestations; auto drops them for Docker.")
    ] = Keep.AUTO,
    referrers: Annotated[
        Keep, _images(help="Referrers (subject); auto drops them for Docker.")
    ] = Keep.AUTO,
    signatures: Annotated[
        Keep, _images(help="Signatures; auto keeps those that stay valid.")
    ] = Keep.AUTO,
    keep_extensions: Annotated[
        bool,
        _format("--keep-extensions", help="Keep fields that the Docker schema does not define."),
    ] = False,
    on_loss: Annotated[
        OnLoss, _safety(help="What to do about losses: report or refuse them.")
    ] = OnLoss.REPORT,
    require_reversible: Annotated[
        bool,
        _safety("--require-reversible", help="Refuse unless converting back gives the same bytes."),
    ] = False,
    strict: Annotated[
        bool, _safety("--strict", help="Refuse images with faults such as wrong media types.")
    ] = False,
    repair: Annotated[
        bool,
        _safety("--repair", help="Correct sizes and media types that the content contradicts."),
    ] = False,
    sparse: Annotated[
        Keep, _images(help="Entries of missing images; auto drops them if the index changes.")
    ] = Keep.AUTO,
    digest: Annotated[
        Algorithm | None,
        _format(help="Compute digests anew with it; layers and configs keep their bytes."),
    ] = None,
    flatten: Annotated[
        bool, _images("--flatten", help="Replace an index of one image by that image.")
    ] = False,
    record: Annotated[
        Path | None,
        _safety(metavar="FILE", help="Write the report and what cannot be converted back."),
    ] = None,
    restore: Annotated[
        Path | None, _format(metavar="FILE", help="Restore the original documents from a record.")
    ] = None,
    dry_run: Annotated[
        bool, _safety("--dry-run", help="Write nothing; report what would be done, with digests.")
    ] = False,
    targets: Targets = None,
    jobs: Jobs = None,
    verify_existing: Annotated[
        bool,
        _safety("--verify-existing", help="Read and verify blobs that the target already has."),
    ] = False,
    no_fsync: Annotated[bool, _disk("--no-fsync", help="Do not flush files to disk.")] = False,
    force: Annotated[
        bool, _safety("--force", help="Replace an existing dir: image or archive.")
    ] = False,
    tmpdir: Annotated[
        Path | None,
        _disk(
            metavar="DIR",
            envvar="TMPDIR",
            help="Directory for temporary files, if DEST is not on disk.",
        ),
    ] = None,
    link: Annotated[bool, _disk("--link", help="Hard-link blobs instead of copying them.")] = False,
    keep_going: Annotated[
        bool, _images("--keep-going", help="Convert what can be converted; report the rest.")
    ] = False,
    follow_links: FollowLinks = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Convert images: all of them, or none if one fails.

    Example: oci-convert convert docker-archive:app.tar oci:layout:app
    """
    from oci_convert.options import Options
    from oci_convert.profiles.conversion import convert_for

    profiles = _profiles(targets)
    streams = _streams(dest, as_json=as_json)
    with written(record) as write_record, progress(wanted=not quiet) as on_progress:
        options = Options(
            to=to,
            platforms=platform or (),
            compress=compress,
            level=level,
            fast=fast,
            attestations=attestations,
            referrers=referrers,
            signatures=signatures,
            keep_extensions=keep_extensions,
            on_loss=on_loss,
            require_reversible=require_reversible,
            strict=strict,
            repair=repair,
            sparse=sparse,
            digest=digest,
            flatten=flatten,
            dry_run=dry_run,
            jobs=jobs,
            verify_existing=verify_existing,
            fsync=not no_fsync,
            force=force,
            link=link,
            follow_links=follow_links,
            keep_going=keep_going,
            tmpdir=tmpdir,
        )
        report = convert_for(
            registries.sources(sources),
            registries.destination(dest),
            options,
            profiles,
            restore=None if restore is None else restore.read_bytes(),
            on_progress=on_progress,
            told=partial(_tell_chosen, profiles),
        )
        if record is not None:
            write_record(report.dumps(originals=True))
    if not quiet:
        _explain(report, verbose=verbose)
    if as_json:
        print_json(report.to_json())
    else:
        say = show.tell if streams else show.say
        for image in report.images:
            say(image.new.digest)
    if report.failures:
        show.failures(report.failures)
        raise typer.Exit(FAILED)


def _streams(dest: str, *, as_json: bool) -> bool:
    """Whether the image goes to standard output, which nothing else then may."""
    from oci_convert.stores.references import parse

    streams = not dest.startswith(SCHEME) and parse(dest, destination=True).is_stream
    if streams and as_json:
        raise UsageError(
            "--json and an archive cannot both go to standard output",
            code="two-outputs",
            remedy="--record FILE writes the report",
        )
    return streams


def _explain(report: Report, *, verbose: bool) -> None:
    """What people are told on standard error."""
    from oci_convert.cli.show.summary import summary

    if report.dry_run:
        from oci_convert.cli.show.plan import plan

        plan(report)
    show.findings(report.findings, weightiest_first=True, every=verbose)
    summary(report)


def _profiles(targets: Sequence[str] | None) -> list[Profile]:
    """The targets that are asked for."""
    if not targets:
        return []
    from oci_convert.profiles.schema import profiles_of

    return [profile for text in targets for profile in profiles_of(text)]


def _tell_chosen(profiles: Sequence[Profile], chosen: dict[str, Any]) -> None:
    """Which options were set because the targets need them."""
    from oci_convert.cli.spelling import spelled
    from oci_convert.profiles.check import marked
    from oci_convert.text.wording import Wording

    if chosen:
        options = " ".join(spelled(Wording(marked(it))) for it in chosen.items())
        show.tell(f"for {', '.join(it.name for it in profiles)}: {options}")
