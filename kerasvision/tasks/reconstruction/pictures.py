"""Reconstruction in pages: a line below an image, the image next to what was restored from it, and a plot of the errors."""

import pandas as pd
from matplotlib.figure import Figure

from kerasvision.tasks.versions import Version

BINS = 40


def caption_line(row: pd.Series, *, headline: str) -> str:
    """The error of the image.

    >>> caption_line(pd.Series({"mse": 0.01, "psnr": 20.0, "ssim": 0.9}), headline="mse")
    'error 0.0100, PSNR 20.0 dB, SSIM 0.90'
    """
    prefix = headline.removesuffix("mse")
    return f"error {row[headline]:.4f}, PSNR {row[f'{prefix}psnr']:.1f} dB, SSIM {row[f'{prefix}ssim']:.2f}"


def versions(row: pd.Series, *, has_noise: bool) -> tuple[Version, ...]:
    """The image as the network sees it, the noisy one, and what was restored from it; nothing without pictures."""
    shown = {"seen": "image", **({"noisy": "with noise"} if has_noise else {})}
    shown["denoised" if has_noise else "restored"] = "restored"
    return tuple(Version(meaning, row[column]) for column, meaning in shown.items() if row.get(column))


def histogram(errors: pd.Series) -> Figure:
    """How many images have which error, with a logarithmic axis of counts: the odd ones are at the right end."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.hist(errors, bins=BINS, color="#1d4f91")
    axes.set(xlabel="mean squared error", ylabel="images", yscale="log")
    return figure
