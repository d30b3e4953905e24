"""The networks against arithmetic and a forward pass by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from npvae.model.vae import VAE, NonparametricVAE, build
from npvae.settings import ModelName, Network, Objective


def linears(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def shapes(network: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in linears(network)]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


FUNCTIONS = {
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
}


def forward(network: nn.Module, inputs: Tensor, names: list[str]) -> np.ndarray:
    """The perceptron by hand, in float64."""
    hidden = inputs.double().numpy()
    for layer, name in zip(linears(network), [*names, ""], strict=True):
        hidden = hidden @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
        hidden = FUNCTIONS[name](hidden) if name else hidden
    return hidden


@pytest.mark.parametrize("z_dim", [2, 20, 500])
def test_layers_are_the_papers(z_dim: int) -> None:
    model = NonparametricVAE(z_dim)
    assert shapes(model.encoder) == [(784, 500), (500, 500), (500, 2 * z_dim)]
    assert shapes(model.decoder) == [(z_dim, 500), (500, 500), (500, 784)]
    assert shapes(model.x_encoder) == [(784, 500), (500, 500), (500, 2)]


@pytest.mark.parametrize("z_dim", [2, 20, 500])
def test_parameter_count(z_dim: int) -> None:
    trunk = 784 * 500 + 500 + 500 * 500 + 500
    encoder = trunk + 500 * 2 * z_dim + 2 * z_dim
    decoder = z_dim * 500 + 500 + 500 * 500 + 500 + 500 * 784 + 784
    assert size(VAE(z_dim)) == encoder + decoder
    assert (
        size(NonparametricVAE(z_dim)) == encoder + decoder + trunk + 500 * 2 + 2 + 1
    )  # and the length scale


def test_output_shapes(tiny: Network) -> None:
    model = NonparametricVAE(3, tiny, x_dim=4, pixels=10)
    mu, sigma = model.encode(torch.rand(5, 10))
    assert mu.shape == sigma.shape == (5, 3)
    assert model.decode(mu).shape == (5, 10)
    assert model.embed(torch.rand(5, 10)).shape == (5, 4)


@pytest.mark.parametrize(
    ("activations", "encoder", "decoder"),
    [
        ("elu-tanh", ["elu", "tanh"], ["tanh", "elu"]),
        ("tanh", ["tanh", "tanh"], ["tanh", "tanh"]),
        ("relu", ["relu", "relu"], ["relu", "relu"]),
    ],
)
def test_forward_passes_by_hand(activations: str, encoder: list[str], decoder: list[str]) -> None:
    model = NonparametricVAE(3, Network(hidden_units=12, activations=activations), pixels=10).eval()  # type: ignore[arg-type]
    for parameter in model.parameters():  # away from zero, so that the two sides of each activation are used
        nn.init.normal_(parameter)
    y, z = torch.randn(20, 10), torch.randn(20, 3)
    with torch.no_grad():
        mu, sigma = model.encode(y)
        logits, x = model.decode(z), model.embed(y)
    by_hand = forward(model.encoder, y, encoder)
    np.testing.assert_allclose(mu, by_hand[:, :3], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sigma, np.logaddexp(0, by_hand[:, 3:]) + 1e-6, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, forward(model.decoder, z, decoder), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(x, forward(model.x_encoder, y, encoder), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("raw", "sigma"),
    [(-500.0, 1e-6), (-10.0, math.log1p(math.exp(-10)) + 1e-6), (0.0, math.log(2) + 1e-6), (90.0, 90.0)],
)
def test_sigma_is_softplus_and_stays_positive(raw: float, sigma: float, tiny: Network) -> None:
    model = VAE(2, tiny, pixels=4)
    last = linears(model.encoder)[-1]
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias[2:] = raw
    _, got = model.encode(torch.rand(3, 4))
    torch.testing.assert_close(got, torch.full((3, 2), sigma), rtol=1e-6, atol=0)


@pytest.mark.parametrize("initialisation", ["he-normal", "glorot-normal"])
def test_initial_weights_are_normal_with_the_right_spread_and_biases_zero(initialisation: str) -> None:
    model = NonparametricVAE(20, Network(initialisation=initialisation))  # type: ignore[arg-type]
    layers = linears(model)
    assert len(layers) == 9
    for layer in layers:
        fan_in, fan_out = layer.in_features, layer.out_features
        std = math.sqrt(2 / fan_in) if initialisation == "he-normal" else math.sqrt(2 / (fan_in + fan_out))
        scaled = layer.weight.detach().double() / std
        error = 1 / math.sqrt(
            scaled.numel()
        )  # of the mean; of the variance and the kurtosis, sqrt(2) and sqrt(96) times
        assert abs(scaled.mean()) < 5 * error
        assert abs(scaled.square().mean() - 1) < 5 * math.sqrt(2) * error
        assert abs(scaled.pow(4).mean() - 3) < 5 * math.sqrt(96) * error
        assert not layer.bias.any()


def test_both_models_start_with_the_same_encoder_and_decoder() -> None:
    vae, npvae = build("vae", 5, seed=3).state_dict(), build("npvae", 5, seed=3).state_dict()
    assert len(vae) == 12
    assert all(torch.equal(vae[name], npvae[name]) for name in vae)


def test_seeds_draw_different_weights() -> None:
    a, b, again = (build("npvae", 2, Network(hidden_units=8), seed=seed).state_dict() for seed in (0, 1, 0))
    drawn = [name for name in a if name.endswith("weight")]
    assert not any(torch.equal(a[name], b[name]) for name in drawn)
    assert all(torch.equal(a[name], again[name]) for name in a)


def test_names_build_the_models() -> None:
    assert isinstance(build("npvae", 2, seed=0), NonparametricVAE)
    assert not isinstance(build("vae", 2, seed=0), NonparametricVAE)


@pytest.mark.parametrize("length_scale", [0.02, 1.0, 7.0])
def test_length_scale_starts_where_asked_and_is_trained_by_its_logarithm(length_scale: float) -> None:
    model = build("npvae", 2, Network(hidden_units=4), Objective(initial_length_scale=length_scale), seed=0)
    assert isinstance(model, NonparametricVAE)
    assert model.length_scale.item() == pytest.approx(length_scale)
    with torch.no_grad():
        model.kernel.log_length_scale -= math.log(2)
    assert model.length_scale.item() == pytest.approx(length_scale / 2)
    model.length_scale.backward()  # d l / d log l = l
    assert model.kernel.log_length_scale.grad is not None
    assert model.kernel.log_length_scale.grad.item() == pytest.approx(length_scale / 2)


def inputs_of_layers(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """What each linear layer is given."""
    seen: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for layer in linears(network)
    ]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("dropout", [0.1, 0.6])
@pytest.mark.parametrize("name", ["encoder", "decoder", "x_encoder"])
def test_dropout_drops_hidden_units_at_the_rate_asked(name: str, dropout: float) -> None:
    network = getattr(NonparametricVAE(7, Network(hidden_units=200, dropout=dropout), pixels=7), name)
    y = torch.randn(300, 7)  # no activation is exactly zero unless dropped
    pixels, first, second = inputs_of_layers(network.train(), y)
    assert (network(y) != 0).all()
    kept = inputs_of_layers(network.eval(), y)[1]
    assert (pixels != 0).all()
    for hidden in (first, second):
        assert (hidden == 0).double().mean().item() == pytest.approx(
            dropout, abs=5 * math.sqrt(0.25 / hidden.numel())
        )
    assert (kept != 0).all()
    torch.testing.assert_close(first[first != 0] * (1 - dropout), kept[first != 0])


def test_dropout_is_for_training_only() -> None:
    model = NonparametricVAE(2, Network(hidden_units=50, dropout=0.5), pixels=9)
    y = torch.rand(4, 9)
    functions = [lambda: model.encode(y)[0], lambda: model.decode(y[:, :2]), lambda: model.embed(y)]
    model.train()
    assert not any(torch.equal(function(), function()) for function in functions)
    model.eval()
    assert all(torch.equal(function(), function()) for function in functions)


def test_bytes_are_divided_by_255_before_they_are_encoded(tiny: Network) -> None:
    model = NonparametricVAE(2, tiny).eval()
    images = torch.randint(256, (6, 784), dtype=torch.uint8)
    values = torch.from_numpy(images.numpy() / np.float32(255))
    assert all(torch.equal(a, b) for a, b in zip(model.encode(images), model.encode(values), strict=True))
    assert torch.equal(model.embed(images), model.embed(values))


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_building_leaves_torchs_random_state(name: ModelName) -> None:
    before = torch.get_rng_state()
    build(name, 2, Network(hidden_units=8), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
