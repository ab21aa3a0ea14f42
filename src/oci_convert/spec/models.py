"""Typed views of the documents of both families.

A model is a view, never the identity of a document: the bytes are kept beside it
(:mod:`oci_convert.documents.document`) and nothing is ever written from a model that was read.
Models are frozen and strict (``"7"`` and ``7.0`` are no size), keep unknown members, and hold times
as strings. Docker and OCI share them, as the one is a subset of the other.

Whoever makes documents makes them from models, too: constructors take the names of the fields
(``media_type=…``), ask for what the specification requires and put in what it fixes;
:meth:`Model.model_dump` gives the names of the members (``mediaType``) and leaves out what was not
set. Reading (``model_validate``) takes a document as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self, TypeAlias, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic_core import InitErrorDetails, PydanticCustomError

from oci_convert.errors import DocumentError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Cell, Family, Kind, families, name_of
from oci_convert.text.brief import line_of
from oci_convert.text.suggestion import did_you_mean, nearest

__all__ = [
    "Descriptor",
    "History",
    "ImageConfig",
    "Index",
    "LayoutHeader",
    "Manifest",
    "Model",
    "Platform",
    "PlatformLike",
    "RootFS",
    "RuntimeConfig",
    "first_fault",
    "lenient",
    "members",
    "sentence",
    "validate",
]


def _stated(value: Any) -> Any:
    """An object without members says nothing, as in Go, which leaves it out when it writes."""
    return None if value == {} else value


def _digest(text: str) -> Digest:
    try:
        return Digest(text)
    except DocumentError as error:
        raise ValueError(error.message) from None


_TRIPLE: Final = frozenset(("media_type", "digest", "size"))
_MEMBERS: Final = {
    "media_type": "mediaType",
    "artifact_type": "artifactType",
    "schema_version": "schemaVersion",
    "os_version": "os.version",
    "os_features": "os.features",
}
"""Fields that documents spell in another way; all others are called as in documents."""


def _made(self: BaseModel, /, **given: Any) -> None:
    BaseModel.__init__(self, **_stated_by(cast("type[Model]", type(self)), given))


if not TYPE_CHECKING:  # reading a document makes no use of it, as with the one of pydantic
    _made.__pydantic_base_init__ = True


class Model(BaseModel, frozen=True):
    """Base of all models: strict, frozen, unknown members kept."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        defer_build=True,  # few of them are used in a short run
        strict=True,
        extra="allow",
        alias_generator=lambda name: _MEMBERS.get(name, name),
        serialize_by_alias=True,
    )
    _required: ClassVar[tuple[str, ...]] = ()
    """What the specification requires, although a document that lacks it can be read."""
    _implied: ClassVar[Mapping[str, Any]] = {}
    """What an object states that is made without it, by member: a value, or what makes it."""

    if not TYPE_CHECKING:  # the types of the fields say more
        __init__ = _made

    def __hash__(self) -> int:
        """Of all that can be hashed: annotations cannot, and need not make a difference."""
        values = self.__dict__.values()
        return hash((type(self), *(one for one in values if not isinstance(one, dict))))

    def __repr__(self) -> str:
        stated = [name for name in type(self).model_fields if name in self.model_fields_set]
        return line_of(type(self).__name__, ((name, getattr(self, name)) for name in stated))

    def __str__(self) -> str:
        return repr(self)

    def but(self, **changes: Any) -> Self:
        """The same with other values of some fields, which are those of another model: unchecked.

        What ``model_copy(update=…)`` does, in a fifth of its time: most of what a conversion does
        to a descriptor is this.
        """
        made = type(self).__new__(type(self))
        put = object.__setattr__
        put(made, "__dict__", self.__dict__ | changes)
        put(made, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changes.keys())
        put(made, "__pydantic_extra__", self.__pydantic_extra__)
        put(made, "__pydantic_private__", None)
        return made

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """The document as plain data: members by their names, those that were set.

        Takes the options of pydantic; only the default of ``exclude_unset`` is another one.
        """
        return super().model_dump(**{"exclude_unset": True, **options})

    def model_dump_json(self, **options: Any) -> str:
        """The document as JSON text, likewise."""
        return super().model_dump_json(**{"exclude_unset": True, **options})


