"""IResNets that every user brings (`--from`): nobody may hand them on, or they stand behind a
login."""

from tipim_jax.networks.network import Network
from tipim_jax.networks.registry.stated import (
    CVLFACE,
    CVLFACE_LICENCE,
    INSIGHTFACE,
    INSIGHTFACE_LICENCE,
    TO_ONE,
    adv_makeup,
)

NETWORKS = (
    *(
        Network(
            name=f"insightface-r{depth}",
            architecture="IResNet",
            options=(("depth", depth), ("variant", "insightface")),
            loss="ArcFace or CosFace",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="RGB",
            **TO_ONE,
            licence=INSIGHTFACE_LICENCE,
            non_commercial=True,
            origin=INSIGHTFACE,
            weights=None,
        )
        for depth in (18, 34, 50, 100)
    ),
    *(
        Network(
            name=f"adaface-ir{depth}",
            architecture="IResNet",
            # AdaFace calls 100 layers 101.
            options=(("depth", min(depth, 100)), ("variant", "adaface")),
            loss="AdaFace",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="BGR",
            **TO_ONE,
            licence="MIT",
            origin="https://github.com/mk-minchul/AdaFace",
            weights=None,
        )
        for depth in (18, 34, 50, 101)
    ),
    # What CVLface trained; what it took over from AdaFace is adaface-ir101: its model.yaml says
    # `color_space: BGR`.
    Network(
        name="cvlface-ir101",
        architecture="IResNet",
        options=(("depth", 100), ("variant", "adaface")),
        loss="AdaFace or ArcFace, WebFace4M",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ONE,
        licence=CVLFACE_LICENCE,
        non_commercial=True,
        origin=CVLFACE,
        weights=None,
    ),
    *(
        Network(
            name=f"magface-r{depth}",
            architecture="IResNet",
            options=(("depth", depth), ("variant", "magface")),
            loss="MagFace, MS1M-v2",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="BGR",
            mean=(0.0, 0.0, 0.0),
            std=(255.0, 255.0, 255.0),
            licence="Apache-2.0",
            origin="https://github.com/IrvingMeng/MagFace",
            weights=None,
        )
        for depth in (18, 50, 100)
    ),
    Network(
        name="irse50",
        architecture="IResNet",
        options=(("depth", 50), ("variant", "ir_se")),
        loss="ArcFace, MS1M",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ONE,
        licence="not stated",
        origin="https://github.com/TencentYoutuResearch/Adv-Makeup",
        published_thresholds=adv_makeup(0.241),
        weights=None,
    ),
    Network(
        name="ir152",
        architecture="IResNet",
        options=(("depth", 152), ("variant", "ir")),
        loss="ArcFace, MS1M",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ONE,
        licence="not stated",
        origin="https://github.com/TencentYoutuResearch/Adv-Makeup",
        published_thresholds=adv_makeup(0.167),
        weights=None,
    ),
)
