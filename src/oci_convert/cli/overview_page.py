"""An overview as a page: one file, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from oci_convert.cli.show.words import count_of
from oci_convert.fleet.overview import DURATIONS, Overview
from oci_convert.fleet.results import JobStatus
from oci_convert.text.html import Html, tag
from oci_convert.text.words import bytes_of

__all__ = ["page"]

_LABELS: Final = {0.01: "10 ms", 0.3: "0.3 s", 10: "10 s", 300: "5 min"}
"""What stands below the end of a column of durations."""
_STYLE: Final = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1f2a30; --faint: #5b6b73;
  --line: #d8dfe2; --done: #2e7d5b; --unchanged: #7aa7c7; --skipped: #b0b8bc;
  --left-out: #d9a441; --failed: #c0392b; --lost: #8e44ad; --bar: #3f7cac }
@media (prefers-color-scheme: dark) { :root { --ground: #14191c; --ink: #e4eaed;
  --faint: #9fb0b8; --line: #333d42; --done: #4caf83; --unchanged: #5f8fb3; --skipped: #6b757a;
  --left-out: #c08f35; --failed: #e57368; --lost: #bb86d6; --bar: #6ba3cf } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 60rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem; margin: 0 }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
p { margin: .2rem 0 }
.faint { color: var(--faint) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem;
  margin-top: 1.2rem }
.tiles div { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem }
.tiles b { display: block; font-size: 1.35rem; font-weight: 600 }
.tiles span, .axis { color: var(--faint); font-size: .85rem }
svg { display: block; width: 100% }
.axis { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; white-space: nowrap }
.axis span { justify-self: end; transform: translateX(50%) }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin-top: .5rem; font-size: .9rem }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem;
  margin-right: .4rem }
.bars { display: grid; grid-template-columns: minmax(8rem, auto) 1fr auto; gap: .35rem .8rem;
  align-items: center }
h3 { border-top: 1px solid var(--line); font-size: 1rem; margin: 1rem 0 0; padding-top: .6rem }
li, .bars code { overflow-wrap: anywhere }
ul { margin: .3rem 0; padding-left: 1.2rem }
code { font-family: ui-monospace, monospace; font-size: .9em }
"""


def page(found: Overview, title: str) -> str:
    """The page for the results that are called ``title``."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"{tag('title', f'{title}: what became of the images')}{tag('style', Html(_STYLE))}"
    )
    body = [
        tag("h1", "What became of the images"),
        tag("p", title, kind="faint"),
        tag("div", *_tiles(found), kind="tiles"),
        tag("h2", "Jobs by status"),
        _statuses(found),
        tag("h2", "Jobs by duration"),
        _durations(found),
        *_section("Losses by kind", _bars(found.losses)),
        *_section("Failures by code", _failures(found)),
    ]
    html = "".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{html}</body></html>\n'


def _section(title: str, content: Html) -> Iterator[Html]:
    if content:
        yield tag("h2", title)
        yield content


def _tiles(found: Overview) -> Iterator[Html]:
    good = sum(number for status, number in found.jobs.items() if not status.bad)
    tiles = {
        "jobs": f"{found.total:,}",
        "images in the targets": f"{found.images:,}",
        "jobs that went well": f"{100 * good / found.total:.1f} %" if found.total else "–",
        "of work": _time(found.seconds),
    }
    if found.requests:
        tiles["requests"] = f"{found.requests:,}"
        tiles["over the wire"] = bytes_of(found.bytes_down + found.bytes_up)
        tiles["requests fewer than pull and push"] = f"{found.requests_saved:,}"
        tiles["less than pull and push"] = bytes_of(found.bytes_saved)
    if found.bytes_written:
        tiles["written to disk"] = bytes_of(found.bytes_written)
    for what, value in tiles.items():
        yield tag("div", tag("b", value), tag("span", what))


def _time(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _statuses(found: Overview) -> Html:
    """One bar, divided; its parts are explained below it."""
    parts, legend, at = [], [], 0.0
    for status in JobStatus:
        number = found.jobs.get(status, 0)
        if not number:
            continue
        width = 100 * number / found.total
        parts.append(
            f'<rect x="{at:.3f}" y="0" width="{width:.3f}" height="10" '
            f'fill="var(--{status.value})"><title>{number} {status.value}</title></rect>'
        )
        colour = Html(f'<i style="background: var(--{status.value})"></i>')
        legend.append(tag("span", colour, f"{number:,} {status.value}"))
        at += width
    plot = Html(_svg("".join(parts), "jobs by status", 100, 10, 28))
    return Html(plot + tag("div", *legend, kind="legend"))


def _durations(found: Overview) -> Html:
    """A column for each range of durations, of the jobs that were done."""
    most = max(found.durations) or 1
    width = 100 / len(found.durations)
    columns = "".join(
        f'<rect x="{at * width + width * 0.08:.3f}" y="{40 - 40 * number / most:.3f}" '
        f'width="{width * 0.84:.3f}" height="{40 * number / most:.3f}" fill="var(--bar)">'
        f"<title>{number} jobs {_range(at)}</title></rect>"
        for at, number in enumerate(found.durations)
    )
    labels = [tag("span", text) for text in (*(_LABELS.get(end, "") for end in DURATIONS), "")]
    plot = Html(_svg(columns, "jobs by duration", 100, 40, 140))
    highest = tag(
        "p", f"{count_of('job', max(found.durations))} in the highest column", kind="faint"
    )
    return Html(highest + plot + tag("div", *labels, kind="axis"))


def _range(at: int) -> str:
    if at == len(DURATIONS):
        return f"of more than {DURATIONS[-1]:g} s"
    return f"of up to {DURATIONS[at]:g} s"


def _bars(counts: Mapping[str, int]) -> Html:
    most = max(counts.values(), default=0)
    rows = []
    for code, number in counts.items():
        width = 100 * number / most
        bar = f'<rect x="0" y="0" width="{width:.3f}" height="10" fill="var(--bar)"/>'
        rows += [tag("code", code), Html(_svg(bar, code, 100, 10, 14)), tag("span", f"{number:,}")]
    return tag("div", *rows, kind="bars") if rows else Html("")


def _failures(found: Overview) -> Html:
    parts: list[Html] = []
    for code, failures in found.failures.items():
        examples = [tag("li", tag("code", name), f": {words}") for name, words in failures.examples]
        jobs = count_of("job", failures.jobs)
        parts += [tag("h3", tag("code", code), f": {jobs}"), tag("ul", *examples)]
    return Html("".join(parts))


def _svg(content: str, name: str, width: int, height: int, pixels: int) -> str:
    """A plot that is as wide as the page, however wide that is."""
    return (
        f'<svg role="img" aria-label="{name}" viewBox="0 0 {width} {height}" '
        f'height="{pixels}" preserveAspectRatio="none">{content}</svg>'
    )
