"""What detection refuses, and the way out that it names."""

import pytest

from kerasvision import config as c
from kerasvision.config.detection import ObjectClasses
from kerasvision.errors import ConfigError


def experiment(**changes):
    settings = {
        "name": "boxes",
        "source": c.Shapes(),
        "transform": c.Transform(image_size=(64, 64)),
        "task": c.Detection(),
        "model": c.Model(name="my_networks:detector"),
    }
    return c.Experiment(**settings | changes)


def search(**settings):
    return c.Search(space={"training.optimizer.learning_rate": c.LogUniform(1e-4, 0.1)}, **settings)


def test_classes_come_from_the_objects():
    assert experiment(task=c.Detection(classes=("star",))).task.names_to_fit() == ObjectClasses(classes=("star",), boxes=100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": (c.MixUp(),)}, "detection does not support mixup in augment, as mixed images have no boxes"),
        ({"augment": (c.AugMix(),)}, "detection does not support augmix in augment, as mixed images have no boxes"),
        ({"augment": (c.CutMix(),)}, "Leave cutmix in augment out"),
        ({"export": c.Export(temperature=True)}, "Leave export.temperature out"),
        ({"export": c.Export(test_time=("flip",))}, "Leave export.test_time out"),
        ({"model": c.Model(name="resnet18")}, "model.options.backbone='resnet18'"),
        ({"model": c.Model(name="show_and_tell")}, "finds boxes, which show_and_tell does not"),
        (
            {"model": c.Model(name="ssd"), "task": c.Detection(focal_gamma=1)},
            "task.focal_gamma has no meaning for ssd",
        ),
        ({"model": c.Model(name="ssd"), "task": c.Detection(assignment="task_aligned")}, "Leave it out: 'fixed'"),
        ({"model": c.Model(name="fcos"), "task": c.Detection(negatives=5)}, "task.negatives has no meaning for fcos"),
        ({"model": c.Model(name="yolo"), "task": c.Detection(box_loss="giou")}, "task.box_loss has no meaning for yolo"),
        ({"source": c.Digits()}, "Detection requires objects, but this Digits source gives none. Read objects through"),
        ({"gate": c.Gate(c.AtLeast("box_averge_precision", 0.5))}, "did you mean 'box_average_precision'"),
        ({"gate": c.Gate(c.AtLeast("accuracy", 0.5))}, "detection has no metric 'accuracy'"),
        (
            {"model": c.Model(name="faster_rcnn"), "task": c.Detection(focal_gamma=1.5)},
            r"task.focal_gamma has no meaning for faster_rcnn; received 1.5",
        ),
        (
            {"model": c.Model(name="fast_rcnn"), "task": c.Detection(sampled_anchors=64)},
            r"task.sampled_anchors has no meaning for fast_rcnn",
        ),
        (
            {"model": c.Model(name="fcos"), "task": c.Detection(sampled_regions=64)},
            r"task.sampled_regions has no meaning for fcos",
        ),
        (
            {"model": c.Model(name="faster_rcnn_fpn"), "task": c.Detection(learns="proposals")},
            r"task.learns has no meaning for faster_rcnn_fpn; received 'proposals'",
        ),
        (
            {"model": c.Model(name="faster_rcnn"), "task": c.Detection(learns="regions")},
            r"task.learns='regions' requires training.freeze='backbone'",
        ),
        (
            {"model": c.Model(name="fast_rcnn", options={"proposer": "latest"})},
            r"model.options.proposer='latest' requires that another training of the same run comes before",
        ),
        (
            {"model": c.Model(name="ssd"), "gate": c.Gate(c.AtLeast("proposal_recall_100", 0.5))},
            "ssd has no proposals, so its gate cannot have a rule about proposal_recall_100. Use box_recall",
        ),
        (
            {"model": c.Model(name="ssd"), "training": c.Training(keep="best", best_metric="proposal_recall_100")},
            "ssd has no proposals, so training.keep='best' cannot use proposal_recall_100. Use box_average_precision",
        ),
        (
            {
                "model": c.Model(name="fcos"),
                "training": c.Training(early_stopping=c.EarlyStopping(metric="proposal_recall_100", patience=2)),
            },
            "fcos has no proposals, so training.early_stopping cannot use proposal_recall_100",
        ),
        (
            {"model": c.Model(name="yolo"), "search": search(objective="proposal_recall_100")},
            "yolo has no proposals, so search.objective cannot use proposal_recall_100",
        ),
    ],
)
def test_what_does_not_go_with_boxes_is_refused_with_the_way_out(changes, message):
    with pytest.raises(ConfigError) as refused:
        experiment(**changes)
    assert message in " ".join(str(refused.value).split())


def test_crop_of_the_longer_side_is_warned_of():
    with pytest.warns(UserWarning, match="fit='pad' keeps them"):
        experiment(transform=c.Transform(image_size=(64, 64), fit="crop"))


@pytest.mark.parametrize("metric", ["box_average_precision", "average_precision[star]", "recall[star]", "count_error"])
def test_rules_of_a_gate_may_use_every_metric(metric):
    experiment(gate=c.Gate(c.AtMost(metric, 0.9)))


@pytest.mark.parametrize("network", ["rcnn", "faster_rcnn", "my_networks:detector"])
def test_a_rule_about_proposals_is_for_networks_that_have_them(network):
    experiment(model=c.Model(name=network), gate=c.Gate(c.AtLeast("proposal_recall_100", 0.5)))


@pytest.mark.parametrize("network", ["rcnn", "faster_rcnn", "rfcn", "my_networks:detector"])
def test_the_best_epoch_and_the_best_trial_may_be_those_with_the_best_proposals(network):
    training = c.Training(keep="best", best_metric="proposal_recall_100")
    found = experiment(model=c.Model(name=network), training=training, search=search(objective="proposal_recall_100"))
    assert found.task.best_is("proposal_recall_100") == "max"


def test_a_search_for_a_network_whose_proposals_alone_learn_compares_proposals():
    boxes, proposals = (search().metric(c.Detection(learns=learns)) for learns in ("both", "proposals"))
    assert (boxes, proposals) == ("box_average_precision", "proposal_recall_100")


def test_metrics_with_a_better_low_value_are_known():
    assert [c.Detection().best_is(one) for one in ("box_average_precision", "count_error", "loss")] == ["max", "min", "min"]


def test_augmentations_that_move_boxes_are_allowed():
    experiment(augment=(c.RandomFlip(), c.ScaleJitter(), c.Mosaic()))


def test_augmentation_whose_boxes_follow_the_pixels_is_allowed():
    augment = (c.IouCrop(), c.ScaleJitter(), c.Rotate(), c.Mosaic(), c.VisibleObjects(tight=True))
    assert experiment(augment=augment).augment == augment
