"""Inspecting: what a store holds, as data and as views."""
