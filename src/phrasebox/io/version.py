"""The version of the package, read by the build, ``--version``, the web API and the run log."""

__version__ = "0.2.0"
