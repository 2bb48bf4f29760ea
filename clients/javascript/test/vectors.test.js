// The conformance vectors of tests/vectors, through the client in both forms.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { Tensor } from "../layerd.js";
import { open, problem, url } from "./helpers.js";

const folder = new URL("../../../tests/vectors/", import.meta.url);

const numberOf = (value) => (typeof value === "number" ? value : Number(value));
const isNumber = (value) =>
    typeof value === "number" || ["NaN", "Infinity", "-Infinity"].includes(value);

/** The tensor that a vector's list or {shape, data} is, or undefined. */
function tensorOf(value, dtype) {
    const flat = value?.shape && Array.isArray(value.data);
    const nested = flat ? value.data : value;
    const numbers = (part) => (Array.isArray(part) ? part.map(numbers) : numberOf(part));
    const good = Array.isArray(nested) && nested.flat(Infinity).every(isNumber);
    if (!good) return undefined;
    try {
        const tensor = Tensor.from(numbers(nested), dtype);
        return flat ? new Tensor(tensor.data, value.shape) : tensor;
    } catch {
        return undefined;
    }
}

const INTEGERS = { y: "int32", mask: "uint8" };

const isHeld = (value) => value && typeof value === "object" && !Array.isArray(value);

/** A vector's request with what can be a tensor as one; labels are the inputs called y. */
function typed(request) {
    const dtype = request.dtype ?? "float64";
    const convert = (object) =>
        Object.fromEntries(
            Object.entries(object).map(([name, value]) => {
                if (name.endsWith("_param") || name === "config")
                    return [name, isHeld(value) ? convert(value) : value];
                return [name, tensorOf(value, INTEGERS[name] ?? dtype) ?? value];
            }),
        );
    return convert(request);
}

function same(got, want, { rtol, atol }, where) {
    if (got instanceof Tensor) {
        const flat = want?.shape !== undefined;
        if (flat) assert.deepEqual(got.shape, want.shape, where);
        same(flat ? [...got.data] : got.toNested(), flat ? want.data : want, { rtol, atol }, where);
    } else if (isNumber(want)) {
        const [a, b] = [numberOf(got), numberOf(want)];
        const right =
            Number.isFinite(a) && Number.isFinite(b)
                ? Math.abs(a - b) <= atol + rtol * Math.abs(b)
                : a === b;
        assert.ok(right || (a !== a && b !== b), `${where} is ${got}, but must be ${want}`);
    } else if (typeof want === "object") {
        assert.deepEqual(Object.keys(got).sort(), Object.keys(want).sort(), where);
        for (const key in want) same(got[key], want[key], { rtol, atol }, `${where}/${key}`);
    } else assert.equal(got, want, where);
}

async function raw({ path, query, request_text }) {
    const response = await fetch(`${url}${path}?${query}`.replace(/\?$/, ""), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: request_text,
    });
    return { status: response.status, body: await response.json() };
}

// Where an object is missing, safetensors, which has only its members, misses the first of them.
const refusal = ({ pointer, ...error }) => {
    const inside = (got) => pointer?.endsWith("_param") && got?.startsWith(`${pointer}/`);
    return (got) => problem({ ...error, ...(pointer && !inside(got.pointer) && { pointer }) })(got);
};

// A text in the place of a tensor: JSON takes none, to safetensors it is the handle of a kept one.
function errorOf({ error, request }, form) {
    const isText = typeof request[error.pointer?.slice(1)] === "string";
    if (form === "json" || error.code !== "wrong_type" || !isText) return error;
    return { ...error, status: 404, code: "unknown_cache" };
}

async function check(step, form, run) {
    if (step.error) return assert.rejects(run, refusal(errorOf(step, form)));
    const { cache, ...got } = await run();
    const gives = step.path.endsWith("/forward") && !step.query.includes("cache=none");
    assert.equal(cache !== undefined, gives, "a cache");
    same(got, step.answer, step, "");
    return cache;
}

async function runText(step) {
    const { status, body } = await raw(step);
    if (!step.error) {
        const { cache, ...got } = body;
        return same(got, step.answer, step, "");
    }
    assert.deepEqual([status, body.code], [step.error.status, step.error.code]);
}

const RUNS = [
    { name: "safetensors", form: "safetensors", convert: typed },
    { name: "JSON of typed arrays", form: "json", convert: typed },
    { name: "JSON of plain arrays", form: "json", convert: (request) => request },
];
const CALLABLE = ["", "tensors=flat", "cache=none", "cache=release", "tensors=flat&cache=none"];

for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const { cases } = JSON.parse(readFileSync(new URL(file, folder)));
    for (const { name: kind, form, convert } of RUNS)
        test(`${file}, ${cases.length} cases as ${kind}`, async () => {
            const client = open({ form });
            for (const { name, steps } of cases) {
                let cache;
                for (const step of steps) {
                    // A query that the client has no word for goes without it, and so does a text.
                    if (!CALLABLE.includes(step.query) || step.request_text) {
                        const { request, request_text = JSON.stringify(request) } = step;
                        await runText({
                            ...step,
                            request_text: request_text.replace("$cache", cache),
                        });
                        continue;
                    }
                    const request = convert(step.request);
                    const inputs = { ...request, ...(request.cache === "$cache" && { cache }) };
                    const [, layer, operation] = step.path.split("/");
                    const option = /cache=(\w+)/.exec(step.query)?.[1];
                    const run = () => client.call(layer, operation, inputs, { cache: option });
                    try {
                        cache = (await check(step, form, run)) ?? cache;
                    } catch (error) {
                        throw new Error(`${name}: ${error.message}`, { cause: error });
                    }
                }
            }
        });
}
