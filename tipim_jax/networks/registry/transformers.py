"""Vision transformers that every user brings (`--from`): their weights are for research alone."""

from tipim_jax.networks.network import Network
from tipim_jax.networks.registry.stated import CVLFACE, CVLFACE_LICENCE, TO_ONE

# (width, depth), `backbones/__init__.py` in LVFace: vit_t, vit_s, vit_b_dp005_mask_005, vit_l_….
_LVFACE = {"t": (256, 12), "s": (512, 12), "b": (512, 24), "l": (768, 24)}

NETWORKS = (
    *(
        Network(
            name=f"lvface-{size}",
            architecture="VisionTransformer",
            options=(
                ("patch", 9),
                ("width", width),
                ("depth", depth),
                ("heads", 8),
                ("expansion", 4),
            ),
            loss="LVFace, Glint360K",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="RGB",  # inference_onnx.py
            **TO_ONE,
            # The README: the code is MIT, the models for research alone.
            licence="non-commercial research (LVFace)",
            non_commercial=True,
            origin="https://github.com/bytedance/LVFace",
            weights=None,
        )
        for size, (width, depth) in _LVFACE.items()
    ),
    Network(
        name="cvlface-vit",
        architecture="VisionTransformer",
        # `models/vit/__init__.py` in CVLface, "base".
        options=(
            ("patch", 8),
            ("width", 512),
            ("depth", 24),
            ("heads", 16),
            ("expansion", 3),
        ),
        loss="AdaFace, WebFace4M",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ONE,
        licence=CVLFACE_LICENCE,
        non_commercial=True,
        origin=CVLFACE,
        weights=None,
    ),
)
