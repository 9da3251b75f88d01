"""Punchlens beside its peers: the same ONNX file, the same photos, the same input size, in turns on one machine.

    python3 benches/peers/run.py [--only whole,scaling,thorough,yolo,service,cold,disk] [--rounds 5] [--seconds 3] [--write]

Makes an environment of its own below target/peers (6 GB, since SAHI and Ultralytics ask for torch; --python NAME takes one
that is there), paints ten 12 MP photos, eight of them without a defect, checks that both sides find the same, and measures
in turns. Prints a Markdown table of every section's newest run, which target/peers/results.json keeps, and with --write
puts it into benches/README.md: a section can be run again by itself. Leave the machine alone meanwhile: ratios of CPU time hold
on a busy one, rates and latencies do not.
"""

import argparse
import os
import signal
import sys
import time

from sections import SECTIONS, Clock, OutOfTime
from sides import ROOT, WORK, Sides
from table import Results, Section, write


def out_of_time(*_) -> None:
    raise OutOfTime


def measured(name: str, sides: Sides, args: argparse.Namespace) -> Section:
    """One section; what it has measured when it fails or its time is over, and that it did not come to its end."""
    load, began = os.getloadavg()[0], time.monotonic()
    table, clock = Section(sides.about()), Clock(args.limit)
    signal.setitimer(signal.ITIMER_REAL, args.limit)
    try:
        SECTIONS[name](sides, table, args.rounds, clock)
    except OutOfTime:
        table.note(f"{name}: not measured to the end, which would have taken more than {args.limit:.0f} s.")
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        table.note(f"{name}: not measured to the end ({type(error).__name__}: {error}).")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    left_out = f", {clock.left_out} rounds left out by its limit of {args.limit:.0f} s" if clock.left_out else ""
    table.note(f"{name}: up to {args.rounds} rounds of {args.seconds:g} s, load {load:.1f} before it, {time.monotonic() - began:.0f} s in all{left_out}.")
    return table


def chosen(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--punchlens", default=str(ROOT / "target" / "release" / "punchlens"), help="the executable, a release build")
    parser.add_argument("--python", help="an environment that has what requirements.txt names")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds that a section may take; what it has by then is kept")
    parser.add_argument("--only", type=chosen, default=list(SECTIONS), help="sections, all of them without; '' only tells what is kept")
    parser.add_argument("--write", action="store_true", help="put the table into benches/README.md")
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, out_of_time)
    # As an exception, so that the services that run are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    WORK.mkdir(parents=True, exist_ok=True)
    results = Results(WORK / "results.json", list(SECTIONS))
    sides = Sides(args.punchlens, args.python, args.seconds) if args.only else None
    for name in args.only:
        print(f"{name} …", file=sys.stderr, flush=True)
        results.keep(name, measured(name, sides, args))
    text = results.markdown()
    print(text)
    if args.write:
        write(ROOT / "benches" / "README.md", text)


if __name__ == "__main__":
    main()
