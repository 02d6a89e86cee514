"""Arrays out of files that `torch.save` wrote, and nothing else out of them.

Such a file is a pickle, and an unrestricted pickle can run any code. torch's own restricted reader
(``weights_only``) lets NumPy arrays pass here besides tensors; anything else is refused by name.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from simcons.core.errors import UserError

Array = np.ndarray[Any, np.dtype[Any]]


def load_array(path: Path) -> Array:
    """Return the one array or tensor that a file holds.

    Raises
    ------
    UserError
        If the file is missing, damaged, or holds anything but one dense array of numbers.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL |<class ')([\w.]+)", str(error))
        what = f"it holds '{found[1]}'" if found else "it is no file of torch.save"
        raise UserError(f"{path}: refused: {what}; an array or tensor alone is read") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{path}: not a readable file of torch.save ({_line(error)})") from None
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_quantized:
            raise UserError(f"{path}: refused: a tensor of layout {value.layout}; needed: dense")
        value = value.detach()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if not isinstance(value, np.ndarray):
        kind = type(value).__name__
        raise UserError(f"{path}: refused: it holds a {kind}; an array or tensor alone is read")
    if value.dtype.kind not in "fiu":
        raise UserError(f"{path}: refused: an array of type {value.dtype}; needed: numbers")
    return value


def _numpy_globals() -> list[Any]:
    """Return what the pickle of a NumPy array of numbers names, under NumPy 1's names and 2's."""
    rebuild = np.zeros(1).__reduce__()[0]
    types = {type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "i2", "u4")}
    return [
        (rebuild, "numpy.core.multiarray._reconstruct"),
        (rebuild, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        *sorted(types, key=str),
    ]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
