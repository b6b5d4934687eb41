#!/usr/bin/env python3
"""Writes the completion of a program for bash and for zsh, from what the program's --help says.

usage: generate.py PROGRAM DIRECTORY

Writes DIRECTORY/NAME.bash and DIRECTORY/_NAME. The build runs this on each program, so that the completions offer what
the program accepts. An option's values come from its description: a list of words at its end, after the last colon,
as in `what is printed: human, json or junit`. `see NAME COMMAND` means: the words that COMMAND lists. FILE, PATH and
DIR are completed from the filesystem; nothing is offered for numbers, sizes and times.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

DIRECTORIES = {"DIR", "PATH", "SOURCE", "MOUNTPOINT"}
NUMBERS = {"N", "SIZE", "TIME", "NUMBER"}
# Other words of mount(8): a program whose --help has a list of mount options takes them after -o.
MOUNT_OPTIONS = re.compile(r"mount options: ([^.]*(?:\.[^\n.]+)*)\.", re.S)


@dataclass
class Option:
    names: list  # for example ["-w", "--workload"]
    metavar: str  # empty: the option takes no value
    text: str
    words: list = field(default_factory=list)  # the values it takes, if they are listed


@dataclass
class Command:
    name: str  # empty: the program itself
    text: str
    options: list
    positionals: list  # their names
    commands: list = field(default_factory=list)
    mount_options: list = field(default_factory=list)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def entries(section):
    """The (left, right) columns of a section of --help; a description may continue on further lines."""
    found = []
    for line in section.splitlines():
        entry = re.match(r"  (\S.*?)(?:\s{2,}(\S.*))?$", line)
        if re.match(r"\s{20,}\S", line) and found:
            found[-1][1] = (found[-1][1] + " " + line.strip()).strip()
        elif entry:
            found.append([entry[1], entry[2] or ""])
    return found


def sections(text):
    """The parts of a --help by heading."""
    parts = re.split(r"^([A-Z]\w+):[ ]*$", text, flags=re.M)
    return {name: body.split("\n\n")[0] for name, body in zip(parts[1::2], parts[2::2])}


def listed_words(text):
    """The words at the end of a description, as in `the kernel: a, b (default) or c`."""
    text = re.sub(r"\s*\([^()]*\)", "", text)
    tail = text.rsplit(":", 1)[-1].strip()
    words = re.split(r", or |, | or ", tail)
    return words if len(words) > 1 and all(re.fullmatch(r"[\w.-]+", word) for word in words) else []


def option_of(program, left, text):
    names = re.findall(r"(?:^|,)(--?[\w-]+)", left)
    value = re.search(r"(?: |=)([A-Z][A-Z]*)", left)
    metavar = value[1] if value else ""
    braces = re.search(r"\{([\w.,-]+)\}", left)
    words = braces[1].split(",") if braces else listed_words(text)
    see = re.search(rf"see {os.path.basename(program)} (\w+)", text)
    if see:
        words = re.findall(r"^([a-z][\w-]*)", output(program, see[1]), re.M)
    return Option(names, metavar, text, words if metavar and metavar not in NUMBERS else [])


def command_of(program, name=""):
    text = output(program, *([name] if name else []), "--help")
    parts = sections(text)
    command = Command(name, text.splitlines()[0],
                      [option_of(program, left, right) for left, right in entries(parts.get("Options", ""))],
                      [left.split()[0] for left, _ in entries(parts.get("Positionals", ""))])
    command.commands = [command_of(program, left) for left, _ in entries(parts.get("Subcommands", ""))]
    usual = MOUNT_OPTIONS.search(text)
    if usual:
        words = [word for word in re.split(r",\s*", usual[1]) if re.fullmatch(r"\w+", word)]
        for option in command.options:
            long = option.names[-1]
            if option.metavar and option.metavar not in DIRECTORIES and long.startswith("--"):
                words += [f"{long[2:].replace('-', '_')}={word}" for word in option.words or [""]]
        command.mount_options = words
    return command


def bash_case(program, command, option):
    patterns = " | ".join(f'"{command.name} {name}"' for name in option.names)
    if option.metavar == "OPTION" and command.mount_options:
        body = f"_{program}_list '{' '.join(command.mount_options)}'"
    elif option.words:
        body = f"mapfile -t COMPREPLY < <(compgen -W '{' '.join(option.words)}' -- \"$current\")"
    elif option.metavar in DIRECTORIES or option.metavar == "FILE":
        flag = "d" if option.metavar in DIRECTORIES else "f"
        body = f"compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -{flag} -- \"$current\")"
    else:
        body = ":"
    return f"    {patterns}) {body}; return ;;\n"


def bash(program, top):
    every = [top, *top.commands]
    takes_value = "".join(bash_case(program, command, option)
                          for command in every for option in command.options if option.metavar)
    offered = "".join(f"        '{command.name}') words='{' '.join(n for o in command.options for n in o.names)}' ;;\n"
                      for command in every)
    files = "".join(f"        '{command.name}') kind=d ;;\n" for command in every
                    if command.positionals and set(command.positionals) <= DIRECTORIES)
    commands = " ".join(command.name for command in top.commands)
    return f"""# bash completion for {program}, made by scripts/completions/generate.py from its --help.

