"""Atelier's programs, called from the scripts that measure what a base draws."""
import json
import subprocess
import sys
from pathlib import Path

AT_A_TIME = 200  # pictures that a probe is handed in one call


def call(*command):
    """What the command prints; ends the script where it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))[:400]}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def read(build, probe, pictures):
    """picture -> what portrait_probe tells of it: {"values": …, "identity": …}."""
    told = {}
    for i in range(0, len(pictures), AT_A_TIME):
        text = call(build / "examples/base/portrait_probe", "read", probe, *pictures[i:i + AT_A_TIME])
        for row in map(json.loads, text.splitlines()):
            told[Path(row["file"])] = row
    return told
