"""Help: the commands as ``--help`` shows them, in plain text that fits into 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from oci_convert.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXAMPLE", "GENERAL", "Command", "Commands", "exit_statuses", "heading_of", "told"]

EXAMPLE: Final = "Example: "
"""What precedes the example in the description of a command."""
GENERAL: Final = "Options"
"""The heading of the options that are about nothing in particular."""
_WrongCall: Any = typer.BadParameter.__base__
"""What typer raises for a command line that it cannot read."""
_CHOICE: Final = r"'([^']*)' is not one of (.+)\.$"


class Command(TyperCommand):
    """A command whose help names its arguments once, groups its options, and ends with an example.

    Options stand under their ``rich_help_panel``. The epilogue is what the exit status says.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The arguments as the signature names them."""
        return ["[OPTIONS]", *(argument.metavar or "" for argument in self._arguments(ctx))]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The description, without the example."""
        text, _, _ = (self.help or "").partition(EXAMPLE)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text.strip())

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then the options by what they are about; those of all commands last."""
        arguments = [(it.metavar or "", it.help or "") for it in self._arguments(ctx)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        options = [it for it in self.get_params(ctx) if not isinstance(it, TyperArgument)]
        panels = dict.fromkeys(map(heading_of, options)) | {GENERAL: None}
        panels[GENERAL] = panels.pop(GENERAL)
        for panel in panels:
            group = [it.get_help_record(ctx) for it in options if heading_of(it) == panel]
            with formatter.section(panel):
                formatter.write_dl([record for record in group if record is not None])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """What the exit status says, and the example on a line that can be copied."""
        with formatter.section("Exit status"):
            formatter.write_dl(
                [(number, meaning) for number, meaning in exit_statuses(self.epilog)]
            )
        _, _, example = (self.help or "").partition(EXAMPLE)
        with formatter.section("Example"):
            formatter.write(f"{'':>{formatter.current_indent}}{' '.join(example.split())}\n")

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the command line; what is no choice is answered with what was meant.

        What is an option of another tool is answered with ours.
        """
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = told(error.message)
            self._name_the_last(ctx, error, given)
            raise
        except _WrongCall as error:
            _refuse_option(self.name or "", error, given)
            raise

    def _name_the_last(self, ctx: Any, error: Any, given: list[str]) -> None:
        """Say that the last argument is missing where one of two is: people give the first one.

        What can be given several times, as SOURCE…, leaves a single word to what stands behind it.
        """
        last = next(reversed(list(self._arguments(ctx))), None)
        if last is None or getattr(error.param, "nargs", 1) != -1:
            return
        values, _, _ = self.make_parser(ctx).parse_args(given)
        if values.get(last.name) and not values.get(error.param.name):
            error.param_hint = f"'{last.metavar}'"

    def _arguments(self, ctx: Any) -> Iterator[Any]:
        return (it for it in self.get_params(ctx) if isinstance(it, TyperArgument))


class Commands(TyperGroup):
    """The commands; one of another tool is answered with ours."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """What else can be asked for."""
        from oci_convert.cli.topics import TOPICS

        with formatter.section("Topics"):
            formatter.write_dl([(f"help {name}", it.summary) for name, it in TOPICS.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the command line up to the command; options of other tools stand there, too."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except _WrongCall as error:
            _refuse_option("convert", error, given)
            self._refuse_order(ctx, error, given)
            raise

    def _refuse_order(self, ctx: Any, error: Any, arguments: Sequence[str]) -> None:
        """Raise for an option of ours that stands where the command should."""
        from oci_convert.cli.other_commands import with_a_command

        name = getattr(error, "option_name", None)
        having = [
            each
            for each in self.list_commands(ctx)
            for param in self.commands[each].params
            if name in (*param.opts, *param.secondary_opts)
        ]
        if having:
            raise UsageError(
                f"there is no command before {name}",
                code="unknown-command",
                remedy=f"did you mean {with_a_command(arguments, having)}?",
            ) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that a command line begins with."""
        try:
            return super().resolve_command(ctx, args)
        except _WrongCall:
            from oci_convert.cli.other_commands import answer

            remedy = answer(args, self.list_commands(ctx))
            if remedy is None:
                raise
            raise UsageError(
                f"there is no command {args[0]!r}", code="unknown-command", remedy=remedy
            ) from None


def _refuse_option(command: str, error: Any, arguments: Sequence[str]) -> None:
    """Raise for an option that other tools have."""
    name = getattr(error, "option_name", None)
    if name is None or not hasattr(error, "possibilities"):
        return
    from oci_convert.cli.other_options import answer

    remedy = answer(command, name, arguments)
    if remedy is not None:
        raise UsageError(
            f"{command} has no option {name}", code="unknown-option", remedy=remedy
        ) from None


def heading_of(option: Any) -> str:
    """The heading that an option stands under."""
    return getattr(option, "rich_help_panel", None) or GENERAL


def exit_statuses(epilog: str | None) -> Sequence[tuple[str, str]]:
    """Each status of an epilogue, and what it means."""
    return re.findall(r"(\d) ([^;]+)(?:; |$)", epilog or "")


def told(message: str) -> str:
    """The message of typer about a value, in our words."""
    said = message.removeprefix("Value error, ")
    match = re.search(_CHOICE, said)
    if match is None:
        return said
    from oci_convert.text.suggestion import did_you_mean, nearest

    choices = re.findall("'([^']*)'", match[2])
    listed = f"choices: {', '.join(choices)}"
    return f"{match[1]!r} is not a choice; {did_you_mean(nearest(match[1], choices), listed)}"
