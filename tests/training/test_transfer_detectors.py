"""On a frozen backbone, the pyramid and the head of a detector learn."""

from kerasvision import config as c
from kerasvision import models
from kerasvision.training.transfer import freeze

OPTIONS = {"backbone": "resnet9", "width": 0.125, "levels": "p2-p4", "channels": 8, "depth": 1}
IMAGE_SHAPE = (16, 16, 3)


def learning(network):
    return {layer.name for layer in network.layers if layer.weights and layer.trainable}


def test_a_frozen_backbone_leaves_the_pyramid_and_the_head_to_learn():
    network = models.build("fcos", image_shape=IMAGE_SHAPE, num_classes=5, **OPTIONS)
    backbone = models.build("fcos", image_shape=IMAGE_SHAPE, num_classes=None, **OPTIONS)
    others = learning(network) - {layer.name for layer in backbone.layers}
    freeze(network, model=c.Model(name="fcos", options=OPTIONS), level="backbone", image_shape=IMAGE_SHAPE)
    assert learning(network) == others
    assert {"p2_lateral", "p3", "p4", "class_tower1_conv", "class_logits", "distances", "centerness"} <= others


def test_a_detector_is_frozen_up_to_an_inner_level():
    network = models.build("fcos", image_shape=IMAGE_SHAPE, num_classes=5, **OPTIONS)
    freeze(network, model=c.Model(name="fcos", options=OPTIONS), level="c2", image_shape=IMAGE_SHAPE)
    assert "layer3_conv" in learning(network)
    assert not any(name.startswith(("stem", "layer1", "layer2")) for name in learning(network))
