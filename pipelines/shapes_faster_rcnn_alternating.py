"""Faster R-CNN by the paper's four steps: 0.585 average precision (1 seed, 520 s of processor time).

The score is that of 319 test scenes, and the time that of the four trainings and the stages before them:

    kerasvision run pipelines/shapes_faster_rcnn_alternating.py

The steps are those of Ren et al., 2015, https://arxiv.org/abs/1506.01497, section 3.2:

    trainer_step_1   the region proposal network learns alone
    trainer_step_2   a Fast R-CNN with a backbone of its own learns on the proposals of step 1
    trainer_step_3   the region proposal network learns again, on the backbone of step 2, which stays as it is
    trainer          the second stage goes on learning; backbone and proposals stay as they are

On the validation scenes, the score is 0.530 after step 2, 0.519 after step 3 and 0.577 at the end. The result is one network
in which both stages read the same map. `training` is the training of each step.
"""

from kerasvision import config as c
from kerasvision.config.overrides import with_values
from kerasvision.config.stages import stage_settings
from kerasvision.pipeline.standard import standard_pipeline

EXPERIMENT = c.Experiment(
    name="shapes_faster_rcnn_alternating",
    source=c.Shapes(count=2_100, image_size=(96, 96)),
    splits=c.Splits(validation=0.15, test=0.15),
    transform=c.Transform(image_size=(96, 96), scale="zero_mean"),
    augment=(c.RandomFlip(),),
    task=c.Detection(),
    model=c.Model(
        name="faster_rcnn",
        options={
            "backbone": "resnet9",
            "width": 0.25,
            "anchor_sizes": (14, 28, 48),
            "proposals": 64,
            "candidates": 150,
            "channels": 64,
            "hidden": 128,
            "pooled": 5,
            "dropout": 0.0,
        },
    ),
    training=c.Training(
        epochs=4,
        batch_size=16,
        optimizer=c.AdamW(learning_rate=0.003, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,
        precision="bfloat16",
        # Compiling takes as long as some epochs, and the network is small.
        xla="off",
    ),
    gate=c.Gate(c.AtLeast("box_average_precision", 0.3), c.AtLeast("proposal_recall_100", 0.9)),
    serving=c.Serving(max_difference=1e-4),
)
# Options of the region proposal network.
FIRST_STAGE = ("anchor_sizes", "candidates", "channels")


def pipeline(experiment):
    """The standard stages, with four trainings in place of one."""
    both = stage_settings(experiment)["trainer"]
    options = {name: value for name, value in experiment.model.options.items() if name not in FIRST_STAGE}
    fast_rcnn = c.Model(name="fast_rcnn", weights=experiment.model.weights, options={**options, "proposer": "latest"})
    fixed = {"model.weights": "latest", "training.freeze": "backbone"}
    trainings = (
        with_values(both, {"task.learns": "proposals"}),
        with_values(both, {"model": fast_rcnn}),
        with_values(both, {**fixed, "task.learns": "proposals"}),
        with_values(both, {**fixed, "task.learns": "regions"}),
    )
    return standard_pipeline(experiment, trainings=trainings)
