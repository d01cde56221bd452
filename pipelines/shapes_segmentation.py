"""FCN-8s on a narrow ResNet-18 finds the class of every pixel in generated scenes.

python tests/benchmarks/segmentation.py --seeds 3
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="shapes_segmentation",
    source=c.Shapes(count=2_100, image_size=(96, 96)),
    splits=c.Splits(validation=0.15, test=0.15),
    transform=c.Transform(image_size=(96, 96), scale="zero_mean"),
    augment=(c.RandomFlip(),),
    task=c.Segmentation(),
    model=c.Model(name="fcn8s", options={"backbone": "resnet18", "width": 0.25, "dropout": 0.0}),
    training=c.Training(
        epochs=36,
        batch_size=16,
        optimizer=c.AdamW(learning_rate=0.008, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,
        precision="bfloat16",
        # Compiling takes as long as some epochs, and the network is small.
        xla="off",
    ),
    evaluation=c.Evaluation(slices=("objects", "brightness")),
    gate=c.Gate(c.AtLeast("mean_iou", 0.5)),
    serving=c.Serving(max_difference=1e-4),
)
