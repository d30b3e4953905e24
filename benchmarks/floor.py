"""What a training step can't do without: the arithmetic of its matrix products and Adam's traffic."""

from torch import nn

from npvae.model.vae import VAE, NonparametricVAE

ADAM_BYTES = 7 * 4  # a parameter: read it, its gradient and both moments; write all but the gradient; float32


def operations(model: VAE, batch: int) -> int:
    """Multiplications and additions of one step's matrix products, forward and backward.

    A layer has three: its output, the gradient of its weights, and that of its input, which the layers that
    read the images don't need.
    """
    first = [getattr(model, name)[0] for name in ("encoder", "x_encoder") if hasattr(model, name)]
    total = 0
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            products = 2 if any(layer is other for other in first) else 3
            total += products * 2 * batch * layer.in_features * layer.out_features
    if isinstance(model, NonparametricVAE):
        total += 3 * 2 * batch * batch * model.z_dim  # W times E[z]
    return total


def traffic(model: nn.Module) -> int:
    """Bytes that Adam moves between memory and processor in one step."""
    return ADAM_BYTES * sum(weight.numel() for weight in model.parameters())


def seconds(model: VAE, batch: int, *, rate: float, bandwidth: float, overlapping: bool = False) -> float:
    """The least time of a step.

    Args:
        model: its layers count, not its values.
        batch: images in a step.
        rate: of matrix products, operations a second.
        bandwidth: bytes read and written a second.
        overlapping: whether the processor computes while it moves data, as a GPU does.
    """
    parts = operations(model, batch) / rate, traffic(model) / bandwidth
    return max(parts) if overlapping else sum(parts)