def _stated_by(model: type[Model], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a constructor was given, by member: only what the model knows; ``None`` says nothing."""
    spelled = _spellings(model)
    stated: dict[str, Any] = {
        spelled.get(name, name): value for name, value in given.items() if value is not None
    }
    lacking = [name for name in model._required if spelled[name] not in stated]
    unknown = [name for name in given if name not in spelled]
    if unknown or lacking:
        faults = [
            InitErrorDetails(type=_unknown(model, name), loc=(name,), input=given[name])
            for name in unknown
        ]
        faults += [InitErrorDetails(type="missing", loc=(name,), input=given) for name in lacking]
        raise ValidationError.from_exception_data(model.__name__, faults)
    for member, value in model._implied.items():
        if member not in stated:
            stated[member] = value(stated) if callable(value) else value
    return stated


def _unknown(model: type[Model], name: str) -> PydanticCustomError:
    advice = did_you_mean(nearest(name, model.model_fields), "{kind}.model_validate() takes any")
    message = f"{{kind}} has no such field; {advice}"
    return PydanticCustomError("extra_forbidden", message, {"kind": model.__name__})


@cache
def _spellings(model: type[Model]) -> Mapping[str, str]:
    """The member of each field, by the names of both."""
    fields = {name: _member(model, name) for name in model.model_fields}
    return fields | {member: member for member in fields.values()}


class Platform(Model, frozen=True):
    """Where an image runs (image-spec ``image-index.md``; Docker *manifest list*)."""

    architecture: str
    """As Go calls it: ``amd64``."""
    os: str
    """As Go calls it: ``linux``."""
    os_version: str | None = None
    """The version of Windows."""
    os_features: tuple[str, ...] | None = Field(default=None, strict=False)
    """What the system must be able to do."""
    variant: str | None = None
    """The variant of the CPU: ``v7``."""
    features: tuple[str, ...] | None = Field(default=None, strict=False)
    """CPU features: Docker's, reserved in OCI."""

    def __str__(self) -> str:
        """``linux/arm64/v8``; with the version of a system, ``windows/amd64:10.0.20348.2655``, and
        with its features ``windows(10.0.20348.2655+win32k)/amd64``.
        """
        system, version = self.os, f":{self.os_version}" if self.os_version else ""
        if self.os_features:
            system = f"{self.os}({'+'.join((self.os_version or '', *self.os_features))})"
            version = ""
        return "/".join(filter(None, (system, self.architecture, self.variant))) + version


PlatformLike: TypeAlias = str | Platform
"""What a platform is given as: ``OS/ARCH[/VARIANT]``, or the object."""


class Descriptor(Model, frozen=True):
    """What a document says of a blob (image-spec ``descriptor.md``).

    Docker knows ``mediaType``, ``size``, ``digest``, ``urls`` and, in a list, ``platform``.
    """

    media_type: str
    """What the blob is."""
    digest: Annotated[str, AfterValidator(_digest)]
    """A :class:`Digest`, whose grammar was checked."""
    size: Annotated[int, Field(ge=0, le=2**63 - 1)]
    """Bytes of the blob."""
    urls: tuple[str, ...] | None = Field(default=None, strict=False)
    """Where else it can be had."""
    annotations: dict[str, str] | None = None
    """What is said of it here."""
    data: str | None = None
    """The blob itself, in base64."""
    platform: Annotated[Platform | None, BeforeValidator(_stated)] = None
    """Of an entry of an index: where the image runs."""
    artifact_type: str | None = None
    """Of an entry of an index: what an artifact is about."""

    @property
    def name(self) -> Digest:
        """The digest, typed."""
        return self.digest if isinstance(self.digest, Digest) else Digest(self.digest)

    def triple(self) -> dict[str, Any]:
        """Media type, digest and size alone, under their wire names."""
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}

    def bare(self) -> Descriptor:
        """The same blob, without what a document says of it besides."""
        if self.__pydantic_fields_set__ == _TRIPLE:
            return self
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)

    def renamed(self, media_type: str) -> Descriptor:
        """The same blob under another media type."""
        return self if media_type == self.media_type else self.but(media_type=media_type)


