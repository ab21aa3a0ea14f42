"""``profiles``: the targets that are known."""

from __future__ import annotations

from dataclasses import asdict

from oci_convert.cli import show
from oci_convert.cli.app import Debug, Json, app, print_json
from oci_convert.cli.help import Command

__all__ = ["profiles"]


@app.command(
    cls=Command,
    short_help="List the targets that check and convert --for know.",
    epilog="0 printed; 2 wrong usage",
)
def profiles(*, _debug: Debug = False, as_json: Json = False) -> None:
    """List the targets that check and convert --for know, with what they refuse in JSON.

    Example: oci-convert profiles --json
    """
    from oci_convert.profiles.schema import NAMES, profile_of

    found = list(map(profile_of, NAMES))
    if as_json:
        print_json({"version": 1, "profiles": [asdict(profile) for profile in found]})
        return
    width = max(map(len, NAMES))
    for profile in found:
        show.say(f"{profile.name:{width}}  {profile.title}: {profile.about}")
