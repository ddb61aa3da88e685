"""`python -m tipim_jax`: as `tipim`, where the folder of scripts is not on the path."""

import sys

from tipim_jax.command import main

sys.exit(main())
