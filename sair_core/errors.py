"""Typed errors. Each message says what is wrong and what to do next."""


class SairError(Exception):
    """Base of every error this package raises on purpose."""


class PhotoError(SairError):
    """The photo cannot be read or used."""


class PhotoTooLargeError(PhotoError):
    """The photo has more pixels than the limit in force."""


class MaskError(SairError):
    """The mask cannot be read or used."""


class MaskSizeError(MaskError):
    """The mask's size does not belong to the photo's size."""


class EmptyMaskError(MaskError):
    """The mask marks nothing: there is no hole to fill."""


class FullMaskError(MaskError):
    """The mask marks everything: nothing is left to fill from."""


class LabelError(SairError):
    """The labels that were typed cannot be used."""


class PointError(SairError):
    """The points that should select an object cannot be used."""


class UnknownWordError(LabelError):
    """A word that was typed means nothing to the encoder."""


class ConfigError(SairError, ValueError):
    """A configuration value is out of range or contradicts another one."""


class CheckpointError(SairError):
    """A checkpoint is incomplete, damaged or belongs to another model."""


class NotFiniteError(CheckpointError):
    """A loss or a weight is no longer a number."""


class ModelNotFoundError(SairError):
    """No model of that name is bundled, on disk or on the hub."""


class DataError(SairError):
    """A folder of photos holds nothing that can be used."""


class DeviceError(SairError):
    """The asked device does not exist on this machine."""


class MethodError(SairError):
    """A method that is not ours (a command, a folder of results, a package) gave no fill that can be used."""


class MissingDependencyError(SairError):
    """An optional package is needed for what was asked."""


class CancelledError(SairError):
    """The work was stopped because its caller asked for that."""
