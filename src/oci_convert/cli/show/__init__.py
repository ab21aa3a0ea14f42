"""Output for people: lines and findings here, everything larger in a module of its own.

A command imports what it draws when it draws it: most runs want none of it, or one.
"""

from oci_convert.cli.show.findings import failures, findings
from oci_convert.cli.show.terminal import complain, say, say_json, tell
from oci_convert.cli.show.words import bytes_of

__all__ = ["bytes_of", "complain", "failures", "findings", "say", "say_json", "tell"]
