"""Networks as DeepFace keeps and shows them faces, which users bring (`--from`).

Its default everywhere: the face through `eyes`, BGR, divided by 255 (`representation.py` there,
normalisation "base"), whatever the network was trained on. Of the thresholds in its
`config/threshold.py`, which are distances 1 - cosine, those of cosines.
"""

from tipim_jax.networks.network import Network, PublishedThreshold
from tipim_jax.networks.window import EYES

_TO_ONE_UP = {"mean": (0.0, 0.0, 0.0), "std": (255.0, 255.0, 255.0)}


def _deepface(distance: float) -> tuple[PublishedThreshold, ...]:
    return (PublishedThreshold(round(1 - distance, 3), "DeepFace"),)


NETWORKS = (
    Network(
        name="vgg-face",
        architecture="VggFace",
        loss="Softmax, VGG-Face",
        embedding_size=4096,
        input_size=(224, 224),
        window=EYES,
        channel_order="BGR",
        **_TO_ONE_UP,
        licence="CC-BY-NC-4.0",
        non_commercial=True,
        origin="https://github.com/serengil/deepface_models",
        published_thresholds=_deepface(0.68),
        weights=None,
    ),
    Network(
        name="facenet-512",
        architecture="InceptionResNetV1",
        loss="Softmax, VGGFace2",
        embedding_size=512,
        input_size=(160, 160),
        window=EYES,
        channel_order="BGR",
        **_TO_ONE_UP,
        licence="MIT",
        origin="https://github.com/serengil/deepface_models",
        published_thresholds=_deepface(0.30),
        weights=None,
    ),
    Network(
        name="ghostfacenet",
        architecture="GhostFaceNet",
        loss="ArcFace, MS1M",
        embedding_size=512,
        input_size=(112, 112),
        window=EYES,
        channel_order="BGR",
        **_TO_ONE_UP,
        licence="MIT",
        origin="https://github.com/HamadYA/GhostFaceNets",
        published_thresholds=_deepface(0.65),
        weights=None,
    ),
)
