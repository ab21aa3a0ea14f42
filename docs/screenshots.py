"""The pictures in ``docs/images/``: ``python docs/screenshots.py`` writes them again.

Each is a real run on the images of ``testdata/`` in a terminal of 80 columns. The same bytes on
every machine, which ``tests/test_screenshots.py`` checks: nothing in a picture depends on a path, a
time, or a codec. A picture takes its colours from the reader's own preference, light or dark.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from oci_convert.cli.show.text import Style, Text

HERE: Final = Path(__file__).parent
IMAGES: Final = HERE / "images"
TESTDATA: Final = HERE.parent / "testdata"
COLUMNS: Final = 80

SHOTS: Final = {
    "convert": ("oci-convert convert app oci:layout:app",),
    "inspect": ("oci-convert inspect greeting",),
    "dry-run": ("oci-convert convert greeting dir:out --to docker --dry-run",),
    "diff": ("oci-convert diff app layout",),
    "verify": ("oci-convert verify broken",),
    "error": ("oci-convert convert platforms oci:arm:app --platform linux/arm64/v9",),
}
"""What is run for each picture, one after the other in one folder."""


# -- running ------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """The images that the runs are about, under short names."""
    names = {"app": "docker-dir", "greeting": "oci-layout", "platforms": "docker-list-dir"}
    for name, image in names.items():
        shutil.copytree(TESTDATA / image, folder / name)
    broken = shutil.copytree(TESTDATA / "oci-layout", folder / "broken")
    blobs = sorted((broken / "blobs" / "sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    blobs[0].unlink()
    layer = bytearray(blobs[-1].read_bytes())
    layer[1000] ^= 1
    blobs[-1].write_bytes(layer)


def run(command: str, folder: Path) -> str:
    """What a terminal is sent when ``command`` runs in ``folder``."""
    program, *arguments = shlex.split(command)
    assert program == "oci-convert"
    wishes = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TMPDIR")
    environment = {name: value for name, value in os.environ.items() if name not in wishes}
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with subprocess.Popen(  # noqa: S603 - the commands above
        [sys.executable, "-m", "oci_convert", *arguments],
        cwd=folder,
        env={**environment, "TERM": "xterm-256color", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
    ):
        os.close(writer)
        sent = b"".join(_chunks(reader))
    os.close(reader)
    # What progress has drawn while the cursor was hidden is gone when the run ends; and that it was
    # slow is no news.
    drawn = r"\x1b\[\?25l.*?\x1b\[\?25h(\r?\x1b\[\d*[AK])*"
    return re.sub(drawn, "", sent.decode().replace("\r\n", "\n"), flags=re.DOTALL)


def _chunks(reader: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(reader, 65536)
        except OSError:  # how a terminal ends on Linux
            return
        if not chunk:
            return
        yield chunk


# -- drawing ------------------------------------------------------------------------------------

WIDTH: Final = 8.4
HEIGHT: Final = 19
SIZE: Final = 14
MARGIN: Final = 16

COLOURS: Final = {
    "": ("#1f2328", "#e6edf3"),
    "strong": ("#1f2328", "#e6edf3"),
    "faint": ("#6e7781", "#7d8590"),
    "good": ("#1a7f37", "#3fb950"),
    "digest": ("#9a6700", "#d29922"),
    "place": ("#0f6674", "#56d4dd"),
    "note": ("#8250df", "#bc8cff"),
    "warning": ("#9a6700", "#d29922"),
    "loss": ("#8250df", "#bc8cff"),
    "error": ("#cf222e", "#ff7b72"),
}
"""Of each style, on a light and on a dark ground."""
GROUND: Final = ("#f6f8fa", "#0d1117")
FRAME: Final = ("#d0d7de", "#30363d")

_CODED: Final = re.compile(r"\x1b\[([0-9;]+)m(.*?)\x1b\[0m")


@dataclass(frozen=True)
class Piece:
    """Some text of one style, and the column that it begins in."""

    column: int
    text: str
    style: str


def pieces(line: str) -> Iterator[Piece]:
    """The pieces of a line with its codes; blanks between words of one style are kept."""
    styles = {style.value: style.name.lower() for style in Style}
    column = at = 0
    for match in _CODED.finditer(line):
        for text, style in ((line[at : match.start()], ""), (match[2], styles[match[1]])):
            if text:
                yield Piece(column, text, style)
                column += Text(text).width
        at = match.end()
    if line[at:]:
        yield Piece(column, line[at:], "")


def picture(title: str, lines: list[str]) -> str:
    """The SVG of a screen."""
    wide, high = COLUMNS * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    size = f'width="{wide:g}" height="{high:g}" viewBox="0 0 {wide:g} {high:g}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_stylesheet()}</style>",
        f'<rect x="0.5" y="0.5" width="{wide - 1:g}" height="{high - 1:g}" rx="8"/>',
    ]
    for row, line in enumerate(lines):
        y = MARGIN + row * HEIGHT + SIZE
        for piece in pieces(line):
            drawn += _texts(piece, y)
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _texts(piece: Piece, y: int) -> Iterator[str]:
    """A piece, word by word: each stands in its column, whatever the reader's font is."""
    kind = f' class="{piece.style}"' if piece.style else ""
    for word in re.finditer(r"[^ ]+(?: [^ ]+)*", piece.text):
        columns = Text(word[0]).width
        x = MARGIN + (piece.column + Text(piece.text[: word.start()]).width) * WIDTH
        yield (
            f'<text x="{x:g}" y="{y}" textLength="{columns * WIDTH:g}" '
            f'lengthAdjust="spacingAndGlyphs"{kind}>{escape(word[0])}</text>'
        )


def _stylesheet() -> str:
    fonts = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
    bold = ",".join(f".{style.name.lower()}" for style in Style if style.value.startswith("1"))
    return (
        f"text{{font:{SIZE}px {fonts};white-space:pre}}{bold}{{font-weight:bold}}"
        f"{_theme(0)}@media(prefers-color-scheme:dark){{{_theme(1)}}}"
    )


def _theme(ground: int) -> str:
    rules = [f"rect{{fill:{GROUND[ground]};stroke:{FRAME[ground]}}}"]
    for style, colours in COLOURS.items():
        rules.append(f"{'.' + style if style else 'text'}{{fill:{colours[ground]}}}")
    return "".join(rules)


# -- all ----------------------------------------------------------------------------------------


def pictures() -> dict[str, str]:
    """Every picture, by the name of its file."""
    made = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for shot, commands in SHOTS.items():
            lines: list[str] = []
            for command in commands:
                prompt = Text("$ ", Style.FAINT) + Text(command, Style.STRONG)
                lines += [prompt.ansi(), *run(command, folder).splitlines()]
            made[f"{shot}.svg"] = picture(" && ".join(commands), lines)
    return made


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name, text in pictures().items():
        (IMAGES / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
