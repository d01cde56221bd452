"""Measures PyTorch for `compare.py`, in an environment with torch, torchvision and pillow; it need not have kerasvision."""

import math
from pathlib import Path

import torch
import torchvision
from PIL import Image
from rounds import LEAST, OBJECTS, PASSES, serve
from torchvision.transforms import v2


class Photos(torch.utils.data.Dataset):
    """Random crops of photos, flipped, with changed colours."""

    def __init__(self, folder: str, side: int) -> None:
        files = sorted(Path(folder).rglob("*.jpg"))
        # The start of an epoch then counts little.
        self.files = files * math.ceil(LEAST / len(files))
        steps = [v2.RandomResizedCrop(side), v2.RandomHorizontalFlip(), v2.ColorJitter(0.4, 0.4, 0.4)]
        self.change = v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.change(Image.open(self.files[number]).convert("RGB"))


def of_input(settings):
    """An epoch of the input; returns how many images it had."""
    workers = 2 if "workers" in settings["way"] else 0
    if not workers:
        torch.set_num_threads(1)
    photos = Photos(settings["images"], settings["side"])
    loader = torch.utils.data.DataLoader(photos, 32, num_workers=workers, shuffle=True)
    return lambda: sum(len(batch) for batch in loader)


def of_network(settings):
    """Some passes over a batch, without or with a step of the optimizer; returns how many images they had."""
    builder = getattr(torchvision.models, settings["network"].removeprefix("keras/"))
    network = builder(weights=None).to(memory_format=torch.channels_last)
    side, batch, trains = settings["side"], settings["batch"], settings["comparison"] == "training"
    images = torch.rand(batch, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (batch,))
    optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9)
    network.train(trains)
    rounded = settings["way"] == "bfloat16"

    def run():
        for _ in range(PASSES):
            with torch.autocast("cpu", torch.bfloat16, enabled=rounded), torch.set_grad_enabled(trains):
                outputs = network(images)
            if trains:
                optimizer.zero_grad(set_to_none=True)
                torch.nn.functional.cross_entropy(outputs.float(), labels).backward()
                optimizer.step()
        return PASSES * batch

    return run


def of_detection(settings):
    """Some steps of Faster R-CNN; returns how many images they had."""
    side, batch = settings["side"], settings["batch"]
    network = torchvision.models.detection.fasterrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        min_size=side,
        max_size=side,
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=300,
        trainable_backbone_layers=5,
    )
    network = network.to(memory_format=torch.channels_last).train()
    images = list(torch.rand(batch, 3, side, side).to(memory_format=torch.channels_last))
    corner = side / 2 * torch.rand(batch, OBJECTS, 2)
    boxes = torch.cat([corner, corner + side / 16 + 7 * side / 16 * torch.rand(batch, OBJECTS, 2)], dim=-1)
    labels = torch.randint(1, 91, (batch, OBJECTS))
    targets = [{"boxes": box, "labels": label} for box, label in zip(boxes, labels, strict=True)]
    # With random weights the loss is large, and the weights must stay finite.
    optimizer = torch.optim.SGD(network.parameters(), 1e-6, 0.9)
    rounded = settings["way"] == "bfloat16"

    def run():
        for _ in range(PASSES):
            with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
                losses = network(images, targets)
            optimizer.zero_grad(set_to_none=True)
            sum(losses.values()).backward()
            optimizer.step()
        return PASSES * batch

    return run


if __name__ == "__main__":
    serve({"input": of_input, "inference": of_network, "training": of_network, "detection": of_detection})
