"""Segmentation in pages: a line below an image."""

import pandas as pd


def caption_line(row: pd.Series) -> str:
    """The mean IoU of the image, and its worst class.

    >>> caption_line(pd.Series({"iou": 0.8312, "worst_class": "cat", "worst_iou": 0.25, "pixels": 9}))
    'IoU 0.83, worst: cat 0.25'
    >>> caption_line(pd.Series({"iou": 1.0, "worst_class": "", "worst_iou": 1.0, "pixels": 0}))
    'no pixel is known'
    """
    if not row["pixels"]:
        return "no pixel is known"
    return f"IoU {row['iou']:.2f}, worst: {row['worst_class']} {row['worst_iou']:.2f}"
