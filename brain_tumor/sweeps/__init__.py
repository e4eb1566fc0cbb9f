"""Sweeps: many runs from one command, each in its own run directory, and their common summary.

Must not know how a run trains or is evaluated: it starts jobs and reads what they write.
"""

from hydra.core.plugins import Plugins

Plugins.instance()  # finds plugins by executing their modules, possibly twice: must come before their classes are used
