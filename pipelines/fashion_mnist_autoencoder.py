"""A denoising autoencoder on ResNet-9, a quarter as wide, on Fashion-MNIST: a code of 64 numbers (not yet measured).

    python tests/benchmarks/seeds.py pipelines/fashion_mnist_autoencoder.py --seeds 3

measures it. Its encoder can begin a classifier: see docs/how-to/without-labels.md.
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="fashion_mnist_autoencoder",
    source=c.Idx(path="data/fashion-mnist"),
    splits=c.Splits(validation=0.1),
    transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
    task=c.Reconstruction(bottleneck=64, noise="masking", noise_amount=0.25),
    model=c.Model(name="autoencoder", options={"backbone": "resnet9", "width": 0.25}),
    training=c.Training(
        epochs=6,
        batch_size=128,
        optimizer=c.Adam(learning_rate=0.002),
        schedule="cosine",
        warmup_epochs=0.5,
        precision="bfloat16",
    ),
    evaluation=c.Evaluation(slices=("label", "brightness")),
    gate=c.Gate(c.AtLeast("denoised_psnr", 15)),
    serving=c.Serving(max_difference=1e-4),
)
