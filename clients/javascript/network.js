// A network whose weights stay with the daemon, and a training step in one call.
import { readFile, writeBytes } from "./forms.js";
import { Handle } from "./handles.js";
import { LayerdError, Tensor, asTensor, badInput, product } from "./tensor.js";

/* ---- layers --------------------------------------------------------------------------------- */

const norm = (params) => ({
    params,
    rank: 1,
    weights: ([features]) => ({ gamma: [features], beta: [features] }),
});

const batchnorm = { ...norm("bn_param"), statistics: ["running_mean", "running_var"], modal: true };

// The name of a layer's parameters, whether they have a mode, and the shapes of all its weights from
// the shape of the first.
const LAYERS = {
    affine: {
        rank: 2,
        weights: ([inputs, outputs]) => ({ w: [inputs, outputs], b: [outputs] }),
    },
    conv: {
        params: "conv_param",
        rank: 4,
        weights: (shape) => ({ w: shape, b: [shape[0]] }),
    },
    relu: {},
    max_pool: { params: "pool_param" },
    dropout: { params: "dropout_param", modal: true },
    batchnorm,
    spatial_batchnorm: batchnorm,
    layernorm: norm("ln_param"),
    spatial_groupnorm: norm("gn_param"),
};

// What an update keeps of each weight, by the names of its config.
const UPDATES = { sgd: [], sgd_momentum: ["velocity"], rmsprop: ["cache"], adam: ["m", "v"] };

const LOSSES = ["softmax", "svm"];

function oneOf(names, name, what) {
    if (!names.includes(name))
        throw badInput(`${what} is ${name}, but must be one of ${names.join(", ")}`);
    return name;
}

function checkShape(layer, shape, { rank, weights }, index) {
    if (!rank && shape !== undefined)
        throw badInput(`layer ${index}, ${layer}, has no weights and so no shape`);
    const right = Array.isArray(shape) && shape.length === rank && shape.every(Number.isInteger);
    if (rank && !right)
        throw badInput(
            `layer ${index}, ${layer}, needs the shape of its ${Object.keys(weights([]))[0]}: ${rank} integers`,
        );
}

function readLayer(given, index) {
    const { layer, shape, ...values } = typeof given === "string" ? { layer: given } : given;
    const kind = LAYERS[oneOf(Object.keys(LAYERS), layer, `layer ${index}`)];
    checkShape(layer, shape, kind, index);
    const weights = kind.weights?.(shape) ?? {};
    return { statistics: [], ...kind, layer, index, values, weights };
}

// Normally distributed about 0.
function normal(shape, deviation, dtype, random) {
    const tensor = Tensor.zeros(shape, dtype);
    for (let i = 0; i < tensor.size; i++) {
        const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
        tensor.data[i] = radius * Math.cos(2 * Math.PI * random());
    }
    return tensor;
}

