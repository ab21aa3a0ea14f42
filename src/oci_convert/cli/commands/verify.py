"""``verify``: whether an image is sound, or the same as another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oci_convert.cli import show
from oci_convert.cli.app import (
    Debug,
    FollowLinks,
    Jobs,
    Json,
    Limit,
    Quiet,
    Source,
    Verbose,
    app,
    complete_reference,
    print_json,
)
from oci_convert.cli.each import each
from oci_convert.cli.help import Command
from oci_convert.cli.progress import progress
from oci_convert.cli.registry_options import Registries, takes_registries
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.show.words import count_of
from oci_convert.cli.status import DONE, NO
from oci_convert.errors import UsageError

if TYPE_CHECKING:
    from oci_convert.comparison.difference import Diff
    from oci_convert.stores.opening import SourceLike
    from oci_convert.verification.verify import Verification

__all__ = ["verify"]


@app.command(
    cls=Command,
    short_help="Check that images are sound, or that two are the same.",
    epilog="0 sound, or the same; 1 failed; 2 wrong usage; 3 not sound, or different",
)
@takes_registries()
def verify(
    source: Source,
    *,
    same_as: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER",
            help="Compare with another image, in any format.",
            autocompletion=complete_reference,
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Require every image that an index lists."),
    ] = False,
    documents: Annotated[
        bool,
        typer.Option("--documents", help="Check manifests, indexes and configs; read no layer."),
    ] = False,
    jobs: Jobs = None,
    follow_links: FollowLinks = False,
    registries: Registries,
    _limit: Limit = None,
    _debug: Debug = False,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Check every digest, size, media type and diff_id; or whether two images are the same.

    Example: oci-convert verify oci:layout:app
    """
    if same_as is not None and (complete or documents):
        raise UsageError(
            f"--{'complete' if complete else 'documents'} and --same-as are two questions",
            code="two-questions",
            remedy="ask them one after the other",
        )
    every = None if quiet else verbose
    if same_as is not None:
        from oci_convert.cli.show import diff as shown
        from oci_convert.comparison.diff import diff

        with progress(wanted=not quiet) as on_progress:
            found = diff(
                registries.source(source),
                registries.source(same_as),
                follow_links=follow_links,
                jobs=jobs,
                on_progress=on_progress,
            )
        if not quiet:
            shown.content(found)
        _answer(found.same, "the same", "different", found, as_json=as_json, every=every)
        raise typer.Exit(DONE if found.same else NO)
    from oci_convert.verification.verify import verify as run

    def ask(store: SourceLike) -> Verification:
        with progress(wanted=not quiet) as on_progress:
            return run(
                store,
                documents=documents,
                complete=complete,
                follow_links=follow_links,
                jobs=jobs,
                on_progress=on_progress,
            )

    sound = True
    for store, verified in each(registries.source(source), ask, follow_links=follow_links):
        word = "sound" if not verified.sparse else f"sound, but sparse: {_present(verified)}"
        word += "; layers were not read" if documents else ""
        _answer(
            verified.sound,
            word,
            "not sound",
            verified,
            as_json=as_json,
            every=every,
            store=store,
        )
        sound = sound and verified.sound
    raise typer.Exit(DONE if sound else NO)


def _present(verified: Verification) -> str:
    """How much is here of what a sparse index names."""
    here, named = verified.presence.here, verified.presence.images
    if here == named:
        return "all images are here, but not all that belongs to them"
    return f"{here} of {count_of('image', named)} {'is' if here == 1 else 'are'} here"


def _answer(
    yes: bool,  # noqa: FBT001 - the answer
    word: str,
    other: str,
    answer: Diff | Verification,
    *,
    as_json: bool,
    every: bool | None,
    store: str = "",
) -> None:
    if every is not None:
        show.findings(answer.findings, every=every, source=store)
    if as_json:
        print_json(answer.to_json(), indent=None if store else 2)
    else:
        answered = Text(word, Style.GOOD) if yes else Text(other, Style.ERROR)
        show.say(Text(f"{store}: ", Style.PLACE) + answered if store else answered)
