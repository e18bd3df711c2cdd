"""The programme of run.sh: every fault with every primary."""
import argparse
import os
import sys
import time
import traceback

import lab
import primaries
import scene
import unpacked

GOAL = 30       # seconds to the first message after return


def row(cells):
    return "| " + " | ".join("-" if c is None else f"{c:.1f}" if isinstance(c, float) else str(c)
                             for c in cells) + " |"


def one(kind, fault, count, outage):
    """Its line, and whether all is well."""
    began, s, well = time.time(), None, False
    try:
        s = scene.Scene(kind, f"mxw{os.getpid()}")
        r = s.run(fault, count, outage)
        well = r.first is None or r.first <= GOAL
        print(row(r) + ("" if well else " LATE"), flush=True)
        return well
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print(f"| {fault} | {kind} | FAILED after {time.time() - began:.0f} s", flush=True)
        return False
    finally:
        if s:
            s.close(keep=not well)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--primary", default="postfix", choices=sorted(primaries.KINDS))
    p.add_argument("--faults", default=" ".join(scene.FAULTS))
    p.add_argument("--messages", type=int, default=1000)
    p.add_argument("--outage", type=float, default=75)
    a = p.parse_args()
    why = lab.why_not() or unpacked.why_not(primaries.KINDS[a.primary].PACKAGE)
    if why:
        print(f"skipped: {a.primary}: {why}")
        return 0
    bad = [f for f in a.faults.split() if not one(a.primary, f, a.messages, a.outage)]
    print(f"wire: {a.primary}: {len(a.faults.split()) - len(bad)} passed, {len(bad)} failed",
          *bad, flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
