"""For griffe: the roles in docstrings (``:class:`Report```) as links of the page.

Docstrings are written for ``help()`` and for editors, which know the roles of Sphinx; the site is
Markdown. What is public becomes a link, anything else code.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|exc):`(~?)([\w.]+)`")


class Roles(griffe.Extension):
    """Rewrites the docstrings of a package."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        public = set(pkg.exports or ())
        self._rewrite(pkg, pkg.path, {str(name) for name in public}, set())

    def _rewrite(
        self, parent: griffe.Object, package: str, public: set[str], seen: set[str]
    ) -> None:
        if parent.docstring:
            parent.docstring.value = _ROLE.sub(
                lambda role: _link(role, package, public), parent.docstring.value
            )
        for member in parent.members.values():
            if isinstance(member, griffe.Object) and member.path not in seen:
                seen.add(member.path)
                self._rewrite(member, package, public, seen)


def _link(role: re.Match[str], package: str, public: set[str]) -> str:
    short, target = role.groups()
    shown = target.rpartition(".")[2] if short else target
    if target.partition(".")[0] in public:
        return f"[`{shown}`][{package}.{target}]"
    return f"`{shown}`"
