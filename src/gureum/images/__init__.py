"""What instances and containers are made from: OCI images by digest, their layers unpacked once."""

from gureum.images.built import ImageInfo, ImageStore
from gureum.images.config import Healthcheck, History, ImageConfig
from gureum.images.derive import Change
from gureum.images.errors import ImageError, ImageInUseError, ImageNotFoundError
from gureum.images.export import Form
from gureum.images.image import Image, Layer
from gureum.images.push import Pushed
from gureum.images.recipe_file import read_recipe
from gureum.images.reference import parse as parse_name
from gureum.images.registry import Credentials
from gureum.images.store import Pruned, Removed, Store

__all__ = [
    "Change",
    "Credentials",
    "Form",
    "Healthcheck",
    "History",
    "Image",
    "ImageConfig",
    "ImageError",
    "ImageInUseError",
    "ImageInfo",
    "ImageNotFoundError",
    "ImageStore",
    "Layer",
    "Pruned",
    "Pushed",
    "Removed",
    "Store",
    "parse_name",
    "read_recipe",
]
