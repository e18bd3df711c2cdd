#!/usr/bin/env python3
"""Every event that a program logs stands in mxholdd(8), and no other.

Usage: events.py SOURCE_DIR | --self-test. An event is the literal given to
log_begin, log_why or answer_log_begin, or one in the function that is called
there.
"""
import os
import re
import sys

MANUAL = "docs/man/mxholdd.8"
CALLS = {"log_begin": 2, "log_why": 1, "answer_log_begin": 3}
LITERAL = re.compile(r'"([a-z_]+(?:\.[a-z_]+)*)"')


def arguments(text, at):
    """What stands between the parenthesis at `at` and its end, in parts."""
    parts, depth, quoted, start = [], 0, False, at + 1
    for i in range(at, len(text)):
        c = text[i]
        if c == '"' and text[i - 1] != "\\":
            quoted = not quoted
        if quoted:
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and c == ","):
            parts.append(text[start:i].strip())
            start = i + 1
        if depth == 0:
            return parts
    return parts


def of_function(text, name):
    body = re.search(rf"^static const char \*{name}\(.*?^}}", text, re.M | re.S)
    return LITERAL.findall(body.group(0)) if body else []


def logged(text):
    """Events of one source file; "?" where none can be found in a call."""
    found = set()
    for call in re.finditer(r"(?<=\t)(%s)\(" % "|".join(CALLS), text):
        args = arguments(text, call.end() - 1)
        event = args[CALLS[call.group(1)]]
        function = re.match(r"(\w+)\(", event)
        if event == "event":
            continue  # handed on by one of the three
        names = (of_function(text, function.group(1)) if function
                 else LITERAL.findall(event))
        found.update(names or ["? " + event])
    return found


def documented(text):
    text = text.split(".Sh DIAGNOSTICS")[1].split("\n.Sh ")[0]
    return {name for line in re.findall(r"^\.It Li (.*)$", text, re.M)
            for name in line.split(" , ")}


def sources(top):
    for folder in ("daemon", "storage"):
        for where, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(where, name), encoding="utf-8") as f:
                        yield f.read()


def self_test():
    code = ('static const char *of(int x)\n{\n\treturn x ? "c.d" : "e";\n}\n'
            '\tlog_begin(&l, LOG_INFO, open ? "a.b" : "a.c");\n'
            '\tlog_why(LOG_INFO, "x", "why, %s", f(1));\n'
            '\tlog_begin(&l, f(1, 2), of(1));\n\tlog_begin(l, level, event);\n')
    assert logged(code) == {"a.b", "a.c", "x", "c.d", "e"}, logged(code)
    assert logged("\tlog_why(LOG_INFO, other, f);") == {"? other"}
    page = ".Sh DIAGNOSTICS\n.It Li a , b.c\nText\n.Sh NEXT\n.It Li d\n"
    assert documented(page) == {"a", "b.c"}


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    events = set().union(*(logged(text) for text in sources(sys.argv[1])))
    with open(os.path.join(sys.argv[1], MANUAL), encoding="utf-8") as f:
        known = documented(f.read())
    for name in sorted(events - known):
        print(f"{MANUAL}: {name} is logged, but does not stand there")
    for name in sorted(known - events):
        print(f"{MANUAL}: {name} is logged nowhere")
    return events != known


if __name__ == "__main__":
    sys.exit(main())
