"""The classes of all errors that a user can cause.

    KpdetectError
    ├── InputError       an image, a folder or an argument is not usable
    │   └── NoneReadableError   none of several images can be read
    ├── ConfigError      a configuration value or key is wrong, or differs from that of the run
    ├── FormatError      a file is not in the format that kpdetect expects
    │   └── ShardError   the same, for a shard or a folder of shards
    ├── CheckpointError  a checkpoint or a weights file is damaged or belongs to another model
    ├── OutputError      a result cannot be written (permissions, full disk, existing files)
    ├── PeerError        another process of the same command ended
    └── TrainingError    training collapsed, or its result is not usable

A message is one line. It names the file or parameter, the value found, the value expected, and what to do. The command line
prints the message and exits with code 2.
"""

from __future__ import annotations


class KpdetectError(Exception):
    """The base class of all errors that a user can cause. The command line exits with `exit_code`."""

    exit_code = 2


class InputError(KpdetectError):
    """An image, a folder or an argument is not usable."""


class ConfigError(KpdetectError):
    """A configuration key or value is wrong, or differs from the value with which a run was started."""


class FormatError(KpdetectError):
    """A file is not in the format that kpdetect expects."""


class ShardError(FormatError):
    """A shard, or a folder of shards, is damaged or incomplete."""


class CheckpointError(KpdetectError):
    """A checkpoint or weights file is damaged, of another version, or belongs to another model."""


class OutputError(KpdetectError):
    """A result cannot be written."""


class PeerError(KpdetectError):
    """Another process of the same command ended, so that this one cannot go on."""


class TrainingError(KpdetectError):
    """Training collapsed, or its result cannot be used."""
