"""Draws what simple models chose on the validation split."""

import pandas as pd
from matplotlib.figure import Figure


def draw_choices(choices: pd.DataFrame) -> Figure:
    """Plots the accuracy on the validation split by k, with a line for each distance, and a plot for each kind of features.

    Args:
        choices: features, distance, k, accuracy; other columns are not used.
    """
    kinds = list(dict.fromkeys(choices["features"]))
    figure = Figure(figsize=(4.2 * len(kinds), 2.9), layout="constrained")
    for number, kind in enumerate(kinds, 1):
        axes, rows = figure.add_subplot(1, len(kinds), number), choices[choices["features"] == kind]
        for distance, of_distance in rows.groupby("distance", sort=True):
            line = of_distance.sort_values("k")
            axes.plot(line["k"], line["accuracy"], marker="o", markersize=3, label=distance)
        best = rows.iloc[0]
        axes.plot(best["k"], best["accuracy"], "o", color="none", markeredgecolor="black", markersize=9, label="chosen")
        axes.set(xlabel="k", xscale="log", ylabel="validation accuracy", title=kind)
        axes.set_xticks(sorted(set(rows["k"])), [str(k) for k in sorted(set(rows["k"]))], minor=False)
        axes.minorticks_off()
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    return figure
