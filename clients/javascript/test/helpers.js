// What the tests share: the daemon under test, comparing, and answers without a daemon.
import assert from "node:assert/strict";

import { Layerd, Network, Tensor } from "../layerd.js";

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

/** A network that learns XOR. */
export const XOR = {
    x: new Tensor(new Float64Array([0, 0, 0, 1, 1, 0, 1, 1]), [4, 2]),
    y: new Uint8Array([0, 1, 1, 0]),
    layers: [["affine", 16], "relu", ["affine", 2]],
};
export const xor = (options, client = open()) =>
    new Network(client, XOR.layers, { input: 2, ...options });

/** A client, what it asked, and the handles that graphs gave it; `wrap` may stand in the way. */
export function watched(wrap = (send) => send()) {
    const [requests, handles] = [[], []];
    const watch = async (address, request) => {
        const { pathname: path } = new URL(address);
        requests.push({ path, ...request });
        return wrap(async () => {
            const answer = await fetch(address, request);
            if (path === "/graph" && answer.ok)
                handles.push(...Object.values((await answer.clone().json()).kept));
            return answer;
        });
    };
    return { client: open({ form: "json", fetch: watch, retries: 0 }), requests, handles };
}

/** How many of these handles the daemon has. */
export async function alive(handles) {
    const there = await Promise.all(handles.map(async (handle) => !(await gone(handle))));
    return there.filter(Boolean).length;
}

/** Whether the daemon has no cache of a handle. */
export async function gone(handle) {
    const response = await fetch(`${url}/cache/${handle}`);
    await response.arrayBuffer();
    return response.status === 404;
}
