#!/usr/bin/env python3
"""Compares the table of options with mxholdd.conf(5) and the example file.

Usage: options.py PRINT_SCHEMA SOURCE_DIR. Every option of the table must
stand in both, with its default, and nothing else may.
"""
import os
import re
import subprocess
import sys

EXAMPLE = "systemd/mxholdd.conf.example"
MANUAL = "docs/man/mxholdd.conf.5"


def schema(program):
    """(section, name) -> default as the file has it; what is not acted on."""
    out = subprocess.run([program], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    rows = [line.split("\t") for line in out.splitlines()]
    return ({(r[0], r[1]): r[2] for r in rows},
            {".".join(r[:2]) for r in rows if r[4] == "later"})


def example_options(text):
    """Every '#name = value' or 'name = value', by the section around it."""
    found, section = {}, ""
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"^#(?! )", "", line).strip()
        if line.startswith("#") or not line:
            continue
        opened = re.match(r'(\w+)(?:\s+"[^"]*")?\s*\{$', line)
        if opened:
            section = opened.group(1)
            continue
        if line == "}":
            section = ""
            continue
        option = re.match(r"(\w+)\s*=\s*(.*?)\s*(?:#.*)?$", line)
        if not option:
            sys.exit(f"{EXAMPLE}:{number}: cannot be understood: {line}")
        found[section, option.group(1)] = option.group(2)
    return found


def manual_options(text):
    """Every '.It Ic name No = value' below a '.Ss section' heading."""
    found, section = {}, None
    for line in text.splitlines():
        heading = re.match(r"\.Ss (\w+)?", line)
        if heading:
            section = heading.group(1)
            section = "" if section == "Global" else section
        item = re.match(r"\.It Ic (\w+)(?: = (.*))?$", line)
        if item and section is not None:
            value = (item.group(2) or "").replace(r"\&", "")
            found[section, item.group(1)] = value.replace(r"\(dq", '"')
    return found


def compare(where, found, table):
    wrong = []
    for key, default in table.items():
        name = ".".join(k for k in key if k)
        if key not in found:
            wrong.append(f"{where}: {name} is missing")
        elif default and found[key] != default:
            wrong.append(f"{where}: {name}: default {found[key]}, "
                         f"but the table says {default}")
    for key in found:
        if key not in table:
            wrong.append(f"{where}: {'.'.join(key)} is no option")
    return wrong


def compare_caveats(directory, later):
    with open(os.path.join(directory, MANUAL), encoding="utf-8") as f:
        caveats = f.read().split(".Sh CAVEATS")[1]
    said = set(re.findall(r"^\.Ic (\S+)", caveats, re.M))
    return [f"{MANUAL}: CAVEATS and the table do not agree on {name}"
            for name in sorted(said ^ later)]


def compare_marks(directory, later):
    """What the example says has no effect, by the option below it."""
    with open(os.path.join(directory, EXAMPLE), encoding="utf-8") as f:
        lines = f.read().splitlines()
    said, section, marked = set(), "", False
    for line in lines:
        opened = re.match(r'#?(\w+)(?: "[^"]*")? \{$', line)
        option = re.match(r"#?\t?(\w+) = ", line)
        section = opened.group(1) if opened else section
        marked = marked or line.endswith("(no effect in this version)")
        if option and marked:
            said.add(f"{section}.{option.group(1)}")
        marked = marked and not option
    return [f"{EXAMPLE}: the table does not agree that {name} has no effect"
            if name in said else f"{EXAMPLE}: {name} has no effect, and no mark"
            for name in sorted(said ^ later)]


def main():
    table, later = schema(sys.argv[1])
    wrong = compare_caveats(sys.argv[2], later)
    wrong += compare_marks(sys.argv[2], later)
    for where, parse in ((EXAMPLE, example_options),
                         (MANUAL, manual_options)):
        with open(os.path.join(sys.argv[2], where), encoding="utf-8") as f:
            wrong += compare(where, parse(f.read()), table)
    print("\n".join(wrong) or f"{len(table)} options agree")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
