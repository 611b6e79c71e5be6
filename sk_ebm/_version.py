"""The version of the package, which its metadata and saved models take from here."""

__version__ = "0.1.0"
