"""Convert archives in several processes: results, reports and errors can be sent between them.

python examples/processes.py LAYOUT ARCHIVE …
"""

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from oci_convert import OciConvertError, convert

if __name__ == "__main__":
    layout, *archives = sys.argv[1:]
    with ProcessPoolExecutor(2) as pool:
        jobs = {pool.submit(convert, archive, f"oci:{layout}"): archive for archive in archives}
        for job in as_completed(jobs):
            try:
                print(f"{jobs[job]}: {len(job.result().images)} images")
            except OciConvertError as error:
                print(f"{jobs[job]}: {error.code} in {error.store}", file=sys.stderr)
