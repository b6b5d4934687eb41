#!/usr/bin/env python3
"""Checks what the documents say against the tree and the programs.

usage: docs_test.py SOURCE_DIR PARTIALFS MMAPSTRESS VMMODEL

- Each link in a Markdown file leads to a file of the tree (and to a heading of it, if it has a #part), and each
  path that a Markdown file names, as `fusefs/model` or scripts/test.sh, exists.
- Each option that a program's --help lists, for each of its subcommands, stands in its man page; and each long
  option that a command line in a Markdown file gives to one of our programs or scripts is one it knows.
- groff has no warning about a man page.
- Where a Markdown file shows a command line of vmmodel after a `$` and what it prints, it prints that (and perhaps more
  after it).
- README.md has at most 150 lines.
- The workflow of continuous integration runs scripts that exist, .ci/run among them, on each Debian that we support,
  where tests may mount, and keeps the results and the package.

Exit code: 0 all good; 1 not; 77 man is not installed.
"""

import os
import re
import shutil
import subprocess
import sys

# The folders at the top level: a word that begins with one of them can only be a path of the project.
PATH = re.compile(r"(?<![\w./-])((?:fusefs|tools|tests|scripts)/[\w./-]*[\w/])")
failures = 0


def fail(message):
    global failures
    failures += 1
    print("FAILED: " + message)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def anchors(text):
    """The #parts that a Markdown file's headings make, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ +(.+?) *$", text, re.M)}


def check_links(source, name, text):
    folder = os.path.dirname(os.path.join(source, name))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, part = target.partition("#")
        path = os.path.join(folder, path) if path else os.path.join(source, name)
        if not os.path.exists(path):
            fail(f"{name}: the link {target} leads nowhere")
        elif part:
            with open(path, encoding="utf-8") as linked:
                if part not in anchors(linked.read()):
                    fail(f"{name}: the link {target} leads to no heading")


def check_paths(source, name, text):
    for path in set(PATH.findall(text)):
        if not os.path.exists(os.path.join(source, path)):
            fail(f"{name}: there is no {path}")


def helps_of(program):
    """The --help of a program and of each of its subcommands; the program's own has the name ''."""
    helps = {"": output(program, "--help")}
    if "Subcommands:" in helps[""]:
        for command in re.findall(r"^  ([a-z]+) ", helps[""].split("Subcommands:")[1], re.M):
            helps[command] = output(program, command, "--help")
    return helps


def options_of(text):
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", text))


def check_man_page(page, helps):
    said = subprocess.run(["man", "--warnings=w", "-E", "UTF-8", "-l", page], capture_output=True, text=True,
                          env=os.environ | {"MANWIDTH": "1000", "LC_ALL": "C.UTF-8"})
    if said.returncode != 0 or said.stderr:
        fail(f"{os.path.basename(page)}: {said.stderr.strip()}")
    written = re.sub("[\u2010-\u2015\u2212]", "-", said.stdout)
    for command, text in helps.items():
        for option in set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M)) - {"--help", "--version"}:
            if not re.search(rf"(?<![\w-]){option}(?![\w-])", written):
                fail(f"{os.path.basename(page)} does not tell of {command} {option}")


def check_commands(name, text, helps):
    """Checks the options in the indented command lines of a Markdown file."""
    for line in re.findall(r"^ {4,}(\S.*)$", text, re.M):
        line = re.sub(r"(^|\s)#\s.*", "", line)
        for command in re.split(r"&&|\||;", line):
            words = [word for word in command.split() if not re.fullmatch(r"\w+=\S*|sudo|-|run:|\$", word)]
            known = helps.get(os.path.basename(words[0])) if words else None
            if known is None:
                continue
            known = known.get(words[1] if len(words) > 1 and words[1] in known else "")
            for option in options_of(" ".join(words[1:])):
                if option not in options_of(known) | {"--help"}:
                    fail(f"{name}: {words[0]} does not know {option}: {line.strip()}")


def check_outputs(name, text, programs):
    """Checks the indented blocks that begin with `$ vmmodel ...`: its output is the same on every machine."""
    for command, shown in re.findall(r"^    \$ (vmmodel .*)\n((?:    .*\n|\n(?=(?:\n)*    ))+)", text, re.M):
        shown = re.sub(r"^    ", "", shown, flags=re.M)
        said = subprocess.run([programs["vmmodel"], *command.split()[1:]], capture_output=True, text=True).stdout
        if not said.startswith(shown):
            fail(f"{name}: this is not what `{command}` prints:\n{shown}but:\n{said}")


def check_workflow(source, name=".github/workflows/ci.yml"):
    with open(os.path.join(source, name), encoding="utf-8") as workflow:
        text = workflow.read()
    for wanted in ("debian: ['12', '13']", "image: debian:${{ matrix.debian }}", "--privileged --device /dev/fuse",
                   "test -c /dev/fuse", ".ci/run", "scripts/reproduce.sh", "build/release/results.xml",
                   "build/release/*.deb"):
        if wanted not in text:
            fail(f"{name} has no {wanted}")
    for script in re.findall(r"- run: ((?:\.ci|scripts)/\S+)", text):
        if not os.access(os.path.join(source, script), os.X_OK):
            fail(f"{name} runs {script}, which is no program here")


def main(source, *programs):
    if not shutil.which("man"):
        print("skip: man is not installed")
        return 77
    helps = {os.path.basename(program): helps_of(program) for program in programs}
    pages = {"partialfs": "fusefs/partialfs.8", "mmapstress": "tools/mmapstress/mmapstress.1",
             "vmmodel": "tools/vmmodel/vmmodel.1"}
    for name, page in pages.items():
        check_man_page(os.path.join(source, page), helps[name])
    for script in ("reproduce.sh", "test.sh", "install-deps.sh", "lint.sh", "soak.sh", "apps/run.sh",
                   "kernels/run.sh", "kernels/compare.sh"):
        path = os.path.join(source, "scripts", script)
        helps[os.path.basename(script)] = {"": output(path, "--help")}
    helps["run.sh"] = {"": output(os.path.join(source, "scripts/apps/run.sh"), "--help") +
                           output(os.path.join(source, "scripts/kernels/run.sh"), "--help")}
    by_name = {os.path.basename(program): program for program in programs}
    found = output("git", "-C", source, "ls-files", "--cached", "--others", "--exclude-standard", "*.md").split()
    assert "README.md" in found
    for name in found:
        with open(os.path.join(source, name), encoding="utf-8") as document:
            text = document.read()
        check_links(source, name, text)
        check_paths(source, name, text)
        check_commands(name, text, helps)
        check_outputs(name, text, by_name)
        if name == "README.md" and text.count("\n") > 150:
            fail(f"{name} has {text.count(chr(10))} lines, more than 150")
    check_workflow(source)
    print(f"{len(found)} documents, {len(pages)} man pages, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(os.path.abspath(sys.argv[1]), *sys.argv[2:]))
