"""FCOS on a narrow ResNet-18 finds shapes in 96 x 96 scenes.

Its network, training and augmentation against YOLO11n from scratch, by processor seconds and pycocotools:

    python tests/benchmarks/detection.py --epochs 24 --seeds 3

"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="shapes_detection",
    source=c.Shapes(count=2_100, image_size=(96, 96)),
    splits=c.Splits(validation=0.15, test=0.15),
    transform=c.Transform(image_size=(96, 96), scale="zero_mean"),
    augment=(c.RandomFlip(),),
    task=c.Detection(),
    model=c.Model(
        name="fcos",
        options={"backbone": "resnet18", "width": 0.25, "channels": 48, "depth": 1, "norm": "batch", "levels": "p3-p5"},
    ),
    training=c.Training(
        epochs=30,
        batch_size=16,
        optimizer=c.AdamW(learning_rate=0.008, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,
        precision="bfloat16",
        # Compiling takes as long as some epochs, and the network is small.
        xla="off",
    ),
    evaluation=c.Evaluation(slices=("objects", "brightness")),
    gate=c.Gate(c.AtLeast("box_average_precision", 0.5)),
    serving=c.Serving(max_difference=1e-4),
)
