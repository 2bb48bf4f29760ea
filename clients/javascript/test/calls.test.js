import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";

import { Layerd, Tensor } from "../layerd.js";
import { forms, noise, open, problem, random } from "./helpers.js";

for (const form of forms) {
    test(`dtype follows the typed array (${form})`, async () => {
        for (const type of [Float64Array, Float32Array]) {
            const x = { data: new type([0.1, -0.1, 3]), shape: [3, 1] };
            const { out } = await open({ form }).call("relu", "forward", { x }, { cache: "none" });
            assert.deepEqual(out.data, new type([0.1, 0, 3]));
            assert.deepEqual(out.shape, [3, 1]);
        }
    });

    test(`plain arrays are float64, or of the dtype beside them (${form})`, async () => {
        const run = (more) =>
            open({ form }).call("relu", "forward", { x: [[0.1, -1]], ...more }, { cache: "none" });
        assert.deepEqual((await run()).out.data, new Float64Array([0.1, 0]));
        assert.deepEqual((await run({ dtype: "float32" })).out.data, new Float32Array([0.1, 0]));
        assert.deepEqual((await run({ dtype: undefined })).out.shape, [1, 2]);
    });

    test(`labels may be any integers (${form})`, async () => {
        const x = new Tensor(new Float64Array([1, 2, 3, 4, 5, 7]), [2, 3]);
        const results = [];
        for (const y of [
            [0, 2],
            new Int32Array([0, 2]),
            new Uint8Array([0, 2]),
            new BigInt64Array([0n, 2n]),
            [0n, 2n],
        ])
            results.push(await open({ form }).call("svm", "loss", { x, y }));
        for (const { loss, dx } of results) {
            assert.equal(loss, 2.5);
            assert.deepEqual(dx.toNested(), [
                [-1, 0.5, 0.5],
                [0, 0, 0],
            ]);
        }
    });

    test(`values arrive as they are (${form})`, async () => {
        const values = [NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 0.1, 2 ** 53, -0];
        // What lets every value through.
        const inputs = { x: new Float64Array(values), dropout_param: { mode: "test", p: 1 } };
        const { out } = await open({ form }).call("dropout", "forward", inputs, { cache: "none" });
        assert.deepEqual([...out.data], values);
    });

    test(`parameters go round (${form})`, async () => {
        const client = open({ form });
        const draw = noise(3);
        const x = random(draw, 5, 2);
        const [gamma, beta] = [random(draw, 2), random(draw, 2)];
        let bn_param = { mode: "train", momentum: 0.5 };
        const want = [0, 0];
        for (let batch = 0; batch < 2; batch++) {
            ({ bn_param } = await client.call(
                "batchnorm",
                "forward",
                { x, gamma, beta, bn_param },
                { cache: "none" },
            ));
            for (let d = 0; d < 2; d++) {
                const mean = x.toNested().reduce((sum, row) => sum + row[d] / 5, 0);
                want[d] = 0.5 * want[d] + 0.5 * mean;
            }
        }
        assert.deepEqual(
            { ...bn_param, running_mean: 0, running_var: 0 },
            {
                mode: "train",
                eps: 1e-5,
                momentum: 0.5,
                running_mean: 0,
                running_var: 0,
            },
        );
        bn_param.running_mean.data.forEach((mean, d) =>
            assert.ok(Math.abs(mean - want[d]) < 1e-15),
        );

        const dropout = { p: 0.5, mode: "train" };
        const first = await client.call(
            "dropout",
            "forward",
            { x, dropout_param: dropout },
            { cache: "none" },
        );
        assert.equal(typeof first.dropout_param.seed, "number");
        const { dropout_param } = first;
        const second = await client.call(
            "dropout",
            "forward",
            { x, dropout_param },
            { cache: "none" },
        );
        assert.deepEqual(second.out, first.out);
    });

    test(`a number is a tensor of rank 0 (${form})`, async () => {
        const { out } = await open({ form }).call("relu", "forward", { x: 3 }, { cache: "none" });
        assert.deepEqual(out, Tensor.from(3));
        const typed = await open({ form }).call(
            "relu",
            "forward",
            { x: Tensor.from(3) },
            { cache: "none" },
        );
        assert.deepEqual(typed.out, Tensor.from(3));
    });

    test(`tensors of no elements go round (${form})`, async () => {
        const x = new Tensor(new Float32Array(0), [0, 3]);
        const { out } = await open({ form }).call("relu", "forward", { x }, { cache: "none" });
        assert.deepEqual(out, x);
    });

    test(`a megabyte goes round (${form})`, async () => {
        const x = random(noise(1), 512, 256);
        const { out } = await open({ form }).call("relu", "forward", { x }, { cache: "none" });
        assert.deepEqual(
            out.data,
            x.data.map((value) => Math.max(value, 0)),
        );
    });

    test(`calls may run at once (${form})`, async () => {
        const client = open({ form });
        const one = async (i) => {
            const x = new Float64Array([i, -i, 1]);
            const { out, cache } = await client.call("relu", "forward", { x });
            const { dx } = await client.call(
                "relu",
                "backward",
                { dout: out, cache },
                { cache: "release" },
            );
            return [...dx.data];
        };
        const results = await Promise.all(Array.from({ length: 60 }, (_, i) => one(i + 1)));
        results.forEach((dx, i) => assert.deepEqual(dx, [i + 1, 0, 1]));
    });

    test(`an error tells what to change (${form})`, async () => {
        const client = open({ form, headers: { "X-Request-Id": "from-javascript" } });
        const inputs = { x: Tensor.from([[1, 2]]), w: Tensor.from([[1]]), b: Tensor.from([0]) };
        const shapes = {
            status: 422,
            code: "shape_mismatch",
            pointer: "/w",
            requestId: "from-javascript",
        };
        await assert.rejects(client.call("affine", "forward", inputs), (error) => {
            assert.match(error.detail, /^\/w has shape \(1, 1\), but must be \(D, M\) with D = 2/);
            assert.equal(error.message, error.detail);
            return problem(shapes)(error);
        });
        const rejects = (members, ...call) =>
            assert.rejects(client.call(...call), problem(members));
        await rejects({ status: 404, code: "not_found" }, "no", "such", {});
        await rejects({ status: 404, code: "not_found" }, "../relu", "forward?", {});
        await rejects({ status: 422, code: "missing_field", pointer: "/x" }, "relu", "forward", {});
        await rejects({ status: 422, code: "unknown_field", pointer: "/z" }, "relu", "forward", {
            x: [1],
            z: [1],
        });
        await rejects({ status: 422, code: "ragged_array", pointer: "/x/1" }, "relu", "forward", {
            x: [[1], [2, 3]],
        });
        await rejects({ status: 422, code: "wrong_type", pointer: "/x" }, "relu", "forward", {
            x: null,
        });
        await rejects({ status: 404, code: "unknown_cache" }, "relu", "backward", {
            dout: [1],
            cache: "none such",
        });
        await rejects(
            { status: 400, code: "invalid_query" },
            "relu",
            "forward",
            { x: [1] },
            { cache: "release" },
        );
    });
}

