# SPDX-License-Identifier: MIT
"""manual.py PROGRAM REFERENCE.md FOLDER: manual pages of every subcommand (section 1) and of the machine's file (section 5)."""
import os
import re
import sys
import textwrap
from datetime import datetime, timezone
from pathlib import Path

import help_texts

DATE = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc).strftime("%Y-%m-%d")


def roff(text):
    """Text as troff prints it; what stands in `…` is bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = re.sub(r"\[([^\]]*)\]\(#[^)]*\)", r"\1", text)  # links within the reference
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def title(name, section):
    return f'.TH "{name.upper()}" "{section}" "{DATE}" "headgate" "Headgate"\n.nh\n.ad l\n'


def term(left, text):
    return f".TP\n{left}\n{roff(text)}\n"


def option_term(option):
    left = ", ".join(f"\\fB{roff(name)}\\fR" for name in option.names)
    if option.metavar:
        left += f" \\fI{roff(option.metavar)}\\fR"
    notes = []
    if option.default:
        notes.append(f"Default: {option.default}.")
    if option.variable:
        notes.append(f"Variable: {option.variable}.")
    return term(left, " ".join([option.text, *notes]))


def footer_sections(footer):
    """The end of a help text: paragraphs, and what is under `Examples:`, `Exit codes:` and the like."""
    sections = {"DESCRIPTION": [], "EXAMPLES": [], "EXIT STATUS": [], "SIGNALS": []}
    for paragraph in re.split(r"\n\n|\n(?=Exit codes:)", footer):
        heading = re.match(r"(Examples?|To begin|Exit codes|Signals): ?\n?", paragraph)
        if not heading:
            sections["DESCRIPTION"].append(paragraph)
            continue
        name = {"Signals": "SIGNALS", "Exit codes": "EXIT STATUS"}.get(heading.group(1), "EXAMPLES")
        sections[name].append(paragraph[heading.end():])
    return sections


def body(paragraphs):
    text = ""
    for paragraph in paragraphs:
        # What is indented or aligned is shown as it stands.
        if re.search(r"^  |\S {2,}\S", paragraph, re.MULTILINE):
            text += f".PP\n.nf\n{roff(textwrap.dedent(paragraph))}\n.fi\n"
        else:
            text += f".PP\n{roff(' '.join(paragraph.split()))}\n"
    return text


def examples(paragraphs):
    return "".join(f".PP\n.nf\n.RS 4\n{roff(textwrap.dedent(text))}\n.RE\n.fi\n" for text in paragraphs)


def page(command, root):
    sections = footer_sections(command.footer)
    text = title(command.name, 1)
    text += f".SH NAME\n{roff(command.name)} \\- {roff(command.summary.rstrip('.').removeprefix('Headgate: '))}\n"
    text += f".SH SYNOPSIS\n.B {roff(command.usage)}\n"
    text += f".SH DESCRIPTION\n.PP\n{roff(command.summary)}\n" + body(sections["DESCRIPTION"])
    if command.subcommands:
        text += ".SH COMMANDS\n" + "".join(
            term(f"\\fB{roff(child.words[-1])}\\fR", f"{child.summary} See {child.name}(1).") for child in command.subcommands)
    if command.positionals:
        text += ".SH ARGUMENTS\n" + "".join(map(option_term, command.positionals))
    text += ".SH OPTIONS\n" + "".join(map(option_term, command.options))
    if sections["SIGNALS"]:
        text += ".SH SIGNALS\n" + body(sections["SIGNALS"])
    if sections["EXIT STATUS"]:
        text += ".SH EXIT STATUS\n" + body(sections["EXIT STATUS"])
    if sections["EXAMPLES"]:
        text += ".SH EXAMPLES\n" + examples(sections["EXAMPLES"])
    if command is root or command.words[-1] == "run":
        text += ".SH FILES\n" + term("\\fI/etc/headgate/edge.yaml\\fR", "The machine's own file: headgate-edge.yaml(5).") + \
            term("\\fI/var/lib/headgate\\fR", "Journal, snapshots, the mirror of the repository.")
    others = [other.name for other in help_texts.walk(root) if other is not command]
    see = ", ".join(f"\\fB{roff(name)}\\fR(1)" for name in others)
    return text + f".SH SEE ALSO\n{see}, \\fBheadgate\\-edge.yaml\\fR(5)\n"


def edge_page(reference):
    """The part of the reference that is about `kind: Edge`."""
    part = re.search(r"^### Edge\n(.*?)(?=^### |^## |\Z)", reference, re.MULTILINE | re.DOTALL)
    if not part:
        sys.exit("manual.py: the reference has no section ### Edge")
    text = title("headgate-edge.yaml", 5) + ".SH NAME\nheadgate\\-edge.yaml \\- the machine's own file\n"
    text += ".SH DESCRIPTION\n"
    lines = iter(part.group(1).strip().split("\n"))
    for line in lines:
        if line.startswith("```"):
            code = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                code.append(inner)
            text += f".PP\n.nf\n.RS 4\n{roff(chr(10).join(code))}\n.RE\n.fi\n"
        elif line.startswith("#"):
            text += f".SS {roff(line.lstrip('# '))}\n"
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if cells[0] != "field" and not line.startswith("|---"):
                kind = ", ".join(cell for cell in (cells[1], cells[2] and cells[2].replace("`", "default `", 1)) if cell)
                text += term(roff(cells[0]), f"{' | '.join(cells[3:])} ({kind})")
        elif line:
            text += f".PP\n{roff(line)}\n"
    return text + ".SH SEE ALSO\n\\fBheadgate\\-run\\fR(1)\n"


def main(program, reference, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    root = help_texts.read(program)
    for command in help_texts.walk(root):
        (folder / f"{command.name}.1").write_text(page(command, root))
    (folder / "headgate-edge.yaml.5").write_text(edge_page(Path(reference).read_text()))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
