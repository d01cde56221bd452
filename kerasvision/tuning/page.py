"""A search as one page that works offline: the best settings, plots, the importance of settings, all trials."""

from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision.evaluation.curves import data_url
from kerasvision.tuning.importance import setting_importance
from kerasvision.tuning.plots import draw_best_so_far, draw_epochs, draw_parallel, draw_settings
from kerasvision.tuning.records import SearchResult, mean_and_deviation
from kerasvision.tuning.spaces import at_the_edge, extent
from kerasvision.tuning.table import ERROR, printed, short_names, trials_table


def write_search_page(result: SearchResult, search: c.Search, *, file: Path) -> None:
    """Writes the page. Names, values and messages are escaped.

    Args:
        result: a search with at least one trial that has a score.
        search: its settings.
        file: the HTML file to write. It includes the plots.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # In the order of the conditions, so that a setting is to the right of those that it depends on.
    space = dict(search.in_order())
    table = trials_table(result)
    page = environment.get_template("search.html").render(
        result=result,
        search=search,
        measure=result.objective.removeprefix("val_"),
        winner=result.ranked()[0],
        counts={status: sum(trial.status == status for trial in result.trials) for status in ("STOPPED", "FAILED")},
        minutes=sum(trial.seconds for trial in result.trials) / 60,
        best=[(path, value, extent(space[path]), at_the_edge(space[path], value)) for path, value in result.best.items()],
        seeds=mean_and_deviation(result.seeds) if result.seeds else None,
        best_so_far=_picture(draw_best_so_far(result)),
        epochs=_picture(draw_epochs(result)),
        parallel=_picture(draw_parallel(result, space)),
        settings=_picture(draw_settings(result, space)),
        importance=setting_importance(result),
        names=short_names(list(space)),
        table=printed(table, most=len(table)),
        errors=[text.strip().splitlines()[-1] if text.strip() else "" for text in table[ERROR]],
    )
    file.write_text(page, encoding="utf-8")


def _picture(figure: Figure | None) -> str:
    return "" if figure is None else data_url(figure, dpi=120)
