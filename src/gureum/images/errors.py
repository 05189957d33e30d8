"""The errors that work with images can end in."""

from __future__ import annotations


class ImageError(Exception):
    """An image could not be handled; the text names what was attempted, on which image, and what
    was found or answered."""


class ImageNotFoundError(ImageError):
    """No image, or more than one, goes by the name or id that was given."""


class ImageInUseError(ImageError):
    """The image stays, for somebody uses it; the text says who."""
