"""Imports that a test of the architecture must not miss; nobody runs this file."""

from simcons import figures


def lazily() -> object:
    """Import a room inside a function."""
    from simcons.report import render

    return figures, render
