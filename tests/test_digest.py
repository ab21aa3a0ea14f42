"""Digests: the grammar, the registered algorithms, and what is safe as a file name."""

from __future__ import annotations

import copy
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.errors import BlobError, DocumentError
from oci_convert.layers.streams import Tally, verified
from oci_convert.spec.digest import Digest, new_hash

VALID = {
    "sha256": "sha256:" + "0123456789abcdef" * 4,
    "sha384": "sha384:" + "a" * 96,
    "sha512": "sha512:" + "0" * 128,
    "an unregistered algorithm": "blake3:" + "ab" * 32,
    "components": "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
    "base64": "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564=",
    "separators": "a.b_c-d+e9:A",
}

INVALID = {
    "nothing": "",
    "no colon": "sha256",
    "no algorithm": ":" + "0" * 64,
    "nothing encoded": "sha256:",
    "too short": "sha256:" + "0" * 63,
    "too long": "sha256:" + "0" * 65,
    "upper-case hex": "sha256:" + "A" * 64,
    "no hex": "sha256:" + "g" * 64,
    "the length of another algorithm": "sha512:" + "0" * 64,
    "upper-case algorithm": "SHA256:" + "0" * 64,
    "a path": "sha256:../../../../etc/passwd",
    "a slash": "x:a/b",
    "a dot": "x:..",
    "an algorithm that is a path": "../x:ab",
    "an empty component": "a..b:c",
    "two colons": "sha256:" + "0" * 32 + ":" + "0" * 31,
    "a line end": "sha256:" + "0" * 64 + "\n",
    "a line end in another algorithm": "x:ab\n",
    "a space": " sha256:" + "0" * 64,
    "Unicode digits": "sha256:" + "٣" * 64,
    "longer than a file name": "x:" + "a" * 254,
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_what_follows_the_grammar_is_a_digest(text: str) -> None:
    digest = Digest(text)
    assert digest == text
    assert hash(digest) == hash(text)
    assert f"{digest.algorithm}:{digest.encoded}" == text
    assert Digest(digest) is digest


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_what_does_not_is_refused(text: str) -> None:
    with pytest.raises(DocumentError) as refused:
        Digest(text)
    assert refused.value.code == "invalid-digest"
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9+._-]*:[a-zA-Z0-9=_./-]*", fullmatch=True))
def test_any_text_is_a_safe_file_name_or_refused(text: str) -> None:
    try:
        digest = Digest(text)
    except DocumentError:
        return
    for part in (digest.algorithm, digest.encoded):
        assert part
        assert part.isascii()
        assert part.isprintable()
        assert not set("/\\ .") & {part[0]}
        assert "/" not in part


@given(st.binary(), st.sampled_from(["sha256", "sha384", "sha512"]))
def test_the_digest_of_bytes_is_that_of_hashlib(data: bytes, algorithm: str) -> None:
    digest = Digest.of(data, algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    hasher = new_hash(digest.algorithm)
    hasher.update(data)
    assert hasher.hexdigest() == digest.encoded


@pytest.mark.parametrize("algorithm", ["blake3", "md5", "sha1", "shake_128"])
def test_an_algorithm_that_cannot_be_verified_is_not_carried(algorithm: str) -> None:
    digest = Digest(f"{algorithm}:{'ab' * 16}")
    for attempt in (
        lambda: new_hash(algorithm),
        lambda: Digest.of(b"", algorithm),
        lambda: Tally(algorithm),
        lambda: list(verified([b""], digest, 0, "layers[0]")),
    ):
        with pytest.raises(BlobError) as refused:
            attempt()
        assert refused.value.code == "unsupported-algorithm"
        assert "sha256, sha384, sha512" in str(refused.value)


def test_a_digest_survives_pickling_and_copying() -> None:
    digest = Digest.of(b"hello")
    for twin in (pickle.loads(pickle.dumps(digest)), copy.copy(digest), copy.deepcopy(digest)):
        assert twin == digest
        assert type(twin) is Digest


def test_people_see_twelve_digits() -> None:
    assert Digest.of(b"hello").short() == "sha256:2cf24dba5fb0"
