import assert from "node:assert/strict";
import test from "node:test";

import { Tensor } from "../layerd.js";
import { json, open, pretend, problem } from "./helpers.js";

const client = open();
const affine = { x: [[1, 2], [3, 4]], w: [[0.5], [-1]], b: [10] };
const check = (out, options, inputs = affine) =>
    client.check("affine", "forward", inputs, { out }, options);

// x · w + b, of tensors
function product({ x, w, b }) {
    const columns = b.size;
    const out = Tensor.zeros([x.shape[0], columns]);
    out.data.forEach((_, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        let sum = b.data[column];
        for (let d = 0; d < w.shape[0]; d++)
            sum += x.data[row * w.shape[0] + d] * w.data[d * columns + column];
        out.data[i] = sum;
    });
    return out;
}

test("right, wrong, undecided", async () => {
    assert.deepEqual(await check([[8.5], [7.5]]), {
        verdict: "right",
        claim: { out: { verdict: "right" } },
    });
    const { verdict, claim } = await check([[-1.5], [-2.5]]);
    assert.equal(verdict, "wrong");
    assert.equal(claim.out.fault, "bias_missing");
    assert.match(claim.out.says, /b was not added/);
    const blind = await check([[-1.5], [-2.5]], {}, { ...affine, b: [0] });
    assert.equal(blind.verdict, "undecided");
});

test("claims of any kind and shape", async () => {
    for (const right of [
        new Tensor(new Float64Array([8.5, 7.5]), [2, 1]),
        new Tensor(new Float32Array([8.5, 7.5]), [2, 1]),
        { data: new Float64Array([8.5, 7.5]), shape: [2, 1] },
    ])
        assert.equal((await check(right)).verdict, "right");
    const whole = { data: new Int32Array([8, 7]), shape: [2, 1] };
    for (const out of [8.5, [8.5, 7.5], new Float64Array(3), [[NaN], [7.5]], [], whole])
        assert.equal((await check(out)).verdict, "wrong");
    const scores = { x: [[1, 2], [3, 5]], y: [0, 0] };
    const { claim } = await client.check("svm", "loss", scores, { loss: [2] });
    assert.equal(claim.loss.fault, "shape");
    assert.equal((await client.check("svm", "loss", scores, { loss: 2.5 })).verdict, "right");
});

test("the dtype is that of the inputs", async () => {
    const inputs = {
        x: new Tensor(new Float32Array([0.1, 0.2]), [1, 2]),
        w: new Tensor(new Float32Array([0.3, 0.4]), [2, 1]),
        b: new Tensor(new Float32Array([0.5])),
    };
    const out = product(inputs);
    assert.equal((await check(out, {}, inputs)).verdict, "right");
    out.data[0] = Math.fround(out.data[0]);
    assert.equal((await check(out, {}, inputs)).verdict, "right");
    out.data[0] += 1e-5;
    assert.equal((await check(out, {}, inputs)).verdict, "wrong");
});

test("precision, tolerance and detail", async () => {
    const near = [[8.5], [7.5000001]];
    assert.equal((await check(near)).verdict, "wrong");
    assert.equal((await check(near, { precision: "float32" })).verdict, "right");
    assert.equal((await check(near, { tolerance: { atol: 1e-6 } })).verdict, "right");
    const { claim } = await check([[8.5], [8]], { detail: "values" });
    assert.deepEqual([claim.out.at, claim.out.claimed, claim.out.expected], [[1, 0], 8, 7.5]);
    assert.deepEqual((await check([[8.5], [8]], { detail: "verdict" })).claim, {
        out: { verdict: "wrong" },
    });
});

test("what is claimed of a backward and of an update", async () => {
    const inputs = { ...affine, dout: [[1], [1]] };
    const claim = { dx: [[0.5, -1], [0.5, -1]], dw: [[4], [6]], db: [1] };
    const found = await client.check("affine", "backward", inputs, claim);
    assert.deepEqual(
        Object.values(found.claim).map(({ verdict }) => verdict),
        ["right", "right", "wrong"],
    );
    assert.equal(found.claim.db.fault, "mean_not_sum");
    const step = { w: [1], dw: [0.5], config: { t: 3 } };
    const { claim: of } = await client.check("adam", "update", step, { config: { t: 3 } });
    assert.equal(of.config.t.verdict, "wrong");
});

test("what no claim can be", async () => {
    const refused = (code, pointer) => problem({ status: 422, code, pointer });
    await assert.rejects(check("text"), refused("wrong_type", "/claim/out"));
    await assert.rejects(client.check("relu", "forward", { x: [1] }, {}), refused("missing_field", "/claim"));
    await assert.rejects(
        client.check("relu", "forward", { x: [1] }, { dx: [1] }),
        refused("unknown_field", "/claim/dx"),
    );
});

test("a challenge is answered", async () => {
    const challenge = await client.challenge("affine", "forward");
    assert.deepEqual(challenge.claims, ["out"]);
    assert.equal(challenge.operation, "affine/forward");
    const out = product(challenge.inputs);
    assert.equal((await client.answer(challenge, { out })).verdict, "right");
    assert.equal((await client.answer(challenge.challenge, { out })).verdict, "right");
    await assert.rejects(
        client.answer(challenge, { out: [1] }),
        problem({ status: 409, code: "challenge_spent" }),
    );
});

test("a submission has its inputs for ever", async () => {
    const options = { submission: "a1".repeat(32), case: "images", dtype: "float32" };
    const [one, same] = [
        await client.challenge("affine", "forward", options),
        await client.challenge("affine", "forward", options),
    ];
    assert.deepEqual(one.inputs, same.inputs);
    assert.equal(one.inputs.x.dtype, "float32");
    assert.ok(one.inputs.x.shape.length > 2);
    const other = await client.challenge("affine", "forward", { ...options, assignment: "a3" });
    assert.notDeepEqual(other.inputs.x, one.inputs.x);
    const wrong = await client.answer(one, { out: [1] }, { detail: "verdict" });
    assert.deepEqual(wrong, { verdict: "wrong", claim: { out: { verdict: "wrong" } } });
});

test("what is refused for now is asked again", async () => {
    const { client: late, requests } = pretend((_, number) =>
        number < 2
            ? json({ code: "rate_limited", detail: "Later." }, 429, { "Retry-After": 0 })
            : json({ verdict: "right", claim: {} }),
    );
    assert.equal((await late.check("relu", "forward", { x: [1] }, { out: [1] })).verdict, "right");
    assert.deepEqual(
        requests.map(({ address }) => new URL(address).pathname),
        ["/check/relu/forward", "/check/relu/forward"],
    );
});
