import assert from "node:assert/strict";
import test from "node:test";

import { Tensor } from "../layerd.js";
import { json, pretend, problem } from "./helpers.js";

const inputs = { x: Tensor.from([1]) };
const busy = (status, retryAfter) =>
    json({ code: "overloaded", detail: "Busy." }, status, { "Retry-After": retryAfter });
const done = () => json({ out: { shape: [1], data: [1.0] } });
const cut = () => {
    throw new TypeError("fetch failed", { cause: new Error("other side closed") });
};

test("503 and 429 are tried again", async () => {
    for (const status of [503, 429])
        for (const cache of [undefined, "release"]) {
            const { client, requests } = pretend((_, number) =>
                number < 3 ? busy(status, 0) : done(),
            );
            assert.deepEqual(
                (await client.call("relu", "forward", inputs, { cache })).out,
                Tensor.from([1]),
            );
            assert.equal(requests.length, 3);
            assert.deepEqual(requests[2].body, requests[0].body);
        }
});

test("no more often than allowed", async () => {
    for (const [retries, count] of [
        [0, 1],
        [1, 2],
        [undefined, 3],
    ]) {
        const { client, requests } = pretend(() => busy(503, 0), { retries });
        const refused = problem({
            status: 503,
            code: "overloaded",
            detail: "Busy.",
            retryAfter: 0,
        });
        await assert.rejects(client.call("relu", "forward", inputs), refused);
        assert.equal(requests.length, count);
    }
});

test("a pause longer than the call's time is not begun", async () => {
    const { client, requests } = pretend(() => busy(503, 3600));
    await assert.rejects(
        client.call("relu", "forward", inputs),
        problem({ status: 503, retryAfter: 3600 }),
    );
    assert.equal(requests.length, 1);
});

test("a signal ends a pause", async () => {
    const { client } = pretend(() => busy(503, 60));
    const signal = AbortSignal.timeout(10);
    await assert.rejects(client.call("relu", "forward", inputs, { signal }), {
        name: "TimeoutError",
    });
});

test("a lost connection is tried again, but not where a cache was to be released", async () => {
    const lost = pretend((_, number) => (number === 1 ? cut() : done()));
    assert.deepEqual((await lost.client.call("relu", "forward", inputs)).out, Tensor.from([1]));
    const closed = problem({ code: "transport", status: 0 });
    const released = pretend(cut);
    await assert.rejects(
        released.client.call("relu", "backward", inputs, { cache: "release" }),
        closed,
    );
    await assert.rejects(released.client.remove("handle"), closed);
    assert.equal(released.requests.length, 2);
});

test("other errors are not", async () => {
    for (const status of [400, 404, 422, 500]) {
        const { client, requests } = pretend(() => json({ code: "c", detail: "d" }, status));
        await assert.rejects(
            client.call("relu", "forward", inputs),
            problem({ status, code: "c" }),
        );
        assert.equal(requests.length, 1);
    }
});
