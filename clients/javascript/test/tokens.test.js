import assert from "node:assert/strict";
import test from "node:test";

import { json, pretend } from "./helpers.js";

const inputs = { x: new Float64Array([1]) };

// What a call has as Authorization, by the options and the environment.
async function sent(options, environment) {
    if (environment !== undefined) process.env.LAYERD_TOKEN = environment;
    try {
        const { client, requests } = pretend(() => json({ out: { shape: [1], data: [1.0] } }), options);
        await client.call("relu", "forward", inputs);
        return new Headers(requests[0].headers).get("Authorization");
    } finally {
        delete process.env.LAYERD_TOKEN;
    }
}

test("a token goes with every request", async () => {
    assert.equal(await sent({ token: "abc" }), "Bearer abc");
    assert.equal(await sent({}, "def"), "Bearer def");
    assert.equal(await sent({ token: "abc" }, "def"), "Bearer abc");
});

test("no token, no header", async () => {
    assert.equal(await sent({}), null);
    assert.equal(await sent({}, ""), null);
    assert.equal(await sent({ token: "" }, "def"), null);
});

test("a header of one's own goes before it", async () => {
    assert.equal(await sent({ headers: { authorization: "Basic eA==" } }, "def"), "Basic eA==");
    const both = { token: "abc", headers: { AUTHORIZATION: "Basic eA==" } };
    assert.equal(await sent(both), "Basic eA==");
});
