"""Convert in a program of asyncio, three at a time, while the event loop does other things.

python examples/in_asyncio.py LAYOUT ARCHIVE …
"""

import asyncio
import sys

from oci_convert import convert
from oci_convert.stores import OciLayout


async def main(path: str, archives: list[str]) -> None:
    """Convert them all."""
    layout, places = OciLayout(path), asyncio.Semaphore(3)

    async def one(archive: str) -> None:
        async with places:
            report = await asyncio.to_thread(convert, archive, layout)
        print(f"{archive}: {len(report.images)} images")

    await asyncio.gather(*map(one, archives))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
