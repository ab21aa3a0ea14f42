"""Pins in texts that people write: which are found, what becomes of them, and that nothing else is
touched."""

from __future__ import annotations

import re
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oci_convert.report import Report
from oci_convert.transform.repin import Outcome, Pin, Repinned, repin
from support.images import digest_of, docker_image, image_list, layer, oci_image
from support.runs import platforms, run

APP: Final = digest_of(b"app")
WEB: Final = digest_of(b"web")
BIG: Final = digest_of(b"big", "sha512")
GONE: Final = digest_of(b"gone")
KEPT: Final = digest_of(b"kept")
OTHER: Final = digest_of(b"other")
NEW_APP: Final = digest_of(b"new app")
NEW_WEB: Final = digest_of(b"new web")
NEW_BIG: Final = digest_of(b"new big", "sha512")
PINS: Final = {APP: NEW_APP, WEB: NEW_WEB, BIG: NEW_BIG, GONE: None, KEPT: KEPT}
BACK: Final = {new: old for old, new in PINS.items() if new is not None}
HEX: Final = APP.removeprefix("sha256:")


def outcomes(text: str, *, bare: bool = False) -> list[str]:
    return [pin.outcome.value for pin in repin(text, PINS, bare=bare).pins]


def new_text(text: str) -> str:
    """What ``text`` must become, by the plainest means."""
    return text.replace(APP, NEW_APP).replace(WEB, NEW_WEB).replace(BIG, NEW_BIG)


# -- what people write --------------------------------------------------------------------------

