"""Say of a faulty image exactly what is wrong, as fields for a program, and what to do.

python examples/explain.py SOURCE DESTINATION
"""

import json
import sys

from oci_convert import BlobError, OciConvertError, convert

source, destination = sys.argv[1:]
try:
    convert(source, destination)
except OciConvertError as error:
    names = ("code", "store", "where", "digest", "expected", "actual", "message", "remedy")
    print(json.dumps({name: getattr(error, name) for name in names}, indent=2))
    sys.exit(3 if isinstance(error, BlobError) else 1)
