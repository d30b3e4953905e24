"""The models with scikit-learn's face: fit on images, transform to X, inverse_transform from X.

Thin over what the stages call: :func:`npvae.training.seeds.fit_seeds` and :mod:`npvae.latent.spaces`.
"""

import json
import math
import re
import warnings
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from scipy.spatial import KDTree
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor
from tqdm import tqdm

from npvae import machine
from npvae.data.images import in_batches, random_subset, require_grey
from npvae.errors import NpvaeError
from npvae.files import write_atomically
from npvae.latent.spaces import Space, XSpace, ZSpace, space_of
from npvae.model.checkpoint import digest, new_model
from npvae.model.objective import kl_nats, reconstruction_nats
from npvae.model.vae import VAE
from npvae.settings import Network, Objective, Recipe, Settings, Training, TrainingData
from npvae.training.history import Epoch
from npvae.training.seeds import fit_seeds

Group = TypeVar("Group", bound=Settings)
_METADATA = "npvae_estimator"
_SECTION = re.compile(r"\b(network|train|npvae)\.(?=[a-z_]+\b)")  # of params.yaml
_FAR = 10  # length scales from the nearest training image


class NPVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The nonparametric VAE (or the plain one) as a scikit-learn transformer of images.

    Images are arrays ``[N, pixels]`` or ``[N, rows, columns]``, uint8, bool, or floats in [0, 1]; all that
    methods return has the form of those that it was fitted on, float32 in [0, 1]. The defaults are the
    paper's, for 784 pixels. X fitted afterwards to a plain VAE, the pipeline's advised setting, is
    :func:`npvae.fitting.afterwards.fit_x`.

    Args:
        z_dim: Dz, the dimension of Z.
        model: ``npvae``, whose points are those of X (two dimensions), or ``vae``, whose points are E[z].
        seed: of weights, order, drop-out and noise; the same seed gives the same model on a machine.
        reference_images: how many training images z~ sums over, drawn at random; all unless given.
        verbose: show a bar while fitting.
        hidden_units: width of each of the two hidden layers.
        activations: of the hidden layers: ``elu-tanh``, ``tanh`` or ``relu``.
        initialisation: of the weights: ``he-normal`` or ``glorot-normal``.
        dropout: probability of dropping a hidden unit, in training only.
        epochs: passes through the images.
        batch_size: also the size of the kernel's neighbourhood; no more than there are images is used.
        learning_rate: Adam's.
        precision: of the networks' products: ``float32``, ``bfloat16``, or what the device is fast in
            (``auto``).
        drop_last: leave out an epoch's last, ragged batch.
        divergence: that the match minimises: ``means`` (Eq. 5), ``predictive`` (Eqs. 2 and 3) or ``joint``
            (Eq. 1).
        match_weight: of the matching term. The reconstruction's share of the loss grows with the pixels and
            the match's does not: with fewer pixels, take about pixels / 784 (0.1 for 8 x 8).
        match_gradient: what the match's gradient reaches: ``all``, an image's ``own`` E[z], or ``x`` alone.
        initial_length_scale: l of Eq. 6 before training.
        kernel_variance: of the process before training; ``means`` has none.
        kernel_noise: the variance of its noise before training; ``means`` has none.
        x_dropout: the X encoder's; the other networks' unless given. :mod:`npvae.settings` says more of all.

    Attributes:
        model_: the trained networks.
        space_: X or Z of them (:mod:`npvae.latent.spaces`).
        history_: a record of each epoch (:class:`npvae.training.history.Epoch`).
        recipe_: all that the training depended on, but for the seed.
        trained_on_: what machine it was trained on.
        image_shape_: of one image, as it was given.
        n_features_in_: pixels of an image.

    Raises:
        ValueError: by every method that takes images, if they are of another shape than those of ``fit``,
            NaN, outside [0, 1], or of a type without a known scale; by ``fit`` also for a wrong setting.
    """

    def __init__(
        self,
        z_dim: int = 20,
        *,
        model: Literal["npvae", "vae"] = "npvae",
        seed: int = 0,
        reference_images: int | None = None,
        verbose: bool = False,
        hidden_units: int = 500,
        activations: str = "elu-tanh",
        initialisation: str = "he-normal",
        dropout: float = 0.1,
        epochs: int = 20,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        precision: str = "auto",
        drop_last: bool = True,
        divergence: str = "means",
        match_weight: float = 1.0,
        match_gradient: str = "all",
        initial_length_scale: float = 1.0,
        kernel_variance: float = 1.0,
        kernel_noise: float = 0.1,
        x_dropout: float | None = None,
    ) -> None:
        self.z_dim = z_dim
        self.model = model
        self.seed = seed
        self.reference_images = reference_images
        self.verbose = verbose
        self.hidden_units = hidden_units
        self.activations = activations
        self.initialisation = initialisation
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.precision = precision
        self.drop_last = drop_last
        self.divergence = divergence
        self.match_weight = match_weight
        self.match_gradient = match_gradient
        self.initial_length_scale = initial_length_scale
        self.kernel_variance = kernel_variance
        self.kernel_noise = kernel_noise
        self.x_dropout = x_dropout

    def fit(self, X: Any, y: None = None) -> "NPVAE":
        """Train on images; ``y`` is ignored.

        Raises:
            ValueError: see the class; or the loss is not finite.
        """
        array, shape = self._taken(X, reset=True)
        device = machine.fastest_device()
        images = _tensor(array).to(device)
        try:
            recipe = self._recipe(len(images), shape if len(shape) == 2 else (1, shape[0]))
            seed = int(self.seed)
            with tqdm(total=recipe.train.epochs, unit="epoch", disable=not self.verbose) as bar:
                models, history = fit_seeds(recipe, [seed], images, on_epoch=lambda _: bar.update() and None)
        except NpvaeError as error:  # which speaks of params.yaml
            raise ValueError(_SECTION.sub("", str(error))) from error
        count = self.reference_images or len(images)
        reference = random_subset(len(images), count, seed=0).to(device)
        space = space_of(models[seed], images, reference)
        self._set(recipe, models[seed], space.reference if isinstance(space, XSpace) else None)
        self.image_shape_, self.history_ = shape, history
        self.trained_on_ = machine.describe(recipe.train.precision, device)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Where images lie: ``[N, 2]`` of X or, of a plain VAE, E[z|y] ``[N, Dz]``, float32."""
        images = self._images(X)
        return _array(self.space_.points(images))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The mean images at points ``[N, 2]`` of X or, of a plain VAE, ``[N, Dz]``: grey values.

        Warns, with a UserWarning, where a point of X is further than ten length scales from each training
        image: there, the nearest one alone decides.

        Raises:
            ValueError: points of another dimension, or not finite.
        """
        check_is_fitted(self)
        points = check_array(X, dtype=np.float32, input_name="X")
        if points.shape[1] != self._n_features_out:
            raise ValueError(
                f"points of {points.shape[1]} dimensions, and the space has {self._n_features_out}"
            )
        self._warn_of_far(points)
        return self._as_images(self.space_.decode(_tensor(points).to(self._device)))

    def sample(self, n_samples: int = 1, *, seed: int | None = None) -> np.ndarray:
        """Images ``[n_samples, ...]`` by ancestral sampling: from X's kernel density, or from the prior on Z.

        Args:
            n_samples: how many.
            seed: of the draw; the model's own unless given.

        Raises:
            ValueError: ``n_samples`` is less than 1.
        """
        check_is_fitted(self)
        _require_one(n_samples=n_samples)
        return self._as_images(self.space_.samples(n_samples, seed=self.seed if seed is None else seed))

    def interpolate(self, start: Any, end: Any, steps: int = 10) -> np.ndarray:
        """``steps`` images ``[steps, ...]`` on the line from one image's point to another's, ends left out.

        Args:
            start: an image of the form that the model was fitted on.
            end: another.
            steps: how many.

        Raises:
            ValueError: the images are of different shapes, or ``steps`` is less than 1; see also the class.
        """
        check_is_fitted(self)
        _require_one(steps=steps)
        if np.shape(start) != np.shape(end):
            raise ValueError(f"start is of shape {list(np.shape(start))}, and end of {list(np.shape(end))}")
        points = self.space_.points(self._images(np.stack([start, end])))
        line = next(iter(self.space_.paths.values()))
        return self._as_images(self.space_.decode(line(points[:1], points[1:], steps)[0]))

    def negative_elbo(self, X: Any) -> np.ndarray:
        """The negative ELBO of each image, in nats: ``[N]``; one z each, whose noise ``seed`` draws."""
        images = self._images(X)
        noise = torch.Generator(images.device).manual_seed(self.seed)

        def nats(batch: Tensor) -> Tensor:
            mu, sigma = self.model_.encode(batch)
            drawn = torch.randn(mu.shape, generator=noise, device=mu.device)
            return reconstruction_nats(self.model_.decode(mu + sigma * drawn), batch) + kl_nats(mu, sigma)

        return _array(in_batches(nats, images))

    def score(self, X: Any, y: None = None) -> float:
        """Minus the mean of :meth:`negative_elbo`: greater is better, as scikit-learn's searches expect."""
        return -float(self.negative_elbo(X).mean(dtype=np.float64))

    def save(self, path: Path | str) -> None:
        """Write the fitted model and its reference set into one safetensors file, all of it or nothing."""
        check_is_fitted(self)
        tensors = {f"model.{name}": tensor.cpu() for name, tensor in self.model_.state_dict().items()}
        if isinstance(self.space_, XSpace):
            x, z = self.space_.reference
            tensors |= {"reference.x": x.cpu(), "reference.z": z.cpu()}
        metadata = {
            "params": {name: _plain(value) for name, value in self.get_params().items()},
            "recipe": self.recipe_.model_dump(mode="json"),
            "image_shape": self.image_shape_,
            "history": self.history_,
            "trained_on": self.trained_on_,
            "sha256": digest(tensors),
        }
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_atomically(Path(path), save(contiguous, {_METADATA: json.dumps(metadata, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path | str) -> "NPVAE":
        """The model that :meth:`save` wrote; the file holds all that is needed.

        Raises:
            NpvaeError: the file is missing, or no such file; the message names it.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = json.loads((file.metadata() or {})[_METADATA])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata["sha256"] != digest(tensors):
                raise ValueError("its bytes were changed after it was written")
            estimator = cls(**metadata["params"])
            recipe = Recipe.model_validate(metadata["recipe"])
            model = new_model(recipe, 0)
            model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
            device = machine.fastest_device()
            reference = None
            if recipe.model != "vae":
                reference = tensors["reference.x"].to(device), tensors["reference.z"].to(device)
            estimator._set(recipe, model.eval().to(device), reference)
            estimator.image_shape_ = tuple(metadata["image_shape"])
            estimator.history_ = [Epoch(*record) for record in metadata["history"]]
            estimator.trained_on_ = metadata["trained_on"]
            estimator.n_features_in_ = recipe.data.pixels
        except FileNotFoundError:
            raise NpvaeError(f"{path}: no such file") from None
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise NpvaeError(f"{path}: not a model that NPVAE.save wrote ({reason})") from None
        return estimator

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.space_.reference[0].shape[1] if isinstance(self.space_, XSpace) else self.recipe_.z_dim

    @property
    def _device(self) -> torch.device:
        return next(self.model_.parameters()).device

    def _set(self, recipe: Recipe, model: VAE, reference: tuple[Tensor, Tensor] | None) -> None:
        """Take over a trained model; of the images that it was trained on, the reference set is enough."""
        nothing = torch.empty(0, recipe.data.pixels)
        space: Space = ZSpace(model, nothing)
        if reference is not None:
            space = XSpace(model, nothing)
            space.reference = reference
        self.recipe_, self.model_, self.space_ = recipe, model, space

    def _recipe(self, images: int, image_shape: tuple[int, int]) -> Recipe:
        """The settings, checked."""
        data = TrainingData(name="own", image_shape=image_shape, validation_images=0, train_images=images)
        try:
            if self.model not in ("npvae", "vae"):
                raise ValueError(f"model: {self.model!r} is neither npvae nor vae")
            if self.reference_images is not None:
                _require_one(reference_images=self.reference_images)
            training = self._group(Training)
            return Recipe(
                model=self.model,
                z_dim=_plain(self.z_dim),
                data=data,
                network=self._group(Network),
                train=training.model_copy(update={"batch_size": min(training.batch_size, images)}),
                npvae=self._group(Objective) if self.model == "npvae" else None,
            )
        except ValidationError as error:
            wrong = [
                f"{'.'.join(map(str, one['loc']))}: {one['msg']} (got {one['input']!r})"
                for one in error.errors()
            ]
            raise ValueError("; ".join(wrong)) from None

    def _group(self, settings: type[Group]) -> Group:
        return settings(**{name: _plain(getattr(self, name)) for name in settings.model_fields})

    def _images(self, X: Any) -> Tensor:
        check_is_fitted(self)
        array, _ = self._taken(X, reset=False)
        return _tensor(array).to(self._device)

    def _taken(self, X: Any, *, reset: bool) -> tuple[np.ndarray, tuple[int, ...]]:
        """Images flat ``[N, pixels]``, checked, and the shape of one as it was given."""
        if isinstance(X, Tensor):
            X = X.numpy(force=True)
        elif isinstance(X, list | tuple):
            X = np.asarray(X)
        if getattr(X, "ndim", 0) > 3:
            raise ValueError(
                f"images of shape {list(X.shape[1:])}, and not [pixels] or [rows, columns]; of colours, "
                "X.mean(axis=-1) makes grey values"
            )
        shape = tuple(X.shape[1:]) if getattr(X, "ndim", 0) == 3 else None
        if shape:
            if not reset and len(self.image_shape_) == 2 and shape != self.image_shape_:
                raise ValueError(
                    f"images of shape {list(shape)}, and the model was fitted on {list(self.image_shape_)}"
                )
            X = np.asarray(X).reshape(len(X), math.prod(shape))
        flat = validate_data(self, X, reset=reset, ensure_min_samples=2 if reset else 1)
        self._require_grey(flat)
        return flat, shape or flat.shape[1:]

    def _require_grey(self, images: np.ndarray) -> None:
        try:
            require_grey(torch.tensor(images))
        except NpvaeError as error:
            raise ValueError(str(error)) from None

    def _as_images(self, grey_values: Tensor) -> np.ndarray:
        return _array(grey_values).reshape(-1, *self.image_shape_)

    def _warn_of_far(self, points: np.ndarray) -> None:
        if not isinstance(self.space_, XSpace):
            return
        distance, _ = KDTree(_array(self.space_.reference[0])).query(points)
        length_scale = self.space_.model.length_scale.item()
        if far := int((distance > _FAR * length_scale).sum()):
            warnings.warn(
                f"{far} of {len(points)} points are further than {_FAR} length scales from every training "
                "image: what is decoded there is what its nearest one's would be",
                stacklevel=3,
            )


def _tensor(array: np.ndarray) -> Tensor:
    """A copy: uint8 and bool as they are, floats as float32."""
    tensor = torch.tensor(array)
    return tensor.float() if tensor.is_floating_point() else tensor


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.numpy(force=True)


def _require_one(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name}: {count} is less than 1")


def _plain(value: Any) -> Any:
    """numpy's numbers, as a search over parameters gives them, as Python's."""
    return value.item() if isinstance(value, np.generic) else value