// A weight before the first step: its deviation keeps the scale of what passes a relu.
function freshWeight(key, shape, dtype, random) {
    if (key === "w") {
        const terms = shape.length === 2 ? shape[0] : product(shape.slice(1));
        return normal(shape, Math.sqrt(2 / terms), dtype, random);
    }
    const tensor = Tensor.zeros(shape, dtype);
    return key === "gamma" ? new Tensor(tensor.data.fill(1), shape) : tensor;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

function readCheckpoint(bytes) {
    let file;
    try {
        file = readFile(new Uint8Array(bytes).buffer);
    } catch (error) {
        throw badInput(`the checkpoint is no safetensors file: ${error.message}`);
    }
    const { t = "0", update } = Object.fromEntries(file.texts);
    if (!/^\d+$/.test(t))
        throw badInput(`the checkpoint's t is ${t}, but must be a number of steps`);
    return { tensors: new Map(file.tensors), steps: Number(t), update };
}

/* ---- the network ---------------------------------------------------------------------------- */

// What is called "0.w" here, as a graph can call it.
const inGraph = (name) => `v${name.replaceAll(".", "_")}`;

// Whether the daemon said that it did nothing. Without its word a call may have been done.
const isRefusal = (error) => error instanceof LayerdError && error.status >= 400;

export class Network {
    #client;
    #layers;
    #update;
    #loss;
    #dtype;
    #weights = []; // names
    #statistics = []; // names, of what a step moves beside the weights
    #states = []; // names, of what the update keeps
    #values = new Map(); // by name a Tensor that was not sent yet, or the handle of a kept one
    #shapes = new Map();
    #replaced = []; // handles that the next call gives up
    #last = Promise.resolve(); // the end of the call before
    #closed = false;

    constructor(client, layers, options = {}) {
        const { update = "sgd", loss = "softmax", dtype = "float64" } = options;
        this.#client = client;
        this.#layers = layers.map(readLayer);
        this.#update = oneOf(Object.keys(UPDATES), update, "update");
        this.#loss = oneOf(LOSSES, loss, "loss");
        this.#dtype = oneOf(["float64", "float32"], dtype, "dtype");
        this.config = { ...options.config };
        this.steps = 0;
        for (const layer of this.#layers) this.#begin(layer, options.random ?? Math.random);
        if (this.#weights.length === 0)
            throw badInput("a network has at least one layer of weights");
    }

    #begin({ index, weights, statistics }, random) {
        for (const [key, shape] of Object.entries(weights)) {
            const name = `${index}.${key}`;
            this.#weights.push(name);
            this.#add(name, freshWeight(key, shape, this.#dtype, random));
            for (const part of UPDATES[this.#update]) {
                this.#states.push(`${name}.${part}`);
                this.#add(`${name}.${part}`, Tensor.zeros(shape, this.#dtype));
            }
        }
        for (const key of statistics) {
            this.#statistics.push(`${index}.${key}`);
            this.#add(`${index}.${key}`, Tensor.zeros(weights.gamma, this.#dtype));
        }
    }

    #add(name, tensor) {
        this.#shapes.set(name, tensor.shape);
        this.#values.set(name, tensor);
    }

    get names() {
        return [...this.#shapes.keys()];
    }

    step(x, y, options) {
        return this.#next(async () => {
            const { nodes, results } = this.#training();
            const { results: given, kept } = await this.#run(
                {
                    inputs: { x, y, ...this.#inputs(this.names) },
                    nodes,
                    give: ["l.loss"],
                    keep: Object.values(results),
                },
                options,
            );
            for (const [name, result] of Object.entries(results)) this.#put(name, kept[result]);
            this.steps++;
            return given["l.loss"];
        });
    }

    predict(x, options) {
        return this.#next(async () => {
            const nodes = this.#forward("test");
            const names = [...this.#weights, ...this.#statistics];
            const fresh = names.filter((name) => this.#values.get(name) instanceof Tensor);
            const out = `${nodes.at(-1).name}.out`;
            const { results, kept } = await this.#run(
                {
                    inputs: { x, ...this.#inputs(names) },
                    nodes,
                    give: [out],
                    keep: fresh.map(inGraph),
                },
                options,
            );
            for (const name of fresh) this.#put(name, kept[inGraph(name)]);
            return results[out];
        });
    }

    async get(name, options) {
        this.#shapeOf(name);
        return this.#next(async () => (await this.#fetch([name], options))[0]);
    }

    async set(name, given) {
        const tensor = this.#fit(name, given);
        return this.#next(async () => this.#put(name, tensor));
    }

    save(options) {
        return this.#next(async () => {
            const tensors = await this.#fetch(this.names, options);
            return writeBytes([
                ...this.names.map((name, i) => [name, tensors[i]]),
                ["t", this.steps],
                ["update", this.#update],
            ]);
        });
    }

    async load(bytes) {
        const { tensors, steps, update = this.#update } = readCheckpoint(bytes);
        const own = update === this.#update;
        for (const name of tensors.keys())
            if (own || name.split(".").length < 3) this.#shapeOf(name);
        const goesOn = own && this.#states.every((name) => tensors.has(name));
        if (own && !goesOn && this.#states.some((name) => tensors.has(name)))
            throw badInput(`the checkpoint has a part of ${update}'s state, but not all`);
        const values = this.names.map((name) => {
            const begins = !goesOn && this.#states.includes(name);
            const tensor = begins ? Tensor.zeros(this.#shapeOf(name)) : tensors.get(name);
            if (!tensor) throw badInput(`the checkpoint has no ${name}`);
            return [name, this.#fit(name, tensor)];
        });
        return this.#next(async () => {
            for (const [name, tensor] of values) this.#put(name, tensor);
            this.steps = goesOn ? steps : 0;
        });
    }

    async close() {
        await this.#last;
        this.#closed = true;
        const kept = [...this.#values.values(), ...this.#replaced];
        this.#values.clear();
        this.#replaced = [];
        await Promise.all(kept.map((value) => value instanceof Handle && value.release()));
    }

    // Layer after layer; the name of each is "n" and its place.
    #forward(mode) {
        return this.#layers.map(({ layer, index, params, modal, values, weights, statistics }) => {
            const named = (keys) => keys.map((key) => [key, inGraph(`${index}.${key}`)]);
            const param = {
                ...values,
                ...(modal && { mode }),
                ...Object.fromEntries(named(statistics)),
                // Another mask each step, and the same ones when a checkpoint goes on.
                ...(values.seed !== undefined && { seed: (values.seed + this.steps) % 2 ** 32 }),
            };
            return {
                name: `n${index}`,
                op: `${layer}/forward`,
                x: index === 0 ? "x" : `n${index - 1}.out`,
                ...Object.fromEntries(named(Object.keys(weights))),
                ...(params && { [params]: param }),
            };
        });
    }

    // The nodes of a step, and which result becomes which of the network's values.
    #training() {
        const nodes = this.#forward("train");
        const results = {};
        const scores = `${nodes.at(-1).name}.out`;
        nodes.push(
            { name: "l", op: `${this.#loss}/loss`, x: scores, y: "y" },
            { name: "d", op: "gradients", of: ["l.loss"], for: this.#weights.map(inGraph) },
        );
        for (const name of this.#weights) {
            const w = inGraph(name);
            const config = { ...this.config, ...(this.#update === "adam" && { t: this.steps }) };
            results[name] = `u${w}.next_w`;
            for (const part of UPDATES[this.#update]) {
                config[part] = inGraph(`${name}.${part}`);
                results[`${name}.${part}`] = `u${w}.config.${part}`;
            }
            nodes.push({ name: `u${w}`, op: `${this.#update}/update`, w, dw: `d.${w}`, config });
        }
        for (const name of this.#statistics) {
            const [index, key] = name.split(".");
            results[name] = `n${index}.bn_param.${key}`;
        }
        return { nodes, results };
    }

    // One call after the other: each needs the handles that the one before it got.
    #next(work) {
        const run = this.#last.then(() => {
            if (this.#closed) throw badInput("the network is closed");
            return work();
        });
        this.#last = run.catch(() => {});
        return run;
    }

    // What a call replaces is given up by the call after it. Were it given up by the call itself, a
    // lost answer, with the new handles in it, would lose the weights.
    async #run(graph, options) {
        const release = this.#replaced;
        try {
            const answer = await this.#client.graph(
                { ...graph, dtype: this.#dtype, release },
                options,
            );
            this.#replaced = [];
            return answer;
        } catch (error) {
            const expired = error?.pointer?.startsWith("/release/");
            if (expired || !isRefusal(error)) {
                this.#replaced = [];
                for (const handle of release) handle.release().catch(() => {});
            }
            if (!expired) throw error;
            return this.#run(graph, options);
        }
    }

    #inputs(names) {
        return Object.fromEntries(names.map((name) => [inGraph(name), this.#values.get(name)]));
    }

    async #fetch(names, options) {
        const kept = names.filter((name) => this.#values.get(name) instanceof Handle);
        const graph = { inputs: this.#inputs(kept), nodes: [], give: kept.map(inGraph) };
        const { results } = kept.length ? await this.#run(graph, options) : { results: {} };
        return names.map(
            (name) => results[inGraph(name)] ?? this.#fit(name, this.#values.get(name)),
        );
    }

    #put(name, value) {
        const old = this.#values.get(name);
        if (old instanceof Handle) this.#replaced.push(old);
        this.#values.set(name, value);
    }

    #shapeOf(name) {
        oneOf(this.names, name, "a value's name");
        return this.#shapes.get(name);
    }

    // A copy of what a caller gives for a name, in the network's dtype.
    #fit(name, given) {
        const shape = this.#shapeOf(name);
        const tensor = asTensor(given) ?? Tensor.from(given, this.#dtype);
        if (String(tensor.shape) !== String(shape))
            throw badInput(
                `${name} has shape (${shape.join(", ")}), and cannot be one of (${tensor.shape.join(", ")})`,
            );
        return new Tensor(Tensor.from(tensor.data, this.#dtype).data, shape);
    }
}
