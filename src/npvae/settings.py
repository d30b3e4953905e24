"""What can be chosen, as frozen value objects: the science of a run, and nothing of torch or of files.

The defaults are the reading of the paper that docs/reproduction.md gives reasons for. ``params.yaml`` names
every value all the same (:mod:`npvae.params`), because the stages track what it says.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ModelName = Literal["vae", "npvae", "advised"]
Precision = Literal["auto", "bfloat16", "float32"]
Gradient = Literal["all", "own", "x"]
Divergence = Literal["means", "predictive", "joint"]
LengthScale = Literal["learned", "leave-one-out"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
ZDim = Annotated[int, Field(ge=1, lt=10_000)]  # .dvcignore knows files of up to four digits
Seed = Annotated[int, Field(ge=0, lt=2**63)]

# Data sets of MNIST's form: 60,000 training and 10,000 test images, 28 x 28; any other name is a user's own
CATALOGUE = ("mnist", "fashion-mnist", "kmnist")
MNIST_TRAIN, MNIST_TEST, MNIST_SHAPE = 60_000, 10_000, (28, 28)
TRUSTED = 12  # images at least for trustworthiness: with 5 neighbours it needs over 10


class Settings(BaseModel):
    """Base of all settings: immutable; unknown names and loose types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TrainingData(Settings):
    """Which images are trained on.

    Args:
        name: of the data set, and of its folder in data/; one of :data:`CATALOGUE`, or a user's own.
        image_shape: rows and columns of an image.
        validation_images: the first training images, set aside.
        train_images: how many after them are trained on.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] = "mnist"
    image_shape: Annotated[tuple[Count, Count], Field(strict=False)] = MNIST_SHAPE
    validation_images: Annotated[int, Field(ge=0)] = 5_000
    train_images: Annotated[int, Field(ge=2)] = 55_000

    @property
    def pixels(self) -> int:
        """Of an image."""
        return self.image_shape[0] * self.image_shape[1]

    @model_validator(mode="after")
    def _fits(self) -> "TrainingData":
        if self.name not in CATALOGUE:
            return self
        if self.validation_images + self.train_images > MNIST_TRAIN:
            raise ValueError(
                f"validation_images + train_images is more than {self.name}'s {MNIST_TRAIN} training images"
            )
        if self.image_shape != MNIST_SHAPE:
            raise ValueError(f"image_shape: the images of {self.name} are 28 x 28")
        return self


class Data(TrainingData):
    """Which images are used: those that are trained on, and the first ``test_images`` test images."""

    test_images: Count = 10_000

    @model_validator(mode="after")
    def _tests(self) -> "Data":
        if self.name in CATALOGUE and self.test_images > MNIST_TEST:
            raise ValueError(f"test_images is more than {self.name}'s {MNIST_TEST} test images")
        return self


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
    """What the nonparametric VAE adds to the evidence lower bound.

    Args:
        divergence: ``means``, the squared distance of E[z] and E[z~] (Eq. 5); ``predictive``, the divergence
            of q(z_i) from the Gaussian process's leave-one-out prediction (Eqs. 2 and 3); ``joint``, that of
            q(Z) from the process itself (Eq. 1). Always among the images of a batch.
        match_weight: of the matching term; the paper's is 1.
        match_gradient: what the term's gradient reaches: ``all``, as Eq. 5 is written; ``own``, an image's
            own E[z] but not its neighbours'; ``x``, X and the length scale alone.
        initial_length_scale: l of Eq. 6 before training.
        kernel_variance: that of the process before training; ``means`` has none.
        kernel_noise: the variance of its noise before training; ``means`` has none.
        x_dropout: the X encoder's; None is the other networks'.
    """

    divergence: Divergence = "means"
    match_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    match_gradient: Gradient = "all"
    initial_length_scale: Positive = 1.0
    kernel_variance: Positive = 1.0
    kernel_noise: Positive = 0.1
    x_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _has_neighbours(self) -> "Objective":
        if self.divergence == "joint" and self.match_gradient == "own":
            raise ValueError("match_gradient own: the joint divergence has no neighbours; all or x")
        return self


class Fitting(Settings):
    """How X is fitted to a plain VAE that is trained already: Eq. 5's match, its gradient on X alone.

    Args:
        epochs: passes through the images.
        batch_size: the neighbourhood, much larger than in training: nothing but X is learned.
        learning_rate: Adam's at the start; it falls to zero along a cosine.
        x_dropout: the X encoder's.
        initial_length_scale: l of Eq. 6 before.
    """

    epochs: Count = 40
    batch_size: Annotated[int, Field(ge=2)] = 2_048
    learning_rate: Positive = 3e-3
    x_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initial_length_scale: Positive = 1.0


class LengthScales(Settings):
    """The l that each model with an X predicts with.

    ``learned`` is the one from training, among the images of a batch. ``leave-one-out`` predicts training
    images best from all the others; nothing is trained again.
    """

    npvae: LengthScale = "learned"
    advised: LengthScale = "leave-one-out"

    def of(self, model: ModelName) -> LengthScale:
        """The named model's; a plain VAE has no use for one."""
        return self.advised if model == "advised" else self.npvae


class Prediction(Settings):
    """How z~ is predicted from X (Eq. 4).

    Args:
        reference_images: how many training images are summed over, drawn at random.
        length_scale: of each model.
    """

    reference_images: Count = 55_000
    length_scale: LengthScales = LengthScales()


class Classifier(Settings):
    """The classifiers in whose eyes generated images are measured.

    Args:
        seeds: how many are trained, from seeds 0, 1 and so on.
        epochs: of each.
        learning_rate: at the start; it falls to zero along a cosine.
        precision: of the products in training.
    """

    seeds: Count = 5
    epochs: Count = 4
    learning_rate: Positive = 3e-3
    precision: Precision = "auto"


class Measuring(Settings):
    """How much the measures draw.

    Args:
        neighbours: k of the digit accuracy.
        samples: images sampled from each model.
        mixture_components: Gaussians of the density that is fitted to the plain VAE's Z afterwards.
        importance_samples: k of the importance-weighted likelihood.
        likelihood_images: test images that it is averaged over.
        subset: test images for trustworthiness and silhouette, which are quadratic.
        pairs: pairs of training images of different digits, for the interpolation.
        steps: images between them.
        seed: of all noise and draws, so that all models meet the same.
    """

    neighbours: Count = 10
    samples: Annotated[int, Field(ge=2)] = 2_000
    mixture_components: Count = 10
    importance_samples: Count = 100
    likelihood_images: Annotated[int, Field(ge=2)] = 500  # an interval over images needs two
    subset: Annotated[int, Field(ge=TRUSTED)] = 2_000
    pairs: Annotated[int, Field(ge=2)] = 1_000
    steps: Annotated[int, Field(ge=2)] = 7
    seed: Seed = 0


class Recipe(Settings):
    """All that a trained model depends on, except its seed, the source and the machine.

    The names are those of ``params.yaml``; each model has its own section and not the others'.
    """

    model: ModelName
    z_dim: ZDim
    data: TrainingData
    network: Network
    train: Training
    npvae: Objective | None = None
    advised: Fitting | None = None
