"""``python -m gureum.images JOB``: unpacks one layer, see :mod:`gureum.images.unpack`."""

import sys

from gureum.images.unpack import main

main(sys.argv[1:])
