"""A registry in this process: the OCI distribution protocol over a dictionary.

It needs nothing but the standard library, remembers every request, and can be as strict, as old or
as broken as those in the field::

    with FakeRegistry() as registry:
        registry.content.push("team/app", "1", manifest, media_type, blobs)
        registry.faults.at(3, Fault.RESET)
        ...                                   # docker://{registry.host}/team/app:1
        assert registry.log.lines() == ["GET /v2/team/app/manifests/1 200", ...]

The modules: ``messages`` (request and reply), ``content`` (what is stored), ``personality`` (what a
registry does its own way), ``uploads`` and ``protocol`` (the answers), ``gate`` (passwords and
tokens), ``faults`` (what goes wrong, and when), ``server`` (sockets, and all of it together).
"""

from registry.content import Content
from registry.faults import Fault
from registry.gate import Htpasswd, TokenServer
from registry.personality import PERSONALITIES, Personality
from registry.server import FakeRegistry

__all__ = [
    "PERSONALITIES",
    "Content",
    "FakeRegistry",
    "Fault",
    "Htpasswd",
    "Personality",
    "TokenServer",
]
