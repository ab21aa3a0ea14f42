"""The public surface: what is exported, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import oci_convert


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded after ``code`` has run in an interpreter of its own."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_every_public_name_is_there_and_has_one_home() -> None:
    homes = [name for names in oci_convert._HOMES.values() for name in names]
    assert sorted(oci_convert.__all__) == sorted(homes)
    assert dir(oci_convert) == sorted(oci_convert.__all__)
    for name in oci_convert.__all__:
        assert getattr(oci_convert, name).__module__.startswith("oci_convert.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(oci_convert, "transmogrify")


def test_importing_the_library_loads_neither_a_command_line_nor_codecs() -> None:
    everything = f"from oci_convert import {', '.join(oci_convert.__all__)}"
    loaded = loaded_by(everything)
    unwanted = {"typer", "click", "rich", "urllib3", "zstandard", "isal", "zlib_ng", "tarfile"}
    assert "pydantic" in loaded
    assert loaded & unwanted == set()


def test_importing_the_package_alone_loads_nothing() -> None:
    assert not {"pydantic", "oci_convert.conversion"} & loaded_by("import oci_convert")


def test_the_help_needs_no_models_and_no_codecs() -> None:
    called = "import sys; sys.argv = ['oci-convert', '--help']"
    said = "from contextlib import suppress, redirect_stdout; import io"
    run = "with suppress(SystemExit), redirect_stdout(io.StringIO()):\n    main()"
    program = f"{called}\n{said}\nfrom oci_convert.__main__ import main\n{run}"
    assert not {"pydantic", "rich", "zstandard", "asyncio"} & loaded_by(program)
