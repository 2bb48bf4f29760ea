/* Calls with what orval makes, over axios. */
import { affineBackward, affineForward, batchnormForward, svmLoss } from "./layerd-orval";
import type { Tensor2 } from "./layerd-orval";
import { expect } from "./expect";

const at = { baseURL: "http://127.0.0.1:8080" };

const forward = await affineForward(
    { x: [[1, 2], [3, 4]], w: [[0.5], [-1]], b: [10] },
    undefined,
    at,
);
const out: Tensor2 = forward.data.out;
expect(out, [[8.5], [7.5]]);
const backward = await affineBackward(
    { dout: [[1], [1]], cache: forward.data.cache ?? "" },
    { cache: "release" },
    at,
);
expect(backward.data.db, [2]);

const batchnorm = await batchnormForward(
    { x: [[1], [3]], gamma: [1], beta: [0], bn_param: { mode: "train" } },
    undefined,
    at,
);
const momentum: number = batchnorm.data.bn_param.momentum;
expect(momentum, 0.9);
const svm = await svmLoss({ x: [[0, "Infinity"]], y: [1] }, undefined, at);
expect(svm.data.loss, 0);

// @ts-expect-error w is not there
const missing = await affineForward({ x: [[1]], b: [1] }, undefined, {
    ...at,
    validateStatus: null,
});
expect(missing.status, 422);
// @ts-expect-error an answer is no text
const text: string = forward.data;
expect(typeof text, "object");
