#!/bin/sh
# Are the bytes that compression writes the same on every CPU?
#
# Runs the test with the recorded digests of every level under other models of an x86-64 CPU:
#   benchmarks/cpu_models.sh [PYTHON]        needs qemu-user-static; about a minute a model
# qemu64 has SSE3 at most, Nehalem SSE4.2, Haswell AVX2 and BMI2, max all that qemu knows (no AVX-512).
set -eu

python=$(command -v "${1:-python3}")
cd "$(dirname "$0")/.."
for model in qemu64 Nehalem Haswell max; do
    printf '%s: ' "$model"
    PYTHONPATH=src qemu-x86_64-static -cpu "$model" "$python" -m pytest -q -p no:cacheprovider \
        tests/test_compression.py -k 'same_bytes_as_recorded' | tail -n 1
done
