import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Cache, Tensor } from "../layerd.js";
import { forms, gone, open, problem } from "./helpers.js";

const x = Tensor.from([-1, 2, 3]);
const dout = Tensor.from([1, 1, 1]);

for (const form of forms) {
    test(`a cache serves many backwards until it is released (${form})`, async () => {
        const client = open({ form });
        const { cache } = await client.call("relu", "forward", { x });
        assert.ok(cache instanceof Cache);
        assert.equal(cache.dtype, "float64");
        assert.equal(await gone(cache.handle), false);
        for (let i = 0; i < 2; i++) {
            const { dx } = await client.call("relu", "backward", { dout, cache });
            assert.deepEqual(dx.data, new Float64Array([0, 1, 1]));
        }
        await cache.release();
        await cache.release();
        assert.equal(cache.released, true);
        assert.equal(await gone(cache.handle), true);
        const used = client.call("relu", "backward", { dout, cache });
        await assert.rejects(
            used,
            problem({ status: 404, code: "unknown_cache", pointer: "/cache" }),
        );
    });

    test(`backward may release it (${form})`, async () => {
        const client = open({ form });
        const { cache } = await client.call("relu", "forward", { x });
        await client.call("relu", "backward", { dout, cache }, { cache: "release" });
        assert.equal(cache.released, true);
        assert.equal(await gone(cache.handle), true);
    });

    test(`a refused backward does not release it (${form})`, async () => {
        const client = open({ form });
        const { cache } = await client.call("relu", "forward", { x });
        const refused = client.call(
            "relu",
            "backward",
            { dout: Tensor.from([1]), cache },
            { cache: "release" },
        );
        await assert.rejects(refused, problem({ status: 422, code: "shape_mismatch" }));
        assert.equal(cache.released, false);
        assert.equal(await gone(cache.handle), false);
        await cache.release();
    });

    test(`none is given where none is wanted (${form})`, async () => {
        const answer = await open({ form }).call("relu", "forward", { x }, { cache: "none" });
        assert.deepEqual(Object.keys(answer), ["out"]);
    });

    test(`the cache brings backward its dtype (${form})`, async () => {
        const client = open({ form });
        const { cache } = await client.call("relu", "forward", {
            x: Tensor.from([-1, 2, 3], "float32"),
        });
        assert.equal(cache.dtype, "float32");
        const { dx } = await client.call("relu", "backward", { dout: [1, 1, 0.1], cache });
        assert.deepEqual(dx.data, new Float32Array([0, 1, 0.1]));
        await cache.release();
    });
}

test("a handle is enough", async () => {
    const client = open();
    const { cache } = await client.call("relu", "forward", { x });
    const { dx } = await client.call("relu", "backward", { dout, cache: `${cache}` });
    assert.deepEqual(dx.toNested(), [0, 1, 1]);
    await client.remove(cache.handle);
    await assert.rejects(
        client.remove(cache.handle),
        problem({ status: 404, code: "unknown_cache" }),
    );
    await cache.release();
});

test("a cache whose object is garbage is deleted", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc");
    const client = open();
    const handle = await (async () => (await client.call("relu", "forward", { x })).cache.handle)();
    const end = Date.now() + 20_000;
    while (!(await gone(handle)) && Date.now() < end) {
        collect();
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(await gone(handle), true);
});
