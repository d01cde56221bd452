"""VGG-11 on Fashion-MNIST, d2l section 8.2: 0.836 +- 0.017 test accuracy (2 seeds, 15 minutes of processor time).

It learns from 6,000 of the 60,000 training images in 10 epochs and bfloat16, and answers 6,000 of the 10,000 test images.
All training images would take 2.5 processor hours. Plain SGD at 0.05, images enlarged to 224 x 224, Xavier's
initialisation. A quarter of the paper's channels in the convolutions, as in the book: 43,093,322 weights. The training loss
is 0.438 +- 0.029, the training accuracy 0.839 +- 0.010. With all images the book's notebook reports 0.176, 0.936, and 0.923
on test images. docs/benchmarks.md has the command.
"""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="fashion_mnist_vgg11",
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
    model=c.Model(name="vgg11", options={"width": 0.25, "initialization": "xavier"}),
    training=c.Training(epochs=10, batch_size=128, optimizer=c.Sgd(learning_rate=0.05), precision="auto"),
    gate=c.Gate(c.AtLeast("accuracy", 0.8)),
)
