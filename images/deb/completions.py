# SPDX-License-Identifier: MIT
"""completions.py PROGRAM FOLDER: completions for bash (headgate), zsh (_headgate) and fish (headgate.fish)."""
import sys
from pathlib import Path

import help_texts

FILES, FOLDERS = ("FILE", "PATH", "PATH-or-URL", "PATH-or-REV", "PATH, - or off"), ("DIR",)
HEAD = "# SPDX-License-Identifier: MIT\n# Made from `headgate --help`.\n"


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def what(option):
    """Whether the value of an option is a "file", a "folder", "text", or absent: ""."""
    if not option.metavar:
        return ""
    return "file" if option.metavar in FILES else "folder" if option.metavar in FOLDERS else "text"


def bash(commands):
    text = HEAD + """_headgate() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' index options='' commands='' values=''
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command ${COMP_WORDS[index]}" in
"""
    nested = [" ".join(command.words[1:]) for command in commands[1:]]
    patterns = "|".join(quoted((" " + name) if " " not in name else name) for name in nested)
    text += f"      {patterns}) command=\"${{command:+$command }}${{COMP_WORDS[index]}}\" ;;\n    esac\n  done\n"
    text += "  case $command in\n"
    for command in commands:
        names = " ".join(name for option in command.options for name in option.names)
        files = "|".join(name for option in command.options if what(option) == "file" for name in option.names)
        folders = "|".join(name for option in command.options if what(option) == "folder" for name in option.names)
        texts = "|".join(name for option in command.options if what(option) == "text" for name in option.names)
        text += f"    {quoted(' '.join(command.words[1:]))})\n      options={quoted(names)}\n"
        if command.subcommands:
            text += f"      commands={quoted(' '.join(child.words[-1] for child in command.subcommands))}\n"
        if any(what(positional) in ("file", "folder") for positional in command.positionals):
            text += "      values='file'\n"
        text += "      case $before in\n" if files or folders or texts else ""
        for pattern, value in ((files, "file"), (folders, "folder"), (texts, "text")):
            if pattern:
                text += f"        {pattern}) options='' values='{value}' ;;\n"
        text += "      esac\n" if files or folders or texts else ""
        text += "      ;;\n"
    return text + """  esac
  COMPREPLY=()
  if [[ $word == -* || -n $commands ]]; then
    [[ $word == -* ]] || options=''
    mapfile -t COMPREPLY < <(compgen -W "$options $commands" -- "$word")
  elif [[ $values == folder ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$word")
  elif [[ $values == file ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -o filenames -F _headgate headgate
"""


def zsh(commands):
    text = "#compdef headgate\n" + HEAD
    action = {"file": ":_files", "folder": ":_files -/", "text": ":"}
    for command in reversed(commands):
        text += f"_{command.name.replace('-', '_')}() {{\n"
        specs = []
        for option in command.options:
            for name in option.names:
                help_text = option.text.replace("[", "(").replace("]", ")").replace(":", "\\:")
                value = f":{option.metavar.replace(':', chr(92) + ':')}{action[what(option)]}" if option.metavar else ""
                specs.append(quoted(f"{'*' if option.repeats else ''}{name}[{help_text}]{value}"))
        for positional in command.positionals:
            many = "*" if positional.repeats else ""
            specs.append(quoted(f"{many}:{positional.names[0]}{action[what(positional) or 'text']}"))
        if not command.subcommands:
            text += "  _arguments " + " \\\n    ".join(specs) + "\n}\n"
            continue
        names = " ".join(quoted(f"{child.words[-1]}:{child.summary}") for child in command.subcommands)
        specs += ["'1: :->command'", "'*:: :->rest'"]
        text += "  local state line\n  _arguments -C " + " \\\n    ".join(specs) + "\n  case $state in\n"
        text += f"    command) local names=({names}); _describe command names ;;\n    rest) case $line[1] in\n"
        for child in command.subcommands:
            text += f"      {child.words[-1]}) _{child.name.replace('-', '_')} ;;\n"
        text += "    esac ;;\n  esac\n}\n"
    return text + '_headgate "$@"\n'


def fish(commands):
    text = HEAD + "complete -c headgate -f\n"
    for command in commands:
        inner = command.words[1:]
        children = " ".join(child.words[-1] for child in command.subcommands)
        here = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in inner)
        if children:
            here += ("; and " if here else "") + f"not __fish_seen_subcommand_from {children}"
        for child in command.subcommands:
            text += f"complete -c headgate -n {quoted(here)} -a {child.words[-1]} -d {quoted(child.summary)}\n"
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = {"": "", "text": " -x", "file": " -rF", "folder": " -x -a '(__fish_complete_directories)'"}[what(option)]
            text += f"complete -c headgate -n {quoted(here)} {names}{value} -d {quoted(option.text)}\n"
        if any(what(positional) in ("file", "folder") for positional in command.positionals):
            text += f"complete -c headgate -n {quoted(here)} -F\n"
    return text


def main(program, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    commands = list(help_texts.walk(help_texts.read(program)))
    for name, make in (("headgate", bash), ("_headgate", zsh), ("headgate.fish", fish)):
        (folder / name).write_text(make(commands))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
