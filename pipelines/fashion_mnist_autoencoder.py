"""A denoising autoencoder on Fashion-MNIST: FIGURE"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="fashion_mnist_autoencoder",
    source=c.Idx(path="data/fashion-mnist", max_examples=12_000),
    splits=c.Splits(validation=0.1),
    transform=c.Transform(image_size=(28, 28), color_mode="grayscale"),
    augment=(c.RandomFlip(),),
    task=c.Reconstruction(bottleneck=64, noise="masking"),
    model=c.Model(name="autoencoder", options={"backbone": "resnet9", "width": 0.125}),
    training=c.Training(
        epochs=4, batch_size=128, optimizer=c.Adam(learning_rate=0.003), schedule="cosine", warmup_epochs=0.5
    ),
    gate=c.Gate(c.AtLeast("denoised_psnr", 15)),
    serving=c.Serving(max_difference=1e-4),
)
