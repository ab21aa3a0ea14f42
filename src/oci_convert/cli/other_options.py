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
_MULTI_ARCH: Final = Option(_ALL.said, {"all": ""})
_PLATFORM: Final = Option("--platform OS/ARCH[/VARIANT] chooses, as in linux/arm64")
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
)
_DOCKER: Final = Option("--to docker", "--to docker")
_OCI: Final = Option("--to oci", "--to oci")
_GZIP: Final = Option("--compress gzip", "--compress gzip")
_ZSTD: Final = Option("--compress zstd", "--compress zstd")
_PLAIN: Final = Option("--compress none", "--compress none")
_COMPRESSION: Final = Option(
    "--compress gzip or --compress zstd",
    {"gzip": "--compress gzip", "zstd": "--compress zstd", "none": "--compress none"},
)
_LEVEL: Final = Option("--level N", "--level {}")
_FORCED: Final = Option("--compress packs every layer that is not packed so already", "")
_UNPACKED: Final = Option("--compress keep leaves layers as they are", "--compress keep")
_LAZY: Final = Option("no such layers are made here: nerdctl image convert does that")
_INSECURE: Final = Option("--insecure HOST, or --plain-http HOST for a registry without TLS")
_HOST: Final = Option("--plain-http HOST, --insecure HOST and --ca-file FILE say how to reach it")
_CREDS: Final = Option("--creds USER[:PASSWORD]", "--creds {}")
_PARTS: Final = Option("--creds USER[:PASSWORD]")
_TOKEN: Final = Option("--creds USER:TOKEN, or what docker login keeps")
_NO_CREDS: Final = Option("--authfile FILE, where FILE holds {}, sends none")
_STDIN: Final = Option("--password-stdin, with --creds USER", "--password-stdin")
_AUTH_FILE: Final = Option("--authfile FILE", "--authfile {}")
_CA_FILE: Final = Option("--ca-file FILE", "--ca-file {}")
_CA_FOLDER: Final = Option("--ca-file FILE")
_CERT: Final = Option("--cert FILE", "--cert {}")
_KEY: Final = Option("--key FILE", "--key {}")
_RETRIES: Final = Option("--retries N", "--retries {}")
_JOBS: Final = Option("--jobs N", "--jobs {}")
_REQUEST: Final = Option("requests are as the registry wants them: the option is oras' own")
_DAEMON: Final = Option(
    "no daemon is asked here: docker save IMAGE | oci-convert convert - …, or podman save"
)
_POLICY: Final = Option("no policy is asked here: leave it out; verify checks every digest", "")
_SIGN: Final = Option("nothing is signed here: sign the new digest afterwards, with cosign")
_CRYPT: Final = Option(
    "encrypted layers are carried as they are: skopeo copy decrypts and encrypts them"
)
_NO_CHANGE: Final = Option(
    "an image is converted here, never changed: crane mutate and regctl image mod do that"
)
_LAYOUT: Final = Option("write oci:PATH[:REF]")
_SHARED: Final = Option("a layout holds its own blobs, which may be links to others: ln -s")
_NEEDLESS: Final = Option("leave it out: nothing like it is needed", "")
_SOURCE: Final = Option("it is the argument SOURCE: a file, a folder, or - for a pipe")
_DEST: Final = Option("it is the argument DEST, as in docker-archive:FILE")
_RECORD: Final = Option("--record FILE: every old digest with the new one", "--record {}")
_REFERRERS: Final = Option("--referrers keep carries them", "--referrers keep")
_SPARSE: Final = Option("--sparse drop", "--sparse drop")


def _named(*answers: tuple[str, Option]) -> dict[str, Option]:
    """Each name with its answer; names that end with ``=`` take a value."""
    return {
        name.rstrip("="): option._replace(valued=name.endswith("="))
        for names, option in answers
        for name in names.split()
    }


