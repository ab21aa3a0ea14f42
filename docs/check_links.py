"""Every link of the built site leads somewhere in it, and nothing is loaded from elsewhere.

``python docs/check_links.py build/site`` prints what does not; no network is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("img", "src"), ("script", "src"), ("source", "src"), ("iframe", "src")}


class Page(HTMLParser):
    """The links of a page, and what in it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []
        """Where to, and whether it is loaded with the page."""
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names and where it leads."""
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        loads = tag == "link" and given.get("rel") in (
            "stylesheet",
            "icon",
            "preload",
            "preconnect",
        )
        for name in ("href", "src"):
            if name in given:
                self.links.append((given[name], loads or (tag, name) in LOADED))


@cache
def page(file: Path) -> Page:
    """A page of the site; anything else has no links and only its begin to link to."""
    return Page(file.read_text(encoding="utf-8") if file.suffix == ".html" else "")


def wrong(site: Path) -> Iterator[str]:
    """Each link that leads nowhere."""
    for file in sorted(site.rglob("*.html")):
        if file.name == "404.html":
            continue  # its links begin at the root of wherever the site is
        for link, is_loaded in page(file).links:
            parts = urlsplit(link)
            where = f"{file.relative_to(site)}: {link}"
            if parts.scheme or parts.netloc:
                if is_loaded and parts.scheme != "data":
                    yield f"{where} is loaded from elsewhere"
                continue
            target = (file.parent / unquote(parts.path)) if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where}: there is no such file"
                continue
            fragment = unquote(parts.fragment) if target.suffix == ".html" else ""
            if fragment not in page(target).anchors:
                yield f"{where}: there is no such place in it"


if __name__ == "__main__":
    found = list(wrong(Path(sys.argv[1])))
    print("\n".join(found) or "every link leads somewhere")
    sys.exit(bool(found))
