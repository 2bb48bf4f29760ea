// A network whose weights stay with the daemon, and a training step in one call.
import { readFile, writeBytes } from "./forms.js";
import { Handle } from "./handles.js";
import { normalNumbers } from "./random.js";
import { buildLayers } from "./stack.js";
import { LayerdError, Tensor, asTensor, badInput, product } from "./tensor.js";

// What an update gathers of each weight, by the names of its config.
const SLOTS = { sgd: [], sgd_momentum: ["velocity"], rmsprop: ["cache"], adam: ["m", "v"] };
const LOSSES = ["softmax", "svm"];
const DTYPES = ["float64", "float32"];

function oneOf(names, name, what) {
    if (!names.includes(name))
        throw badInput(`${what} is ${name}, but must be one of ${names.join(", ")}`);
    return name;
}

// What a weight begins with. The deviation of w keeps the scale of what passes a relu.
function firstValue(key, shape, dtype, draw) {
    const tensor = Tensor.zeros(shape, dtype);
    if (key === "gamma") tensor.data.fill(1);
    if (key === "w") {
        const terms = shape.length === 2 ? shape[0] : product(shape.slice(1));
        const deviation = Math.sqrt(2 / terms);
        for (let i = 0; i < tensor.size; i++) tensor.data[i] = draw() * deviation;
    }
    return tensor;
}

const converted = ({ data, shape }, dtype) => new Tensor(Tensor.from(data, dtype).data, shape);

const labels = (y) => (Array.isArray(y) ? Tensor.from(y, "int32") : y);

function readCheckpoint(bytes) {
    let file;
    try {
        file = readFile(new Uint8Array(bytes).buffer);
    } catch (error) {
        throw badInput(`the checkpoint is no safetensors file: ${error.message}`);
    }
    const { t = "0", update, network } = Object.fromEntries(file.texts);
    if (!/^\d+$/.test(t))
        throw badInput(`the checkpoint's t is ${t}, but must be a number of steps`);
    return { tensors: new Map(file.tensors), t: Number(t), update, network };
}

// What is called "0.w" here, as a graph can call it.
const inGraph = (name) => `v${name.replaceAll(".", "_")}`;

// Whether the daemon said that it did nothing. Without its word a call may have been done.
const isRefusal = (error) => error instanceof LayerdError && error.status >= 400;

export class Network {
    #client;
    #description;
    #layers;
    #shapes = new Map(); // of weights and of running statistics, by name
    #weights = []; // the names of those that are learnt
    #gathered = new Map(); // the shapes of what the update keeps, by name
    #values = new Map(); // by name a Tensor that was not sent yet, or the handle of a kept one
    #replaced = []; // handles that the next call gives up
    #last = Promise.resolve(); // the end of the call before

    constructor(client, layers, options = {}) {
        const { input, loss = "softmax", update = "sgd", seed = 0, dtype = "float64" } = options;
        this.#client = client;
        this.#description = {
            layers: structuredClone(layers),
            input: [input].flat(),
            loss: oneOf(LOSSES, loss, "loss"),
            update: oneOf(Object.keys(SLOTS), update, "update"),
            seed,
            dtype: oneOf(DTYPES, dtype, "dtype"),
            config: { ...options.config },
        };
        this.learning_rate = options.learning_rate ?? null;
        this.t = 0;
        this.#layers = buildLayers(layers, this.#description.input);
        const draw = normalNumbers(seed);
        for (const layer of this.#layers) this.#begin(layer, draw);
        if (this.#weights.length === 0) throw badInput("a network has a layer with weights");
    }

    static async from(client, bytes) {
        const { network } = readCheckpoint(bytes);
        let made;
        try {
            const { layers, ...options } = JSON.parse(network);
            made = new Network(client, layers, options);
        } catch (error) {
            throw badInput(`the checkpoint does not tell of a network: ${error.message}`);
        }
        await made.load(bytes);
        return made;
    }

    #begin({ index, weights, running }, draw) {
        const { update, dtype } = this.#description;
        for (const [key, shape] of Object.entries({ ...weights, ...running })) {
            this.#shapes.set(`${index}.${key}`, shape);
            this.#values.set(`${index}.${key}`, firstValue(key, shape, dtype, draw));
        }
        for (const [key, shape] of Object.entries(weights)) {
            this.#weights.push(`${index}.${key}`);
            for (const slot of SLOTS[update]) this.#gathered.set(`${index}.${key}.${slot}`, shape);
        }
    }

