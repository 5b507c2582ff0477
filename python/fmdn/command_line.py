"""Command lines as GNU programs take them, and the help that lists their options."""

from __future__ import annotations

import getopt
import math
import re
import sys
from dataclasses import dataclass, field
from typing import NoReturn

NAME_WIDTH = 30


class CommandError(Exception):
    """A command that cannot be carried out; the message says why."""


@dataclass
class Option:
    """An option, its default (shown, and used), and another spelling of its name."""

    short: str
    name: str
    argument: str  # what follows it; empty: nothing does
    default: str
    meaning: str
    alias: str = ""


@dataclass
class CommandLine:
    """A program's name, arguments and options, and what was given."""

    program: str
    arguments_wanted: str
    options: list[Option]
    values: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def parse(self, words: list[str]) -> None:
        """Take the words apart; end the program after --help or a wrong number."""
        short = "".join(
            o.short + ":" * bool(o.argument) for o in self.options if o.short
        )
        long = [
            name + "=" * bool(o.argument)
            for o in self.options
            for name in (o.name, o.alias)
            if name
        ]
        try:
            given, self.arguments = getopt.gnu_getopt(words, short, long)
        except getopt.GetoptError as error:
            raise CommandError(
                f"{error}; {self.program} --help lists them all"
            ) from None
        meant = {
            key: o.name
            for o in self.options
            for key in (f"-{o.short}", f"--{o.name}", f"--{o.alias}")
        }
        self.values = {meant[key]: value for key, value in given}
        if self.has("help"):
            print(self.help())
            raise SystemExit(0)
        if len(self.arguments) != len(self.arguments_wanted.split()):
            print(self.help(), file=sys.stderr)
            raise SystemExit(2)

    def help(self) -> str:
        """Usage, and a line for each option."""
        lines = [f"Usage: {self.program} [options] {self.arguments_wanted}", ""]
        for o in self.options:
            names = f"  -{o.short}, --{o.name}" if o.short else f"      --{o.name}"
            names += f"={o.argument}" if o.argument else ""
            default = f" ({o.default})" if o.default else ""
            lines.append(f"{names:{NAME_WIDTH - 2}}  {o.meaning}{default}")
        return "\n".join(lines)

    def has(self, name: str) -> bool:
        """Say whether an option was given."""
        return name in self.values

    def text(self, name: str) -> str:
        """Value of an option, its default where it was not given."""
        default = next(o.default for o in self.options if o.name == name)
        return self.values.get(name, default)

    def integer(self, name: str, least: int) -> int:
        """Value as an integer that is at least `least`."""
        text = self.text(name)
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            self._refuse(f"--{name} must be a whole number, not {text!r}")
        if not least <= int(text) < 2**31:
            size = "small" if int(text) < least else "large"
            self._refuse(f"--{name} is too {size}: {text}")
        return int(text)

    def number(self, name: str) -> float:
        """Value as a finite number; exponents may begin with d."""
        text = self.text(name)
        try:
            number = float(re.sub("[dDqQ]", "e", text)) if "_" not in text else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._refuse(f"--{name} must be a number, not {text!r}")
        return number

    def _refuse(self, message: str) -> NoReturn:
        raise CommandError(f"{message}; {self.program} --help lists them all")