def _manifest_type(stated: Mapping[str, Any]) -> str | None:
    config = stated.get("config")
    docker = isinstance(config, Descriptor) and Family.DOCKER in families(config.media_type)
    return name_of(Cell(Kind.MANIFEST), Family.DOCKER if docker else Family.OCI)


class Manifest(Model, frozen=True):
    """A manifest (image-spec ``manifest.md``; Docker *image manifest V2, schema 2*).

    A new one has the media type of an OCI manifest, or of Docker's if its config is Docker's.
    """

    _implied: ClassVar[Mapping[str, Any]] = {"mediaType": _manifest_type, "layers": ()}

    schema_version: int
    """2."""
    media_type: str | None = None
    """What it calls itself."""
    artifact_type: str | None = None
    """What it is about, if it is no image."""
    config: Descriptor
    """The configuration of the image."""
    layers: tuple[Descriptor, ...] | None = Field(default=None, strict=False)
    """The layers, the lowest first."""
    subject: Annotated[Descriptor | None, BeforeValidator(_stated)] = None
    """The manifest that it refers to."""
    annotations: dict[str, str] | None = None
    """What is said of it."""


class Index(Model, frozen=True):
    """An index (image-spec ``image-index.md``) or Docker *manifest list*.

    A new one is an OCI index unless ``media_type`` says otherwise.
    """

    _implied: ClassVar[Mapping[str, Any]] = {
        "mediaType": name_of(Cell(Kind.INDEX), Family.OCI),
        "manifests": (),
    }

    schema_version: int
    """2."""
    media_type: str | None = None
    """What it calls itself."""
    artifact_type: str | None = None
    """What it is about, if it is an artifact."""
    manifests: tuple[Descriptor, ...] | None = Field(default=None, strict=False)
    """What it lists, with the platform of each image."""
    subject: Annotated[Descriptor | None, BeforeValidator(_stated)] = None
    """The manifest that it refers to."""
    annotations: dict[str, str] | None = None
    """What is said of it."""


class RootFS(Model, frozen=True):
    """The layers of an image, uncompressed (image-spec ``config.md``)."""

    _implied: ClassVar[Mapping[str, Any]] = {"type": "layers", "diff_ids": ()}

    type: str | None = None
    """``layers``, which a new object has; anything else breaks the specification."""
    diff_ids: tuple[Annotated[str, AfterValidator(_digest)], ...] = Field(default=(), strict=False)
    """The digests of their tars, the lowest first."""


class History(Model, frozen=True):
    """How a layer came to be (image-spec ``config.md``)."""

    created: str | None = None
    """When, as RFC 3339 writes it."""
    author: str | None = None
    """By whom."""
    created_by: str | None = None
    """By which command."""
    comment: str | None = None
    """What is said of it."""
    empty_layer: bool | None = None
    """Whether there is no layer for it."""


class ImageConfig(Model, frozen=True):
    """An image's configuration (image-spec ``config.md``; Docker *image JSON* v1.2).

    Docker's own members (``container_config``, ``docker_version``, …) are legal extras.
    """

    # Their defaults are for documents; to whoever makes a config, types say that they are required.
    _required: ClassVar[tuple[str, ...]] = ("architecture", "os")
    _implied: ClassVar[Mapping[str, Any]] = {"rootfs": lambda _: RootFS()}

    created: str | None = None
    """When, as RFC 3339 writes it."""
    author: str | None = None
    """By whom."""
    architecture: Annotated[str | None, Field(default=None)]
    """As Go calls it: ``amd64``."""
    os: Annotated[str | None, Field(default=None)]
    """As Go calls it: ``linux``."""
    os_version: str | None = None
    """The version of Windows."""
    os_features: tuple[str, ...] | None = Field(default=None, strict=False)
    """What the system must be able to do."""
    variant: str | None = None
    """The variant of the CPU: ``v7``."""
    config: RuntimeConfig | None = None
    """How a container is run."""
    rootfs: RootFS | None = None
    """The layers, uncompressed."""
    history: tuple[History, ...] | None = Field(default=None, strict=False)
    """How the layers came to be, the lowest first."""

    @property
    def platform(self) -> Platform | None:
        """The platform the config states, if it states one."""
        if not self.os or not self.architecture:
            return None
        stated: dict[str, Any] = {
            "architecture": self.architecture,
            "os": self.os,
            "os_version": self.os_version,
            "os_features": self.os_features,
            "variant": self.variant,
        }
        return Platform(**{name: value for name, value in stated.items() if value})


