"""The public face of the host: what a plugin imports to mark its hooks."""

from pluggy import HookimplMarker, HookspecMarker

__version__ = "0.1.0"
__all__ = ["__version__", "hookimpl", "hookspec"]

hookimpl = HookimplMarker("torg")
hookspec = HookspecMarker("torg")
