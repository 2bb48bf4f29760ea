// The gradients of a network against finite differences of its loss: all layers, through the client.
import assert from "node:assert/strict";
import test from "node:test";

import { forms, noise, open, random } from "./helpers.js";

const LAYERS = [
    { layer: "affine", weights: { w: "w1", b: "b1" } },
    {
        layer: "batchnorm",
        weights: { gamma: "gamma", beta: "beta" },
        params: { bn_param: { mode: "train" } },
    },
    { layer: "relu", weights: {} },
    {
        layer: "dropout",
        weights: {},
        params: { dropout_param: { mode: "train", p: 0.7, seed: 231 } },
    },
    { layer: "affine", weights: { w: "w2", b: "b2" } },
];
const LABELS = { y: new Uint8Array([0, 2, 1, 2]) };

function makeWeights(draw) {
    return {
        x: random(draw, 4, 2, 1),
        w1: random(draw, 2, 4),
        b1: random(draw, 4),
        gamma: random(draw, 4),
        beta: random(draw, 4),
        w2: random(draw, 4, 3),
        b2: random(draw, 3),
    };
}

async function forward(client, tensors, options) {
    let x = tensors.x;
    const caches = [];
    for (const { layer, weights, params } of LAYERS) {
        const own = Object.fromEntries(
            Object.entries(weights).map(([name, key]) => [name, tensors[key]]),
        );
        const { out, cache } = await client.call(
            layer,
            "forward",
            { x, ...own, ...params },
            options,
        );
        caches.push(cache);
        x = out;
    }
    return { ...(await client.call("softmax", "loss", { x, ...LABELS })), caches };
}

async function backward(client, { dx, caches }) {
    const gradients = {};
    for (const { layer, weights } of [...LAYERS].reverse()) {
        const given = await client.call(
            layer,
            "backward",
            { dout: dx, cache: caches.pop() },
            { cache: "release" },
        );
        for (const [name, key] of Object.entries(weights)) gradients[key] = given[`d${name}`];
        dx = given.dx;
    }
    return { ...gradients, x: dx };
}

for (const form of forms)
    test(`gradients are those of finite differences (${form})`, async () => {
        const client = open({ form });
        const tensors = makeWeights(noise(7));
        const gradients = await backward(client, await forward(client, tensors));
        const step = 1e-5;
        const lossAt = async (data, i, value) => {
            data[i] = value;
            return (await forward(client, tensors, { cache: "none" })).loss;
        };
        for (const [name, { data, shape }] of Object.entries(tensors)) {
            assert.deepEqual(gradients[name].shape, shape);
            for (let i = 0; i < data.length; i++) {
                const at = data[i];
                const difference =
                    (await lossAt(data, i, at + step)) - (await lossAt(data, i, at - step));
                data[i] = at;
                const want = difference / (2 * step);
                const got = gradients[name].data[i];
                assert.ok(
                    Math.abs(got - want) < 1e-7,
                    `d${name}[${i}] is ${got}, but must be ${want}`,
                );
            }
        }
        assert.ok(gradients.w1.data.some((value) => Math.abs(value) > 1e-3));
    });