_ANYWHERE: Final = _named(
    ("--src-tls-verify --dest-tls-verify --tls-verify", _INSECURE),
    ("--from-plain-http --to-plain-http --from-insecure --to-insecure", _INSECURE),
    ("--host= --hosts=", _HOST),
    ("--src-username= --dest-username= --username= --from-username= --to-username=", _PARTS),
    ("--src-password= --dest-password= --password= --from-password= --to-password=", _PARTS),
    ("--src-registry-token= --dest-registry-token= --registry-token=", _TOKEN),
    ("--identity-token= --from-identity-token= --to-identity-token=", _TOKEN),
    ("--identity-token-stdin --from-password-stdin --to-password-stdin", _STDIN),
    ("--src-no-creds --dest-no-creds --no-creds", _NO_CREDS),
    ("--src-authfile= --dest-authfile= --registry-config=", _AUTH_FILE),
    ("--from-registry-config= --to-registry-config=", _AUTH_FILE),
    ("--src-cert-dir= --dest-cert-dir= --cert-dir=", _CA_FOLDER),
    ("--from-ca-file= --to-ca-file=", _CA_FILE),
    ("--cert-file= --from-cert-file= --to-cert-file=", _CERT),
    ("--key-file= --from-key-file= --to-key-file=", _KEY),
    ("--retry-times= --retry-delay=", _RETRIES),
    ("--header= --from-header= --to-header= -H=", _REQUEST),
    ("--resolve= --from-resolve= --to-resolve=", _REQUEST),
    ("--distribution-spec= --from-distribution-spec= --to-distribution-spec=", _NEEDLESS),
    ("--src-daemon-host= --dest-daemon-host= --daemon-host=", _DAEMON),
    ("--namespace= --address= --snapshotter= --local", _DAEMON),
    ("--insecure-policy --require-signed", _POLICY),
    ("--policy= --registries.d= --registries-conf=", _POLICY),
    ("--oci-layout --from-oci-layout --to-oci-layout --target= --to-target=", _LAYOUT),
    ("--oci-layout-path= --from-oci-layout-path= --to-oci-layout-path=", _LAYOUT),
    ("--layout= --image=", _LAYOUT),
    ("--src-shared-blob-dir= --dest-shared-blob-dir= --shared-blob-dir=", _SHARED),
    ("--input= -i= --tarball= --in= --from=", _SOURCE),
    ("--command-timeout= --timeout= --user-agent= --user-agent-prefix=", _NEEDLESS),
    ("--verbosity= --logopt= --log-level= --trace --no-tty --no-color --yes -y", _NEEDLESS),
    ("--cache_path= --cache-path= -c=", _NEEDLESS),
)
_ONE_PLATFORM: Final = (
    "--override-os= --override-arch= --override-variant= --os= --arch= --variant= --platforms="
)
_WORKERS: Final = "--concurrency= --image-parallel-copies= --parallel= --max-concurrent-downloads="
_CONVERT: Final = _named(
    (_WORKERS, _JOBS),
    (f"{_ONE_PLATFORM} --instance-platforms=", _PLATFORM),
    ("-p=", Option("--platform OS/ARCH chooses; --creds USER[:PASSWORD] logs in")),
    ("--all -a --all-platforms --force-recursive --index --multi-image-archive -m", _ALL),
    ("--multi-arch=", _MULTI_ARCH),
    ("--format= -f= --manifest-type= --image-format= --output-format= --oci-type=", _FORMAT),
    ("--to-docker --docker", _DOCKER),
    ("--to-oci --oci", _OCI),
    ("--to-oci-referrers", Option("attestations stay as they are: regctl image mod does that")),
    ("--dest-compress --gzip", _GZIP),
    ("--zstd", _ZSTD),
    ("--dest-decompress --uncompress --uncompressed", _PLAIN),
    ("--dest-compress-format= --compression-format=", _COMPRESSION),
    ("--layer-compress= --compression= --compress-format=", _COMPRESSION),
    ("--dest-compress-level= --compression-level= --zstd-compression-level=", _LEVEL),
    ("--dest-force-compress-format --force-compression", _FORCED),
    ("--dest-oci-accept-uncompressed-layers --oci-accept-uncompressed-layers", _UNPACKED),
    ("--estargz --zstdchunked --nydus --soci --overlaybd", _LAZY),
    ("--digestfile= --metadata-file= --iidfile= --image-refs=", _RECORD),
    (
        "--digest-algo=",
        Option(
            "--digest sha256, or sha512 for OCI",
            {"sha256": "--digest sha256", "sha512": "--digest sha512"},
        ),
    ),
    (
        "--preserve-digests",
        Option("what need not change keeps its digest; --dry-run shows every new one", ""),
    ),
    (
        "--allow-missing",
        Option("leave it out, or ask for more with --sparse keep|drop|fail", ""),
    ),
    ("--strip-removed-platforms --strip-sparse-manifest-list", _SPARSE),
    ("--remove-signatures", Option("--signatures drop", "--signatures drop")),
    ("--sign-by= --sign-identity= --sign-passphrase-file= --sign-by-sq-fingerprint=", _SIGN),
    ("--sign-by-sigstore= --sign-by-sigstore-private-key=", _SIGN),
    ("--encryption-key= --encrypt-layer= --decryption-key=", _CRYPT),
    (
        "--additional-tag= --tag= -t=",
        Option("the name is in DEST, as in oci:layout:1; convert again for another"),
    ),
    ("--output= -o= --dest= -d= --create= --name= --out= --outfile=", _DEST),
    ("--src= -s=", _SOURCE),
    ("--replace", Option("DEST may be SOURCE: the image of that name is replaced")),
    ("--overwrite", Option("--force", "--force")),
    ("--no-clobber -n", Option("nothing is overwritten without --force: leave it out", "")),
    ("--recursive -r --referrers-src= --referrers-tgt=", _REFERRERS),
    ("--digest-tags", Option("--signatures keep carries them", "--signatures keep")),
    (
        "--include-external --allow-nondistributable-artifacts",
        Option("foreign layers are carried where they are there", ""),
    ),
    ("--reproducible --layer-reproducible", _NEEDLESS),
    ("--annotation= --label= --env= --entrypoint= --cmd= --user= --workdir=", _NO_CHANGE),
    ("-e= -l= -u= -w= --exposed-ports= --set-base-image-annotations", _NO_CHANGE),
    ("--append= --new_layer= --old_base= --new_base= --rebased= --original=", _NO_CHANGE),
    ("--rebase --rebase-ref= --annotation-base= --annotation-promote", _NO_CHANGE),
    ("--time= --time-max= --layer-time= --config-time= --file-tar-time=", _NO_CHANGE),
    ("--layer-add= --layer-rm-index= --layer-rm-created-by= --layer-strip-file=", _NO_CHANGE),
    ("--config-entrypoint= --config-cmd= --config-platform= --label-to-annotation", _NO_CHANGE),
    ("--buildarg-rm= --buildarg-rm-regex= --data-max= --external-urls-rm", _NO_CHANGE),
    ("--expose-add= --expose-rm= --volume-add= --volume-rm= --artifact-type=", _NO_CHANGE),
    ("--dest-precompute-digests --scoped --annotate-ref", _NEEDLESS),
    ("--append-suffix=", Option("DEST says it, as in docker://HOST/REPO:{tag}-new, with sync")),
)
_TRANSPORT: Final = Option(
    "the transport stands before the path: docker://HOST/REPO:*, oci:PATH, dir:PATH"
)
_SYNC: Final = _named(
    ("--src= -s= --dest= -d=", _TRANSPORT),
    ("--keep-going", Option("it goes on in any case; --fail-fast stops at the first failure", "")),
    (
        "--digestfile= --metadata-file= --iidfile= --image-refs=",
        Option("--records DIR: every old digest with the new one"),
    ),
)
_INSPECT: Final = _named(
    ("--raw", Option("--json has every document; --full shows digests whole", "--full")),
    ("--config --verbose -v", Option("--json has every config", "--json")),
    ("--format= -f= --template=", Option("--json, and jq")),
    ("--digests --no-trunc --descriptor", Option("--full shows digests whole", "--full")),
    ("--pretty --format-body= --output= -o=", Option("--json, and jq or > FILE")),
    ("--no-tags -n --all -a --quiet -q --manifest-digest", _NEEDLESS),
    ("--tmpdir=", Option("set TMPDIR instead")),
    (f"--platform= -p= {_ONE_PLATFORM}", Option("every platform is shown", "")),
    ("--artifact-type= --depth=", Option("every referrer is shown", "")),
)
_VERIFY: Final = _named(
    ("--remote=", Option("it is the argument SOURCE, as docker://REF")),
    ("--fast", Option("--documents reads no layer", "--documents")),
    (_WORKERS, _JOBS),
    (f"--platform= -p= {_ONE_PLATFORM}", Option("every platform is verified", "")),
)
_OPTIONS: Final[Mapping[str, Mapping[str, Option]]] = {
    "convert": {**_ANYWHERE, **_CONVERT},
    "sync": {**_ANYWHERE, **_CONVERT, **_SYNC},
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
