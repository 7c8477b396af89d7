"""Every way a conversion can be refused or fail, as one class per stable code.

    ProblemError                      (chassis)
    └── ConversionError
        ├── InputError                the file is the problem: another file, a password or another target helps
        │   ├── UnsupportedFormat  UnsupportedConversion  TypeMismatch
        │   ├── EmptyInput  CorruptInput  PasswordRequired  WrongPassword  FontNotEmbeddable
        │   └── Infected  NotScannable
        ├── LimitError                the work is too much: a smaller file or a higher tier helps
        │   ├── TooLarge  TooManyPages  ImageTooLarge  ArchiveBomb
        │   └── ResourceLimit  Timeout
        ├── EngineError               our tools failed: a retry or an operator helps
        │   ├── EngineMissing  EngineCrashed  OutputInvalid  Quarantined
        │   └── ScanUnavailable
        ├── InvalidOptions            the order is the problem: another option or value helps
        │   └── InvalidOrder           the same of the rest of the order
        └── JobEnded                  Cancelled  Expired

The class is the caller's choice; `code`, `status` and `exit_code` follow from it and are the contract of the API and
of the command line.
"""

from __future__ import annotations

from typing import ClassVar

from filewright.chassis.errors import ProblemError


class ConversionError(ProblemError):
    """Root of what the product refuses. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class InputError(ConversionError):
    """The file is at fault. Trying again with the same file ends the same way."""

    status = 422
    exit_code = 4


class UnsupportedFormat(InputError):
    code = "unsupported_format"
    status = 415
    title = "This kind of file is not supported"
    exit_code = 3


class UnsupportedConversion(InputError):
    code = "unsupported_conversion"
    status = 422
    title = "There is no way from this format to that one"
    exit_code = 3


class TypeMismatch(InputError):
    code = "type_mismatch"
    title = "The content of the file is not what its name says"


class EmptyInput(InputError):
    code = "empty_input"
    title = "The file is empty"


class CorruptInput(InputError):
    code = "corrupt_input"
    title = "The file is damaged or incomplete"


class PasswordRequired(InputError):
    code = "password_required"
    title = "The file is protected by a password"


class WrongPassword(InputError):
    code = "wrong_password"
    title = "The password does not open the file"


class InvalidOptions(ConversionError):
    """The order is at fault, not the file: an option that the conversion does not have, or a wrong value."""

    code = "invalid_request"
    status = 400
    title = "An option is wrong"
    exit_code = 2


class InvalidOrder(InvalidOptions):
    """Another part of the order is at fault, which `errors` points at."""

    title = "The order is wrong"


class FontNotEmbeddable(InputError):
    code = "font_not_embeddable"
    title = "The font may not be put into documents"


class Infected(InputError):
    code = "infected"
    title = "A virus scanner found malware in the file"


class NotScannable(InputError):
    code = "not_scannable"
    title = "The file could not be scanned for malware"


class LimitError(ConversionError):
    """The work is more than is allowed here."""

    status = 422
    exit_code = 5


class TooLarge(LimitError):
    code = "too_large"
    status = 413
    title = "The file is too large"


class TooManyPages(LimitError):
    code = "too_many_pages"
    title = "The document has too many pages"


class ImageTooLarge(LimitError):
    code = "image_too_large"
    title = "The picture has too many pixels"


class ArchiveBomb(LimitError):
    code = "archive_bomb"
    title = "The file unpacks to far more than it should"


class ResourceLimit(LimitError):
    code = "resource_limit"
    title = "The conversion needed more memory or disk than is allowed"


class Timeout(LimitError):
    code = "timeout"
    title = "The conversion took too long"


class EngineError(ConversionError):
    """Our tools failed."""

    status = 500


class EngineMissing(EngineError):
    code = "engine_missing"
    status = 503
    title = "The program that does this conversion is not installed here"
    exit_code = 6


class EngineCrashed(EngineError):
    code = "engine_crashed"
    title = "The conversion program crashed"
    retryable = True


class OutputInvalid(EngineError):
    code = "output_invalid"
    title = "The conversion gave a broken result, which was thrown away"


class Quarantined(EngineError):
    code = "quarantined"
    status = 422
    title = "This file crashed the conversion program again and again"


class ScanUnavailable(EngineError):
    """No scanner has looked at the file, so nothing else may."""

    code = "scan_unavailable"
    status = 503
    title = "The virus scanner does not answer, and no file is converted without it"
    retryable = True


class JobEnded(ConversionError):
    """Nobody's fault: the job is over."""

    status = 409


class Cancelled(JobEnded):
    code = "cancelled"
    title = "The job was cancelled"


class Expired(JobEnded):
    code = "expired"
    status = 410
    title = "The files of this job are gone"


def conversion_errors() -> dict[str, type[ConversionError]]:
    """Every class with a code, by its code."""
    found: dict[str, type[ConversionError]] = {}
    waiting: list[type[ConversionError]] = [ConversionError]
    while waiting:
        parent = waiting.pop()
        for child in parent.__subclasses__():
            waiting.append(child)
            if "code" in vars(child):
                found[child.code] = child
    return found
