// What the tests share: the daemon under test, comparing, and answers without a daemon.
import assert from "node:assert/strict";

import { Layerd, Tensor } from "../layerd.js";

export const url = process.env.LAYERD_URL;
assert.ok(url, "LAYERD_URL must name the daemon; tests/clients-javascript.sh starts one");

export const forms = ["safetensors", "json"];

export const open = (options) => new Layerd({ url, ...options });

/** Matches a LayerdError by the members given. */
export const problem = (members) => (error) => {
    assert.equal(error.name, "LayerdError", error.stack);
    for (const name in members)
        assert.deepEqual(error[name], members[name], `${name}: ${error.detail}`);
    return true;
};

/** A client whose requests are answered by `answer(request, number)` instead of a daemon. */
export function pretend(answer, options) {
    const requests = [];
    const fetch = async (address, request) => {
        requests.push({ address, ...request });
        return answer(requests.at(-1), requests.length);
    };
    return { client: open({ fetch, ...options }), requests };
}

export const json = (value, status = 200, headers = {}) =>
    new Response(JSON.stringify(value), {
        status,
        headers: { "Content-Type": "application/json", ...headers },
    });

export const noise = (seed) => () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
};

export function random(draw, ...shape) {
    const tensor = Tensor.zeros(shape);
    tensor.data.forEach((_, i) => (tensor.data[i] = draw()));
    return tensor;
}

/** Whether the daemon has no cache of a handle. */
export async function gone(handle) {
    const response = await fetch(`${url}/cache/${handle}`);
    await response.arrayBuffer();
    return response.status === 404;
}
