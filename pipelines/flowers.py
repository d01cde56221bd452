"""ResNet-18 from scratch on 500 photos of flowers: 0.64 +- 0.02 test accuracy (3 seeds, 1.4 minutes on 2 CPU cores)."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="flowers",
    source=c.ImageFolder(path="data/flowers"),
    transform=c.Transform(image_size=(96, 96), fit="crop", scale="standardize"),
    augment=(c.RandomFlip(), c.PadCrop(pad=12)),
    task=c.Classification(label_smoothing=0.1),
    model=c.Model(name="resnet18"),
    training=c.Training(epochs=15, batch_size=32, optimizer=c.Adam(learning_rate=1e-3), schedule="cosine", warmup_epochs=1),
    gate=c.Gate(c.AtLeast("accuracy", 0.4)),
)
