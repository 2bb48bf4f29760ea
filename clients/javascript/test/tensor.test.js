import assert from "node:assert/strict";
import test from "node:test";
import { runInNewContext } from "node:vm";

import { Tensor } from "../layerd.js";
import { problem } from "./helpers.js";

test("nested arrays become a tensor and come back", () => {
    for (const nested of [
        [
            [1, 2, 3],
            [4, 5, 6],
        ],
        [
            [[1], [2]],
            [[3], [4]],
        ],
        [7],
        7,
        [],
        [[], []],
        [[[], []]],
    ])
        assert.deepEqual(Tensor.from(nested).toNested(), nested);
    const tensor = Tensor.from([
        [1, 2, 3],
        [4, 5, 6],
    ]);
    assert.deepEqual(tensor.shape, [2, 3]);
    assert.deepEqual(tensor.data, new Float64Array([1, 2, 3, 4, 5, 6]));
    assert.equal(tensor.dtype, "float64");
    assert.equal(tensor.size, 6);
    assert.deepEqual(Tensor.from(7).shape, []);
});

test("the dtype picks the array", () => {
    assert.deepEqual(Tensor.from([0.1], "float32").data, new Float32Array([0.1]));
    assert.deepEqual(
        Tensor.from([NaN, Infinity], "float32").data,
        new Float32Array([NaN, Infinity]),
    );
    assert.deepEqual(Tensor.from([1, 2n], "int64").data, new BigInt64Array([1n, 2n]));
    assert.deepEqual(
        Tensor.from([new Float32Array([1, 2]), [3, 4]]).data,
        new Float64Array([1, 2, 3, 4]),
    );
    assert.deepEqual(Tensor.zeros([2, 2], "int32").toNested(), [
        [0, 0],
        [0, 0],
    ]);
});

test("a typed array of another realm is one", () => {
    assert.equal(new Tensor(runInNewContext("new Float32Array(2)")).dtype, "float32");
});

test("what makes no tensor is refused", () => {
    const refused = problem({ code: "invalid_input", status: 0 });
    for (const ragged of [
        [[1], [2, 3]],
        [[1], 2],
        [1, [2]],
        [[], [1]],
    ])
        assert.throws(() => Tensor.from(ragged), refused);
    for (const value of ["1", null, true, undefined])
        assert.throws(() => Tensor.from([value]), refused);
    for (const [value, dtype] of [
        [256, "uint8"],
        [1.5, "int32"],
        [NaN, "int32"],
        [0.5, "int64"],
        [1e39, "float32"],
    ])
        assert.throws(() => Tensor.from([value], dtype), refused);
    assert.throws(() => Tensor.from([1], "float16"), refused);
    assert.throws(() => Tensor.zeros([1], "toString"), refused);
    assert.throws(() => new Tensor(new Float64Array(3), [2, 2]), refused);
    assert.throws(() => new Tensor(new Float64Array(0), [-1, 0]), refused);
    assert.throws(() => new Tensor(new Int16Array(1)), refused);
    assert.throws(() => new Tensor([1, 2]), refused);
});
