// Safetensors as they are written and read, without a daemon.
import assert from "node:assert/strict";
import test from "node:test";

import { Cache, Tensor } from "../layerd.js";
import { json, pretend, problem } from "./helpers.js";

/** A safetensors answer with its tensors `shift` bytes away from a multiple of 8. */
function bytes(header, data, shift = 0) {
    let text = JSON.stringify(header);
    text = text.padEnd(Math.ceil(text.length / 8) * 8 + shift);
    const body = new Uint8Array(8 + text.length + data.byteLength);
    new DataView(body.buffer).setBigUint64(0, BigInt(text.length), true);
    body.set(new TextEncoder().encode(text), 8);
    body.set(new Uint8Array(data.buffer), 8 + text.length);
    return body;
}

const answer = (body) =>
    new Response(body, {
        headers: { "Content-Type": "application/vnd.safetensors", "X-Request-Id": "r" },
    });

function parse(body) {
    const length = Number(new DataView(body.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(body.subarray(8, 8 + length)));
    return { header, data: body.subarray(8 + length), start: 8 + length };
}

test("a request holds its tensors by name and its scalars as text", async () => {
    const { client, requests } = pretend(() => answer(bytes({}, new Uint8Array(0))));
    await client.call("some layer", "forward", {
        y: new Uint8Array([1, 2, 3]),
        x: new Tensor(new Float64Array([1, 2, 3]).subarray(1), [2, 1]),
        param: { mode: "ärger", eps: 1e-5, mean: new Float64Array([4]), none: undefined },
        cache: "00",
    });
    const { address, method, headers, body } = requests[0];
    assert.equal(new URL(address).pathname + new URL(address).search, "/some%20layer/forward");
    assert.equal(method, "POST");
    assert.equal(headers["Content-Type"], "application/vnd.safetensors");
    assert.equal(headers.Accept, "application/vnd.safetensors");
    const { header, data, start } = parse(body);
    assert.equal(start % 8, 0);
    assert.deepEqual(header, {
        __metadata__: { "param.mode": "ärger", "param.eps": "0.00001", cache: "00" },
        x: { dtype: "F64", shape: [2, 1], data_offsets: [0, 16] },
        "param.mean": { dtype: "F64", shape: [1], data_offsets: [16, 24] },
        y: { dtype: "U8", shape: [3], data_offsets: [24, 27] },
    });
    assert.deepEqual(
        data,
        new Uint8Array([...new Uint8Array(new Float64Array([2, 3, 4]).buffer), 1, 2, 3]),
    );
});

test("plain arrays make the request JSON, and the answer is bytes still", async () => {
    const { client, requests } = pretend(() => answer(bytes({}, new Uint8Array(0))));
    for (const inputs of [
        { x: new Float32Array([1]), y: [0] },
        { x: 1 },
        { p: { mean: [1] } },
        { x: { shape: [1], data: [1] } },
    ])
        await client.call("svm", "loss", inputs);
    for (const { headers } of requests) {
        assert.equal(headers["Content-Type"], "application/json");
        assert.equal(headers.Accept, "application/vnd.safetensors");
    }
    assert.equal(requests[0].body, '{"x":{"shape":[1],"data":[1]},"y":[0],"dtype":"float32"}');
});

for (const shift of [0, 1, 4])
    test(`an answer is read wherever its tensors begin (${shift} bytes off)`, async () => {
        const tensors = [
            new Float64Array([1, NaN]),
            new Float32Array([0.1]),
            new BigInt64Array([2n ** 62n]),
        ];
        const data = new Uint8Array(tensors.flatMap((part) => [...new Uint8Array(part.buffer)]));
        const header = {
            __metadata__: {
                loss: "2.5",
                "p.eps": "1e-05",
                "p.mode": "test",
                "p.max": "-Infinity",
                cache: "1234",
            },
            out: { dtype: "F64", shape: [2], data_offsets: [0, 16] },
            dw: { dtype: "F32", shape: [1, 1], data_offsets: [16, 20] },
            "p.y": { dtype: "I64", shape: [], data_offsets: [20, 28] },
        };
        const { client } = pretend(() => answer(bytes(header, data, shift)));
        const { cache, ...rest } = await client.call("a", "b", {});
        assert.deepEqual(rest, {
            out: new Tensor(tensors[0]),
            dw: new Tensor(tensors[1], [1, 1]),
            loss: 2.5,
            p: { y: new Tensor(tensors[2], []), eps: 1e-5, mode: "test", max: -Infinity },
        });
        assert.ok(cache instanceof Cache);
        assert.equal(cache.handle, "1234");
        cache.forget(); // there is no daemon to delete it
    });

test("an answer that is none is an error", async () => {
    const x = (more) => ({ x: { dtype: "F64", shape: [1], data_offsets: [0, 8], ...more } });
    const eight = new Uint8Array(8);
    const bodies = [
        new Uint8Array(0),
        new Uint8Array([255, 255, 255, 255, 255, 255, 255, 255]),
        bytes(x({ dtype: "F8" }), eight),
        bytes(x({ shape: [2] }), eight),
        bytes(x({ data_offsets: [8, 16] }), eight),
        bytes(x({ data_offsets: undefined }), eight),
        bytes(x(), eight).subarray(0, 40),
    ];
    for (const body of bodies) {
        const { client } = pretend(() => answer(body));
        await assert.rejects(
            client.call("a", "b", {}),
            problem({ code: "bad_answer", status: 200, requestId: "r" }),
        );
    }
    for (const response of [
        () => new Response("{"),
        () => json({ x: { shape: [2], data: [1] } }),
    ]) {
        const { client } = pretend(response, { form: "json" });
        await assert.rejects(
            client.call("a", "b", {}),
            problem({ code: "bad_answer", status: 200 }),
        );
    }
    const { client } = pretend(() => new Response("<html>", { status: 502 }));
    await assert.rejects(client.call("a", "b", {}), problem({ code: "bad_answer", status: 502 }));
});
