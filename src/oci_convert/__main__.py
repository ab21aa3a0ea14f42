"""``python -m oci_convert`` and the command ``oci-convert``."""

from oci_convert.cli.run import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