test("what cannot be sent is refused here", async () => {
    const refused = problem({ code: "invalid_input", status: 0 });
    const mixed = { x: new Float64Array(1), w: new Float32Array(1) };
    await assert.rejects(open().call("affine", "forward", mixed), refused);
    await assert.rejects(open().call("relu", "forward", { x: new Int16Array(1) }), refused);
    assert.throws(() => new Layerd({ form: "xml" }), refused);
});

test("no daemon, no answer", async () => {
    const client = new Layerd({ url: "http://127.0.0.1:1", retries: 0 });
    await assert.rejects(
        client.call("relu", "forward", { x: [1] }),
        problem({ code: "transport", status: 0 }),
    );
});

/** A server that takes requests and never answers. */
async function silent(work) {
    const server = createServer((request) => request.resume());
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
        await work(new Layerd({ url: `http://127.0.0.1:${server.address().port}/`, timeout: 50 }));
    } finally {
        server.closeAllConnections();
        server.close();
    }
}

test("a call ends with its time", () =>
    silent(async (client) => {
        await assert.rejects(
            client.call("relu", "forward", { x: [1] }),
            problem({ code: "timeout", status: 0 }),
        );
        await assert.rejects(client.remove("handle"), problem({ code: "timeout", status: 0 }));
    }));

test("a call ends with its signal", () =>
    silent(async (client) => {
        const controller = new AbortController();
        const { signal } = controller;
        const call = client.call("relu", "forward", { x: [1] }, { signal, timeout: 0 });
        setTimeout(() => controller.abort(), 10);
        await assert.rejects(call, { name: "AbortError" });
        const late = client.call("relu", "forward", { x: [1] }, { signal });
        await assert.rejects(late, { name: "AbortError" });
        const reason = new Error("enough");
        const early = client.call(
            "relu",
            "forward",
            { x: [1] },
            { signal: AbortSignal.abort(reason) },
        );
        await assert.rejects(early, reason);
    }));
