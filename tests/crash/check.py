#!/usr/bin/env python3
"""check: what is in the queue after a cut, for powercut.py.

Prints every id of the queue; exit 1 when `queue verify` finds something, or
when the content of one of --sample messages (the newest and random ones) is
not what its own checksum says, byte for byte.
"""
import argparse
import hashlib
import os
import random
import re
import subprocess
import sys

BIN = os.environ.get("MXHOLD_BIN") or "build/check/bin"


def ctl(conf, *args):
    p = subprocess.run([os.path.join(BIN, "mxholdctl"), "-c", conf, *args],
                       capture_output=True, check=False)
    if p.returncode not in (0, 4):
        sys.exit(f"mxholdctl {' '.join(args)}: exit {p.returncode}: "
                 f"{(p.stderr or p.stdout).decode(errors='replace')[:500]}")
    return p.stdout


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", required=True)
    p.add_argument("--sample", type=int, default=25)
    a = p.parse_args()
    conf = os.path.join(a.work, "mxholdd.conf")
    ctl(conf, "queue", "verify")
    ids = ctl(conf, "-o", "id", "queue", "list").decode().split()
    if len(ids) != len(set(ids)):
        sys.exit("an id stands twice in the queue")
    sample = set(ids[-a.sample // 2:]) | set(random.sample(ids, min(len(ids), a.sample // 2)))
    for qid in sample:
        raw = ctl(conf, "msg", "raw", qid)
        head, _, body = raw.partition(b"\r\n\r\n")
        said = re.search(rb"X-Body-SHA256: ([0-9a-f]{64})", head)
        if not said or hashlib.sha256(body).hexdigest().encode() != said.group(1):
            sys.exit(f"{qid}: the content is not what was sent")
        if not re.search(rb"\bid\s+" + qid.encode() + rb"\b", head):
            sys.exit(f"{qid}: our trace line names another id")
    print("\n".join(ids))
    return 0


if __name__ == "__main__":
    sys.exit(main())
