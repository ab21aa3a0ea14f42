"""The options for registries: declared once, for every command that takes ``docker://`` references.

What they mean is loaded when a reference names a registry, and not before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from oci_convert.cli.registries import Connections
    from oci_convert.stores.registry.image import RegistryImage

__all__ = ["NAMES", "SCHEME", "Registries", "takes_registries"]

SCHEME: Final = "docker://"
"""What a reference to a registry begins with."""
_GROUP: Final = "Registries"


def _option(kind: Any, name: str, help: str, metavar: str | None = None, **more: Any) -> Any:  # noqa: A002 - typer's word
    return Annotated[
        kind, typer.Option(name, metavar=metavar, help=help, rich_help_panel=_GROUP, **more)
    ]


_READING: Final[Mapping[str, Any]] = {
    "creds": _option(
        str | None,
        "--creds",
        "Name and password for registries; a missing password is asked for.",
        "USER[:PASSWORD]",
    ),
    "password_stdin": _option(
        bool, "--password-stdin", "Read the password for --creds from standard input."
    ),
    "authfile": _option(
        Path | None,
        "--authfile",
        "File with credentials; default: those of docker and podman.",
        "FILE",
    ),
    "plain_http": _option(
        list[str] | None, "--plain-http", "Use http without TLS for this registry.", "HOST"
    ),
    "insecure": _option(
        list[str] | None,
        "--insecure",
        "Do not check the TLS certificate of this registry.",
        "HOST",
    ),
    "ca_file": _option(
        Path | None, "--ca-file", "More certificate authorities to trust, in PEM.", "FILE"
    ),
    "certificate": _option(
        Path | None, "--cert", "Our certificate, for registries that ask for one, in PEM.", "FILE"
    ),
    "key": _option(Path | None, "--key", "Its key, if it is in another file.", "FILE"),
    "rates": _option(
        list[str] | None, "--rate", "The most requests a second to a registry.", "HOST=N/s"
    ),
    "retries": _option(
        int | None,
        "--retries",
        "How often a failed request is sent again; default: 5.",
        "N",
        min=0,
    ),
}
"""Options of every command, by the name of their parameter."""
_WRITING: Final[Mapping[str, Any]] = {
    "src_creds": _option(
        str | None, "--src-creds", "The same as --creds, for SOURCE only.", "USER[:PASSWORD]"
    ),
    "dest_creds": _option(
        str | None, "--dest-creds", "The same as --creds, for DEST only.", "USER[:PASSWORD]"
    ),
    "tags": _option(
        str | None, "--tags", "Of docker://HOST/REPO:*, only tags that match in full.", "REGEX"
    ),
    "no_keep_original": _option(
        bool, "--no-keep-original", "Give what --force replaces no other tag."
    ),
    "verify_written": _option(bool, "--verify-written", "Read each tag again after it was pushed."),
    "inspect_layers": _option(
        bool, "--inspect-layers", "Read the first bytes of layers to see their compression."
    ),
    "chunk": _option(
        str | None, "--chunk", "Upload layers in pieces, for registries that demand it.", "SIZE"
    ),
}
"""Options of what reads images from registries and writes them there."""
NAMES: Final = (*_READING, *_WRITING)
"""All of them."""


_shared: Final[list[Mapping[str, Any]]] = []
"""What was shared last."""


class Registries:
    """What the options of a command say about registries; secrets among it, so it has no repr."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._made: Connections | None = None

    def source(self, reference: str) -> str | RegistryImage:
        """What images are read from: a registry with what the options say, or the text as it is."""
        return self._connections.source(reference) if _is_far(reference) else reference

    def sources(self, references: Sequence[str]) -> list[str | RegistryImage]:
        """The same for several."""
        return [self.source(reference) for reference in references]

    def destination(self, reference: str) -> str | RegistryImage:
        """The same for what is written to."""
        return self._connections.destination(reference) if _is_far(reference) else reference

    def share(self) -> None:
        """Let references that are given to the library as text, as jobs are, mean the same.

        Once: a worker that is told the same again keeps its connections.
        """
        if _shared == [self._given]:
            return
        from oci_convert.stores.registry.image import set_images

        connections = self._connections
        set_images(connections.source, connections.destination)
        _shared[:] = [self._given]

    def close(self) -> None:
        """End what waits for a registry."""
        self._connections.close()

    def is_given(self, name: str) -> bool:
        """Whether there is an option of that name."""
        return bool(self._given.get(name))

    def trusts(self, host: str) -> bool:
        """Whether a host is used without its certificate, or without TLS."""
        hosts = [self._given.get(name) or () for name in ("insecure", "plain_http")]
        return any(host in named for named in hosts)

    @property
    def password(self) -> str | None:
        """The option with which a password was given, which is not to be sent to other machines."""
        options = ("creds", "src_creds", "dest_creds")
        return next((f"--{it.replace('_', '-')}" for it in options if self._given.get(it)), None)

    def __getstate__(self) -> dict[str, Any]:
        """What the options say, and no connections."""
        return {"_given": self._given, "_made": None}

    @property
    def _connections(self) -> Connections:
        if self._made is None:
            from oci_convert.cli.registries import Connections

            self._made = Connections(**self._given)
        return self._made


def _is_far(reference: str) -> bool:
    return reference.startswith(SCHEME)


def takes_registries(
    *, writes: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options to a command, in place of its parameter ``registries``."""
    options = {**_READING, **(_WRITING if writes else {})}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in options}
            command(**values, registries=Registries(given))

        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            parameters += _added(options) if parameter.name == "registries" else [parameter]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # inspect reads it
        run.__annotations__ = {it.name: it.annotation for it in parameters}
        return run

    return decorate


def _added(options: Mapping[str, Any]) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(name, kind, default=_default(annotation), annotation=annotation)
        for name, annotation in options.items()
    ]


def _default(annotation: Any) -> bool | None:
    return False if annotation.__origin__ is bool else None
