"""What people read: findings, trees, plans, summaries and proofs."""

from oci_convert.cli.show.findings import failures, findings
from oci_convert.cli.show.graph import graph
from oci_convert.cli.show.plan import plan
from oci_convert.cli.show.proof import proof
from oci_convert.cli.show.summary import summary
from oci_convert.cli.show.terminal import complain, say, say_json, tell
from oci_convert.cli.show.tree import tree
from oci_convert.cli.show.words import bytes_of

__all__ = [
    "bytes_of",
    "complain",
    "failures",
    "findings",
    "graph",
    "plan",
    "proof",
    "say",
    "say_json",
    "summary",
    "tell",
    "tree",
]
