"""Writes torchvision_losses.json, the losses of torchvision and their gradients, where torch and torchvision are installed.

    python tests/tasks/detection/make_torchvision_losses.py

Written with torchvision 0.29.1 and torch 2.14.1, in float64. Boxes are y_min, x_min, y_max, x_max;
torchvision takes x first.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torchvision import ops

LOSSES = {
    "giou": ops.generalized_box_iou_loss,
    "diou": ops.distance_box_iou_loss,
    "ciou": ops.complete_box_iou_loss,
}
FOCAL = ({"gamma": 2.0, "alpha": 0.25}, {"gamma": 0.0, "alpha": 0.5}, {"gamma": 1.5, "alpha": 0.75})
# Overlapping, one inside the other, apart, with one side in common.
BY_HAND = (
    ([0, 0, 2, 2], [1, 1, 3, 3]),
    ([0, 0, 8, 4], [2, 1, 3, 2]),
    ([0, 0, 2, 2], [5, 7, 6, 9]),
    ([0, 0, 2, 2], [0, 2, 2, 5]),
)
X_FIRST = [1, 0, 3, 2]


def boxes() -> tuple[list[list[float]], list[list[float]]]:
    random = np.random.default_rng(0)
    begins = random.uniform(0, 10, (2, 12, 2))
    drawn = np.concatenate([begins, begins + random.uniform(0.2, 10, (2, 12, 2))], axis=-1).round(3).tolist()
    found, true = (list(part) for part in zip(*BY_HAND, strict=True))
    return found + drawn[0], true + drawn[1]


def of_boxes(name: str, found: list[list[float]], true: list[list[float]]) -> dict[str, object]:
    predicted = torch.tensor(found, dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor(true, dtype=torch.float64)
    losses = LOSSES[name](predicted[:, X_FIRST], wanted[:, X_FIRST])
    losses.sum().backward()
    return {"losses": rounded(losses), "gradients": rounded(predicted.grad)}


def focal(logits: list[float], goals: list[float], options: dict[str, float]) -> dict[str, object]:
    predicted = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    losses = ops.sigmoid_focal_loss(predicted, torch.tensor(goals, dtype=torch.float64), **options)
    losses.sum().backward()
    return {"options": options, "losses": rounded(losses), "gradients": rounded(predicted.grad)}


def rounded(values: torch.Tensor) -> list[object]:
    return np.round(values.detach().numpy(), 9).tolist()


def main() -> None:
    found, true = boxes()
    logits = [-12.0, -4.0, -1.5, -0.25, 0.0, 0.5, 2.0, 6.0] * 2
    goals = [0.0] * 8 + [1.0] * 8
    made = {
        "boxes": {"found": found, "true": true, **{name: of_boxes(name, found, true) for name in LOSSES}},
        "focal": {"logits": logits, "goals": goals, "cases": [focal(logits, goals, options) for options in FOCAL]},
    }
    file = Path(__file__).with_name("torchvision_losses.json")
    file.write_text(json.dumps(made) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
