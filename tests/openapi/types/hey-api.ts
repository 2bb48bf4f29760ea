/* Calls with what @hey-api/openapi-ts makes. */
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
} from "./layerd-hey-api";
import type { Finding, GraphRequestBody, Tensor2 } from "./layerd-hey-api";
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
const step = await runGraph({ body: graph });
expect(step.data?.results, { "l.loss": 1, "d.w": [[0.5, -0.5]] });
const handle: string = step.data?.kept["u.next_w"] ?? "";
const kept = await getCache({ path: { handle } });
const shape: number[] | undefined = kept.data?.shape;
expect([kept.data?.layer, shape], [null, [1, 2]]);
const put = await runGraph({
    body: { inputs: { w: { tensor: handle } }, nodes: [], give: ["w"], release: [handle] },
    query: { tensors: "flat" },
});
expect(put.data?.results.w, { shape: [1, 2], data: [-0.5, 0.5] });
const unfit: GraphRequestBody = {
    inputs: graph.inputs,
    // @ts-expect-error the node has no w
    nodes: [{ name: "a", op: "affine/forward", x: "x", b: "b" }],
};
expect((await runGraph({ body: unfit })).error?.code, "missing_field");

const check = await checkAffineForward({
    body: {
        x: [[1, 2], [3, 4]],
        w: [[0.5], [-1]],
        b: [10],
        claim: { out: [[-1.5], [-2.5]] },
    },
    query: { detail: "words" },
});
const verdict: "right" | "undecided" | "wrong" | undefined = check.data?.verdict;
const found = check.data?.claim.out as Finding;
expect([verdict, found.fault], ["wrong", "bias_missing"]);
const challenge = await drawChallenge({ body: { operation: "relu/forward" } });
const claims: string[] | undefined = challenge.data?.claims;
expect(claims, ["out"]);
const answered = await answerChallenge({
    body: { challenge: challenge.data?.challenge ?? "", claim: { out: [1] } },
});
expect(answered.data?.verdict, "wrong");

const missing = await affineForward({
    // @ts-expect-error w is not there
    body: { x: [[1]], b: [1] },
});
expect(missing.error?.code, "missing_field");
// @ts-expect-error an answer is no text
const text: string | undefined = forward.data;
expect(typeof text, "object");
