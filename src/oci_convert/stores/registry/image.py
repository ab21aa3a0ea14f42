"""Images in registries as store objects: what ``docker://`` references name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from functools import cache
from typing import TypeAlias

from oci_convert.errors import UsageError
from oci_convert.spec.media_types import Family
from oci_convert.stores.base import Sink, SinkOptions, Source, SourceOptions
from oci_convert.stores.registry.client import RegistryClient
from oci_convert.stores.registry.reference import (
    EveryRepository,
    EveryTag,
    ImageReference,
    TagTemplate,
    parse_destination,
    parse_source,
)
from oci_convert.stores.registry.sink import Claim, RegistrySink, SinkSettings
from oci_convert.stores.registry.source import RegistrySource
from oci_convert.text.brief import brief

__all__ = ["RegistryImage", "current_digest", "image_of", "set_images"]


@cache
def _anonymous() -> RegistryClient:
    """The client of images that were given none: one for the whole process."""
    return RegistryClient()


class RegistryImage:
    """An image in a registry: ``docker://HOST/REPOSITORY[:TAG][@DIGEST]``.

    ``docker://HOST/REPOSITORY:*`` is every tag as a source; in the tag of a destination, ``{tag}``
    stands for that of the source. ``client`` has the credentials and the connections; objects that
    share one share these. ``keep_original`` gives an image that is replaced another tag;
    ``verify_written`` reads the tag once more after it was pushed. Of every tag of a source, only
    those are read that match ``tags``, a regular expression, in full. With ``inspect_layers``, the
    first bytes of each layer are read to see how it is compressed; else its media type is believed.
    """

    ref = None

    def __init__(
        self,
        reference: str,
        client: RegistryClient | None = None,
        *,
        default_family: Family | None = None,
        keep_original: bool = True,
        verify_written: bool = False,
        tags: str | None = None,
        inspect_layers: bool = False,
    ) -> None:
        self._text = reference
        self._client = client
        self.default_family = default_family
        self._keep_original = keep_original
        self._verify_written = verify_written
        self._tags = tags
        self._inspect_layers = inspect_layers
        self._claim: Claim | None = None

    @property
    def client(self) -> RegistryClient:
        """What has the connections: the client that was given, or an anonymous one."""
        return self._client or _anonymous()

    def claiming(self, claim: Callable[[Sequence[str]], None]) -> RegistryImage:
        """The same, whose sink tells ``claim`` what its images will be called before it writes."""
        other = copy(self)
        other._claim = claim
        return other

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        """Open it for reading: nothing is asked for yet."""
        reference = parse_source(self._text)
        if isinstance(reference, EveryRepository):
            raise UsageError(
                "this means many repositories",
                code="invalid-reference",
                where=self._text,
                remedy="name one: docker://HOST/REPOSITORY:TAG, or :* for every tag of it",
            )
        pattern = None if self._tags is None else self._pattern(self._tags, reference)
        return RegistrySource(
            self.client.repository(reference.repository),
            reference,
            tags=pattern,
            inspects_layers=self._inspect_layers,
        )

    def _pattern(self, tags: str, reference: ImageReference | EveryTag) -> re.Pattern[str]:
        """What tags have to match; raises :class:`UsageError` (``invalid-option``)."""
        try:
            if isinstance(reference, EveryTag):
                return re.compile(tags)
            message, remedy = "this names one image", "to choose tags, write :* behind REPOSITORY"
        except re.error as error:
            message, remedy = f"{tags!r} is no regular expression: {error}", "mend it"
        raise UsageError(message, code="invalid-option", where=self._text, remedy=remedy)

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        """Open it for writing: nothing is asked for yet."""
        reference: ImageReference | TagTemplate = parse_destination(self._text)
        settings = SinkSettings(
            force=options.force,
            keep_original=self._keep_original,
            verify_written=self._verify_written,
            claim=self._claim,
        )
        repository = self.client.repository(reference.repository, push=True)
        return RegistrySink(repository, reference, settings)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"RegistryImage({brief(self._text)})"


_MakeImage: TypeAlias = Callable[[str], RegistryImage]
_reads: list[_MakeImage] = [RegistryImage]
_writes: list[_MakeImage] = [RegistryImage]


def set_images(reads: _MakeImage = RegistryImage, writes: _MakeImage = RegistryImage) -> None:
    """Say what references mean that are given as text: what is read, and what is written to."""
    _reads[0], _writes[0] = reads, writes


def image_of(text: str, *, destination: bool = False) -> RegistryImage:
    """What a reference means that is given as text: anonymous, unless :func:`set_images` says
    otherwise.
    """
    return (_writes if destination else _reads)[0](text)


def current_digest(text: str, *, destination: bool = False) -> str | None:
    """What the tag of a reference names at the moment, or its digest: at most one small request.

    ``None`` for a reference that means several images, and where nothing is.
    """
    reference = parse_source(text)
    if not isinstance(reference, ImageReference):
        return None
    if reference.digest is not None:
        return reference.digest
    client = image_of(text, destination=destination).client
    remote = client.repository(reference.repository)
    head = remote.head_manifest(reference.target)
    if head is None or head.digest is not None:
        return None if head is None else head.digest
    return remote.manifest(reference.target).digest
