"""What can be chosen, as frozen value objects: the science of a run, and nothing of torch or of files.

The defaults are the reading of the paper that docs/reproduction.md gives reasons for. ``params.yaml`` names
every value all the same (:mod:`npvae.params`), because the stages track what it says.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ModelName = Literal["vae", "npvae"]
Precision = Literal["auto", "bfloat16", "float32"]
Gradient = Literal["all", "own", "x"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
ZDim = Annotated[int, Field(ge=1, lt=10_000)]  # .dvcignore knows files of up to four digits
Seed = Annotated[int, Field(ge=0, lt=2**63)]

MNIST_TRAIN, MNIST_TEST = 60_000, 10_000


class Settings(BaseModel):
    """Base of all settings: immutable; unknown names and loose types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TrainingData(Settings):
    """Which of MNIST's training images are trained on: ``train_images`` after the first, set aside, ones."""

    validation_images: Annotated[int, Field(ge=0)] = 5_000
    train_images: Annotated[int, Field(ge=2)] = 55_000

    @model_validator(mode="after")
    def _fits(self) -> "TrainingData":
        if self.validation_images + self.train_images > MNIST_TRAIN:
            raise ValueError(
                f"validation_images + train_images is more than MNIST's {MNIST_TRAIN} training images"
            )
        return self


class Data(TrainingData):
    """Which MNIST images are used."""

    test_images: Annotated[int, Field(ge=1, le=MNIST_TEST)] = 10_000


class Network(Settings):
    """The architecture that encoder, decoder and X encoder share.

    Args:
        hidden_units: width of each of the two hidden layers.
        activations: of the first and second hidden layer; the decoder has them the other way round.
        initialisation: of the weights (He et al., 2015, or Glorot and Bengio, 2010); biases start at zero.
        dropout: probability of dropping a hidden unit, in training only.
    """

    hidden_units: Annotated[int, Field(ge=1, le=100_000)] = 500
    activations: Literal["elu-tanh", "tanh", "relu"] = "elu-tanh"
    initialisation: Literal["he-normal", "glorot-normal"] = "he-normal"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class Training(Settings):
    """The optimisation.

    Args:
        epochs: passes through the images.
        batch_size: also the size of the kernel's neighbourhood.
        learning_rate: Adam's.
        precision: of the networks' matrix products; ``auto`` is bfloat16 where the device multiplies it in
            hardware, float32 elsewhere (:mod:`npvae.machine`). Weights, kernel and loss are float32.
        drop_last: leave out an epoch's last, ragged batch.
    """

    epochs: Count = 20
    batch_size: Annotated[int, Field(ge=2)] = 128  # W_ii = 0: alone in its batch, an image has no neighbour
    learning_rate: Positive = 1e-3
    precision: Precision = "auto"
    drop_last: bool = True


class Objective(Settings):
    """What the nonparametric VAE adds to the evidence lower bound (Eq. 5).

    Args:
        match_weight: of the matching term; the paper's is 1.
        match_gradient: what the term's gradient reaches: ``all``, as Eq. 5 is written; ``own``, an image's
            own E[z] but not its neighbours'; ``x``, X and the length scale alone.
        initial_length_scale: l of Eq. 6 before training.
    """

    match_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    match_gradient: Gradient = "all"
    initial_length_scale: Positive = 1.0


class Prediction(Settings):
    """How z~ is predicted from X: from how many training images, drawn at random (Eq. 4)."""

    reference_images: Count = 55_000


class Classifier(Settings):
    """The classifier in whose eyes generated images are measured; its learning rate falls along a cosine."""

    seed: Seed = 0
    epochs: Count = 4
    learning_rate: Positive = 3e-3
    precision: Precision = "auto"


class Measuring(Settings):
    """How much the measures draw.

    Args:
        neighbours: k of the digit accuracy.
        samples: images sampled from each model.
        importance_samples: k of the importance-weighted likelihood.
        likelihood_images: test images that it is averaged over.
        subset: test images for trustworthiness and silhouette, which are quadratic.
        pairs: pairs of training images of different digits, for the interpolation.
        steps: images between them.
        seed: of all noise and draws, so that all models meet the same.
    """

    neighbours: Count = 10
    samples: Annotated[int, Field(ge=2)] = 2_000
    importance_samples: Count = 500
    likelihood_images: Count = 500
    subset: Annotated[int, Field(ge=12)] = 2_000  # trustworthiness with 5 neighbours needs over 10 images
    pairs: Annotated[int, Field(ge=2)] = 1_000
    steps: Annotated[int, Field(ge=2)] = 7
    seed: Seed = 0


class Recipe(Settings):
    """All that a trained model depends on, except its seed, the source and the machine.

    The names are those of ``params.yaml``; a plain VAE has no ``npvae``.
    """

    model: ModelName
    z_dim: ZDim
    data: TrainingData
    network: Network
    train: Training
    npvae: Objective | None = None
