"""A conditional DCGAN on Fashion-MNIST."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="fashion_mnist_dcgan",
    source=c.Idx(
        path="data/fashion-mnist",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    splits=c.Splits(validation=0),
    transform=c.Transform(image_size=(28, 28), color_mode="grayscale"),
    task=c.Generation(loss="adversarial", conditional=True, latent_size=64),
    model=c.Model(name="dcgan", options={"channels": 24}),
    training=c.Training(
        epochs=12,
        batch_size=128,
        optimizer=c.Adam(learning_rate=2e-4, beta_1=0.5),
        average_decay=0.999,
        precision="bfloat16",
    ),
    gate=c.Gate(c.AtLeast("diversity", 0.3), c.AtLeast("novelty", 0.3)),
)
