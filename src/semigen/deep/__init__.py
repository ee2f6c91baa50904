"""Deep generative classifiers of labeled and unlabeled rows: autoencoders, the K+1 GAN and flow mixtures.

Needs the extra ``deep``: ``pip install "semigen[deep]"``.
"""

from semigen.exceptions import MissingExtraError

try:
    import accelerate as _accelerate  # noqa: F401
    import safetensors as _safetensors  # noqa: F401
    import torch as _torch  # noqa: F401
    import zuko as _zuko  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        f'semigen.deep needs {error.name}, which the extra "deep" installs: pip install "semigen[deep]".'
    ) from error

from semigen.deep.flow import FlowMixtureClassifier
from semigen.deep.gan import GANClassifier
from semigen.deep.images import (
    class_grid,
    image_grid,
    map_images,
    reconstruction_grid,
    save_image,
    transfer_grid,
)
from semigen.deep.vae import VAEClassifier, VAEFeatures

__all__ = [
    "FlowMixtureClassifier",
    "GANClassifier",
    "VAEClassifier",
    "VAEFeatures",
    "class_grid",
    "image_grid",
    "map_images",
    "reconstruction_grid",
    "save_image",
    "transfer_grid",
]
