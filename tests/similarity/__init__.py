"""Tests of simcons.similarity."""
