"""For every architecture, what becomes of each array in the files that its weights come in.

A module for each architecture; its `tables(network)` gives one `Table` for every kind of file that
people have such networks in.
"""

from tipim_jax.networks import Network
from weights_convert.fill import Table
from weights_convert.tables import (
    dlib_resnet,
    edgeface,
    face_resnet,
    ghostfacenet,
    inception_resnet,
    iresnet,
    lightcnn,
    mobilefacenet,
    nn4,
    sface,
    sphere,
    vgg,
    vit,
)

_MODULES = {
    "DlibResNet": dlib_resnet,
    "EdgeFace": edgeface,
    "FaceResNet": face_resnet,
    "GhostFaceNet": ghostfacenet,
    "InceptionResNetV1": inception_resnet,
    "IResNet": iresnet,
    "LightCNN": lightcnn,
    "MobileFaceNet": mobilefacenet,
    "NN4Small2": nn4,
    "SFace": sface,
    "SphereNet": sphere,
    "VggFace": vgg,
    "VisionTransformer": vit,
}


def tables(network: Network) -> tuple[Table, ...]:
    """All that the network can be converted from."""
    return _MODULES[network.architecture].tables(network)
