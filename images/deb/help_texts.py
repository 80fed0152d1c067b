# SPDX-License-Identifier: MIT
"""What `headgate --help` says, of it and of every subcommand, as data: manual pages and completions are made of this."""
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Option:
    names: list  # ["-h", "--help"]
    value: str   # "FILE=/etc/headgate/edge.yaml (Env:HEADGATE_CONFIG)", "" for a switch
    text: str

    @property
    def metavar(self):
        """FILE; empty for a switch."""
        return re.sub(r"(=\S*)?( \.\.\.)?( \(Env:\w+\))?( REQUIRED)?$", "", self.value).strip()

    @property
    def default(self):
        found = re.search(r"=(\S+)", self.value)
        return found.group(1) if found else ""

    @property
    def variable(self):
        found = re.search(r"\(Env:(\w+)\)", self.value)
        return found.group(1) if found else ""

    @property
    def repeats(self):
        return " ..." in self.value


@dataclass
class Command:
    words: list  # ["headgate", "get", "invalidations"]
    summary: str = ""
    usage: str = ""
    positionals: list = field(default_factory=list)
    options: list = field(default_factory=list)
    subcommands: list = field(default_factory=list)
    footer: str = ""

    @property
    def name(self):
        return "-".join(self.words)


INDENT = 30  # where the right column begins


def entries(lines):
    """(left column, right column) of an indented table; a right column may go on below."""
    found = []
    for line in lines:
        if line.startswith(" " * INDENT):
            found[-1][1].append(line.strip())
        else:
            left, right = line.strip(), ""
            # A left column that is too wide has a line to itself, and may have a space just there.
            if line[INDENT - 1:INDENT] == " " and not line.startswith((" ", "...", "(Env:"), INDENT):
                left, right = line[:INDENT].strip(), line[INDENT:]
            found.append((left, [right] if right else []))
    return [(left, " ".join(right).strip()) for left, right in found]


def option(left, text):
    head, _, value = left.partition(" ")
    return Option(head.split(","), value, text)


def read(program, words=("headgate",)):
    """The command `words` and, inside it, its subcommands."""
    done = subprocess.run([program, *words[1:], "--help"], capture_output=True, text=True, check=True)
    command = Command(list(words))
    summary, _, rest = done.stdout.partition("\nUsage: ")
    command.summary = summary.strip()
    command.usage, _, rest = rest.partition("\n")
    section, lines, tables = "", rest.strip("\n").split("\n"), {}
    while lines:
        line = lines[0]
        if re.fullmatch(r"(Positionals|Options|Subcommands):", line):
            section = line[:-1]
            tables[section] = []
        elif section and line.startswith("  "):
            tables[section].append(line)
        elif line:
            break
        else:
            section = ""
        lines.pop(0)
    command.footer = "\n".join(lines).strip("\n")
    command.positionals = [option(*entry) for entry in entries(tables.get("Positionals", []))]
    command.options = [option(*entry) for entry in entries(tables.get("Options", []))]
    command.subcommands = [read(program, (*words, name)) for name, _ in entries(tables.get("Subcommands", []))]
    return command


def walk(command):
    yield command
    for child in command.subcommands:
        yield from walk(child)
