"""A trained model as ONNX files, for programs without torch."""

from pathlib import Path

import torch
from torch import Tensor, nn

from npvae.errors import NpvaeError
from npvae.model.vae import VAE, NonparametricVAE


class _Encoder(nn.Module):
    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.encode(images)


class _Decoder(nn.Module):
    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        return self.model.decode(z).sigmoid()


class _XEncoder(nn.Module):
    def __init__(self, model: NonparametricVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.embed(images)


def export(model: VAE, folder: Path) -> list[Path]:
    """Write ``encoder.onnx``, ``decoder.onnx`` and, of a model with an X, ``x_encoder.onnx``; float32.

    Encoders take ``images``, grey values ``[N, pixels]``, and give ``mu`` and ``sigma`` ``[N, Dz]``, or ``x``
    ``[N, 2]``; the decoder takes ``z`` ``[N, Dz]`` and gives ``images``, the mean ones of p(y|z). z~ is no
    network: Eq. 4 takes a line of numpy.

    Args:
        model: in evaluation mode, on the CPU.
        folder: made if need be.

    Returns:
        The files.

    Raises:
        NpvaeError: the packages that write ONNX are not installed.
    """
    pixels = next(model.encoder.parameters()).shape[1]
    parts: dict[str, tuple[nn.Module, str, int, list[str]]] = {
        "encoder": (_Encoder(model), "images", pixels, ["mu", "sigma"]),
        "decoder": (_Decoder(model), "z", model.z_dim, ["images"]),
    }
    if isinstance(model, NonparametricVAE):
        parts["x_encoder"] = (_XEncoder(model), "images", pixels, ["x"])
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, (part, given, width, made) in parts.items():
        path = folder / f"{name}.onnx"
        try:
            torch.onnx.export(
                part.eval(),
                (torch.rand(2, width),),
                str(path),
                input_names=[given],
                output_names=made,
                dynamic_shapes=({0: torch.export.Dim("N")},),
                external_data=False,
                verbose=False,
            )
        except ImportError as error:
            raise NpvaeError(
                f"{path}: needs what `pip install --editable '.[onnx]'` installs ({error})"
            ) from None
        files.append(path)
    return files
