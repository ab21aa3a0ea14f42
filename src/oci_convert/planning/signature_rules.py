"""What becomes of signatures: each names the digest that it was made for, and is never re-pointed.

One stays where that digest stays. The same holds for whatever is signed: a root of a store, an
entry of an index, a file ``signature-N``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oci_convert.errors import RefusedError
from oci_convert.findings import Finding
from oci_convert.options import Keep as Policy
from oci_convert.planning.decisions import Decision, Drop, Plan, recompresses
from oci_convert.planning.rendering import Rendered
from oci_convert.text.wording import Wording
from oci_convert.tree.nodes import DocumentNode, Node
from oci_convert.tree.signed import Signed

__all__ = ["Fate", "fate_of_signature", "kept_signatures", "refuse_present", "signature_of", "told"]


class Fate(NamedTuple):
    """What becomes of a signature."""

    code: str | None
    """What is to be told of it, if anything is."""
    message: str

    @property
    def stays(self) -> bool:
        return self.code in (None, "signature-names-old-digest")


def fate_of_signature(
    policy: Policy,
    digest: str | None,
    subject: Decision | None,
    rendered: Rendered,
    *,
    carried: bool,
    holds: bool,
    where: str,
) -> Fate:
    """What becomes of a signature of ``digest``, where ``subject`` is what becomes of that.

    ``carried``: it stays where there is no ``subject``. ``holds``: the target has room for it.

    Raises :class:`RefusedError` (``signature-present``).
    """
    refuse_present(policy, "signature", digest, where)
    new = None if subject is None else rendered.find(subject)
    survives = carried if subject is None else new is not None and new.digest == digest
    wanted = policy is not Policy.DROP and (survives or policy is Policy.KEEP)
    if wanted and holds:
        code = None if survives else "signature-names-old-digest"
    else:
        gone = wanted or policy is Policy.DROP
        code = "signature-dropped" if gone else "signature-orphaned"
    return Fate(code, "" if code is None else _why(code, digest, subject, rendered))


def _why(code: str, old: str | None, subject: Decision | None, rendered: Rendered) -> str:
    kept = "kept" if code == "signature-names-old-digest" else "dropped"
    if old is None or code == "signature-dropped":
        return f"{kept}: it is for {told(old)}"
    new = None if subject is None else rendered.find(subject)
    if subject is None or isinstance(subject, Drop):
        became = "is not in the target"
    elif new is None:
        repacked = recompresses(subject)
        became = "has recompressed layers" if repacked else "gets another digest"
    else:
        became = f"is now {new.digest}"
    return f"{kept}: it is for {old}, which {became}"


def told(subject: str | None) -> str:
    """What a referrer is for, in words."""
    return subject or "something that is not here"


def refuse_present(policy: Policy, word: str, subject: str | None, where: str) -> None:
    """Raise :class:`RefusedError` for a ``word`` (signature, referrer), if a policy says so."""
    if policy is Policy.FAIL:
        raise RefusedError(
            f"there is a {word} of {told(subject)}",
            code=f"{word}-present",
            where=where,
            remedy=Wording(f'{{{word}s="fail"}} refuses this; choose keep or drop'),
        )


def signature_of(node: Node) -> Signed | None:
    """What a node is for, if it is a signature."""
    return node.signed if isinstance(node, DocumentNode) else None


def kept_signatures(
    plan: Plan,
    rendered: Rendered,
    signatures: Mapping[str, tuple[str, bytes]],
    *,
    holds_signatures: bool,
) -> tuple[dict[str, bytes], list[Finding]]:
    """The ``signature-N`` files that go with the images of a plan, and what is told of the others.

    ``signatures`` are those of the source: by name, the digest spoken of and the bytes.
    ``holds_signatures``: the target has such files, too.

    Raises :class:`RefusedError` (``signature-present``).
    """
    if not signatures:
        return {}, []
    made = {below.node.descriptor.digest: below for below in plan.decisions()}
    found: dict[str, bytes] = {}
    findings: list[Finding] = []
    for name, (digest, data) in signatures.items():
        fate = fate_of_signature(
            plan.options.signatures,
            digest,
            made.get(digest),
            rendered,
            carried=False,
            holds=holds_signatures,
            where=name,
        )
        if fate.stays:
            found[name] = data
        if fate.code is not None:
            findings.append(Finding.of(fate.code, name, f"signature {fate.message}"))
    return found, findings
