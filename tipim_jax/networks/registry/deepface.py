"""Networks as DeepFace keeps and shows them faces.

Its default everywhere: the face through `eyes`, BGR, divided by 255 (`representation.py` there,
normalisation "base"), whatever the network was trained on. Of the thresholds in its
`config/threshold.py`, which are distances 1 - cosine, those of cosines.
"""

from tipim_jax.networks.network import Network, PublishedThreshold
from tipim_jax.networks.origin import Download
from tipim_jax.networks.window import EYES

_DEEPFACE = "https://github.com/serengil/deepface_models"
_GHOSTFACENETS = "https://github.com/HamadYA/GhostFaceNets"
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
        licence="non-commercial research (Oxford VGG)",
        non_commercial=True,
        origin=_DEEPFACE,
        published_thresholds=_deepface(0.68),
        weights=Download(
            f"{_DEEPFACE}/releases/download/v1.0/vgg_face_weights.h5",
            None,
            "non-commercial research (Oxford VGG)",
        ),
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
        origin=_DEEPFACE,
        published_thresholds=_deepface(0.30),
        weights=Download(f"{_DEEPFACE}/releases/download/v1.0/facenet512_weights.h5", None, "MIT"),
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
        origin=_GHOSTFACENETS,
        published_thresholds=_deepface(0.65),
        # DeepFace keeps it as ghostfacenet_v1.h5.
        weights=Download(
            f"{_GHOSTFACENETS}/releases/download/v1.2/GhostFaceNet_W1.3_S1_ArcFace.h5", None, "MIT"
        ),
    ),
)
