"""NiN on Fashion-MNIST, d2l section 8.3: 0.378 +- 0.120 test accuracy (2 seeds, 16 minutes of processor time).

It learns from 6,000 of the 60,000 training images in 10 epochs and bfloat16, and answers 6,000 of the 10,000 test images.
All training images would take 2.7 processor hours. Plain SGD at 0.1, images enlarged to 224 x 224, Xavier's initialisation.
1,992,166 weights. The training loss is 1.529 +- 0.067, the training accuracy 0.436 +- 0.026. With all images the book's
notebook reports 0.354, 0.869, and 0.874 on test images. docs/benchmarks.md has the command.
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="fashion_mnist_nin",
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
    transform=c.Transform(image_size=(224, 224), color_mode="grayscale"),
    task=c.Classification(),
    model=c.Model(name="nin", options={"initialization": "xavier"}),
    training=c.Training(epochs=10, batch_size=128, optimizer=c.Sgd(learning_rate=0.1), precision="auto"),
    gate=c.Gate(c.AtLeast("accuracy", 0.8)),
)
