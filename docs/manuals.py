"""The manual pages and the completions of shells in ``share/``, made from the command's own help.

``python docs/manuals.py`` writes them; the wheel installs them below ``share/`` of its environment,
where ``man`` and shells look. They have neither date nor version, and change only with the help.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer
from typer import _completion_shared as completion
from typer.core import TyperArgument

from oci_convert.cli.app import app
from oci_convert.cli.commands import NAMES, load
from oci_convert.cli.completion import COMPLETE
from oci_convert.cli.help import EXAMPLE, GENERAL, Command, exit_statuses, heading_of
from oci_convert.cli.status import MEANINGS
from oci_convert.cli.topics import TOPICS, Block

SHARE: Final = Path(__file__).parent.parent / "share"
PROGRAM: Final = "oci-convert"
ENVIRONMENT: Final = {
    "NO_COLOR": "Colours are never used.",
    "FORCE_COLOR": "Colours are used also where the output is no terminal.",
    "COLUMNS": "The columns that long lines are fitted into.",
    "DOCKER_CONFIG, REGISTRY_AUTH_FILE": "Where credentials for registries are.",
}
SHELLS: Final = {
    "bash": "bash-completion/completions/oci-convert",
    "zsh": "zsh/site-functions/_oci-convert",
    "fish": "fish/vendor_completions.d/oci-convert.fish",
}
AUTOLOADED: Final = """
# zsh loads this file to answer the first question, and must be answered.
[ "$funcstack[1]" = "_oci-convert" ] && _oci_convert_completion
"""


def roff(text: str) -> str:
    """Text as roff takes it; `code` is bold. What begins a line must not be a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    return f"\\&{text}" if text.startswith(".") else text


def page(name: str, section: int, summary: str, body: Iterable[str]) -> str:
    """A manual page."""
    title = f'.TH {name.upper()} {section} "" "{PROGRAM}" "{PROGRAM}"'
    named = f"{roff(name)} \\- {roff(summary.rstrip('.'))}"
    return "\n".join([title, ".SH NAME", named, *body]) + "\n"


def terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each term in bold, and below it what it means."""
    for term, meaning in rows:
        yield from (".TP", f".B {roff(term)}", roff(meaning))


def written(blocks: Sequence[Block]) -> Iterator[str]:
    """The blocks of a topic."""
    for number, block in enumerate(blocks):
        if isinstance(block, Mapping):
            yield from terms(block.items())
        else:
            yield from (".PP", roff(block)) if number else (roff(block),)


def see_also(pages: Iterable[tuple[str, int]]) -> Iterator[str]:
    """References to other pages."""
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {roff(name)} ({section})" for name, section in pages).replace(
        "),\n", ") ,\n"
    )


def options_of(command: Any, ctx: Any) -> Iterator[str]:
    """The options as the help groups them."""
    options = [it for it in command.get_params(ctx) if not isinstance(it, TyperArgument)]
    headings = dict.fromkeys(map(heading_of, options))
    for heading in sorted(headings, key=lambda it: it != GENERAL):
        if heading != GENERAL:
            yield f".SS {heading}"
        records = (it.get_help_record(ctx) for it in options if heading_of(it) == heading)
        yield from terms(record for record in records if record is not None)


def of_command(command: Command, ctx: Any) -> str:
    """The page of one command."""
    text, _, example = " ".join((command.help or "").split()).partition(EXAMPLE)
    pieces = " ".join(command.collect_usage_pieces(ctx))
    arguments = [it for it in command.get_params(ctx) if isinstance(it, TyperArgument)]
    body = [
        ".SH SYNOPSIS",
        f".B {roff(f'{PROGRAM} {command.name}')}",
        roff(pieces),
        *(".SH DESCRIPTION", roff(text.strip())),
        *terms((it.metavar or "", it.help or "") for it in arguments),
        *(".SH OPTIONS", *options_of(command, ctx)),
        *(".SH EXIT STATUS", *terms(exit_statuses(command.epilog))),
        *(".SH EXAMPLES", ".nf", roff(example), ".fi"),
        *see_also([(PROGRAM, 1), (f"{PROGRAM}-references", 7), (f"{PROGRAM}-findings", 7)]),
    ]
    return page(f"{PROGRAM}-{command.name}", 1, command.short_help or "", body)


def of_program(group: Any, ctx: Any) -> str:
    """The page of the program."""
    commands = [group.commands[name] for name in NAMES]
    body = [
        ".SH SYNOPSIS",
        f".B {PROGRAM}".replace("-", "\\-"),
        roff(" ".join(group.collect_usage_pieces(ctx))),
        *(".SH DESCRIPTION", roff(group.help or "")),
        *(".SH COMMANDS", *terms((it.name, it.short_help) for it in commands)),
        *(".SH OPTIONS", *terms(it.get_help_record(ctx) for it in group.get_params(ctx))),
        *(".SH EXIT STATUS", *written(TOPICS["exit-status"].blocks())),
        *(".SH ENVIRONMENT", *terms(ENVIRONMENT.items())),
        *see_also(
            [
                *((f"{PROGRAM}-{name}", 1) for name in NAMES),
                *((f"{PROGRAM}-{name}", 7) for name in SEVENTH),
            ]
        ),
    ]
    return page(PROGRAM, 1, group.help or "", body)


SEVENTH: Final = [name for name in TOPICS if TOPICS[name].blocks()[0] is not MEANINGS]
"""The topics with a page of their own; exit statuses are in the page of the program."""


def manuals() -> dict[str, str]:
    """Every file of ``share/``."""
    load(())
    group: Any = typer.main.get_command(app)
    ctx = typer.Context(group, info_name=PROGRAM, **group.context_settings)
    pages = {f"{PROGRAM}.1": of_program(group, ctx)}
    for name in NAMES:
        command = group.commands[name]
        inner = typer.Context(command, info_name=name, parent=ctx)
        pages[f"{PROGRAM}-{name}.1"] = of_command(command, inner)
    for name in SEVENTH:
        topic = TOPICS[name]
        body = [".SH DESCRIPTION", *written(topic.blocks()), *see_also([(PROGRAM, 1)])]
        pages[f"{PROGRAM}-{name}.7"] = page(f"{PROGRAM}-{name}", 7, topic.summary, body)
    files = {f"man/man{name[-1]}/{name}": text for name, text in pages.items()}
    for shell, file in SHELLS.items():
        script = completion.get_completion_script(
            prog_name=PROGRAM, complete_var=COMPLETE, shell=shell
        )
        files[file] = script.strip() + "\n" + (AUTOLOADED if shell == "zsh" else "")
    return files


def main() -> None:
    """Write them; what is no longer made goes."""
    made = manuals()
    for old in SHARE.rglob("*"):
        if old.is_file() and old.relative_to(SHARE).as_posix() not in made:
            old.unlink()
    for name, text in made.items():
        (SHARE / name).parent.mkdir(parents=True, exist_ok=True)
        (SHARE / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
