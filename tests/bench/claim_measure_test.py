"""The statistics of bench/claim/measure.py, on made-up pictures whose identity and leaks are known."""
import sys
import unittest
import xml.etree.ElementTree
from argparse import Namespace
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/claim"))
sys.dont_write_bytecode = True
import measure  # noqa: E402

# How much of the distance to the customer a weight takes away; `subspace` never reaches what implicit has at 0.8.
STRENGTH = {"implicit": 0.5, "explicit": 0.4, "masked": 0.25, "subspace": 0.1}


class MadeUp(measure.Bench):
    """Measures without drawing: a row a customer and seed."""

    def __init__(self, out):
        super().__init__(Namespace(out=Path(out), customers=4, seeds=2, set=[]))
        self.drawn = []

    def render(self):
        pass

    write_batch = references = render

    def measure(self, weights):
        self.drawn.append(dict(weights))
        return {method: [{"customer": c, "seed": s, "picture": "0001_seed1.png",
                          "distance": (1 + 0.05 * c) * (1 - STRENGTH[method] * weight), "features": 0.5,
                          "object": float(method == "implicit" and weight > 0), "style": 1.0,
                          **({"scene": 0.0, "prompt": 1.0} if named else {"home": 0.25})}
                         for c in range(4) for s in range(2) for named in (True, False)]
                for method, weight in weights.items()}


class Distance(unittest.TestCase):
    def test_counts_a_feature_as_much_as_strangers_numbers_differ(self):
        reference = ([0.0, 1.0], {"hair_colour": "red", "glasses": "none"})
        told = {"identity": [0.0, 1.0], "values": {"hair_colour": "red", "glasses": "none", "scene": "park"}}
        self.assertEqual(measure.distance(reference, told), 0)
        told["values"]["hair_colour"] = "black"
        self.assertAlmostEqual(measure.distance(reference, told), (2 / 4) ** 0.5)
        told["identity"] = [1.0, 0.0]
        self.assertAlmostEqual(measure.distance(reference, told), (4 / 4) ** 0.5)


class Without(unittest.TestCase):
    def test_leaves_out_all_of_a_method_and_nothing_else(self):
        whole = measure.PIPELINE.read_text()
        self.assertEqual(measure.without(whole, []), whole)
        text = measure.without(whole, ["masked", "subspace"])
        steps = text[text.index("\nsteps:"):]
        for name in ("masked", "remainder", "subspace"):
            self.assertNotIn(f"  {name}", steps)
        for name in ("person:", "backdrop:", "look:", "difference:", "implicit_pictures:", "explicit_pictures:",
                     "  implicit: {from", "  explicit: {from"):
            self.assertIn(name, steps)
        self.assertIn("masked_weight", text)  # a param that nothing uses is no mistake


class Measure(unittest.TestCase):
    def setUp(self):
        self.folder = TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.bench = MadeUp(self.folder.name)
        with redirect_stderr(StringIO()):
            self.curves, self.target = self.bench.run()

    def test_finds_the_weight_of_equal_identity(self):
        self.assertAlmostEqual(self.target, 0.4)
        self.assertEqual(self.bench.equal["implicit"], 0.8)
        self.assertAlmostEqual(self.bench.equal["explicit"], 1.0, delta=0.02)
        self.assertAlmostEqual(self.bench.equal["masked"], 1.6, delta=0.1)  # above 1: between 1 and 2

    def test_says_which_method_cannot_reach_it(self):
        self.assertIsNone(self.bench.equal["subspace"])
        results = measure.table(self.bench, self.curves)
        self.assertIn("| subspace | not up to 2 |", measure.markdown(results))

    def test_compares_leaks_with_an_interval_around_the_mean(self):
        explicit = next(r for r in measure.table(self.bench, self.curves) if r["method"] == "explicit")
        self.assertEqual(explicit["object less implicit"], [-1.0, -1.0, -1.0])
        self.assertEqual(explicit["home"], [0.25, 0.25, 0.25])  # of the pictures without a place alone
        self.assertEqual(explicit["scene"], [0.0, 0.0, 0.0])
        mean, low, high = explicit["identity"]
        self.assertLessEqual(low, mean)
        self.assertGreaterEqual(high, mean)

    def test_draws_curves_that_are_xml(self):
        picture = xml.etree.ElementTree.fromstring(measure.svg(self.curves, self.bench.no_identity))
        lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual(len(lines), len(measure.MEASURES) * len(measure.METHODS))


if __name__ == "__main__":
    unittest.main()
