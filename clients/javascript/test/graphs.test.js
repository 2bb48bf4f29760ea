// Graphs and kept tensors, against the daemon and as they are written.
import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Cache, Kept, Tensor } from "../layerd.js";
import { forms, gone, json, open, pretend, problem } from "./helpers.js";

const x = Tensor.from([[1, 2]]);
const zeros = Tensor.zeros([2]);

// A step of a network of one layer. With all weights 0 its scores are 0 and 0: the loss is log 2 and
// the gradient of the scores (-1/2, 1/2).
const STEP = [
    { name: "a", op: "affine/forward", x: "x", w: "w", b: "b" },
    { name: "l", op: "softmax/loss", x: "a.out", y: "y" },
    { name: "d", op: "gradients", of: ["l.loss"], for: ["w", "b"] },
    { name: "u", op: "sgd/update", w: "w", dw: "d.w", config: { learning_rate: 0.1 } },
];

const near = (got, want) =>
    assert.ok(Math.abs(got - want) < 1e-15, `${got}, but must be near ${want}`);

for (const form of forms) {
    test(`a training step is one call (${form})`, async () => {
        const client = open({ form });
        const w = await client.put(Tensor.zeros([2, 2]));
        const { results, kept } = await client.graph({
            inputs: { x, y: new Int32Array([0]), w, b: zeros, none: undefined },
            nodes: STEP,
            give: ["l.loss", "d.b", "d.w"],
            keep: ["u.next_w"],
            release: [w],
        });
        assert.deepEqual(Object.keys(results).sort(), ["d.b", "d.w", "l.loss"]);
        near(results["l.loss"], Math.log(2));
        assert.deepEqual(results["d.b"], Tensor.from([-0.5, 0.5]));
        assert.deepEqual(results["d.w"].toNested(), [
            [-0.5, 0.5],
            [-1, 1],
        ]);
        assert.deepEqual(Object.keys(kept), ["u.next_w"]);
        const next = kept["u.next_w"];
        assert.ok(next instanceof Kept);
        assert.deepEqual((await client.fetch(next)).toNested(), [
            [0.05, -0.05],
            [0.1, -0.1],
        ]);
        assert.equal(w.released, true);
        assert.equal(await gone(w.handle), true);
        await next.release();
        assert.equal(await gone(next.handle), true);
    });

    test(`plain arrays are values or labels as they are used (${form})`, async () => {
        const { results } = await open({ form }).graph({
            inputs: {
                x: [[1, 2]],
                y: [0],
                w: [
                    [0, 0],
                    [0, 0],
                ],
                b: [0, 0],
            },
            nodes: STEP,
            give: ["d.b", "y", "x"],
            dtype: "float32",
        });
        assert.deepEqual(results, {
            "d.b": Tensor.from([-0.5, 0.5], "float32"),
            y: Tensor.from([0], "int64"),
            x: Tensor.from([[1, 2]], "float32"),
        });
    });

    test(`scalar parameters are given as numbers (${form})`, async () => {
        const { results } = await open({ form }).graph({
            inputs: { x: new Float64Array([1, -1]) },
            nodes: [
                {
                    name: "o",
                    op: "dropout/forward",
                    x: "x",
                    dropout_param: { mode: "train", p: 0.5, seed: 7 },
                },
                { name: "u", op: "adam/update", w: "x", dw: "x", config: { t: 4 } },
            ],
            give: ["o.dropout_param.seed", "u.config.t"],
        });
        assert.deepEqual(results, { "o.dropout_param.seed": 7, "u.config.t": 5 });
    });

    test(`a mask is bytes, and labels may be, too (${form})`, async () => {
        const client = open({ form });
        const bits = new Uint8Array([1, 0]);
        const dropout_param = { mode: "train", p: 0.5, mask: "mask" };
        const { results, kept } = await client.graph({
            inputs: {
                x: [
                    [2, 2],
                    [2, 2],
                ],
                y: bits,
                mask: new Tensor(bits, [1, 2]),
                z: [[2, 2]],
                plain: [0, 1],
            },
            nodes: [
                { name: "o", op: "dropout/forward", x: "z", dropout_param },
                { name: "l", op: "svm/loss", x: "x", y: "y" },
                { name: "m", op: "svm/loss", x: "x", y: "plain" },
            ],
            give: ["o.out", "l.loss"],
            keep: ["y", "plain"],
        });
        assert.deepEqual(results, { "o.out": Tensor.from([[4, 0]]), "l.loss": 1 });
        for (const [name, want] of [
            ["y", [1, 0]],
            ["plain", [0, 1]],
        ]) {
            assert.equal(kept[name].dtype, "int64");
            assert.deepEqual(await client.fetch(kept[name]), Tensor.from(want, "int64"));
            await kept[name].release();
        }
    });

    test(`nothing to give is nothing (${form})`, async () => {
        const answer = await open({ form }).graph({ nodes: [] });
        assert.deepEqual(answer, { results: {}, kept: {} });
    });

    test(`caches stay and come back (${form})`, async () => {
        const client = open({ form });
        const { kept } = await client.graph({
            inputs: { cache: new Float32Array([-1, 2, 3]) },
            nodes: [{ name: "a", op: "relu/forward", x: "cache" }],
            keep: ["a.cache", "cache"],
        });
        const cache = kept["a.cache"];
        assert.ok(cache instanceof Cache);
        assert.equal(cache.dtype, "float32");
        assert.ok(kept.cache instanceof Kept);
        const dout = new Float32Array([1, 1, 1]);
        const { dx } = await client.call("relu", "backward", { dout, cache });
        assert.deepEqual(dx.data, new Float32Array([0, 1, 1]));
        const nodes = [{ name: "b", op: "relu/backward", dout: "dout", cache: "c" }];
        for (const c of [cache, { cache: cache.handle }]) {
            const graph = { inputs: { dout, c }, nodes, give: ["b.dx"], keep: ["c"] };
            const { results, kept: again } = await client.graph(graph);
            assert.deepEqual(results["b.dx"].data, new Float32Array([0, 1, 1]));
            assert.ok(again.c instanceof Cache);
            assert.notEqual(again.c.handle, cache.handle);
            await again.c.release();
        }
        await client.graph({ nodes: [], release: [cache, kept.cache.handle] });
        assert.equal(cache.released, true);
        assert.equal(await gone(cache.handle), true);
        assert.equal(await gone(kept.cache.handle), true);
    });

    test(`tensors stay as they are (${form})`, async () => {
        const client = open({ form });
        for (const [given, want] of [
            [Tensor.from([[0.1, NaN, -Infinity]]), undefined],
            [Tensor.from([[0.1], [2]], "float32"), undefined],
            [Tensor.from([3, -4], "int64"), undefined],
            [Tensor.from([3, 4], "int32"), Tensor.from([3, 4], "int64")],
            [Tensor.from([3, 4], "uint8"), Tensor.from([3, 4], "int64")],
            [new Float32Array([0.5]), Tensor.from([0.5], "float32")],
            [[[1, 2]], x],
            [Tensor.zeros([0, 3]), undefined],
            [Tensor.from(5), undefined],
        ]) {
            const kept = await client.put(given);
            const tensor = want ?? given;
            assert.ok(kept instanceof Kept);
            assert.equal(kept.dtype, tensor.dtype);
            for (const handle of [kept, kept.handle, { tensor: kept.handle }])
                assert.deepEqual(await client.fetch(handle), tensor);
            await kept.release();
        }
        const single = await client.put([0.1], { dtype: "float32" });
        assert.equal(single.dtype, "float32");
        assert.deepEqual(await client.fetch(single), Tensor.from([0.1], "float32"));
        await single.release();
        await assert.rejects(client.fetch(single), problem({ status: 404, code: "unknown_cache" }));
    });

    test(`any operation takes kept tensors (${form})`, async () => {
        const client = open({ form });
        const w = await client.put(Tensor.from([[0.5], [-1]]));
        const b = await client.put(Tensor.from([10]));
        const both = await client.call("affine", "forward", { x, w, b: { tensor: b.handle } });
        assert.deepEqual(both.out, Tensor.from([[8.5]]));
        const dout = await client.put(Tensor.from([[2]]));
        const back = await client.call("affine", "backward", { dout, cache: both.cache });
        assert.deepEqual(back.dw, Tensor.from([[2], [4]]));
        await both.cache.release();

        const mean = await client.put(Tensor.from([1, 2]));
        const normed = await client.call(
            "batchnorm",
            "forward",
            {
                x,
                gamma: Tensor.from([1, 1]),
                beta: Tensor.from([3, 4]),
                bn_param: { mode: "test", running_mean: mean, running_var: zeros },
            },
            { cache: "none" },
        );
        assert.deepEqual(normed.out, Tensor.from([[3, 4]]));
        for (const kept of [w, b, dout, mean]) await kept.release();
    });

    test(`kept tensors alone set the dtype (${form})`, async () => {
        const client = open({ form });
        const kept = await client.put(new Float32Array([-1, 0.1]));
        const { out } = await client.call("relu", "forward", { x: kept }, { cache: "none" });
        assert.deepEqual(out, Tensor.from([0, 0.1], "float32"));
        const nodes = [{ name: "a", op: "relu/forward", x: "x" }];
        const { results } = await client.graph({ inputs: { x: kept }, nodes, give: ["a.out"] });
        assert.deepEqual(results["a.out"], out);
        await kept.release();
    });

    test(`a graph that is refused changes nothing (${form})`, async () => {
        const client = open({ form });
        const w = await client.put(Tensor.zeros([2, 2]));
        const y = new Int32Array([0]);
        const inputs = { x, y, w, b: zeros };
        const refuses = (members, graph) =>
            assert.rejects(
                client.graph({ inputs, nodes: STEP, release: [w], ...graph }),
                problem(members),
            );
        await refuses(
            { status: 422, code: "shape_mismatch", pointer: "/nodes/0/w" },
            { inputs: { ...inputs, x: Tensor.from([[1, 2, 3]]) } },
        );
        await refuses(
            { status: 422, code: "invalid_graph", pointer: "/nodes/0/x" },
            { nodes: [{ ...STEP[0], x: "z" }] },
        );
        await refuses(
            { status: 422, code: "missing_field", pointer: "/nodes" },
            { nodes: undefined },
        );
        await refuses(
            { status: 404, code: "unknown_cache", pointer: "/inputs/w/tensor" },
            { inputs: { ...inputs, w: { tensor: "none such" } } },
        );
        await refuses(
            { status: 404, code: "unknown_cache", pointer: "/release/1" },
            { release: [w, "none such"] },
        );
        const { cache } = await client.call("relu", "forward", { x });
        await refuses({ status: 422, code: "wrong_cache" }, { inputs: { ...inputs, w: cache } });
        const float32 = Tensor.from([[1, 2]], "float32");
        await refuses(
            { status: 422, code: "wrong_type" },
            { inputs: { x: float32, y, w, b: Tensor.zeros([2], "float32") } },
        );
        await cache.release();
        assert.equal(w.released, false);
        assert.equal(await gone(w.handle), false);
        await w.release();
    });
}

