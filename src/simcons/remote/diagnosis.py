"""What an exception of a file system or of S3 means, in words for people."""

from __future__ import annotations

import errno

from simcons.core.errors import UserError

_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no right to write",
    errno.EPERM: "no right to write",
}
# Codes of S3 that no second attempt will change: what is configured is wrong.
_CREDENTIALS = {
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "AccessDenied": "access denied",
    "ExpiredToken": "the session token has expired",
    "InvalidToken": "the session token is not valid",
    "403": "access denied",
}
_BUCKET = ("NoSuchBucket", "InvalidBucketName")
HOW_TO_SET_KEYS = (
    "`dvc remote modify --local {remote} access_key_id KEY` (and secret_access_key) sets the key; "
    "`dvc remote modify {remote} allow_anonymous_login true` reads a public bucket without one"
)


class TransferError(Exception):
    """Outputs could not be moved, or did not arrive whole.

    Attributes
    ----------
    retry : bool
        Whether the same may work a little later.
    """

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


def s3_code(error: BaseException) -> str | None:
    """Return the code with which S3 answered, such as ``NoSuchKey``; None if it did not answer."""
    for link in (error, error.__cause__):
        response = getattr(link, "response", None)
        if isinstance(response, dict) and "Error" in response:
            return str(response["Error"].get("Code"))
    return None


def is_absent(error: BaseException) -> bool:
    """Tell whether an error says that an object (not its bucket) does not exist."""
    return isinstance(error, FileNotFoundError) and s3_code(error) not in _BUCKET


def diagnose(error: BaseException, remote: str, url: str, folder: str) -> Exception:
    """Return the exception to raise for one that DVC, s3fs or the disk raised.

    Parameters
    ----------
    error
        What was raised.
    remote, url
        The DVC remote's name and where it is.
    folder
        What was written to on this machine, for errors of the disk that name no file.

    Returns
    -------
    UserError or TransferError
        The former where the configuration is wrong, so that trying again is useless.
    """
    where = f"remote '{remote}' ({url})"
    code = s3_code(error)
    if code in _CREDENTIALS or _is(error, "NoCredentialsError", "PartialCredentialsError"):
        reason = _CREDENTIALS.get(code or "", "no key is configured")
        return UserError(f"{where}: {reason}; {HOW_TO_SET_KEYS.format(remote=remote)}")
    if code in _BUCKET:
        return UserError(
            f"{where}: there is no such bucket; create it, or correct its name with "
            f"`dvc remote modify {remote} url s3://BUCKET/PREFIX`"
        )
    if _is(error, "ConnectionError", "HTTPClientError", "ConnectTimeoutError") or isinstance(
        error, ConnectionError | TimeoutError
    ):
        return TransferError(
            f"{where}: no connection ({_one_line(error)}); is the server running, is endpointurl "
            f"right?",
            retry=True,
        )
    if code is None and isinstance(error, OSError) and error.errno in _DISK:
        path = error.filename2 or error.filename or folder
        return TransferError(
            f"{_DISK[error.errno]}: {path}; what had arrived whole is kept; see to it and "
            f"run the same command again"
        )
    return TransferError(f"{where}: {type(error).__name__}: {_one_line(error)}", retry=True)


def _is(error: BaseException, *names: str) -> bool:
    # By name, so that botocore is not needed for remotes that are folders.
    return any(cls.__name__ in names for cls in type(error).__mro__)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
