"""The version of the package, in one place: the build, ``--version``, the web API and records of runs read it here."""

__version__ = "0.2.0"
