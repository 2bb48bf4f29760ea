/* Calls with the types of openapi-typescript, over its own openapi-fetch. */
import createClient from "openapi-fetch";
import type { components, paths } from "./layerd";
import { expect } from "./expect";

const layerd = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });

const forward = await layerd.POST("/affine/forward", {
    params: { query: { tensors: "flat" } },
    body: { x: [[1, 2], [3, 4]], w: { shape: [2, 1], data: [0.5, -1] }, b: [10], dtype: "float32" },
});
const out: components["schemas"]["Tensor2"] | undefined = forward.data?.out;
expect(out, { shape: [2, 1], data: [8.5, 7.5] });
const backward = await layerd.POST("/affine/backward", {
    body: { dout: [[1], [1]], cache: forward.data?.cache ?? "" },
});
expect(backward.data?.db, [2]);

const batchnorm = await layerd.POST("/batchnorm/forward", {
    body: { x: [[1], [3]], gamma: [1], beta: [0], bn_param: { mode: "train" } },
});
const momentum: number | undefined = batchnorm.data?.bn_param.momentum;
expect(momentum, 0.9);
const svm = await layerd.POST("/svm/loss", { body: { x: [[0, "Infinity"]], y: [1] } });
expect(svm.data?.loss, 0);

const graph: components["schemas"]["Graph.requestBody"] = {
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
const step = await layerd.POST("/graph", { body: graph });
expect(step.data?.results, { "l.loss": 1, "d.w": [[0.5, -0.5]] });
const handle: string = step.data?.kept["u.next_w"] ?? "";
const kept = await layerd.GET("/cache/{handle}", { params: { path: { handle } } });
const shape: number[] | undefined = kept.data?.shape;
expect([kept.data?.layer, shape], [null, [1, 2]]);
const put = await layerd.POST("/graph", {
    params: { query: { tensors: "flat" } },
    body: { inputs: { w: { tensor: handle } }, nodes: [], give: ["w"], release: [handle] },
});
expect(put.data?.results.w, { shape: [1, 2], data: [-0.5, 0.5] });
const unfit: typeof graph = {
    inputs: graph.inputs,
    // @ts-expect-error the node has no w
    nodes: [{ name: "a", op: "affine/forward", x: "x", b: "b" }],
};
expect((await layerd.POST("/graph", { body: unfit })).error?.code, "missing_field");

const check = await layerd.POST("/check/affine/forward", {
    params: { query: { detail: "words" } },
    body: { x: [[1, 2], [3, 4]], w: [[0.5], [-1]], b: [10], claim: { out: [[-1.5], [-2.5]] } },
});
const verdict: "right" | "undecided" | "wrong" | undefined = check.data?.verdict;
const found = check.data?.claim.out as components["schemas"]["Finding"];
const fault: components["schemas"]["Fault"] | undefined = found.fault;
expect([verdict, fault], ["wrong", "bias_missing"]);
const challenge = await layerd.POST("/challenge", { body: { operation: "relu/forward" } });
const claims: string[] | undefined = challenge.data?.claims;
expect(claims, ["out"]);
const answered = await layerd.POST("/challenge/answer", {
    body: { challenge: challenge.data?.challenge ?? "", claim: { out: [1] } },
});
expect(answered.data?.verdict, "wrong");

const missing = await layerd.POST("/affine/forward", {
    // @ts-expect-error w is not there
    body: { x: [[1]], b: [1] },
});
expect(missing.error?.code, "missing_field");
if (missing.error?.code === "unknown_field") {
    // @ts-expect-error the code tells the status
    const status: 400 = missing.error.status;
    expect(status, 422);
}
// @ts-expect-error an answer is no text
const text: string | undefined = forward.data;
expect(typeof text, "object");
