"""Labelled pictures: read from a folder, or drawn by this project."""
