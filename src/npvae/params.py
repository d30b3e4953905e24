"""``params.yaml`` as one validated object, and the recipe that it gives for a training."""

import re
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from npvae.errors import NpvaeError
from npvae.settings import (
    TRUSTED,
    Classifier,
    Count,
    Data,
    Fitting,
    Measuring,
    ModelName,
    Network,
    Objective,
    Prediction,
    Recipe,
    Settings,
    Training,
    TrainingData,
    ZDim,
)

_BRIEFLY = Repr()  # the aliases of a few lines of YAML can stand for more than any memory holds
_BRIEFLY.maxlevel, _BRIEFLY.maxstring = 2, 200
Index = Annotated[int, Field(ge=0)]
# of characters that no shell gives a meaning to: a point stands in a command line and names a file
_POINT = r"^z(0|[1-9][0-9]{0,3})-(default|[a-z_]+(\.[a-z_]+)+=[A-Za-z0-9_.+-]+)$"
Point = Annotated[str, Field(pattern=_POINT)]
_SWEPT = ("network", "train", "npvae", "predict")


class Vae(Settings):
    """The plain VAE: no knobs of its own."""


class Sweep(Settings):
    """The sweep: the nonparametric VAE with one choice changed at a time.

    Args:
        seeds: trainings of each point, from seed 0 on.
        points: ``z20-default``, or ``z20-KEY=VALUE`` with a key of params.yaml; each Z has its default.
    """

    seeds: Count
    points: Annotated[tuple[Point, ...], Field(strict=False)]


class Figures(Settings):
    """What the figures show."""

    thumbnails: Annotated[int, Field(ge=2)]
    interpolate: Annotated[tuple[Index, Index], Field(strict=False)]
    interpolation_steps: Count


class Params(Settings):
    """All of ``params.yaml``."""

    models: Annotated[tuple[ModelName, ...], Field(strict=False)]
    measured: Annotated[tuple[ModelName, ...], Field(strict=False)]
    z_dims: Annotated[tuple[ZDim, ...], Field(strict=False)]
    seeds: Count
    data: Data
    network: Network
    train: Training
    vae: Vae
    npvae: Objective
    advised: Fitting
    predict: Prediction
    classifier: Classifier
    measure: Measuring
    sweep: Sweep
    figures: Figures

    @property
    def with_x(self) -> tuple[ModelName, ...]:
        """The models that have an X: all but the plain VAE."""
        return tuple(model for model in self.models if model != "vae")

    def recipe(self, model: ModelName, z_dim: int) -> Recipe:
        """What ``model`` at ``z_dim`` is trained by."""
        return Recipe(
            model=model,
            z_dim=z_dim,
            data=TrainingData(**self.data.model_dump(exclude={"test_images"})),
            network=self.network,
            train=self.train,
            npvae=self.npvae if model == "npvae" else None,
            advised=self.advised if model == "advised" else None,
        )

    def changed(self, point: str) -> "Params":
        """The parameters with one value changed, by ``KEY=VALUE`` such as ``npvae.match_weight=0.3``.

        Raises:
            NpvaeError: there is no such key, or the value is not allowed.
        """
        key, _, value = point.partition("=")
        point = " ".join(point.split())  # in messages, which are of one line
        values = self.model_dump(mode="json")
        *sections, name = key.split(".")
        section: Any = values
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or name not in section:
            raise NpvaeError(f"{point}: params.yaml has no parameter {' '.join(key.split())}")
        section[name] = _parsed(value, point)
        return _validated(values, point)

    @field_validator("z_dims")
    @classmethod
    def _ascending(cls, z_dims: tuple[int, ...]) -> tuple[int, ...]:
        if list(z_dims) != sorted(set(z_dims)):
            raise ValueError("must ascend without repetition")
        if not z_dims:
            raise ValueError("must name a dimension")
        return z_dims

    @field_validator("models", "measured")
    @classmethod
    def _both(cls, models: tuple[ModelName, ...]) -> tuple[ModelName, ...]:
        if sorted(set(models) | {"advised"}) != ["advised", "npvae", "vae"] or len(set(models)) < len(models):
            raise ValueError(
                "must name vae and npvae, which the figures compare, and may name advised, once each"
            )
        return models

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        if left_out := set(self.measured) - set(self.models):
            raise ValueError(f"measured: {', '.join(left_out)} is not among the models")
        self._require_images()
        if len(set(self.figures.interpolate)) == 1:
            raise ValueError("figures.interpolate: names one image twice")
        if max(self.figures.interpolate) >= self.data.train_images:
            raise ValueError(
                f"figures.interpolate: an index is not below data.train_images = {self.data.train_images}"
            )
        self._require_points()
        return self

    def _require_images(self) -> None:
        """That there are as many as everything takes."""
        taken = {
            "train.batch_size": self.train.batch_size,
            "predict.reference_images": self.predict.reference_images,
            "measure.neighbours": self.measure.neighbours,
        }
        if larger := [name for name, count in taken.items() if count > self.data.train_images]:
            several = "is" if len(larger) == 1 else "are"
            raise ValueError(
                f"{' and '.join(larger)} {several} larger than data.train_images = {self.data.train_images}"
            )
        if self.data.test_images < TRUSTED:
            raise ValueError(
                f"data.test_images: {self.data.test_images} are too few to measure by: {TRUSTED} at least"
            )

    def _require_points(self) -> None:
        points = [split_point(point) for point in self.sweep.points]
        for name, (z_dim, change) in zip(self.sweep.points, points, strict=True):
            if z_dim < 1:
                raise ValueError(f"sweep.points: {name}: Z has at least 1 dimension")
            if self.sweep.points.count(name) > 1:
                raise ValueError(f"sweep.points: {name} is there twice")
            if (z_dim, None) not in points:
                raise ValueError(f"sweep.points: {name}: there is no z{z_dim}-default to compare it with")
            if change:
                self._require_change(name, change)

    def _require_change(self, point: str, change: str) -> None:
        """That the key exists and the value is one for it; what it is beside others shows when it runs."""
        key, _, text = change.partition("=")
        *sections, name = key.split(".")
        if not _names_a_value(type(self), key):
            raise ValueError(f"sweep.points: {point}: there is no parameter {key}")
        if sections[0] not in _SWEPT:
            raise ValueError(f"sweep.points: {point}: a point changes one of {', '.join(_SWEPT)}")
        section: Any = self
        for part in sections:
            section = getattr(section, part)
        try:
            type(section).model_validate(section.model_dump() | {name: _parsed(text, point)})
        except ValidationError as error:
            for problem in error.errors():
                if problem["loc"]:
                    raise ValueError(f"sweep.points: {point}: {problem['msg']}") from None
        except NpvaeError as error:
            raise ValueError(f"sweep.points: {error}") from None


