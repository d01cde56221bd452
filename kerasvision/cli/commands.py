"""The group of all commands. It checks numbers, and for a command that does not exist it says what was probably meant."""

from typing import Any

from kerasvision.cli.numbers import CheckedNumbers
from kerasvision.config.meant import instead_of_command
from kerasvision.errors import ConfigError


class Commands(CheckedNumbers):
    """Raises ConfigError for a command that does not exist."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The name, the command and the words after it."""
        word = args[0]
        # An option is not a word: the parser reports it.
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            raise ConfigError(
                "the first word must be a command of kerasvision",
                received=word,
                hint=instead_of_command(word, args[1:], self.list_commands(ctx)),
            )
        return super().resolve_command(ctx, args)