# The last of several words separated by commas.
_{program}_list() {{
    local before='' last=$current
    [[ $current == *,* ]] && before=${{current%,*}}, last=${{current##*,}}
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "$last")
    compopt -o nospace 2>/dev/null
}}

_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} option=${{COMP_WORDS[COMP_CWORD - 1]}}
    local commands='{commands}' command='' word words='' kind=f
    # --option=VALUE arrives as three words.
    if [[ $option == = ]]; then option=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    if [[ $current == = ]]; then current=; fi
    COMPREPLY=()
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        if [[ $word != -* && " $commands " == *" $word "* ]]; then command=$word; break; fi
    done
    case "$command $option" in
{takes_value}    esac
    if [[ $current == -* ]]; then
        case $command in
{offered}        esac
    elif [ -z "$command" ]; then
        words=$commands
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    else
        case $command in
{files}        esac
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -$kind -- "$current")
    fi
}}
complete -F _{program} {program}
"""


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def described(text):
    """A description in the syntax of zsh's _arguments: its brackets and colons are escaped."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def zsh_option(command, option):
    value = ""
    if option.metavar == "OPTION" and command.mount_options:
        plain = [word for word in command.mount_options if "=" not in word]
        with_value = sorted({word.split("=")[0] for word in command.mount_options if "=" in word})
        value = f":option:_values -s , option {' '.join(plain)} {' '.join(name + '[]:value:' for name in with_value)}"
    elif option.words:
        value = f":{option.metavar.lower()}:({' '.join(option.words)})"
    elif option.metavar in DIRECTORIES:
        value = f":{option.metavar.lower()}:_files -/"
    elif option.metavar:
        value = f":{option.metavar.lower()}:" + ("_files" if option.metavar == "FILE" else "")
    lines = []
    for name in option.names:
        end = "=" if value and name.startswith("--") else ""
        lines.append("    " + quoted(f"*{name}{end}[{described(option.text)}]{value}") + " \\\n")
    return "".join(lines)


def zsh_arguments(command):
    lines = "".join(zsh_option(command, option) for option in command.options)
    for number, name in enumerate(command.positionals, 1):
        lines += "    " + quoted(f"{number}:{name.lower()}:_files{' -/' if name in DIRECTORIES else ''}") + " \\\n"
    return "_arguments -s -S \\\n" + lines.removesuffix(" \\\n") + "\n"


def zsh(program, top):
    text = f"#compdef {program}\n# zsh completion for {program}, made by scripts/completions/generate.py from its --help.\n\n"
    if not top.commands:
        return text + zsh_arguments(top)
    names = "\n".join("    " + quoted(f"{command.name}:{command.text}") for command in top.commands)
    cases = "".join(f"{command.name})\n{zsh_arguments(command)};;\n" for command in top.commands)
    own = "".join(zsh_option(top, option) for option in top.options)
    return text + f"""_{program}_command() {{
  local -a commands
  commands=(
{names}
  )
  _describe command commands
}}

local curcontext="$curcontext" state
_arguments -C \\
{own}    '1:command:_{program}_command' \\
    '*::argument:->argument' && return
[[ $state == argument ]] || return
case $words[1] in
{cases}esac
"""


def main(program, directory):
    name = os.path.basename(program)
    top = command_of(program)
    for file, text in ((f"{name}.bash", bash(name, top)), (f"_{name}", zsh(name, top))):
        with open(os.path.join(directory, file), "w", encoding="utf-8") as out:
            out.write(text)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]), sys.argv[2])
