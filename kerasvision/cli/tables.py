"""Makes and prints tables."""

from rich.console import Console, RenderableType
from rich.table import Table


def table_of(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without lines.

    Args:
        columns: their headings.
        right: the headings of columns of numbers.
    """
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table


def print_whole(content: RenderableType) -> None:
    """Prints the content without wrapping, because a path that is broken over two lines cannot be copied."""
    console = Console(highlight=False)
    width = console.measure(content, options=console.options.update(max_width=10_000)).maximum
    Console(highlight=False, width=max(width, console.width)).print(content)