test("a kept tensor whose object is garbage is deleted", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc");
    const client = open();
    const handle = await (async () => (await client.put([1])).handle)();
    const end = Date.now() + 20_000;
    while (!(await gone(handle)) && Date.now() < end) {
        collect();
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(await gone(handle), true);
});

test("typed arrays of two dtypes are refused here", async () => {
    const refused = problem({ code: "invalid_input", status: 0 });
    const single = new Float32Array(1);
    const inputs = { x: new Float64Array(1), w: single };
    await assert.rejects(open().graph({ inputs, nodes: [] }), refused);
    await assert.rejects(
        open().graph({ inputs: { single }, nodes: [], dtype: "float64" }),
        refused,
    );
});

/** A client whose daemon keeps tensors under the handles "1", "2", and so on. */
const keeping = (options) =>
    pretend(
        ({ body, method }, number) => {
            if (method === "DELETE") return new Response(null, { status: 204 });
            const { keep = [] } = JSON.parse(body);
            const kept = Object.fromEntries(keep.map((name, i) => [name, `${number}${i}`]));
            return json({ results: {}, kept });
        },
        { form: "json", ...options },
    );

test("a graph as JSON", async () => {
    const { client, requests } = keeping();
    const w = await client.put(new Float32Array([1]));
    assert.equal(
        requests[0].body,
        '{"dtype":"float32","inputs":{"tensor":{"shape":[1],"data":[1]}},"nodes":[],"keep":["tensor"]}',
    );
    const bit = new Uint8Array([1]);
    const nodes = [
        { name: "u", op: "sgd/update", w: "w", dw: "v", config: { learning_rate: NaN } },
        { name: "o", op: "dropout/forward", x: "i", dropout_param: { mask: "m" } },
    ];
    const { kept } = await client.graph({
        inputs: { w, v: { tensor: "5" }, c: { cache: "6" }, y: bit, m: bit, i: [1, 2] },
        nodes,
        keep: ["c", "u.next_w", "u.config.cache", "c"],
        release: [w, "7"],
    });
    assert.equal(new URL(requests[1].address).search, "?tensors=flat");
    assert.deepEqual(JSON.parse(requests[1].body), {
        dtype: "float32",
        inputs: {
            w: { tensor: "10" },
            v: { tensor: "5" },
            c: { cache: "6" },
            y: { shape: [1], data: [1], dtype: "int64" },
            m: { shape: [1], data: [1] },
            i: [1, 2],
        },
        nodes: [{ ...nodes[0], config: { learning_rate: "NaN" } }, nodes[1]],
        keep: ["c", "u.next_w", "u.config.cache", "c"],
        release: ["10", "7"],
    });
    assert.ok(kept.c instanceof Cache);
    assert.ok(kept["u.next_w"] instanceof Kept && kept["u.config.cache"] instanceof Kept);
    for (const handle of Object.values(kept)) handle.forget(); // there is no daemon to delete it
});