def split_point(point: str) -> tuple[int, str | None]:
    """Z and the change of a point of the sweep: ``z20-KEY=VALUE -> 20, KEY=VALUE``; None of a default.

    Raises:
        NpvaeError: it is no point.
    """
    if not re.fullmatch(_POINT, point):
        raise NpvaeError(f"{point!r}: no point of the sweep; z20-default, or z20-KEY=VALUE")
    z_dim, _, change = point.removeprefix("z").partition("-")
    return int(z_dim), None if change == "default" else change


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and validate a parameter file (YAML 1.2, so that ``1e-3`` is a number, as for DVC).

    Raises:
        NpvaeError: the file is missing or not YAML, or a key is unknown, missing, of the wrong type or out
            of range; the message names the file, every such key and what is wrong with it.
    """
    path = Path(path)
    try:
        return _validated(_parsed(path, path), path)
    except OSError as error:
        raise NpvaeError(f"{path}: {str(error.strerror).lower()}") from None


def _parsed(source: Path | str, name: object) -> Any:
    try:
        text = source.read_text("utf-8") if isinstance(source, Path) else source
        if re.search("^%", text, re.MULTILINE):  # of another version, in which 010 is 8; DVC reads it as 10
            raise NpvaeError(f"{name}: a line begins with %; directives of YAML are not taken")
        # pure: brackets alone, enough of them, overflow the stack of libyaml and end the process
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise NpvaeError(f"{name}: not YAML: {' '.join(str(error).split())}") from None


def schema() -> dict[str, Any]:
    """The JSON schema of a parameter file, by which editors complete and check it.

    It names every key as required, as :func:`load_params` does, and says of each what its class's docstring
    says. What compares keys is left to ``npvae params``.
    """
    result = Params.model_json_schema(schema_generator=_AllRequired)
    for section in [result, *result["$defs"].values()]:
        whole, _, arguments = section["description"].partition("\n\nArgs:\n")
        section["description"] = _in_a_line(whole)
        for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE):
            section["properties"][name]["description"] = _in_a_line(text)
    return result


class _AllRequired(GenerateJsonSchema):
    def field_is_required(self, field: Any, total: bool) -> bool:
        return True


def _in_a_line(docstring: str) -> str:
    return " ".join(re.sub(r":\w+:`([^`]+)`", r"\1", docstring).replace("``", "").split())


def _left_out(settings: type[BaseModel], raw: Any, prefix: str = "") -> list[str]:
    """Keys that would take a default: stages track the values that the file names, so it must name all."""
    keys = []
    for name, field in settings.model_fields.items() if isinstance(raw, dict) else ():
        if name not in raw:
            keys.append(f"{prefix}{name}")
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _left_out(field.annotation, raw[name], f"{prefix}{name}.")
    return keys


def _names_a_value(settings: type[BaseModel], key: str) -> bool:
    name, _, rest = key.partition(".")
    field = settings.model_fields.get(name)
    section = field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    if field and section and rest:
        return _names_a_value(field.annotation, rest)  # type: ignore[arg-type]
    return field is not None and not section and not rest


def _validated(raw: Any, origin: object) -> Params:
    missing = _left_out(Params, raw)
    problems = [f"{key}: missing" for key in missing]
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        for problem in error.errors():
            key = " ".join(".".join(str(part) for part in problem["loc"]).split())  # messages are of one line
            if key in missing or (missing and not key):
                continue  # named already; and what compares keys would take a missing one's default
            message = "unknown parameter" if problem["type"] == "extra_forbidden" else problem["msg"]
            message = message.removeprefix("Value error, ").replace("Input should be", "must be")
            message = message.replace("a valid tuple", "a list").replace("Field required", "missing")
            if key and problem["type"] not in {"extra_forbidden", "missing"}:
                message += f" (got {_BRIEFLY.repr(problem['input'])})"
            problems.append(f"{key}: {message}" if key else message)
    if problems:
        raise NpvaeError(f"{origin}: {'; '.join(problems)}")
    return params
