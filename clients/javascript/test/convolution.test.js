// A convolutional network learns two pictures: layers and updates of the daemon, through the client.
import assert from "node:assert/strict";
import test from "node:test";

import { forms, noise, open, problem, random } from "./helpers.js";

// An upright and a level line, and their labels.
const PICTURES = [
    [0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
];
const images = { data: new Float64Array(PICTURES.flat()), shape: [2, 1, 4, 4] };
const LABELS = { y: new Uint8Array([0, 1]) };

const LAYERS = [
    { layer: "conv", weights: { w: "w1", b: "b1" }, params: { conv_param: { pad: 1 } } },
    { layer: "relu", weights: {} },
    {
        layer: "max_pool",
        weights: {},
        params: { pool_param: { pool_height: 2, pool_width: 2, stride: 2 } },
    },
    { layer: "affine", weights: { w: "w2", b: "b2" } },
];

const chosen = (weights, tensors) =>
    Object.fromEntries(Object.entries(weights).map(([name, key]) => [name, tensors[key]]));

async function gradientsOf(client, tensors) {
    const caches = [];
    let x = images;
    for (const { layer, weights, params } of LAYERS) {
        const inputs = { x, ...chosen(weights, tensors), ...params };
        const { out, cache } = await client.call(layer, "forward", inputs);
        caches.push(cache);
        x = out;
    }
    let { loss, dx } = await client.call("softmax", "loss", { x, ...LABELS });
    const gradients = {};
    for (const { layer, weights } of [...LAYERS].reverse()) {
        const inputs = { dout: dx, cache: caches.pop() };
        const given = await client.call(layer, "backward", inputs, { cache: "release" });
        for (const [name, key] of Object.entries(weights)) gradients[key] = given[`d${name}`];
        dx = given.dx;
    }
    return { loss, gradients };
}

for (const form of forms) {
    test(`a network learns, its config going round (${form})`, async () => {
        const client = open({ form });
        const draw = noise(7);
        const tensors = {
            w1: random(draw, 3, 1, 3, 3),
            b1: random(draw, 3),
            w2: random(draw, 12, 2),
            b2: random(draw, 2),
        };
        const configs = {};
        const losses = [];
        for (let step = 1; step <= 20; step++) {
            const { loss, gradients } = await gradientsOf(client, tensors);
            losses.push(loss);
            for (const [key, dw] of Object.entries(gradients)) {
                const config = configs[key] ?? { learning_rate: 0.05 };
                const given = await client.call("adam", "update", { w: tensors[key], dw, config });
                assert.equal(given.config.t, step);
                assert.deepEqual(given.next_w.shape, tensors[key].shape);
                assert.equal(given.cache, undefined);
                [tensors[key], configs[key]] = [given.next_w, given.config];
            }
        }
        assert.ok(losses.at(-1) < 0.05 && losses[0] > 0.3, `${losses[0]} to ${losses.at(-1)}`);
    });

    test(`what has defaults may be left out (${form})`, async () => {
        const client = open({ form });
        const w = new Float64Array([1, 2]);
        const dw = new Float64Array([10, -10]);
        const { next_w, config } = await client.call("sgd", "update", { w, dw });
        assert.deepEqual([...next_w.data], [0.9, 2.1]);
        assert.deepEqual(config, { learning_rate: 0.01 });
    });

    test(`a window that does not fit is told by its parameter (${form})`, async () => {
        const pool_param = { pool_height: 2, pool_width: 5, stride: 1 };
        await assert.rejects(
            open({ form }).call("max_pool", "forward", { x: images, pool_param }),
            problem({ code: "invalid_param", pointer: "/pool_param/pool_width" }),
        );
    });
}