FILES: Final = {
    "a Deployment of Kubernetes": (
        f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  annotations:
    # was {APP} until the move
    kubectl.kubernetes.io/last-applied-configuration: |
      {{"spec":{{"containers":[{{"image":"registry.example.com/app:1.2@{APP}"}}]}}}}
spec:
  template:
    spec:
      initContainers:
        - {{name: migrate, image: "registry.example.com/app@{APP}", command: [migrate]}}
      containers:
        - name: app
          image: registry.example.com:5000/team/app:1.2@{APP}   # pinned
        - name: web
          image: 'web@{WEB}'
        - name: database
          image: docker.io/library/postgres:16@{OTHER}
      ephemeralContainers:
        - name: debug
          image: >-
            registry.example.com/debug@{BIG}
""",
        [
            "6  rewritten",
            "8 registry.example.com/app:1.2 rewritten",
            "13 registry.example.com/app rewritten",
            "16 registry.example.com:5000/team/app:1.2 rewritten",
            "18 web rewritten",
            "20 docker.io/library/postgres:16 unknown",
            "24 registry.example.com/debug rewritten",
        ],
    ),
    "a CronJob in flow style, several documents in one file": (
        f"""\
---
{{kind: CronJob, spec: {{jobTemplate: {{spec: {{template: {{spec:
  {{containers: [{{image: app@{APP}}},{{image: web@{WEB}}}]}}}}}}}}}}}}
---
status: {{containerStatuses: [{{imageID: docker-pullable://app@{APP}}}]}}
""",
        ["3 app rewritten", "3 web rewritten", "5 docker-pullable://app rewritten"],
    ),
    "Compose": (
        f"""\
services:
  app:
    image: app:1@{APP}
  web:
    image: "web@${{WEB_DIGEST:-{WEB}}}"
  cache:
    image: redis@${{CACHE_DIGEST:-{OTHER}}}
  old:
    image: old@{GONE}
    build:
      additional_contexts:
        base: docker-image://app@{APP}
""",
        [
            "3 app:1 rewritten",
            "5  rewritten",
            "7  unknown",
            "9 old dropped",
            "12 docker-image://app rewritten",
        ],
    ),
    "values of Helm": (
        f"""\
image:
  repository: registry.example.com/app
  tag: "1.2"
  digest: "{APP}"
sidecar:
  image: {{repository: web, digest: {WEB}}}
metrics:
  image:
    digest: {OTHER}
grafana:
  image:
    sha: {HEX}
""",
        ["4  rewritten", "6  rewritten", "9  unknown", "12  bare"],
    ),
    "Kustomize": (
        f"""\
images:
  - name: app
    newName: registry.example.com/app
    digest: {APP}
  - digest: {OTHER}
    name: other
""",
        ["4  rewritten", "5  unknown"],
    ),
    "a Dockerfile": (
        f"""\
# syntax=docker/dockerfile:1
ARG BASE_DIGEST={WEB}
FROM --platform=$BUILDPLATFORM golang:1.22@{OTHER} AS build
FROM app@{APP} AS final
COPY --from=web@{WEB} /srv /srv
RUN --mount=from=app@{APP},target=/app true
""",
        [
            "2  rewritten",
            "3 golang:1.22 unknown",
            "4 app rewritten",
            "5 web rewritten",
            "6 app rewritten",
        ],
    ),
    "a bake file": (
        f"""\
target "app" {{
  contexts = {{ base = "docker-image://app@{APP}" }}
  args = {{ DIGEST = "{OTHER}" }}
}}
""",
        ["2 docker-image://app rewritten", "3  unknown"],
    ),
    "JSON with JSON in it": (
        rf"""{{"image":"app@{APP}","digest":"{OTHER}",
"text":"{{\"image\":\"web@{WEB}\",\"digest\":\"{OTHER}\"}}\n{APP}\t{WEB}"}}""",
        [
            "1 app rewritten",
            "1  unknown",
            "2 web rewritten",
            "2  unknown",
            "2  rewritten",
            "2  rewritten",
        ],
    ),
    "Terraform": (
        f"""\
resource "google_cloud_run_service" "app" {{
  image = "europe-docker.pkg.dev/p/r/app@{APP}"
}}
variable "web_digest" {{
  default = "{WEB}"
}}
locals {{ image_digest = "{OTHER}" }}
""",
        ["2 europe-docker.pkg.dev/p/r/app rewritten", "5  rewritten", "7  unknown"],
    ),
    "an Application of Argo CD": (
        f"""\
spec:
  source:
    helm:
      parameters:
        - {{name: image.digest, value: {APP}}}
    kustomize:
      images: ["app=registry.example.com/app@{APP}"]
""",
        ["5  rewritten", "7 registry.example.com/app rewritten"],
    ),
    "an ImageDigestMirrorSet names no digests": (
        """\
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
spec:
  imageDigestMirrors:
    - source: registry.example.com/app
      mirrors: [mirror.example.com/app]
""",
        [],
    ),
    "a shell script": (
        f"""\
#!/bin/sh
crane copy "app@{APP}" app:prod
helm upgrade app ./chart --set image.digest={WEB} --set-string other.digest={OTHER}
skopeo inspect docker://app@{APP}|jq .
cosign verify --digest {OTHER}
curl https://registry.example.com/v2/app/manifests/{APP}
oc image mirror app@{APP}=mirror.example.com/app:1
""",
        [
            "2 app rewritten",
            "3  rewritten",
            "3  unknown",
            "4 docker://app rewritten",
            "5  unknown",
            "6  rewritten",
            "7 app rewritten",
        ],
    ),
    "digests of other things": (
        f"""\
requests==2.32.0 --hash={OTHER}
wheels = [{{ url = "https://example.com/a.whl", hash = "{OTHER}" }}]
checksum: {OTHER}
{OTHER.removeprefix("sha256:")}  app.tar.gz
integrity: sha512-{"A" * 86}==
""",
        [],
    ),
    "ends of lines that are not ours": (
        f"\ufeffimage: app@{APP}\r\n\r\nimage: web@{WEB}\r\n# {KEPT}",
        ["1 app rewritten", "3 web rewritten", "4  already"],
    ),
}
"""A text, and line, name and outcome of every pin that must be found in it."""


@pytest.mark.parametrize(("text", "found"), FILES.values(), ids=FILES)
def test_pins_are_found_and_rewritten_in(text: str, found: list[str]) -> None:
    repinned = repin(text, PINS)
    assert [f"{pin.line} {pin.name} {pin.outcome}" for pin in repinned.pins] == found
    assert repinned.text == new_text(text)
    assert repinned.changed is (repinned.text != text)


# -- what is a digest, and what only looks like one ---------------------------------------------

NO_PINS: Final = {
    "upper case": f"app@{APP.upper()}",
    "upper-case hex digits": f"app@sha256:{HEX.upper()}",
    "one digit more": f"app@{APP}0",
    "one digit less": f"app@{APP[:-1]}",
    "a letter more": f"app@{APP}z",
    "more of the encoded part": f"app@{APP}-amd64 app@{APP}_1",
    "a longer algorithm": f"xsha256:{HEX} x_sha256:{HEX} 1sha256:{HEX}",
    "another algorithm than the hex digits": f"app@sha512:{HEX}",
    "the tag of a signature": f"app:sha256-{HEX}.sig",
    "a blob of a layout": f"blobs/sha256/{HEX}",
    "a tag": f"app:{HEX}",
    "a file": f"{HEX}.json {HEX}/x",
    "hex digits of another algorithm in longer ones": "f" * 200,
    "a commit": "0123456789abcdef0123456789abcdef01234567",
    "an escaped colon": f"app@sha256%3A{HEX}",
    "nothing": "",
}


@pytest.mark.parametrize("text", NO_PINS.values(), ids=NO_PINS)
def test_no_pin_is(text: str) -> None:
    assert repin(text, PINS, bare=True) == Repinned(text, ())


@pytest.mark.parametrize(
    "before", ["", " ", "@", '"', "'", "(", "=", ",", "/", "-", "\n", "ü", "\\n"]
)
@pytest.mark.parametrize(
    "after", ["", " ", '"', "'", ")", ".", ",", ";", ":", "\r\n", "ü", "\\n", "}"]
)
def test_a_digest_is_found_between_any_marks(before: str, after: str) -> None:
    assert repin(f"{before}{APP}{after}", PINS).text == f"{before}{NEW_APP}{after}"


def test_a_digest_of_the_map_is_found_wherever_it_stands_an_unknown_one_only_as_a_pin() -> None:
    for place in ("{}", "hash: {}", "- {}", "# {}"):
        assert outcomes(place.format(APP)) == ["rewritten"]
        assert outcomes(place.format(KEPT)) == outcomes(place.format(NEW_APP)) == ["already"]
        assert outcomes(place.format(GONE)) == ["dropped"]
        assert outcomes(place.format(OTHER)) == []
    for place in ("a@{}", "digest: {}", 'Digest = "{}"', "IMAGE_DIGEST={}", "--digest {}"):
        assert outcomes(place.format(OTHER)) == ["unknown"]


NAMES: Final = {
    "app": "app",
    "localhost:5000/team/app:1.2-rc_3": "localhost:5000/team/app:1.2-rc_3",
    "docker://app": "docker://app",
    "./app": "app",
    "a b": "b",
    "größe": "e",
    "${IMAGE}": "",
    "": "",
}


@pytest.mark.parametrize(("before", "name"), NAMES.items())
def test_the_name_is_what_stands_before_the_at_sign(before: str, name: str) -> None:
    assert repin(f"{before}@{APP}", PINS).pins[0].name == name


def test_bare_hex_digits_are_told_and_rewritten_only_on_demand() -> None:
    text = f"sha: {HEX}\n{{'sha256':'{HEX}'}}\nSHA={HEX}.\n"
    told = repin(text, PINS)
    new = NEW_APP.removeprefix("sha256:")
    assert told.text == text
    assert not told.changed
    assert told.pins == tuple(Pin(line, "", HEX, new, Outcome.BARE) for line in (1, 2, 3))
    done = repin(text, PINS, bare=True)
    assert done.text == text.replace(HEX, new)
    assert done.counts == {Outcome.REWRITTEN: 3}


def test_bare_hex_digits_of_what_did_not_change_are_nothing_to_tell() -> None:
    for digest in (KEPT, GONE, NEW_APP, OTHER):
        assert outcomes(f"sha: {digest.partition(':')[2]}", bare=True) == []


def test_bare_hex_digits_never_stand_for_another_algorithm() -> None:
    assert repin(f"sha: {HEX}", {APP: NEW_BIG}, bare=True).pins == ()


def test_an_image_that_one_map_dropped_and_another_gave_is_up_to_date() -> None:
    assert repin(f"a@{GONE}", {GONE: None, APP: GONE}).pins[0].outcome is Outcome.ALREADY


def test_there_are_no_chains() -> None:
    chain = {APP: WEB, WEB: OTHER}
    assert repin(f"{APP} {WEB} {OTHER}", chain).text == f"{WEB} {OTHER} {OTHER}"
    swap = {APP: WEB, WEB: APP}
    assert repin(f"{APP} {WEB}", swap).text == f"{WEB} {APP}"


def test_a_long_text_without_an_end_is_read_in_linear_time() -> None:
    text = "a" * 2_000_000 + "@" + APP + "0" * 2_000_000
    assert repin(text, PINS).pins == ()
    assert len(repin("a" * 2_000_000 + "@" + APP, PINS).pins[0].name) < 300


# -- properties ---------------------------------------------------------------------------------

_FILLER: Final = st.text(st.characters(codec="utf-8"), max_size=20)
_MARK: Final = st.sampled_from(["@", " ", "\n", "\r\n", '"', ": ", "=", "/"])
_DIGESTS: Final = st.sampled_from([APP, WEB, BIG, GONE, KEPT, OTHER, HEX, APP + "0", APP.upper()])
TEXTS: Final = st.lists(_FILLER | _MARK | _DIGESTS, max_size=12).map("".join)


@given(TEXTS, st.booleans())
def test_nothing_but_mapped_digests_changes(text: str, bare: bool) -> None:
    repinned = repin(text, PINS, bare=bare)
    assert repin(repinned.text, BACK, bare=bare).text == text
    assert repinned.changed is (repinned.text != text)
    if not bare:
        assert re.sub(r"sha\d+:[0-9a-f]+", "", repinned.text) == re.sub(
            r"sha\d+:[0-9a-f]+", "", text
        )


@given(TEXTS, st.booleans())
def test_a_second_time_changes_nothing(text: str, bare: bool) -> None:
    once = repin(text, PINS, bare=bare)
    twice = repin(once.text, PINS, bare=bare)
    assert twice.text == once.text
    assert twice.counts[Outcome.REWRITTEN] == 0


@given(TEXTS)
def test_every_pin_stands_on_its_line(text: str) -> None:
    lines = text.split("\n")
    for pin in repin(text, PINS).pins:
        line = lines[pin.line - 1]
        assert pin.old in line
        assert not pin.name or f"{pin.name}@{pin.old}" in line


@given(
    st.lists(st.tuples(st.sampled_from([APP, WEB, GONE, KEPT, OTHER]), _MARK), max_size=8),
    st.dictionaries(
        st.sampled_from([APP, WEB, GONE, KEPT]),
        st.sampled_from([APP, WEB, GONE, KEPT, OTHER, None]),
    ),
)
def test_every_digest_is_looked_up_once(
    marked: list[tuple[str, str]], pins: dict[str, str | None]
) -> None:
    text = "".join(digest + mark for digest, mark in marked)
    want = "".join((pins.get(digest) or digest) + mark for digest, mark in marked)
    assert repin(text, pins).text == want


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_that_are_no_utf_8_survive(before: bytes, after: bytes) -> None:
    raw = before + b" " + APP.encode() + b" " + after
    assume(APP.encode() not in before + after)
    text = repin(raw.decode("utf-8", "surrogateescape"), PINS).text
    want = raw.replace(APP.encode(), NEW_APP.encode())
    assert text.encode("utf-8", "surrogateescape") == want


# -- the pins of a report -----------------------------------------------------------------------


def test_the_pins_of_a_report_are_its_images_alone() -> None:
    index = image_list(platforms("linux/amd64", "linux/arm64", make=docker_image))
    report, _ = run(index, "oci")
    kinds = {row.old.digest: row.kind.value for row in report.map}
    assert {kinds[old] for old in report.pins} == {"index", "manifest"}
    assert len(report.pins) == 3
    assert all(report.pins[old] == report.digest_map[old].digest for old in report.pins)
    text = f"a@{index.digest} b@{digest_of(layer('base').data)}"
    assert repin(text, report.pins).text == text.replace(index.digest, report.images[0].new.digest)


def flattened() -> tuple[str, Report]:
    index = image_list([oci_image()])
    return index.digest, run(index, "docker", flatten=True)[0]


def test_an_index_that_gave_way_to_its_image_leads_there() -> None:
    old, report = flattened()
    assert {row.old.digest: row.change.value for row in report.map}[old] == "dropped"
    assert report.pins[old] == report.images[0].new.digest


def test_what_was_dropped_leads_nowhere() -> None:
    amd64, arm64 = platforms("linux/amd64", "linux/arm64", make=docker_image)
    report, _ = run(image_list([amd64, arm64]), "oci", platforms=["linux/amd64"])
    assert report.pins[arm64.digest] is None
    assert repin(f"a@{arm64.digest}", report.pins).pins[0].outcome is Outcome.DROPPED