    step(x, y, options) {
        return this.#next(async () => {
            const { nodes, moved } = this.#training();
            const graph = { nodes, give: ["l.loss"], keep: Object.values(moved) };
            const batch = { x: this.#examples(x), y: labels(y) };
            const { results, kept } = await this.#run(graph, batch, options);
            for (const [name, result] of Object.entries(moved)) this.#put(name, kept[result]);
            this.t++;
            return results["l.loss"];
        });
    }

    predict(x, options) {
        return this.#next(async () => {
            const nodes = this.#forward("test");
            const scores = `${nodes.at(-1).name}.out`;
            // What was not sent yet goes with this call, and stays.
            const fresh = [...this.#values.keys()].filter((name) => !this.#isKept(name));
            const graph = { nodes, give: [scores], keep: fresh.map(inGraph) };
            const { results, kept } = await this.#run(graph, { x: this.#examples(x) }, options);
            for (const name of fresh) this.#put(name, kept[inGraph(name)]);
            return results[scores];
        });
    }

    weights(options) {
        return this.#next(() => this.#fetch([...this.#shapes.keys()], options));
    }

    async setWeights(given) {
        const values = Object.entries(given).map(([name, value]) => [name, this.#fit(name, value)]);
        return this.#next(async () => {
            for (const [name, tensor] of values) this.#put(name, tensor);
        });
    }

    save(options) {
        return this.#next(async () => {
            const tensors = await this.#fetch([...this.#values.keys()], options);
            const { learning_rate } = this;
            return writeBytes([
                ...Object.entries(tensors),
                ["t", this.t],
                ["update", this.#description.update],
                ["network", JSON.stringify({ ...this.#description, learning_rate })],
            ]);
        });
    }

    async load(bytes) {
        const checkpoint = readCheckpoint(bytes);
        const values = this.#valuesOf(checkpoint);
        const work = async () => {
            for (const name of this.#gathered.keys()) this.#drop(name);
            for (const [name, tensor] of values) this.#put(name, tensor);
            this.t = this.#goesOn(checkpoint) ? checkpoint.t : 0;
        };
        return this.#queue(work);
    }

    async close() {
        return this.#queue(async () => {
            for (const name of [...this.#values.keys()]) this.#drop(name);
            await this.#release();
        });
    }

    // Whether a checkpoint has what this network's update gathered. One of another update has not.
    #goesOn({ tensors, update }) {
        const names = [...this.#gathered.keys()];
        const some = names.length === 0 || names.some((name) => tensors.has(name));
        return update === this.#description.update && some;
    }

    // What a checkpoint has for this network, all of it checked.
    #valuesOf(checkpoint) {
        const { tensors } = checkpoint;
        const goesOn = this.#goesOn(checkpoint);
        const slots = Object.values(SLOTS).flat();
        const others = [...tensors.keys()].filter((name) => !slots.includes(name.split(".")[2]));
        for (const name of others) this.#shapeOf(name);
        const shapes = [...this.#shapes, ...(goesOn ? this.#gathered : [])];
        return shapes.map(([name, shape]) => {
            if (!tensors.has(name)) throw badInput(`the checkpoint has no ${name}`);
            return [name, this.#fit(name, tensors.get(name), shape)];
        });
    }

    // Layer after layer; the node of each is "n" and its place.
    #forward(mode) {
        return this.#layers.map((layer) => {
            const { name, index, weights, running, params, values, hasMode } = layer;
            const named = (keys) =>
                Object.fromEntries(
                    Object.keys(keys).map((key) => [key, inGraph(`${index}.${key}`)]),
                );
            const param = { ...values, ...named(running), ...(hasMode && { mode }) };
            if (name === "dropout") param.seed = this.#seedOf(layer);
            return {
                name: `n${index}`,
                op: `${name}/forward`,
                x: index === 0 ? "x" : `n${index - 1}.out`,
                ...named(weights),
                ...(params && { [params]: param }),
            };
        });
    }

    // Another mask in each step and layer, and the same ones when a checkpoint goes on.
    #seedOf({ index, values }) {
        const { seed } = this.#description;
        const drawn = seed + this.t * this.#layers.length + index;
        return (values.seed === undefined ? drawn : values.seed + this.t) % 2 ** 32;
    }

    // The nodes of a step, and by the names of this network the results that take their place.
    #training() {
        const { loss, update, config } = this.#description;
        const nodes = this.#forward("train");
        nodes.push(
            { name: "l", op: `${loss}/loss`, x: `${nodes.at(-1).name}.out`, y: "y" },
            { name: "d", op: "gradients", of: ["l.loss"], for: this.#weights.map(inGraph) },
        );
        const moved = {};
        for (const [i, name] of this.#weights.entries()) {
            const w = inGraph(name);
            const own = { ...config };
            if (this.learning_rate !== null) own.learning_rate = this.learning_rate;
            if (update === "adam") own.t = this.t;
            moved[name] = `u${i}.next_w`;
            for (const slot of SLOTS[update]) {
                const part = `${name}.${slot}`;
                if (this.#values.has(part)) own[slot] = inGraph(part);
                moved[part] = `u${i}.config.${slot}`;
            }
            nodes.push({ name: `u${i}`, op: `${update}/update`, w, dw: `d.${w}`, config: own });
        }
        for (const { index, running } of this.#layers)
            for (const key of Object.keys(running))
                moved[`${index}.${key}`] = `n${index}.bn_param.${key}`;
        return { nodes, moved };
    }

    // One call after the other: each needs the handles that the one before it got.
    #queue(work) {
        const run = this.#last.then(work);
        this.#last = run.catch(() => {});
        return run;
    }

    #next(work) {
        return this.#queue(() => {
            if (this.#values.size === 0)
                throw badInput("the network is closed: load a checkpoint, or make another");
            return work();
        });
    }

    // A graph with all that is held as its inputs, and so used: none of it expires before the rest.
    //
    // What a call replaces is given up by the call after it. Were it given up by the call itself, a
    // lost answer, with the new handles in it, would lose the weights.
    async #run(graph, inputs, options) {
        const values = [...this.#values].map(([name, value]) => [inGraph(name), value]);
        const whole = {
            ...graph,
            inputs: { ...inputs, ...Object.fromEntries(values) },
            release: this.#replaced,
            dtype: this.#description.dtype,
        };
        try {
            const answer = await this.#client.graph(whole, options);
            this.#replaced = [];
            return answer;
        } catch (error) {
            const expired = error?.pointer?.startsWith("/release/");
            if (expired || !isRefusal(error)) this.#release();
            if (!expired) throw error;
            return this.#run(graph, inputs, options);
        }
    }

    // Deletes what was replaced, handle by handle. What the daemon cannot be told of expires.
    async #release() {
        const replaced = this.#replaced;
        this.#replaced = [];
        await Promise.all(replaced.map((handle) => handle.release().catch(() => {})));
    }

    async #fetch(names, options) {
        const kept = names.filter((name) => this.#isKept(name));
        const graph = { nodes: [], give: kept.map(inGraph) };
        const { results } = kept.length ? await this.#run(graph, {}, options) : { results: {} };
        const { dtype } = this.#description;
        const value = (name) => results[inGraph(name)] ?? converted(this.#values.get(name), dtype);
        return Object.fromEntries(names.map((name) => [name, value(name)]));
    }

    #isKept(name) {
        return this.#values.get(name) instanceof Handle;
    }

    #put(name, value) {
        if (this.#isKept(name)) this.#replaced.push(this.#values.get(name));
        this.#values.set(name, value);
    }

    #drop(name) {
        this.#put(name, undefined);
        this.#values.delete(name);
    }

    #shapeOf(name) {
        return this.#shapes.get(oneOf([...this.#shapes.keys()], name, "the name of a weight"));
    }

    // A copy of what is given for a name, in the network's dtype.
    #fit(name, given, shape = this.#shapeOf(name)) {
        const { dtype } = this.#description;
        const tensor = asTensor(given) ?? Tensor.from(given, dtype);
        if (String(tensor.shape) !== String(shape))
            throw badInput(`${name} has shape (${tensor.shape}), but must have (${shape})`);
        return converted(tensor, dtype);
    }

    #examples(x) {
        const { dtype } = this.#description;
        if (Array.isArray(x)) return Tensor.from(x, dtype);
        const tensor = asTensor(x);
        return tensor && tensor.dtype !== dtype ? converted(tensor, dtype) : x;
    }
}
