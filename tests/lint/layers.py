#!/usr/bin/env python3
"""Holds the sources to the floors of docs/architecture.md.

Each include line shows its floor; this reads them against the table below,
keeps foreign libraries in the one room that may see them, LMDB's dangerous
flags out of the code, and files short enough to read.

    layers.py [ROOT]        exit 0, or 1 with one line a finding
    layers.py --self-test   proves on planted violations that it can fail
"""
import fnmatch
import os
import re
import sys
import tempfile

MAY_INCLUDE = {
    "base": "",
    "mail": "base",
    "smtp": "mail base",
    "config": "mail base",
    "storage": "mail base",
    "net": "base",
    "outbound": "net smtp config mail base",
    "probe": "outbound storage net smtp config mail base",
    "receive": "outbound storage net smtp config mail base",
    "relay": "probe outbound storage net smtp config mail base",
    "control": "relay probe storage net config mail base",
    "program": "control relay receive probe outbound net storage config"
               " smtp mail base",
}

# Header of a library -> where it may be seen.
MAY_SEE = {
    "lmdb.h": ["storage/*", "include/mxhold/storage/*"],
    "uv.h": ["daemon/net/*", "include/mxhold/net/*"],
    "openssl/*": ["daemon/net/tls*.c", "daemon/net/digest.c"],
    "confuse.h": ["daemon/config/*", "include/mxhold/config/*"],
    "curl/*": ["daemon/net/fetch.c"],
    "unbound.h": ["daemon/net/*", "include/mxhold/net/*"],
    "idn2.h": ["daemon/mail/*"],
    "jansson.h": ["daemon/control/*", "daemon/program/*",
                  "include/mxhold/control/*", "include/mxhold/program/*"],
    "systemd/*": ["daemon/control/*", "daemon/program/*"],
}

FORBIDDEN = re.compile(r"\bMDB_(WRITEMAP|NOSYNC|NOMETASYNC|MAPASYNC|DUPSORT"
                       r"|NOMEMINIT)\b")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# Strings first, so that a comment mark inside one is none.
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
                     r'|/\*.*?\*/|//[^\n]*', re.S)
MAX_LINES = 600
ROOMS = ("daemon", "storage", "include")


def without_comments(text):
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found
        return "\n" * found.count("\n") or " "
    return COMMENT.sub(blank, text)


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "storage":
        return "storage"
    if parts[0] == "daemon" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ["include", "mxhold"] and len(parts) > 3:
        return parts[2]
    return None


def check_include(path, layer, mark, header):
    if header.startswith("mxhold/"):
        target = header.split("/")[1]
        if mark == "<":
            return "write it in quotes: " + header
        if header.count("/") < 2 or target not in MAY_INCLUDE:
            return "no such layer: " + header
        if target != layer and target not in MAY_INCLUDE[layer].split():
            return "%s may not include %s: %s" % (layer, target, header)
        return None
    for library, places in MAY_SEE.items():
        if fnmatch.fnmatch(header, library) and \
                not any(fnmatch.fnmatch(path, place) for place in places):
            return "not to be seen here: <%s>" % header
    return None


def check_file(path, text):
    """Yields (line, finding)."""
    layer = layer_of(path)
    code = without_comments(text)
    if layer not in MAY_INCLUDE:
        yield 1, "belongs to no layer"
        return
    for match in INCLUDE.finditer(code):
        finding = check_include(path, layer, match.group(1), match.group(2))
        if finding:
            yield code.count("\n", 0, match.start(2)) + 1, finding
    for match in FORBIDDEN.finditer(code):
        yield (code.count("\n", 0, match.start()) + 1,
               match.group(0) + " is not for this queue")
    lines = text.count("\n")
    if lines > MAX_LINES:
        yield lines, "longer than %d lines" % MAX_LINES


def sources(root):
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(folder, name)


