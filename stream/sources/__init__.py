"""Files, folders, cameras: frames with capture times, behind one protocol."""

from stream.redact import redact
from stream.sources.base import Picture, Source, SourceOptions
from stream.sources.registry import open_source, register_source

__all__ = ["Picture", "Source", "SourceOptions", "open_source", "redact", "register_source"]
