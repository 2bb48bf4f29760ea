// Networks whose weights stay with the daemon: what becomes of these.
import assert from "node:assert/strict";
import test from "node:test";

import { readFile, writeBytes } from "../forms.js";
import { Network, Tensor } from "../layerd.js";
import { XOR, alive, noise, open, problem, random, watched, xor } from "./helpers.js";

const refused = problem({ code: "invalid_input", status: 0 });
const both = async (network, want) =>
    assert.equal(await network.step(XOR.x, XOR.y), await want.step(XOR.x, XOR.y));

test("a checkpoint goes on where it was made", async () => {
    const layers = [["affine", 4], "batchnorm", "relu", ["dropout", 0.8], ["affine", 2]];
    const options = {
        input: 3,
        update: "adam",
        learning_rate: 0.02,
        seed: 4,
        config: { beta1: 0.8 },
    };
    const network = new Network(open(), layers, options);
    const x = random(noise(5), 6, 3);
    const y = [0, 1, 1, 0, 1, 0];
    for (let i = 0; i < 3; i++) await network.step(x, y);
    const bytes = await network.save();
    const { tensors, texts } = readFile(bytes.slice().buffer);
    const { network: description, ...others } = Object.fromEntries(texts);
    assert.deepEqual(others, { t: "3", update: "adam" });
    assert.deepEqual(JSON.parse(description), {
        layers,
        ...options,
        input: [3],
        loss: "softmax",
        dtype: "float64",
    });
    const weights = ["0.w", "0.b", "1.gamma", "1.beta", "4.w", "4.b"];
    assert.deepEqual(
        tensors.map(([name]) => name).sort(),
        [
            ...weights,
            ...weights.flatMap((name) => [`${name}.m`, `${name}.v`]),
            "1.running_mean",
            "1.running_var",
        ].sort(),
    );
    assert.deepEqual(Object.fromEntries(tensors)["4.w"], (await network.weights())["4.w"]);

    const other = new Network(open(), layers, { ...options, seed: 4 });
    await other.step(x, y);
    const within = new Uint8Array(bytes.length + 3);
    within.set(bytes, 3);
    await other.load(within.subarray(3));
    const made = await Network.from(open(), bytes.buffer);
    for (const one of [other, made]) {
        assert.equal(one.t, 3);
        assert.deepEqual(await one.save(), bytes);
    }
    for (let i = 0; i < 3; i++) {
        const loss = await network.step(x, y);
        for (const one of [other, made]) assert.equal(await one.step(x, y), loss);
    }
    assert.deepEqual(await made.predict(x), await network.predict(x));
    for (const one of [network, other, made]) await one.close();
});

test("weights alone begin an update anew, and so does another's state", async () => {
    const [w, b] = [Tensor.from([[1, 2]], "float32"), Tensor.from([3, 4], "float32")];
    const begin = async (update, options) => {
        const network = new Network(open(), [["affine", 2]], { input: 1, update, ...options });
        await network.step([[1]], [0]);
        return network;
    };
    const network = await begin("adam");
    const check = async () => {
        assert.equal(network.t, 0);
        const { tensors } = readFile((await network.save()).buffer);
        assert.deepEqual(Object.fromEntries(tensors), {
            "0.w": Tensor.from([[1, 2]]),
            "0.b": Tensor.from([3, 4]),
        });
        // The first step of adam is the learning rate's.
        await network.step([[1]], [0]);
        const moved = (await network.weights())["0.b"].data[0] - 3;
        assert.ok(Math.abs(moved - 1e-3) < 1e-9, `${moved}`);
    };
    await network.load(
        writeBytes([
            ["0.w", w],
            ["0.b", b],
            ["format", "pt"],
        ]),
    );
    await check();
    const momentum = await begin("sgd_momentum", { dtype: "float32" });
    await momentum.setWeights({ "0.w": w, "0.b": b });
    await network.load(await momentum.save());
    await check();
    for (const one of [network, momentum]) await one.close();
});

test("a checkpoint that does not fit changes nothing", async () => {
    const network = new Network(open(), [["affine", 2]], { input: 1, update: "adam" });
    await network.step([[1]], [0]);
    const before = await network.save();
    const { tensors, texts } = readFile(before.slice().buffer);
    const without = (name) => [...tensors.filter(([other]) => other !== name), ...texts];
    for (const bytes of [
        new Uint8Array(4),
        before.subarray(0, before.length - 1),
        writeBytes(without("0.b")),
        writeBytes(without("0.b.m")),
        writeBytes([...without(), ["1.w", Tensor.zeros([1])]]),
        writeBytes([...without("0.b"), ["0.b", Tensor.zeros([3])]]),
        writeBytes([...without(), ["t", "-1"]]),
    ])
        await assert.rejects(network.load(bytes), refused);
    assert.deepEqual(await network.save(), before);
    for (const description of [[], [["network", "{"]], [["network", "{}"]]])
        await assert.rejects(
            Network.from(open(), writeBytes([...tensors, ...description])),
            refused,
        );
    await network.close();
});

test("weights are set and fetched by name, as copies", async () => {
    const network = new Network(open(), [["affine", 2]], { input: 1, update: "adam" });
    const w = Tensor.from([[1, 2]]);
    await network.setWeights({ "0.w": w });
    w.data[0] = 9;
    (await network.weights())["0.w"].data[1] = 9;
    const want = { "0.w": Tensor.from([[1, 2]]), "0.b": Tensor.zeros([2]) };
    assert.deepEqual(await network.weights(), want);
    assert.deepEqual(await network.predict([[1]]), Tensor.from([[1, 2]]));
    assert.deepEqual(await network.weights(), want);
    await network.setWeights({ "0.b": new Float32Array([0.5, 0]) });
    assert.deepEqual(await network.predict([[1]]), Tensor.from([[1.5, 2]]));
    for (const wrong of [
        { "0.b": [0, 0], "0.w": [1, 2] },
        { "0.c": [1, 2] },
        { "0.w.m": [[0, 0]] },
    ])
        await assert.rejects(network.setWeights(wrong), refused);
    assert.deepEqual(await network.predict([[1]]), Tensor.from([[1.5, 2]]));
    await network.close();
});

