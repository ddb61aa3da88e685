"""What several entries of the registry state."""

from tipim_jax.networks.network import PublishedThreshold

TO_ONE = {"mean": (127.5, 127.5, 127.5), "std": (127.5, 127.5, 127.5)}
TO_ALMOST_ONE = {"mean": (127.5, 127.5, 127.5), "std": (128.0, 128.0, 128.0)}
INSIGHTFACE = "https://github.com/deepinsight/insightface"
INSIGHTFACE_LICENCE = "non-commercial research (InsightFace model zoo)"
CVLFACE = "https://github.com/mk-minchul/CVLface"
# Its model cards: "follow the license of the training dataset"; WebFace260M's is for research.
CVLFACE_LICENCE = "non-commercial research (licence of WebFace260M)"


def best_on_lfw(cosine: float) -> tuple[PublishedThreshold, ...]:
    """RobFR's `networks/config.py`, `threshold_lfw`: the best accuracy on LFW's pairs."""
    return (PublishedThreshold(cosine, "best accuracy on LFW, Face-Robustness-Benchmark"),)


def adv_makeup(cosine: float) -> tuple[PublishedThreshold, ...]:
    return (PublishedThreshold(cosine, "FAR 0.01, Adv-Makeup"),)
