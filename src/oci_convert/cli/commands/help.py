"""``help``: what a command takes, or what a word of the output means."""

from __future__ import annotations

from typing import Annotated

import typer

from oci_convert.cli.app import Debug, app
from oci_convert.cli.help import Command
from oci_convert.cli.show import say
from oci_convert.errors import UsageError

__all__ = ["show_help"]


def _complete(incomplete: str) -> list[str]:
    from oci_convert.cli.commands import NAMES
    from oci_convert.cli.topics import TOPICS

    return [name for name in (*NAMES, *TOPICS) if name.startswith(incomplete)]


@app.command(
    "help",
    cls=Command,
    short_help="Explain a command, references, findings or exit statuses.",
    epilog="0 printed; 2 wrong usage",
)
def show_help(
    ctx: typer.Context,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="[TOPIC]",
            help="A command, references, findings, exit-status, or the code of a finding.",
            autocompletion=_complete,
        ),
    ] = "",
    *,
    _debug: Debug = False,
) -> None:
    """Explain a command, references, findings or exit statuses; without a topic, list them.

    Example: oci-convert help references
    """
    from oci_convert.cli.commands import NAMES, load
    from oci_convert.cli.topics import TOPICS, about_code, write
    from oci_convert.findings import CODES
    from oci_convert.text.suggestion import did_you_mean, nearest

    if not topic or topic in NAMES:
        called = [topic] if topic else []
        load(called)
        app([*called, "--help"], prog_name="oci-convert")
    elif topic in TOPICS or topic in CODES:
        blocks = TOPICS[topic].blocks() if topic in TOPICS else about_code(topic)
        formatter = ctx.make_formatter()
        write(blocks, formatter)
        for line in formatter.getvalue().strip("\n").splitlines():
            say(line)
    else:
        listed = f"topics: {', '.join(TOPICS)}, the commands, the codes of findings"
        near = nearest(topic, [*NAMES, *TOPICS, *CODES])
        raise UsageError(
            f"there is no topic {topic!r}",
            code="unknown-topic",
            remedy=did_you_mean(near, listed),
        )