test("a step that is refused changes nothing", async () => {
    const [network, want] = [xor(), xor()];
    for (let i = 0; i < 3; i++) {
        await assert.rejects(
            network.step(XOR.x, new Uint8Array([0, 1, 2, 0])),
            problem({ status: 422, code: "label_out_of_range" }),
        );
        await assert.rejects(
            network.step(Tensor.zeros([4, 3]), XOR.y),
            problem({ status: 422, code: "shape_mismatch" }),
        );
        await assert.rejects(network.step([[1], [2, 3]], XOR.y), refused);
        await both(network, want);
    }
    assert.equal(network.t, 3);
    for (const one of [network, want]) await one.close();
});

test("a step whose answer is lost changes nothing", async () => {
    let losing = false;
    const { client } = watched(async (send) => {
        const answer = await send();
        if (!losing) return answer;
        await answer.arrayBuffer();
        throw new TypeError("fetch failed", { cause: new Error("other side closed") });
    });
    const [network, want] = [xor({ update: "adam" }, client), xor({ update: "adam" })];
    for (let i = 0; i < 3; i++) {
        losing = true;
        for (let j = 0; j < 2; j++)
            await assert.rejects(
                network.step(XOR.x, XOR.y),
                problem({ code: "transport", status: 0 }),
            );
        losing = false;
        await both(network, want);
    }
    assert.equal(network.t, 3);
    for (const one of [network, want]) await one.close();
});

test("a step that its caller ends changes nothing, even if it was done", async () => {
    let controller;
    const { client } = watched(async (send) => {
        const answer = await send();
        controller?.abort();
        return answer;
    });
    const [network, want] = [xor({}, client), xor()];
    for (let i = 0; i < 3; i++) {
        controller = new AbortController();
        const { signal } = controller;
        await assert.rejects(network.step(XOR.x, XOR.y, { signal }), { name: "AbortError" });
        controller = undefined;
        await both(network, want);
    }
    for (const one of [network, want]) await one.close();
});

test("replaced values that are gone already are in nobody's way", async () => {
    const { client, requests, handles } = watched();
    const [network, want] = [xor({}, client), xor()];
    for (let i = 0; i < 2; i++) await both(network, want);
    await client.remove(handles[1]);
    requests.length = 0;
    await both(network, want);
    assert.equal(requests.filter(({ path }) => path === "/graph").length, 2);
    for (const one of [network, want]) await one.close();
    assert.equal(await alive(handles), 0);
});

test("values that are gone are refused, and a checkpoint brings them back", async () => {
    const { client, handles } = watched();
    const network = xor({}, client);
    await network.step(XOR.x, XOR.y);
    const bytes = await network.save();
    const want = await network.predict(XOR.x);
    for (const handle of handles) await client.remove(handle);
    const unknown = problem({ status: 404, code: "unknown_cache" });
    await assert.rejects(network.step(XOR.x, XOR.y), unknown);
    await assert.rejects(network.save(), unknown);
    await network.load(bytes);
    assert.deepEqual(await network.predict(XOR.x), want);
    assert.equal(network.t, 1);
    await network.close();
    assert.equal(await alive(handles), 0);
});

test("calls that are made at once are run one after the other", async () => {
    const calls = (network) => [
        () => network.step(XOR.x, XOR.y),
        () => network.predict(XOR.x),
        () => network.setWeights({ "2.b": [1, -1] }),
        () => network.step(XOR.x, XOR.y),
        () => network.weights(),
        () => network.save(),
    ];
    const [together, apart] = [xor({ update: "rmsprop" }), xor({ update: "rmsprop" })];
    const got = await Promise.all(calls(together).map((call) => call()));
    const want = [];
    for (const call of calls(apart)) want.push(await call());
    assert.deepEqual(got, want);
    for (const one of [together, apart]) await one.close();
});

test("every call uses all that is kept, so that none of it expires alone", async () => {
    const { client, requests } = watched();
    const network = xor({ update: "adam" }, client);
    await network.step(XOR.x, XOR.y);
    await network.predict(XOR.x);
    await network.weights();
    for (const { body } of requests.slice(1)) {
        const kept = Object.values(JSON.parse(body).inputs).filter(({ tensor }) => tensor);
        assert.equal(kept.length, 12);
    }
    await network.close();
});

test("a closed network has nothing, and takes no calls before a checkpoint", async () => {
    const { client, handles } = watched();
    const network = xor({}, client);
    const bytes = await network.save();
    const step = network.step(XOR.x, XOR.y);
    await network.close();
    await step;
    assert.equal(handles.length, 4);
    assert.equal(await alive(handles), 0);
    await network.close();
    await assert.rejects(network.step(XOR.x, XOR.y), refused);
    await assert.rejects(network.weights(), refused);
    await assert.rejects(network.setWeights({ "0.b": new Float64Array(16) }), refused);
    await network.load(bytes);
    assert.equal(network.t, 0);
    const want = xor();
    await both(network, want);
    for (const one of [network, want]) await one.close();
});

test("a network is closed even if the daemon cannot be reached", async () => {
    let away = false;
    const { client } = watched((send) => {
        if (away) throw new TypeError("fetch failed");
        return send();
    });
    const network = xor({}, client);
    await network.step(XOR.x, XOR.y);
    away = true;
    await network.close();
    await assert.rejects(network.weights(), refused);
});
