#!/usr/bin/env python3
"""Holds docs/protocol.md to the tests and the tests to docs/protocol.md.

Each rule stands there once, with a level, and is done (by a test that is there
and names it) or says why not; each rule that a test names stands there.

    protocol.py [ROOT]        exit 0, or 1 with one line a finding
    protocol.py --self-test   proves on planted violations that it can fail
"""
import os
import re
import sys
import tempfile

PAGE = "docs/protocol.md"
TESTS = "tests"
# Not tests: what is fed to fuzzers, and this file's own examples.
PASSED_OVER = ("tests/fuzz/corpus", "tests/lint")
TEXT = (".c", ".h", ".py", ".sh", ".txt")

RULE = re.compile(r"- \*\*([A-Z]+-\d+)\*\* (.*)")
LEVEL = re.compile(r"[MSOP]\. \S")
STATUS = re.compile(r"  - (done|note|no): (.+)")
TEST = re.compile(r"`([^`]+)`(?:: (\w+))?")
MIN_REASON = 10  # octets: a word or two is none


class Rule:
    def __init__(self, name, line):
        self.name, self.line = name, line
        self.done, self.reasons = [], []


def read_page(text):
    """(rules, findings): what stands on the page, and what cannot be read."""
    rules, found = [], []
    for n, line in enumerate(text.split("\n"), 1):
        rule, status = RULE.fullmatch(line), STATUS.fullmatch(line)
        if rule:
            rules.append(Rule(rule[1], n))
            if not LEVEL.match(rule[2]):
                found.append((n, f"{rule[1]} has no level or no text"))
        elif status and rules:
            take_status(rules[-1], status[1], status[2], n, found)
        elif line.startswith(("- **", "  - ")):
            found.append((n, "neither a rule nor what became of one"))
    return rules, found


def take_status(rule, kind, text, n, found):
    if kind == "done":
        parts = [TEST.fullmatch(part) for part in text.split("; ")]
        if not all(parts):
            found.append((n, f"{rule.name}: not `file`: test; ..."))
        rule.done += [(part[1], part[2]) for part in parts if part]
    elif len(text) < MIN_REASON:
        found.append((n, f"{rule.name}: that is no reason"))
    elif kind != "note":
        rule.reasons.append(text)


def check_rule(root, rule):
    """What is wrong with one rule."""
    if not rule.done and not rule.reasons:
        yield f"{rule.name} is neither done nor says why not"
    for path, test in rule.done:
        full = os.path.join(root, path)
        if not path.startswith(TESTS + "/") or not os.path.isfile(full):
            yield f"{rule.name}: no such test file: {path}"
            continue
        text = read(full)
        if not re.search(rf"\b{rule.name}\b", text):
            yield f"{rule.name}: {path} does not name it"
        if test and not re.search(rf"\b{test}\b", text):
            yield f"{rule.name}: {path} has no {test}"


def check_page(root, text):
    """Yields (line, finding)."""
    rules, found = read_page(text)
    yield from found
    seen = set()
    for rule in rules:
        if rule.name in seen:
            yield rule.line, f"{rule.name} stands there twice"
        seen.add(rule.name)
        for finding in check_rule(root, rule):
            yield rule.line, finding
    if not rules:
        yield 1, "there is no rule"


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def test_files(root):
    for folder, _, names in os.walk(os.path.join(root, TESTS)):
        where = os.path.relpath(folder, root)
        if where.startswith(PASSED_OVER):
            continue
        for name in sorted(names):
            if name.endswith(TEXT):
                yield os.path.join(where, name)


def check_tests(root, known):
    """Yields (path, line, finding): rules that tests name and nobody knows."""
    families = sorted({name.split("-")[0] for name in known})
    named = re.compile(r"(?<![\w-])((?:%s)-\d+)\b(?![.-]\d)" % "|".join(families))
    for path in test_files(root):
        for n, line in enumerate(read(os.path.join(root, path)).split("\n"), 1):
            for name in named.findall(line):
                if name not in known:
                    yield path, n, f"{name} does not stand in {PAGE}"


