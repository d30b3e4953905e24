"""Nonparametric Inference for Auto-Encoding Variational Bayes (Bodin, Malik, Ek and Campbell, 2017)."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimator import NPVAE

__all__ = ["NPVAE"]
__version__: str


def __getattr__(name: str) -> Any:
    """``npvae.NPVAE``, imported when it is asked for (the command line starts without torch); the version."""
    if name == "__version__":
        return version("npvae")
    if name != "NPVAE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .estimator import NPVAE

    return NPVAE
