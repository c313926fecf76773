"""Reads a content file with h5py and checks it against what readable_test.cpp wrote."""
import json
import sys

import h5py
import numpy as np

ALIGNMENT = 64
EXPECTED = {
    "bf16": [1.5, -2.0, np.float32(3.0e38)],
    "f16": [1.0, -2.0, 0.33325],
    "f32": [[0, 1, 2], [3, 4, 5]],
    "f64": 0.1,
    "i32": [-1, 2],
    "i64": [-(2**63)],
    "u8%2Fé": [0, 128, 255],
}
BFLOAT16_STEP = 2.0**-7  # 3e38 was cut to 7 mantissa bits

with h5py.File(sys.argv[1]) as file:
    assert json.loads(file["provenance"][()]) == {"device": "cpu:0"}
    metadata = json.loads(file["outputs/lora/metadata"][()])
    assert metadata["rank"] == 8 and metadata["note"].endswith("Größe") and len(metadata["note"]) == 100_005
    tensors = file["outputs/lora/tensors"]
    assert sorted(tensors) == sorted([*EXPECTED, "empty"]), sorted(tensors)
    assert tensors["empty"].shape == (0, 4)
    for name, values in EXPECTED.items():
        read = tensors[name][()]
        np.testing.assert_allclose(read.astype(np.float64), values, rtol=BFLOAT16_STEP, err_msg=name)
        assert tensors[name].id.get_offset() % ALIGNMENT == 0, name