def findings(root):
    found = []
    for full in sources(root):
        path = os.path.relpath(full, root)
        with open(full, encoding="utf-8") as file:
            text = file.read()
        found += ["%s:%d: %s" % (path, line, what)
                  for line, what in check_file(path, text)]
    return found


GOOD = {
    "daemon/base/a.c": '#include "mxhold/base/a.h"\n#include <stdio.h>\n',
    "include/mxhold/smtp/s.h": '#include "mxhold/mail/m.h"\n',
    "storage/env.c": '#include <lmdb.h>\n#include "mxhold/storage/e.h"\n'
                     "/* never MDB_NOSYNC,\n nor MDB_WRITEMAP */\n"
                     "// MDB_DUPSORT\nint MDB_NOSYNC_COUNT;\n",
    "daemon/net/tls_context.c": "#include <openssl/ssl.h>\n",
    "daemon/net/digest.c": "#include <openssl/evp.h>\n",
    "daemon/net/loop.c": "#include <uv.h>\n#include <unbound.h>\n",
    "daemon/net/fetch.c": "#include <curl/curl.h>\n",
    "daemon/config/c.c": "#include <confuse.h>\n",
    "daemon/control/c.c": "#include <jansson.h>\n"
                          "#include <systemd/sd-daemon.h>\n",
    "daemon/program/p.c": '#include "mxhold/control/c.h"\n'
                          '/* #include "mxhold/none/x.h" */\n',
    "daemon/mail/long.c": "int x;\n" * MAX_LINES,
}

BAD = {
    "daemon/base/a.c": ['#include "mxhold/mail/m.h"\n',
                        "#include <lmdb.h>\n", "#include <uv.h>\n",
                        "#include <openssl/sha.h>\n",
                        '#include "mxhold/none/x.h"\n',
                        '#include "mxhold/x.h"\n',
                        "#include <mxhold/base/a.h>\n",
                        '  #  include  "mxhold/smtp/s.h"\n',
                        'char *s = "/*";\n#include "mxhold/net/n.h"\n'],
    "daemon/smtp/s.c": ['#include "mxhold/net/n.h"\n',
                        '#include "mxhold/config/c.h"\n',
                        "#include <jansson.h>\n", "#include <idn2.h>\n"],
    "include/mxhold/receive/r.h": ['#include "mxhold/relay/r.h"\n',
                                   '#include "mxhold/probe/p.h"\n'],
    "daemon/relay/r.c": ['#include "mxhold/receive/r.h"\n'],
    "daemon/net/n.c": ['#include "mxhold/storage/s.h"\n',
                       "#include <openssl/ssl.h>\n", "#include <confuse.h>\n",
                       "#include <systemd/sd-daemon.h>\n",
                       "#include <curl/curl.h>\n"],
    "storage/env.c": ["int f = MDB_WRITEMAP;\n", "int f = MDB_NOSYNC;\n",
                      "int f = MDB_NOMETASYNC;\n", "int f = MDB_MAPASYNC;\n",
                      "int f = MDB_DUPSORT;\n", "int f = MDB_NOMEMINIT;\n",
                      "/* x */ int f = MDB_NOSYNC; /* y */\n",
                      "#include <unbound.h>\n"],
    "daemon/mail/long.c": ["int x;\n" * (MAX_LINES + 1)],
    "daemon/attic/a.c": ["int x;\n"],
    "daemon/a.c": ["int x;\n"],
}


def plant(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)


def self_test():
    """The names of what went wrong: a lint that cannot fail is none."""
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        for path, text in GOOD.items():
            plant(root, path, text)
        wrong += ["found in clean sources: " + f for f in findings(root)]
    for path, texts in BAD.items():
        for text in texts:
            with tempfile.TemporaryDirectory() as root:
                plant(root, path, text)
                count = len(findings(root))
            if count != 1:
                wrong.append("%s: %d findings in %r" % (path, count, text[:60]))
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        root = sys.argv[1] if len(sys.argv) > 1 else "."
        found = findings(root)
        if not any(True for _ in sources(root)):
            found = ["no sources below " + root]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
