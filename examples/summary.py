"""Make a page of what a migration did that can be shown to others: a table of counts in Markdown.

python examples/summary.py results.jsonl > summary.md
"""

import sys
from collections import Counter

from oci_convert import read_results

results = list(read_results(sys.argv[1]))
states = Counter(result.status.value for result in results)
losses: Counter[str] = Counter()
for result in results:
    losses.update(result.losses)
moved = sum(result.bytes_written for result in results) / 1e6
print(f"# {len(results)} stores, {sum(len(one.images) for one in results)} images\n")
print(f"{moved:,.1f} MB were written.\n\n| what | how many |\n|---|---|")
for what, count in (*states.items(), *((f"loss: {code}", n) for code, n in losses.items())):
    print(f"| {what} | {count} |")
for result in results:
    if result.failure is not None:
        print(f"\n- {result.source}: {result.failure.message}; {result.failure.remedy}")