test("a graph as a file has its typed arrays as tensors, and the rest in the document", async () => {
    const { client, requests } = pretend(() => json({ results: {}, kept: {} }));
    await client.graph({
        inputs: { x, y: new Int32Array([1]), i: [1], v: { tensor: "5" } },
        nodes: [],
    });
    const { body, headers } = requests[0];
    assert.equal(headers["Content-Type"], "application/vnd.safetensors");
    assert.equal(headers.Accept, "application/vnd.safetensors");
    const length = Number(new DataView(body.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(body.subarray(8, 8 + length)));
    assert.deepEqual(Object.keys(header).sort(), ["__metadata__", "x", "y"]);
    assert.deepEqual(JSON.parse(header.__metadata__.graph), {
        dtype: "float64",
        inputs: { i: [1], v: { tensor: "5" } },
        nodes: [],
    });
});

test("a lost connection is tried again, but not where something was to be released", async () => {
    const cut = () => {
        throw new TypeError("fetch failed");
    };
    const lost = pretend(
        (_, number) => (number === 1 ? cut() : json({ results: { a: 1 }, kept: {} })),
        { form: "json" },
    );
    assert.deepEqual((await lost.client.graph({ nodes: [] })).results, { a: 1 });
    const released = pretend(cut);
    await assert.rejects(
        released.client.graph({ nodes: [], release: ["5"] }),
        problem({ code: "transport", status: 0 }),
    );
    assert.equal(released.requests.length, 1);
});

test("an answer without the handles that were asked for is none", async () => {
    const { client } = pretend(() => json({ results: {}, kept: {} }), { form: "json" });
    await assert.rejects(client.put([1]), problem({ code: "bad_answer", status: 200 }));
});
