/* Calls with what orval makes, over axios. */
import {
    affineBackward,
    affineForward,
    answerChallenge,
    batchnormForward,
    checkAffineForward,
    drawChallenge,
    getCache,
    runGraph,
    svmLoss,
} from "./layerd-orval";
import type { Finding, GraphRequestBody, Tensor2 } from "./layerd-orval";
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

const graph: GraphRequestBody = {
    inputs: {
        x: [[1], [2]],
        y: { shape: [2], data: [0, 1], dtype: "int64" },
        w: [[0, 0]],
        b: [0, 0],
    },
    nodes: [
        { name: "a", op: "affine/forward", x: "x", w: "w", b: "b" },
        { name: "l", op: "svm/loss", x: "a.out", y: "y" },
        { name: "d", op: "gradients", of: ["l.loss"], for: ["w"] },
        { name: "u", op: "sgd/update", w: "w", dw: "d.w", config: { learning_rate: 1 } },
    ],
    give: ["l.loss", "d.w"],
    keep: ["u.next_w"],
};
const step = await runGraph(graph, undefined, at);
expect(step.data.results, { "l.loss": 1, "d.w": [[0.5, -0.5]] });
const handle: string = step.data.kept["u.next_w"];
const kept = await getCache(handle, at);
const shape: number[] | undefined = kept.data.shape;
expect([kept.data.layer, shape], [null, [1, 2]]);
const put = await runGraph(
    { inputs: { w: { tensor: handle } }, nodes: [], give: ["w"], release: [handle] },
    { tensors: "flat" },
    at,
);
expect(put.data.results.w, { shape: [1, 2], data: [-0.5, 0.5] });
const unfit: GraphRequestBody = {
    inputs: graph.inputs,
    // @ts-expect-error the node has no w
    nodes: [{ name: "a", op: "affine/forward", x: "x", b: "b" }],
};
const refused = await runGraph(unfit, undefined, { ...at, validateStatus: null });
expect(refused.status, 422);

const check = await checkAffineForward(
    { x: [[1, 2], [3, 4]], w: [[0.5], [-1]], b: [10], claim: { out: [[-1.5], [-2.5]] } },
    { detail: "words" },
    at,
);
const verdict: "right" | "undecided" | "wrong" = check.data.verdict;
const found = check.data.claim.out as Finding;
expect([verdict, found.fault], ["wrong", "bias_missing"]);
const challenge = await drawChallenge({ operation: "relu/forward" }, undefined, at);
const claims: string[] = challenge.data.claims;
expect(claims, ["out"]);
const answered = await answerChallenge(
    { challenge: challenge.data.challenge, claim: { out: [1] } },
    undefined,
    at,
);
expect(answered.data.verdict, "wrong");

// @ts-expect-error w is not there
const missing = await affineForward({ x: [[1]], b: [1] }, undefined, {
    ...at,
    validateStatus: null,
});
expect(missing.status, 422);
// @ts-expect-error an answer is no text
const text: string = forward.data;
expect(typeof text, "object");
