"""``params.yaml`` as one validated, immutable object.

The stages track the *values* they use (``params`` in ``dvc.yaml``), so nothing here may have a default:
this module says only which values are allowed.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from npvae.errors import NpvaeError

ModelName = Literal["vae", "npvae"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]

MNIST_TRAIN, MNIST_TEST = 60_000, 10_000


class Section(BaseModel):
    """Base of all sections: unknown keys and loose types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Section):
    """Which MNIST images are used."""

    validation_images: Annotated[int, Field(ge=0)]
    train_images: Annotated[int, Field(ge=2)]
    test_images: Annotated[int, Field(ge=1, le=MNIST_TEST)]

    @model_validator(mode="after")
    def _fits(self) -> "Data":
        if self.validation_images + self.train_images > MNIST_TRAIN:
            raise ValueError(
                f"validation_images + train_images is more than MNIST's {MNIST_TRAIN} training images"
            )
        return self


class Network(Section):
    """The architecture shared by encoder, decoder and X encoder."""

    hidden_units: Count
    activations: Literal["elu-tanh", "tanh", "relu"]
    initialisation: Literal["he-normal", "glorot-normal"]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Train(Section):
    """The optimisation."""

    seeds: Count
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]  # W_ii = 0: alone in its batch, an image has no neighbour
    learning_rate: Positive
    precision: Literal["bfloat16", "float32"]
    drop_last: bool


class Vae(Section):
    """The plain VAE: no knobs of its own."""


class Npvae(Section):
    """The nonparametric VAE's own knobs."""

    match_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    neighbour_gradient: bool
    initial_length_scale: Positive


class Predict(Section):
    """How z~ is predicted from X."""

    reference_images: Count


class Evaluate(Section):
    """The measures on the test images."""

    neighbours: Count
    seed: Seed


class Judge(Section):
    """The classifier that judges generated images."""

    seed: Seed
    epochs: Count
    learning_rate: Positive
    precision: Literal["bfloat16", "float32"]


class Measure(Section):
    """How much the measures behind the claims draw; see :class:`npvae.measures.suite.Sizes`."""

    samples: Annotated[int, Field(ge=2)]
    importance_samples: Count
    likelihood_images: Count
    subset: Annotated[int, Field(ge=12)]  # trustworthiness with 5 neighbours needs more than 10 images
    pairs: Annotated[int, Field(ge=2)]
    steps: Annotated[int, Field(ge=2)]
    seed: Seed


class Sweep(Section):
    """The sweep: the nonparametric VAE with one choice changed at a time; the first point is the default."""

    z_dim: Count
    points: Annotated[tuple[str, ...], Field(strict=False)]


class Figures(Section):
    """What the figures show."""

    thumbnails: Annotated[int, Field(ge=2)]
    interpolate: Annotated[tuple[Index, Index], Field(strict=False)]
    interpolation_steps: Count


class Params(Section):
    """All of ``params.yaml``."""

    models: Annotated[tuple[ModelName, ...], Field(strict=False)]
    z_dims: Annotated[tuple[Count, ...], Field(strict=False)]
    data: Data
    network: Network
    train: Train
    vae: Vae
    npvae: Npvae
    predict: Predict
    evaluate: Evaluate
    judge: Judge
    measure: Measure
    sweep: Sweep
    figures: Figures

    def of_checkpoint(self, model: ModelName, z_dim: int) -> dict[str, Any]:
        """Every value that a checkpoint of ``model`` at ``z_dim`` depends on, seeds apart."""
        return {
            "model": model,
            "z_dim": z_dim,
            "data": self.data.model_dump(exclude={"test_images"}),
            "network": self.network.model_dump(),
            "train": self.train.model_dump(exclude={"seeds"}),
            model: getattr(self, model).model_dump(),
        }

    def changed(self, point: str) -> "Params":
        """The parameters with one value changed, by ``KEY=VALUE`` such as ``npvae.match_weight=0.3``.

        Raises:
            NpvaeError: there is no such key, or the value is not allowed.
        """
        key, _, value = point.partition("=")
        values = self.model_dump(mode="json")
        *sections, name = key.split(".")
        section = values
        for part in sections:
            section = section.get(part, {})
        if not isinstance(section, dict) or name not in section:
            raise NpvaeError(f"{point}: params.yaml has no parameter {key}")
        section[name] = YAML(typ="safe").load(value)
        return _validated(values, point)

    @field_validator("z_dims")
    @classmethod
    def _ascending(cls, z_dims: tuple[int, ...]) -> tuple[int, ...]:
        if list(z_dims) != sorted(set(z_dims)):
            raise ValueError("must ascend without repetition")
        if not z_dims:
            raise ValueError("must name a dimension")
        return z_dims

    @field_validator("models")
    @classmethod
    def _both(cls, models: tuple[ModelName, ...]) -> tuple[ModelName, ...]:
        if sorted(models) != ["npvae", "vae"]:
            raise ValueError("must name vae and npvae, once each: the figures compare them")
        return models

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        if self.train.batch_size > self.data.train_images:
            raise ValueError("train.batch_size is larger than data.train_images")
        if len(set(self.figures.interpolate)) == 1:
            raise ValueError("figures.interpolate: names one image twice")
        if max(self.figures.interpolate) >= self.data.train_images:
            raise ValueError(
                f"figures.interpolate: an index is not below data.train_images = {self.data.train_images}"
            )
        if self.predict.reference_images > self.data.train_images:
            raise ValueError("predict.reference_images is larger than data.train_images")
        if self.evaluate.neighbours > self.data.train_images:
            raise ValueError("evaluate.neighbours is larger than data.train_images")
        return self


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and validate a parameter file (YAML 1.2, so that ``1e-3`` is a number, as for DVC).

    Raises:
        NpvaeError: the file is missing or not YAML, or a key is unknown, missing, of the wrong type or out
            of range; the message names the file, every such key and what is wrong with it.
    """
    path = Path(path)
    try:
        raw = YAML(typ="safe").load(path)
    except OSError as error:
        raise NpvaeError(f"{path}: {str(error.strerror).lower()}") from None
    except YAMLError as error:
        raise NpvaeError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return _validated(raw, path)


def _validated(raw: Any, origin: object) -> Params:
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"])
            message = "unknown parameter" if problem["type"] == "extra_forbidden" else problem["msg"]
            message = message.removeprefix("Value error, ")
            if key and problem["type"] not in {"extra_forbidden", "missing"}:
                message += f" (got {problem['input']!r})"
            problems.append(f"{key}: {message}" if key else message)
        raise NpvaeError(f"{origin}: {'; '.join(problems)}") from None
