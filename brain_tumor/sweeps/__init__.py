"""Sweeps: many runs from one command, kept apart from each other and summed up in one place."""

from hydra.core.plugins import Plugins

Plugins.instance()  # looks for plugins by executing their modules, again if need be: before any class of theirs is used
