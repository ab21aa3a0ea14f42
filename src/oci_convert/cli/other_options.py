"""Options of skopeo, regctl, crane, oras and others, and what does the same here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

__all__ = ["Option", "answer", "known", "replaced"]


class Option(NamedTuple):
    """An option of another tool."""

    said: str
    """What does the same here, or why nothing does."""
    here: str | Mapping[str, str] | None = None
    """The words that replace it, ``{}`` being its value: always, or by its value.

    ``None``: to replace it takes thought.
    """
    valued: bool = False
    """It takes a value."""


_ALL: Final = Option("all platforms are converted; --platform OS/ARCH chooses some", "")
_MULTI_ARCH: Final = Option(_ALL.said, {"all": ""}, valued=True)
_PLATFORM: Final = Option("--platform OS/ARCH[/VARIANT] chooses, as in linux/arm64", valued=True)
_FORMAT: Final = Option(
    "--to docker (v2s2) or --to oci",
    {
        "v2s2": "--to docker",
        "docker": "--to docker",
        "docker-dir": "--to docker",
        "docker-archive": "--to docker",
        "oci": "--to oci",
        "oci-dir": "--to oci",
        "oci-archive": "--to oci",
    },
    valued=True,
)
_GZIP: Final = Option("--compress gzip", "--compress gzip")
_PLAIN: Final = Option("--compress none", "--compress none")
_COMPRESSION: Final = Option(
    "--compress gzip or --compress zstd",
    {"gzip": "--compress gzip", "zstd": "--compress zstd", "none": "--compress none"},
    valued=True,
)
_LEVEL: Final = Option("--level N", "--level {}", valued=True)
_FORCED: Final = Option("--compress packs every layer that is not packed so already", "")
_INSECURE: Final = Option("--insecure HOST, or --plain-http HOST for a registry without TLS")
_PARTS: Final = Option("--creds USER[:PASSWORD]", valued=True)
_AUTH_FILE: Final = Option("--authfile FILE", "--authfile {}", valued=True)
_CA_FILE: Final = Option("--ca-file FILE", valued=True)
_RETRIES: Final = Option("--retries N", "--retries {}", valued=True)
_POLICY: Final = Option("no policy is asked here: leave it out; verify checks every digest", "")
_SIGN: Final = Option("nothing is signed here: sign the new digest afterwards", valued=True)
_CRYPT: Final = Option(
    "encrypted layers are carried as they are: decrypt them before, or encrypt afterwards",
    valued=True,
)
_NO_CHANGE: Final = Option("an image is converted here, never changed", valued=True)
_LAYOUT: Final = Option("write oci:PATH[:REF]")
_SHARED: Final = Option(
    "a layout holds its own blobs, which may be links to others: ln -s", valued=True
)
_NEEDLESS: Final = Option("leave it out: nothing like it is needed", "")
_SOURCE: Final = Option("it is the argument SOURCE: a file, a folder, or - for a pipe", valued=True)
_DEST: Final = Option("it is the argument DEST, as in docker-archive:FILE", valued=True)
_ANYWHERE: Final = {
    **dict.fromkeys(("--src-tls-verify", "--dest-tls-verify", "--tls-verify"), _INSECURE),
    **dict.fromkeys(("--from-plain-http", "--to-plain-http"), _INSECURE),
    **dict.fromkeys(("--src-username", "--dest-username", "--username"), _PARTS),
    **dict.fromkeys(("--src-password", "--dest-password", "--password"), _PARTS),
    **dict.fromkeys(("--src-authfile", "--dest-authfile", "--registry-config"), _AUTH_FILE),
    **dict.fromkeys(("--src-cert-dir", "--dest-cert-dir", "--cert-dir"), _CA_FILE),
    **dict.fromkeys(("--retry-times", "--retry-delay"), _RETRIES),
    **dict.fromkeys(("--policy", "--registries.d"), _POLICY._replace(valued=True)),
    "--insecure-policy": _POLICY,
    **dict.fromkeys(("--oci-layout", "--from-oci-layout", "--to-oci-layout"), _LAYOUT),
    "--layout": _LAYOUT._replace(valued=True),
    "--image": _LAYOUT._replace(valued=True),
    **dict.fromkeys(("--src-shared-blob-dir", "--dest-shared-blob-dir"), _SHARED),
    "--shared-blob-dir": _SHARED,
    **dict.fromkeys(("--input", "-i", "--tarball"), _SOURCE),
    "--command-timeout": _NEEDLESS._replace(valued=True),
}
_ONE_PLATFORM: Final = (
    *("--override-os", "--override-arch", "--override-variant"),
    *("--os", "--arch", "--variant"),
)
_JOBS: Final = dict.fromkeys(
    ("--concurrency", "--image-parallel-copies"), Option("--jobs N", "--jobs {}", valued=True)
)
_CONVERT: Final = {
    **_JOBS,
    **dict.fromkeys(_ONE_PLATFORM, _PLATFORM),
    **dict.fromkeys(("--all", "-a", "--all-platforms", "--force-recursive"), _ALL),
    "--multi-arch": _MULTI_ARCH,
    **dict.fromkeys(("--format", "-f", "--manifest-type"), _FORMAT),
    "--to-docker": Option("--to docker", "--to docker"),
    "--to-oci": Option("--to oci", "--to oci"),
    "--oci": Option("--to oci", "--to oci"),
    "--docker": Option("--to docker", "--to docker"),
    "--dest-compress": _GZIP,
    "--gzip": _GZIP,
    "--zstd": Option("--compress zstd", "--compress zstd"),
    **dict.fromkeys(("--dest-decompress", "--uncompress"), _PLAIN),
    **dict.fromkeys(("--dest-compress-format", "--compression-format"), _COMPRESSION),
    **dict.fromkeys(("--layer-compress", "--compression", "--compress-format"), _COMPRESSION),
    **dict.fromkeys(("--dest-compress-level", "--compression-level"), _LEVEL),
    **dict.fromkeys(("--dest-force-compress-format", "--force-compression"), _FORCED),
    **dict.fromkeys(
        ("--dest-oci-accept-uncompressed-layers", "--oci-accept-uncompressed-layers"),
        Option("--compress keep leaves layers as they are", "--compress keep"),
    ),
    **dict.fromkeys(
        ("--digestfile", "--metadata-file", "--iidfile"),
        Option("--record FILE: every old digest with the new one", "--record {}", valued=True),
    ),
    "--preserve-digests": Option(
        "what need not change keeps its digest; --dry-run shows every new one", ""
    ),
    "--allow-missing": Option("leave it out, or ask for more with --sparse keep|drop|fail", ""),
    "--strip-removed-platforms": Option("--sparse drop", "--sparse drop"),
    "--remove-signatures": Option("--signatures drop", "--signatures drop"),
    **dict.fromkeys(("--sign-by", "--sign-identity", "--sign-passphrase-file"), _SIGN),
    **dict.fromkeys(("--sign-by-sigstore", "--sign-by-sigstore-private-key"), _SIGN),
    **dict.fromkeys(("--encryption-key", "--encrypt-layer", "--decryption-key"), _CRYPT),
    **dict.fromkeys(
        ("--additional-tag", "--tag", "-t"),
        Option("the name is in DEST, as in oci:layout:1; convert again for another", valued=True),
    ),
    **dict.fromkeys(("--output", "-o", "--dest", "--create", "--name"), _DEST),
    "--src": _SOURCE,
    "--replace": Option("DEST may be SOURCE: the image of that name is replaced"),
    **dict.fromkeys(
        ("--recursive", "-r"), Option("--referrers keep carries them", "--referrers keep")
    ),
    "--digest-tags": Option("--signatures keep carries them", "--signatures keep"),
    "--include-external": Option("foreign layers are carried where they are there", ""),
    **dict.fromkeys(("--annotation", "--label", "--env", "--entrypoint"), _NO_CHANGE),
    **dict.fromkeys(("--append", "--time-max", "--config-entrypoint"), _NO_CHANGE),
    **dict.fromkeys(("--dest-precompute-digests", "--scoped"), _NEEDLESS),
}
_INSPECT: Final = {
    "--raw": Option("--json has every document; --full shows digests whole", "--full"),
    **dict.fromkeys(("--config", "--verbose"), Option("--json has every config", "--json")),
    **dict.fromkeys(("--format", "-f"), Option("--json, and jq", valued=True)),
    **dict.fromkeys(("--no-tags", "-n", "--all", "-a"), _NEEDLESS),
    **dict.fromkeys(
        ("--platform", *_ONE_PLATFORM), Option("every platform is shown", "", valued=True)
    ),
}
_VERIFY: Final = {
    "--remote": Option("it is the argument SOURCE, as docker://REF", valued=True),
    "--fast": Option("--documents reads no layer", "--documents"),
    **_JOBS,
    **dict.fromkeys(
        ("--platform", *_ONE_PLATFORM), Option("every platform is verified", "", valued=True)
    ),
}
_OPTIONS: Final[Mapping[str, Mapping[str, Option]]] = {
    "convert": {**_ANYWHERE, **_CONVERT},
    "inspect": {**_ANYWHERE, **_INSPECT},
    "verify": {**_ANYWHERE, **_VERIFY},
}


def known(command: str) -> Mapping[str, Option]:
    """The options of other tools that have an answer for one of our commands."""
    return _OPTIONS.get(command, _ANYWHERE)


def answer(command: str, name: str, arguments: Sequence[str]) -> str | None:
    """What does here what the option ``name`` does elsewhere; ``None`` if nobody has such a one."""
    option = known(command).get(name)
    if option is None:
        return None
    words = replaced(option, _value(name, arguments))
    return f"write {words}" if words else option.said


def replaced(option: Option, value: str) -> str | None:
    """The words that replace an option with this value; ``None``: there are none for certain."""
    found = option.here.get(value) if isinstance(option.here, Mapping) else option.here
    return None if found is None else found.replace("{}", value)


def _value(name: str, arguments: Sequence[str]) -> str:
    """The value of an option in a command line; empty if there is none."""
    for at, word in enumerate(arguments):
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
        if word == name and at + 1 < len(arguments):
            return arguments[at + 1]
    return ""
