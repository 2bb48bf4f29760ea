/* Calls with what @hey-api/openapi-ts makes. */
import { affineBackward, affineForward, batchnormForward, svmLoss } from "./layerd-hey-api";
import type { Tensor2 } from "./layerd-hey-api";
import { client } from "./layerd-hey-api/client.gen";
import { expect } from "./expect";

client.setConfig({ baseUrl: "http://127.0.0.1:8080" });

const forward = await affineForward({
    body: { x: [[1, 2], [3, 4]], w: [[0.5], [-1]], b: [10] },
});
const out: Tensor2 | undefined = forward.data?.out;
expect(out, [[8.5], [7.5]]);
const backward = await affineBackward({
    body: { dout: [[1], [1]], cache: forward.data?.cache ?? "" },
    query: { cache: "release" },
});
expect(backward.data?.db, [2]);

const batchnorm = await batchnormForward({
    body: { x: [[1], [3]], gamma: [1], beta: [0], bn_param: { mode: "train" } },
});
const momentum: number | undefined = batchnorm.data?.bn_param.momentum;
expect(momentum, 0.9);
const svm = await svmLoss({ body: { x: [[0, "Infinity"]], y: [1] } });
expect(svm.data?.loss, 0);

const missing = await affineForward({
    // @ts-expect-error w is not there
    body: { x: [[1]], b: [1] },
});
expect(missing.error?.code, "missing_field");
// @ts-expect-error an answer is no text
const text: string | undefined = forward.data;
expect(typeof text, "object");