def findings(root):
    text = read(os.path.join(root, PAGE))
    found = [f"{PAGE}:{n}: {what}" for n, what in check_page(root, text)]
    known = {rule.name for rule in read_page(text)[0]}
    if known:
        found += [f"{path}:{n}: {what}"
                  for path, n, what in check_tests(root, known)]
    return found


GOOD_PAGE = """# Rules

- **RX-1** M. One greeting. (5321 3.1)
  - done: `tests/a.txt`; `tests/unit/b.c`: b__works
  - note: in every language.
- **RX-12** P. A choice.
  - no: nobody has ever wanted it.
- **TX-1** S. A half.
  - done: `tests/a.txt`
  - no: the other half of it.
"""
GOOD_TESTS = {"tests/a.txt": "# RX-1 TX-1: all\nUTF-8 RFC 5321 RX-1.\n",
              "tests/unit/b.c": "/* RX-1, RX-12 */\nSTART_TEST(b__works)\n",
              "tests/fuzz/corpus/c.txt": "RX-99\n",
              "tests/d.bin": "RX-99\n",
              "tests/e.py": "# CVE-RX-99, XRX-99, RX-99.5\n"}

# What is changed of the good ones (an empty text is added), and the finding.
BAD = [
    ("S. A half.", "S. A half.\n- **RX-1** M. Again.\n  - no: it is twice there.",
     "RX-1 stands there twice"),
    ("  - no: nobody has ever wanted it.\n", "", "RX-12 is neither done nor"),
    ("  - no: nobody has", "  - note: nobody has", "RX-12 is neither done nor"),
    ("nobody has ever wanted it.", "later.", "that is no reason"),
    ("`tests/a.txt`; ", "`tests/gone.txt`; ", "no such test file: tests/gone"),
    ("`tests/a.txt`; ", "`docs/protocol.md`; ", "no such test file: docs"),
    ("b__works", "b__fails", "has no b__fails"),
    ("b__works", "b__work", "has no b__work"),
    ("**RX-12**", "**RX-13**", "RX-12 does not stand in"),
    ("P. A choice.\n  - no: nobody has ever wanted it.",
     "P. A choice.\n  - done: `tests/a.txt`", "tests/a.txt does not name it"),
    ("M. One", "X. One", "has no level"),
    ("M. One", "One", "has no level"),
    ("  - note: in", "  - maybe: in", "neither a rule nor"),
    ("- **RX-1**", "- **RX1**", "neither a rule nor"),
    ("`tests/a.txt`; ", "tests/a.txt; ", "not `file`: test"),
    (GOOD_PAGE, "# Rules\n", "there is no rule"),
]
BAD_TESTS = [
    ("tests/a.txt", "# RX-2: unknown\n", "RX-2 does not stand"),
    ("tests/unit/b.c", "/* ADR-5, TX-2 */\n", "TX-2 does not stand"),
    ("tests/e2e/f.py", "# TX-10\n", "TX-10 does not stand"),
]


def plant(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def found_in(files):
    with tempfile.TemporaryDirectory() as root:
        plant(root, files)
        return findings(root)


def self_test():
    """What went wrong: a lint that cannot fail is none."""
    good = {PAGE: GOOD_PAGE, **GOOD_TESTS}
    wrong = ["found on a good page: " + f for f in found_in(good)]
    for old, new, want in BAD:
        assert old in GOOD_PAGE, old
        got = found_in({**good, PAGE: GOOD_PAGE.replace(old, new, 1)})
        if not any(want in line for line in got):
            wrong.append(f"not found: {want!r} ({got})")
    for path, text, want in BAD_TESTS:
        got = found_in({**good, path: GOOD_TESTS.get(path, "") + text})
        if [line for line in got if want in line] != got or len(got) != 1:
            wrong.append(f"not found, or not alone: {want!r} ({got})")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        found = findings(sys.argv[1] if len(sys.argv) > 1 else ".")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
