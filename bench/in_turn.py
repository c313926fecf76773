"""Steps two programs in turn and prints what bench/run prints for each size: a JSON line per figure.

    python in_turn.py --ours PROGRAM --peer SCRIPT [--model MODEL] [--sizes 32,64] [--alternations 7] [--rank 32]
                      [--threads 2] [--steps 1] [--case NAME]

Each is one process that lives through the whole comparison, so that its peak memory is its own, and steps only while the
other waits, so that both see the same machine. What they speak is told in bench/peers/train_step.py.
"""
import argparse, json, statistics, subprocess, sys

BARS = {"speed": 1.4, "memory": 0.8, "beside weights": 0.7}


class Program:
    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL if command[0] == sys.executable else None)
        self.facts = json.loads(self.line())
        self.seconds = []

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"in_turn: {' '.join(map(str, self.process.args))} ended with {self.process.wait()}")
        return line

    def step(self, count):
        print(count, file=self.process.stdin, flush=True)
        self.seconds.append(float(self.line()))

    def end(self):
        self.process.stdin.close()
        self.peak = int(self.line())
        self.process.wait()
        self.rate = 1 / statistics.median(self.seconds)


def figure(case, ours, peer, unit, bar=None):
    print(json.dumps({"bench": "train_step", "case": case, "ours": round(ours, 4), "peer": round(peer, 4), "unit": unit,
                      "ratio": round(ours / peer, 3), "bar": bar}), flush=True)


def compare(options, side):
    settings = [options.model, side, options.rank, options.threads]
    peer = Program(sys.executable, options.peer, *settings)
    ours = Program(options.ours, *settings)
    for _ in range(options.alternations):
        ours.step(options.steps)
        peer.step(options.steps)
    ours.end()
    peer.end()
    case = (f"{options.case}, latents {side}x{side}, rank {options.rank}, batch 1, float32, {options.threads} threads, "
            f"median of {options.alternations}")
    bars = BARS if options.model == "sd15" else {}
    figure(f"{case}: speed", ours.rate, peer.rate, "steps/s", bars.get("speed"))
    gflop = peer.facts["flop"] / 1e9
    figure(f"{case}: {gflop:.0f} GFLOP a step", ours.rate * gflop, peer.rate * gflop, "GFLOPS")
    weights = peer.facts["weights"]
    figure(f"{case}: peak memory", ours.peak / 1e9, peer.peak / 1e9, "GB", bars.get("memory") if side >= 64 else None)
    figure(f"{case}: peak memory less the base's {weights / 1e9:.2f} GB", (ours.peak - weights) / 1e9,
           (peer.peak - weights) / 1e9, "GB", bars.get("beside weights") if side < 64 else None)


parser = argparse.ArgumentParser()
parser.add_argument("--ours", required=True)
parser.add_argument("--peer", required=True)
parser.add_argument("--model", default="sd15")
parser.add_argument("--case", default="SD 1.5's size")
parser.add_argument("--sizes", default="32,64", type=lambda text: [int(side) for side in text.split(",")])
parser.add_argument("--alternations", default=7, type=int)
parser.add_argument("--rank", default=32, type=int)
parser.add_argument("--threads", default=2, type=int)
parser.add_argument("--steps", default=1, type=int, help="steps in one alternation")
given = parser.parse_args()
for size in given.sizes:
    compare(given, size)
