"""The measures behind the claims, against independent references."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from torch.distributions import MultivariateNormal, Normal

from npvae.data import Split
from npvae.errors import NpvaeError
from npvae.judge import Judge, fit_judge, judge_accuracy, probabilities
from npvae.measures.embedding import embedding_measures, match_r2
from npvae.measures.fidelity import (
    label_distance,
    median_bandwidth,
    mmd2,
    nearest_distance,
    opinion,
)
from npvae.measures.interpolation import arc, digit_changes, line, random_pairs, unevenness
from npvae.measures.likelihood import binarise, importance_weighted, negative_log_likelihood
from npvae.model import Network, NonparametricVAE, build
from npvae.objective import reconstruction_nats
from npvae.sample import sample_prior, sample_through_x


class LinearGaussian:
    """z ~ N(0, I), y = A z + noise: the marginal and the posterior of z are known."""

    def __init__(self) -> None:
        self.loadings = torch.tensor([[1.0, 0.5], [-0.3, 0.8], [0.6, -1.2]], dtype=torch.float64)
        self.scale = 0.7
        self.y = torch.tensor([0.4, -1.1, 0.9], dtype=torch.float64)
        covariance = self.loadings @ self.loadings.T + self.scale**2 * torch.eye(3, dtype=torch.float64)
        self.log_marginal = float(
            MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(self.y)
        )

    def log_likelihood(self, y, z):
        return Normal(z @ self.loadings.T, self.scale).log_prob(y).sum(-1)

    def estimate(self, samples, seed, mu=(0.3, -0.5), sigma=(0.7, 0.6)):
        noise = torch.Generator().manual_seed(seed)
        posterior = (torch.tensor(value, dtype=torch.float64) for value in (mu, sigma))
        return float(importance_weighted(self.log_likelihood, self.y, *posterior, samples, noise))


def test_many_samples_give_the_marginal_likelihood():
    model = LinearGaussian()
    estimates = [model.estimate(500, seed) for seed in range(20)]
    assert np.mean(estimates) == pytest.approx(model.log_marginal, abs=0.02)


def test_the_bound_rises_with_the_number_of_samples():
    model = LinearGaussian()
    bounds = [np.mean([model.estimate(k, seed) for seed in range(300)]) for k in (1, 5, 50)]
    assert bounds[0] < bounds[1] < bounds[2] <= model.log_marginal + 0.02


def test_one_dimension_with_the_exact_posterior_has_no_variance():
    # y = z + noise of scale s: the posterior is N(y / (1 + s^2), s^2 / (1 + s^2))
    s, y = 0.5, torch.tensor([0.8], dtype=torch.float64)
    mu, sigma = y / (1 + s**2), torch.tensor([math.sqrt(s**2 / (1 + s**2))], dtype=torch.float64)
    noise = torch.Generator().manual_seed(0)
    estimate = importance_weighted(lambda y, z: Normal(z, s).log_prob(y).sum(-1), y, mu, sigma, 3, noise)
    exact = float(Normal(0, math.sqrt(1 + s**2)).log_prob(y))
    assert float(estimate) == pytest.approx(exact, abs=1e-6)


def test_one_sample_is_the_one_sample_elbo():
    model = build("vae", 2, Network(hidden_units=8, dropout=0.0), seed=0).eval()
    images = torch.rand(3, 784)
    noise = torch.Generator().manual_seed(7)
    unit = torch.cat([torch.randn(1, 2, generator=noise) for _ in images])
    with torch.no_grad():
        posterior = Normal(*model.encode(images))
        z = posterior.mean + posterior.stddev * unit
        ratio = posterior.log_prob(z).sum(-1) - Normal(0.0, 1.0).log_prob(z).sum(-1)
        expected = (reconstruction_nats(model.decode(z), images) + ratio).mean()
    found = negative_log_likelihood(model, images, samples=1, seed=7)
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_binarised_pixels_have_the_grey_values_as_means():
    grey = torch.tensor([0.0, 0.25, 1.0]).repeat(20_000, 1)
    binary = binarise(grey, seed=0)
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(binary.mean(0), grey[0], atol=0.01, rtol=0)


def test_mmd_equals_the_double_loop():
    rng = np.random.default_rng(0)
    a, b, h = rng.normal(size=(6, 3)), rng.normal(0.5, 1, size=(5, 3)), 1.3

    def kernel(x, y):
        return math.exp(-sum((x - y) ** 2) / (2 * h * h))

    within_a = sum(kernel(a[i], a[j]) for i in range(6) for j in range(6) if i != j) / 30
    within_b = sum(kernel(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / 20
    between = sum(kernel(x, y) for x in a for y in b) / 30
    expected = within_a + within_b - 2 * between
    assert mmd2(torch.tensor(a), torch.tensor(b), h) == pytest.approx(expected, abs=1e-12)


def test_mmd_is_zero_on_average_for_one_distribution_and_not_for_two():
    noise = torch.Generator().manual_seed(0)
    pairs = [torch.randn(2, 100, 4, generator=noise) for _ in range(50)]
    same = np.mean([mmd2(a, b, 2.0) for a, b in pairs])
    apart = np.mean([mmd2(a, b + 0.5, 2.0) for a, b in pairs])
    assert abs(same) < 0.002
    assert apart > 0.03


def test_the_bandwidth_is_the_median_distance():
    points = np.array([[0.0], [1.0], [3.0]])  # distances 1, 2, 3
    assert median_bandwidth(torch.tensor(points)) == 2


def test_nearest_distances_are_the_brute_forces():
    rng = np.random.default_rng(0)
    images, reference = rng.random((7, 784), dtype=np.float32), rng.random((30, 784), dtype=np.float32)
    found = nearest_distance(torch.tensor(images), torch.tensor(reference), rows=3)
    np.testing.assert_allclose(found, cdist(images, reference).min(1), rtol=1e-5)
    assert nearest_distance(torch.tensor(reference), torch.tensor(reference)).max() == 0


def test_opinion_of_known_probabilities():
    sure, unsure = torch.eye(10)[:1], torch.full((1, 10), 0.1)
    assert opinion(sure) == {"confidence": 1.0, "entropy": 0.0}
    both = opinion(torch.cat([sure, unsure]))
    assert both["confidence"] == pytest.approx(0.55)
    assert both["entropy"] == pytest.approx(math.log(10) / 2)


def test_label_distance_is_total_variation():
    zeros = torch.eye(10)[[0, 0, 0, 1]]  # three quarters 0
    assert label_distance(zeros, torch.tensor([0, 1, 1, 1])) == pytest.approx(0.5)
    assert label_distance(zeros, torch.tensor([0, 0, 0, 1])) == 0


def test_a_line_is_straight_and_even():
    points = line(torch.tensor([[0.0, 0.0]]), torch.tensor([[4.0, 8.0]]), 3)
    torch.testing.assert_close(points, torch.tensor([[[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]]))


def test_an_arc_turns_evenly_and_keeps_equal_norms():
    start, end = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    points = arc(start, end, 2)[0]
    angles = torch.atan2(points[:, 1], points[:, 0])
    torch.testing.assert_close(angles, torch.tensor([math.pi / 6, math.pi / 3]))
    torch.testing.assert_close(points.norm(dim=-1), torch.full((2,), 2.0))


def test_an_arc_between_different_norms_changes_them_evenly():
    norms = arc(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 4.0]]), 2)[0].norm(dim=-1)
    torch.testing.assert_close(norms, torch.tensor([2.0, 3.0]))


def test_an_arc_between_parallel_points_is_a_line():
    start, end = torch.tensor([[1.0, 1.0]]), torch.tensor([[3.0, 3.0]])
    torch.testing.assert_close(arc(start, end, 3), line(start, end, 3), atol=1e-4, rtol=0)


def test_pairs_show_different_digits_and_depend_on_the_seed():
    labels = torch.arange(500) % 10
    pairs = random_pairs(labels, 300, seed=0)
    assert pairs.shape == (300, 2)
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert pairs.equal(random_pairs(labels, 300, seed=0))
    assert not pairs.equal(random_pairs(labels, 300, seed=1))


def test_digit_changes_are_counted():
    digits = torch.tensor([[3, 3, 5, 3], [1, 1, 1, 1]])
    assert digit_changes(torch.eye(10)[digits]) == 1  # two and none


def test_unevenness_of_even_steps_and_of_one_jump():
    even = torch.arange(5.0)[None, :, None]
    jump = torch.tensor([0.0, 0, 0, 1, 1])[None, :, None]
    assert unevenness(even) == pytest.approx(1)
    assert unevenness(jump) == pytest.approx(4)


@pytest.fixture
def blobs() -> tuple[Split, Split, torch.Tensor, torch.Tensor]:
    """Images, and points in which ten digits lie well apart."""
    noise = torch.Generator().manual_seed(0)
    splits, points = [], []
    for count in (300, 60):
        labels = torch.arange(count) % 10
        points.append(torch.stack([labels * 5.0, -labels * 3.0], 1) + torch.randn(count, 2, generator=noise))
        splits.append(Split(torch.rand(count, 784, generator=noise), labels))
    return splits[0], splits[1], points[0], points[1]


def test_embedding_measures_are_scikit_learns(blobs):
    train, test, train_points, test_points = blobs
    found = embedding_measures(train, test, train_points, test_points, subset=50)
    images, points, labels = test.images[:50].numpy(), test_points[:50].numpy(), test.labels[:50].numpy()
    assert found["trustworthiness"] == pytest.approx(trustworthiness(images, points, n_neighbors=5))
    assert found["silhouette"] == pytest.approx(silhouette_score(points, labels))
    distances = cdist(test_points, train_points)
    nearest = train.labels.numpy()[distances.argmin(1)]
    assert found["knn_1"] == pytest.approx((nearest == test.labels.numpy()).mean())
    assert found["knn_10"] > 0.9


def test_r2_is_one_for_itself_and_zero_for_the_mean():
    mu = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 8.0]])
    assert match_r2(mu, mu) == 1
    assert match_r2(mu, mu.mean(0).expand(3, -1)) == pytest.approx(0)
    # residuals 1, 0, ...: 1 - 1 / (8 + 26)
    assert match_r2(mu, mu + torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])) == pytest.approx(1 - 1 / 34)


def test_prior_samples_are_decoded_standard_normals():
    model = build("vae", 2, Network(hidden_units=8), seed=0).eval()
    seen = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = sample_prior(model, 5_000, seed=3)
    assert images.shape == (5_000, 784)
    z = torch.cat(seen)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.05, rtol=0)


def test_samples_through_x_with_a_tiny_length_scale_are_the_training_images_own():
    model = NonparametricVAE(2, Network(hidden_units=8), initial_length_scale=1e-6).eval()
    training = torch.rand(20, 784)
    samples = sample_through_x(model, 40, training, seed=0)
    with torch.no_grad():
        own = model.decode(model.encode(training)[0]).sigmoid()
    assert torch.cdist(samples, own).amin(1).max() < 1e-2
    assert len(samples.unique(dim=0)) > 10


def stripes(count: int) -> Split:
    """Ten kinds of images that a convolution tells apart: a bright row that depends on the digit."""
    labels = torch.arange(count) % 10
    images = torch.rand(count, 28, 28, generator=torch.Generator().manual_seed(count)) * 0.3
    for image, label in itertools.zip_longest(images, labels):
        image[2 * int(label) + 4] = 1
    return Split(images.flatten(1), labels)


def test_the_judge_learns_and_repeats_itself():
    train, test = stripes(600), stripes(100)
    first, second = (fit_judge(train, seed=0, epochs=8) for _ in range(2))
    assert judge_accuracy(first, test) > 0.95
    assert judge_accuracy(Judge(), test) < 0.5
    assert all(a.equal(b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    torch.testing.assert_close(probabilities(first, test.images).sum(-1), torch.ones(100))


def test_a_judge_that_diverges_stops():
    with pytest.raises(NpvaeError, match="epoch 1"):
        fit_judge(stripes(300), seed=0, epochs=2, learning_rate=1e30)