class RuntimeConfig(Model, frozen=True):
    """How a container is run by default: the member ``config`` of an image's configuration."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_pascal)

    user: str | None = None
    """As whom: ``1000:1000``."""
    exposed_ports: dict[str, Any] | None = None
    """The ports that it listens at: ``{"80/tcp": {}}``."""
    env: tuple[str, ...] | None = Field(default=None, strict=False)
    """Variables of the environment, as ``NAME=value``."""
    entrypoint: tuple[str, ...] | None = Field(default=None, strict=False)
    """The program, and its first arguments."""
    cmd: tuple[str, ...] | None = Field(default=None, strict=False)
    """Arguments of the program or, without an entrypoint, the program and its arguments."""
    volumes: dict[str, Any] | None = None
    """Directories that outlive it: ``{"/data": {}}``."""
    working_dir: str | None = None
    """The directory that it starts in."""
    labels: dict[str, str] | None = None
    """What is said of it."""
    stop_signal: str | None = None
    """What ends it: ``SIGTERM``."""
    args_escaped: bool | None = None
    """Of Windows: whether ``cmd`` is a command line already."""


class LayoutHeader(Model, frozen=True):
    """The file ``oci-layout`` (image-spec ``image-layout.md``)."""

    version: str = Field(alias="imageLayoutVersion")


def diff_ids_for(diff_ids: int, layers: int) -> str:
    """The message where a config and a manifest differ in the number of layers."""
    return (
        f"the config has {diff_ids} diff_{'id' if diff_ids == 1 else 'ids'} for "
        f"{layers} {'layer' if layers == 1 else 'layers'}"
    )


M = TypeVar("M", bound=Model)


def validate(model: type[M], value: Any, where: str) -> M:
    """``value`` as ``model``; raises :class:`DocumentError` that names the member at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        message = first_fault(error)
        code = "invalid-digest" if "is not a digest" in message else "invalid-document"
        raise DocumentError(message, code=code, where=where) from None


def first_fault(error: ValidationError) -> str:
    """What pydantic found first, in our words."""
    return sentence(error.errors(include_url=False)[0])


def lenient(model: type[M], value: Mapping[str, Any]) -> tuple[M, list[str]]:
    """A view of a document that may hold odd values, and what is odd about it.

    A member that breaks the specification is left out of the view and named; it stays in the bytes,
    which are what travels.
    """
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        problems: dict[str, str] = {}
        for detail in error.errors():
            problems.setdefault(str(detail["loc"][0]), sentence(detail))
    sound = {name: member for name, member in value.items() if name not in problems}
    return model.model_validate(sound), list(problems.values())


def members(model: type[Model]) -> frozenset[str]:
    """What the members are called that a model knows."""
    return frozenset(_member(model, name) for name in model.model_fields)


def _member(model: type[Model], name: str) -> str:
    """What documents call a field."""
    # Some versions of pydantic give fields their aliases when the model is first used.
    spelled = cast("Callable[[str], str]", model.model_config["alias_generator"])
    return model.model_fields[name].alias or spelled(name)


_SENTENCES: Final = {
    "missing": "is missing",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "tuple_type": "must be an array",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "dataclass_type": "must be an object",
    "string_pattern_mismatch": "has the wrong form",
    "greater_than_equal": "must not be negative",
    "less_than_equal": "is larger than any file can be",
}
"""The errors of pydantic in the terms of JSON instead of Python."""


def sentence(detail: Any) -> str:
    """``layers[3].size must be an integer`` of one of pydantic's error details."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    said = _SENTENCES.get(detail["type"])
    if detail["type"] in ("enum", "literal_error"):
        said = f"must be {detail['ctx']['expected']}"
    if said is None:
        said = message[:1].lower() + message[1:]
        return f"{place.lstrip('.')}: {said}" if place else said
    return f"{place.lstrip('.')} {said}" if place else f"this {said}"
