// Networks whose weights stay with the daemon: what they compute.
import assert from "node:assert/strict";
import test from "node:test";

import { readFile } from "../forms.js";
import { Network, Tensor } from "../layerd.js";
import { XOR, alive, forms, noise, open, problem, random, watched, xor } from "./helpers.js";

function close(got, want, where = "value") {
    assert.deepEqual(got.shape, want.shape, where);
    got.data.forEach((value, i) =>
        assert.ok(
            Math.abs(value - want.data[i]) < 1e-12,
            `${where}[${i}] is ${value}, but must be ${want.data[i]}`,
        ),
    );
}

/** One affine layer of one example, its weights moved as the courses' formulas have it. */
function reference(update, { learning_rate: rate }) {
    const x = [1, -2];
    const values = { "0.w": [0.1, 0.2, 0.3, -0.4], "0.b": [0.5, -0.5] };
    const state = {};
    const at = (name, i) => (state[name] ??= name.startsWith("0.w") ? [0, 0, 0, 0] : [0, 0])[i];
    const move = {
        sgd: (w, g) => w - rate * g,
        sgd_momentum: (w, g, name, i) => {
            const v = 0.9 * at(`${name}.velocity`, i) - rate * g;
            state[`${name}.velocity`][i] = v;
            return w + v;
        },
        rmsprop: (w, g, name, i) => {
            const c = 0.99 * at(`${name}.cache`, i) + 0.01 * g * g;
            state[`${name}.cache`][i] = c;
            return w - (rate * g) / (Math.sqrt(c) + 1e-8);
        },
        adam: (w, g, name, i, t) => {
            const m = 0.9 * at(`${name}.m`, i) + 0.1 * g;
            const v = 0.999 * at(`${name}.v`, i) + 0.001 * g * g;
            state[`${name}.m`][i] = m;
            state[`${name}.v`][i] = v;
            return w - (rate * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
        },
    }[update];
    return {
        x,
        values,
        state,
        step: (t) => {
            const { "0.w": w, "0.b": b } = values;
            const scores = [0, 1].map((j) => x[0] * w[j] + x[1] * w[2 + j] + b[j]);
            const sum = Math.exp(scores[0]) + Math.exp(scores[1]);
            const db = [Math.exp(scores[0]) / sum, Math.exp(scores[1]) / sum - 1];
            const dw = [x[0] * db[0], x[0] * db[1], x[1] * db[0], x[1] * db[1]];
            values["0.w"] = w.map((value, i) => move(value, dw[i], "0.w", i, t));
            values["0.b"] = b.map((value, i) => move(value, db[i], "0.b", i, t));
            return Math.log(sum) - scores[1];
        },
    };
}

for (const form of forms)
    for (const update of ["sgd", "sgd_momentum", "rmsprop", "adam"])
        test(`steps are those of the formulas: ${update} (${form})`, async () => {
            const want = reference(update, { learning_rate: 0.1 });
            const options = { input: 2, update, learning_rate: 0.1 };
            const network = new Network(open({ form }), [["affine", 2]], options);
            await network.setWeights({
                "0.w": new Tensor(new Float64Array(want.values["0.w"]), [2, 2]),
                "0.b": want.values["0.b"],
            });
            for (let t = 1; t <= 3; t++) {
                const loss = await network.step([want.x], [1]);
                assert.ok(Math.abs(loss - want.step(t)) < 1e-12);
                assert.equal(network.t, t);
            }
            const { tensors } = readFile((await network.save()).buffer);
            const all = { ...want.values, ...want.state };
            assert.deepEqual(tensors.map(([name]) => name).sort(), Object.keys(all).sort());
            for (const [name, tensor] of tensors) {
                const shape = name.startsWith("0.w") ? [2, 2] : [2];
                close(tensor, new Tensor(new Float64Array(all[name]), shape), name);
            }
            await network.close();
        });

test("a step is one call, which sends no weights, and gives up what was replaced", async () => {
    const { client, requests, handles } = watched();
    const network = xor({ update: "adam" }, client);
    assert.equal(requests.length, 0);
    for (let i = 0; i < 3; i++) await network.step(XOR.x, XOR.y);
    assert.deepEqual(
        requests.map(({ path }) => path),
        ["/graph", "/graph", "/graph"],
    );
    assert.equal(handles.length, 36);
    const { inputs, release } = JSON.parse(requests[2].body);
    const sent = Object.keys(inputs).filter((name) => !inputs[name].tensor);
    assert.deepEqual(sent, ["x", "y"]);
    assert.deepEqual(release.sort(), handles.slice(0, 12).sort());
    assert.equal(await alive(handles), 24);
    await network.close();
    assert.equal(await alive(handles), 0);
});

test("a step takes at most 2 KiB on the wire beside its batch", async () => {
    let bytes = 0;
    const client = open({
        fetch: async (address, request) => {
            const answer = await fetch(address, request);
            bytes = request.body.byteLength + (await answer.clone().arrayBuffer()).byteLength;
            return answer;
        },
    });
    const options = { input: 784, dtype: "float32" };
    const network = new Network(client, [["affine", 100], "relu", ["affine", 10]], options);
    const x = Tensor.zeros([64, 784], "float32");
    const y = new Uint8Array(64);
    for (let i = 0; i < 3; i++) await network.step(x, y);
    assert.ok(bytes - x.data.byteLength - y.byteLength < 2048, `${bytes} bytes`);
    await network.close();
});

test("XOR is learnt", async () => {
    for (const dtype of ["float64", "float32"]) {
        const network = xor({ update: "adam", learning_rate: 0.05, dtype });
        const first = await network.step(XOR.x, XOR.y);
        let last;
        for (let i = 0; i < 150; i++) last = await network.step(XOR.x, XOR.y);
        assert.ok(first > 0.4 && last < 0.05, `${first} to ${last}`);
        const scores = await network.predict(XOR.x);
        assert.equal(scores.dtype, dtype);
        assert.deepEqual(
            scores.toNested().map(([no, yes]) => Number(yes > no)),
            [...XOR.y],
        );
        await network.close();
    }
});

test("x and y may be plain, of another dtype, or kept", async () => {
    const client = open();
    const kept = [await client.put(XOR.x), await client.put(new Int32Array(XOR.y))];
    const batches = [
        [XOR.x, XOR.y],
        kept,
        [{ tensor: kept[0].handle }, { tensor: kept[1].handle }],
        [XOR.x.toNested(), [...XOR.y]],
        [new Tensor(new Uint8Array(XOR.x.data), [4, 2]), new BigInt64Array([0n, 1n, 1n, 0n])],
        [Tensor.from(XOR.x.toNested(), "float32"), { data: XOR.y, shape: [4] }],
    ];
    const results = [];
    for (const [x, y] of batches) {
        const network = xor();
        const losses = [await network.step(x, y), await network.step(x, y)];
        results.push({ losses, scores: await network.predict(x) });
        await network.close();
    }
    for (const result of results) assert.deepEqual(result, results[0]);
    for (const one of kept) await one.release();
});

test("every layer has its place in a network that learns", async () => {
    const layers = [
        ["conv", 4, 3, { pad: 1 }],
        "spatial_batchnorm",
        "relu",
        ["max_pool", [2, 2]],
        ["spatial_groupnorm", 2],
        ["conv", 3, [1, 2], { stride: 1 }],
        ["affine", 6],
        ["layernorm", { eps: 1e-4 }],
        ["dropout", 0.8],
        ["affine", 5],
        ["batchnorm", { momentum: 0.5 }],
        ["affine", 2],
    ];
    const options = { input: [1, 4, 4], update: "adam", learning_rate: 0.02, seed: 2 };
    const network = new Network(open(), layers, options);
    const x = random(noise(5), 6, 1, 4, 4);
    const y = [0, 1, 1, 0, 1, 0];
    const losses = [];
    for (let i = 0; i < 60; i++) losses.push(await network.step(x, y));
    assert.ok(losses[0] > 0.3 && losses.at(-1) < losses[0] / 3, `${losses[0]} to ${losses.at(-1)}`);
    const scores = await network.predict(x);
    assert.deepEqual(scores, await network.predict(x));
    const shapes = Object.entries(await network.weights()).map(([name, { shape }]) => [
        name,
        shape,
    ]);
    assert.deepEqual(Object.fromEntries(shapes), {
        "0.w": [4, 1, 3, 3],
        "0.b": [4],
        "1.gamma": [4],
        "1.beta": [4],
        "1.running_mean": [4],
        "1.running_var": [4],
        "4.gamma": [4],
        "4.beta": [4],
        "5.w": [3, 4, 1, 2],
        "5.b": [3],
        "6.w": [6, 6],
        "6.b": [6],
        "7.gamma": [6],
        "7.beta": [6],
        "9.w": [6, 5],
        "9.b": [5],
        "10.gamma": [5],
        "10.beta": [5],
        "10.running_mean": [5],
        "10.running_var": [5],
        "11.w": [5, 2],
        "11.b": [2],
    });
    await network.close();
});

test("running statistics move with steps, and predictions use them", async () => {
    const layers = [
        ["batchnorm", { momentum: 0.75 }],
        ["affine", 2],
    ];
    const network = new Network(open(), layers, { input: 2, learning_rate: 0 });
    await network.setWeights({
        "1.w": [
            [1, 0],
            [0, 1],
        ],
    });
    // Means 2 and 5, variances 1 and 4.
    await network.step(
        [
            [1, 3],
            [3, 7],
        ],
        [0, 1],
    );
    const moved = {
        "0.running_mean": Tensor.from([0.5, 1.25]),
        "0.running_var": Tensor.from([0.25, 1]),
    };
    const check = async () => {
        const weights = await network.weights();
        for (const [name, want] of Object.entries(moved)) close(weights[name], want, name);
    };
    await check();
    const scores = await network.predict([[1, 0.25]]);
    close(scores, Tensor.from([[0.5 / Math.sqrt(0.25 + 1e-5), -1 / Math.sqrt(1 + 1e-5)]]));
    await check();
    await network.close();
});

test("each step and layer drops others, and a prediction none", async () => {
    // Of these losses each tells which scores of its step were dropped.
    const lossesOf = async (layers, seed) => {
        const network = new Network(open(), layers, { input: 8, learning_rate: 0, seed });
        const w = random(noise(9), 8, 2);
        await network.setWeights({ [`${layers.length - 1}.w`]: w });
        const x = random(noise(4), 8, 8);
        const losses = [];
        for (let i = 0; i < 3; i++) losses.push(await network.step(x, new Uint8Array(8)));
        const inputs = { x, w, b: Tensor.zeros([2]) };
        const { out } = await open().call("affine", "forward", inputs, { cache: "none" });
        assert.deepEqual(await network.predict(x), out);
        await network.close();
        return losses;
    };
    const own = await lossesOf(
        [
            ["dropout", 0.5, { seed: 2 ** 32 - 1 }],
            ["affine", 2],
        ],
        5,
    );
    assert.equal(new Set(own).size, 3);
    assert.deepEqual(
        await lossesOf(
            [
                ["dropout", 0.5, { seed: 0 }],
                ["affine", 2],
            ],
            6,
        ),
        [
            own[1],
            own[2],
            (
                await lossesOf([
                    ["dropout", 0.5, { seed: 2 }],
                    ["affine", 2],
                ])
            )[0],
        ],
    );
    // Of two layers the first draws by the seeds 2³² − 2, 0 and 2 here.
    const drawn = await lossesOf(
        [
            ["dropout", 0.5],
            ["affine", 2],
        ],
        2 ** 32 - 2,
    );
    const two = await lossesOf([
        ["dropout", 0.5, { seed: 0 }],
        ["affine", 2],
    ]);
    assert.equal(drawn[1], two[0]);
    assert.equal(drawn[2], two[2]);
});

test("a seed begins the network that NumPy's RandomState of it would", async () => {
    const layers = [["conv", 2, 2], "relu", ["affine", 1]];
    const network = new Network(open(), layers, { input: [1, 3, 2], seed: 231 });
    const weights = await network.weights();
    // np.random.RandomState(231).randn(12) and its factors, sqrt(2 / 4) each.
    const drawn = [
        0.41794341085522313, 1.3971002787857785, -1.7859043087115503, -0.7088277337845966,
        -0.0747253160682306, -0.7750167689275921, -0.1497979028339611, 1.861729024181691,
        -1.4255292997340048, -0.37635669945558553, -0.34227539040889354, 0.2949076365884559,
    ];
    const want = new Float64Array(drawn).map((number) => number * Math.sqrt(2 / 4));
    close(weights["0.w"], new Tensor(want.subarray(0, 8), [2, 1, 2, 2]));
    close(weights["2.w"], new Tensor(want.subarray(8), [4, 1]));
    assert.deepEqual(weights["0.b"], Tensor.zeros([2]));
    const norm = new Network(open(), ["batchnorm"], { input: 2, dtype: "float32" });
    assert.deepEqual(await norm.weights(), {
        "0.gamma": Tensor.from([1, 1], "float32"),
        "0.beta": Tensor.zeros([2], "float32"),
        "0.running_mean": Tensor.zeros([2], "float32"),
        "0.running_var": Tensor.zeros([2], "float32"),
    });
});

test("the learning rate may change between steps", async () => {
    const network = new Network(open(), [["affine", 2]], { input: 1, learning_rate: 0 });
    await network.setWeights({ "0.w": [[0, 0]] });
    await network.step([[1]], [0]);
    assert.deepEqual((await network.weights())["0.w"], Tensor.from([[0, 0]]));
    network.learning_rate = 0.5;
    await network.step([[1]], [0]);
    assert.deepEqual((await network.weights())["0.w"], Tensor.from([[0.25, -0.25]]));
    await network.close();
});

test("an update takes other parameters, and has its own learning rate", async () => {
    const options = { input: 1, update: "sgd_momentum", config: { momentum: 0.5 } };
    const network = new Network(open(), [["affine", 2]], options);
    await network.setWeights({ "0.w": [[0, 0]] });
    await network.step([[1]], [0]);
    assert.deepEqual((await network.weights())["0.w"], Tensor.from([[0.005, -0.005]]));
    // The scores are 0.01 and -0.01 by now, and the gradient's first element is minus this.
    const second = 1 - 1 / (1 + Math.exp(-0.02));
    await network.step([[1]], [0]);
    const velocity = 0.5 * 0.005 + 0.01 * second;
    close((await network.weights())["0.w"], Tensor.from([[0.005 + velocity, -0.005 - velocity]]));
    await network.close();
});

test("the loss may be svm", async () => {
    const network = new Network(open(), [["affine", 3]], { input: 1, loss: "svm" });
    await network.setWeights({ "0.w": [[1, 2, 3.5]] });
    // The margins are 0 and 2.5.
    assert.equal(await network.step([[1]], [1]), 2.5);
    await network.close();
});

test("what makes no network is refused", () => {
    const refused = problem({ code: "invalid_input", status: 0 });
    const images = [2, 5, 5];
    for (const [input, ...layers] of [
        [2],
        [2, "relu"],
        [2, "affine"],
        [2, ["affine", 0]],
        [2, ["affine", 2, 3]],
        [2, ["affine", 2], "rely"],
        [2, ["affine", 2], "toString"],
        [2, ["affine", 2], ["relu", 1]],
        [2, ["conv", 2, 1]],
        [2, "spatial_batchnorm"],
        [images, "batchnorm"],
        [images, "layernorm"],
        [images, ["conv", 2, 6]],
        [images, ["conv", 2, [1, 2, 3]]],
        [images, ["conv", 2, 2, { stride: 0 }]],
        [images, ["conv", 2, 2], ["max_pool", 5]],
        [
            [2, 0],
            ["affine", 2],
        ],
        [undefined, ["affine", 2]],
    ])
        assert.throws(() => new Network(open(), layers, { input }), refused);
    for (const options of [{ update: "adamw" }, { loss: "l2" }, { dtype: "int64" }])
        assert.throws(() => xor(options), refused);
    assert.throws(() => new Network(open(), [["affine", 2]]), refused);
    assert.throws(
        () => new Network(open(), ["relu", ["conv", 2, 6]], { input: images }),
        problem({
            detail: "layer 1, conv, on examples of (2,5,5): no window of 6 x 6 fits, 1 apart, with 0 zeros around",
        }),
    );
});
