// A client for layerd, for Node 18 and later and for browsers, over fetch.
//
// It knows no operation by name: what a caller gives goes out under the names that he chose, what
// the daemon answers comes back under the daemon's, and the daemon checks. Types and the manual of
// each function stand in layerd.d.ts.

const BYTES = "application/vnd.safetensors";
const JSON_TYPE = "application/json";

/* ---- errors ------------------------------------------------------------------------------- */

export class LayerdError extends Error {
    constructor(code, detail, { status = 0, pointer, requestId, retryAfter, cause } = {}) {
        super(detail, cause === undefined ? undefined : { cause });
        this.name = "LayerdError";
        Object.assign(this, { code, detail, status, pointer, requestId, retryAfter });
    }
}

const badInput = (detail) => new LayerdError("invalid_input", detail);
const badAnswer = (detail, about) => new LayerdError("bad_answer", detail, about);

/* ---- tensors ------------------------------------------------------------------------------ */

// What can be sent and received; `name` is safetensors' word.
const DTYPES = {
    float64: { type: Float64Array, name: "F64" },
    float32: { type: Float32Array, name: "F32" },
    int64: { type: BigInt64Array, name: "I64" },
    int32: { type: Int32Array, name: "I32" },
    uint8: { type: Uint8Array, name: "U8" },
};

const isTyped = (value) => ArrayBuffer.isView(value) && !(value instanceof DataView);
const isList = (value) => Array.isArray(value) || isTyped(value);
const product = (shape) => shape.reduce((size, length) => size * length, 1);

function allocate(dtype, shape) {
    if (!Object.hasOwn(DTYPES, dtype))
        throw badInput(`dtype is ${dtype}, but must be one of ${Object.keys(DTYPES)}`);
    return new DTYPES[dtype].type(product(shape));
}

// By its tag: an array of another realm (a frame, a test runner's sandbox) is none of our classes.
function dtypeOf(data) {
    const tag = data?.[Symbol.toStringTag];
    const dtype = Object.keys(DTYPES).find((name) => DTYPES[name].type.name === tag);
    if (dtype) return dtype;
    const names = Object.values(DTYPES).map(({ type }) => type.name);
    throw badInput(
        `a tensor's data is ${tag ?? typeof data}, but must be one of ${names.join(", ")}`,
    );
}

// Sets an element, and refuses a value that the array would change by more than rounding.
function setElement(data, i, value) {
    const number =
        typeof value === "bigint" || typeof value === "number" ? Number(value) : undefined;
    const float = data instanceof Float64Array || data instanceof Float32Array;
    let fits = number !== undefined && (float || Number.isInteger(number));
    if (fits) {
        data[i] = data instanceof BigInt64Array ? BigInt(value) : number;
        fits = float
            ? Number.isFinite(data[i]) === Number.isFinite(number)
            : Number(data[i]) === number;
    }
    if (!fits) throw badInput(`${value} does not fit into a ${data.constructor.name}`);
}

// Fills `data` from nested arrays in C order, and refuses what disagrees with `shape`.
function fill(data, nested, shape, at = { next: 0 }, depth = 0) {
    if (
        isList(nested) !== depth < shape.length ||
        (isList(nested) && nested.length !== shape[depth])
    )
        throw badInput(
            `the nested arrays are ragged: their first parts have shape (${shape.join(", ")})`,
        );
    if (!isList(nested)) setElement(data, at.next++, nested);
    else for (const part of nested) fill(data, part, shape, at, depth + 1);
}

export class Tensor {
    constructor(data, shape = [data.length]) {
        this.dtype = dtypeOf(data);
        if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
            throw badInput(`a shape is a list of lengths, not (${shape.join(", ")})`);
        if (product(shape) !== data.length)
            throw badInput(
                `${data.length} elements do not make a tensor of shape (${shape.join(", ")})`,
            );
        this.data = data;
        this.shape = [...shape];
    }

    static from(nested, dtype = "float64") {
        const shape = [];
        for (let part = nested; isList(part); part = part[0]) shape.push(part.length);
        const data = allocate(dtype, shape);
        fill(data, nested, shape);
        return new Tensor(data, shape);
    }

    static zeros(shape, dtype = "float64") {
        return new Tensor(allocate(dtype, shape), shape);
    }

    get size() {
        return this.data.length;
    }

    toNested() {
        let level = Array.from(this.data);
        for (let depth = this.shape.length - 1; depth > 0; depth--) {
            const length = this.shape[depth];
            const count = product(this.shape.slice(0, depth));
            level = Array.from({ length: count }, (_, i) =>
                level.slice(i * length, (i + 1) * length),
            );
        }
        return this.shape.length === 0 ? level[0] : level;
    }
}

// The tensor that a value is, or undefined: a Tensor, another {data, shape}, or a typed array.
function asTensor(value) {
    if (value instanceof Tensor) return value;
    if (isTyped(value)) return new Tensor(value);
    if (isTyped(value?.data)) return new Tensor(value.data, value.shape);
    return undefined;
}

/* ---- caches ------------------------------------------------------------------------------- */

// Deletes the caches whose objects were collected. Nobody waits for it, and it may fail: the daemon
// lets a cache go by itself when it has not been used for a while.
const forgotten = new FinalizationRegistry(({ client, handle }) => {
    client.remove(handle).catch(() => {});
});

export class Cache {
    #client;
    constructor(client, handle, dtype) {
        this.#client = client;
        this.handle = handle;
        this.dtype = dtype;
        this.released = false;
        forgotten.register(this, { client, handle }, this);
    }

    // The daemon has deleted it, or is about to.
    forget() {
        this.released = true;
        forgotten.unregister(this);
    }

    async release() {
        if (this.released) return;
        this.forget();
        // One that is gone already is what was asked for.
        await this.#client.remove(this.handle).catch((error) => {
            if (error.code !== "unknown_cache") throw error;
        });
    }

    toString() {
        return this.handle;
    }
}

/* ---- what is sent -------------------------------------------------------------------------- */

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// The inputs as a flat list: {bn_param: {mode: "train"}} is ["bn_param.mode", "train"].
function flatten(inputs, prefix = "") {
    return Object.entries(inputs).flatMap(([key, value]) => {
        const name = prefix + key;
        if (value === undefined) return [];
        const tensor = asTensor(value);
        if (tensor) return [[name, tensor]];
        const inner = isObject(value) && !(value instanceof Cache) && !("data" in value);
        return inner ? flatten(value, `${name}.`) : [[name, value]];
    });
}

const isFloat = (tensor) => tensor instanceof Tensor && tensor.dtype.startsWith("float");

// The dtype that the typed arrays ask for, undefined where none does.
function commonDtype(entries) {
    const [first, ...others] = entries.filter(([, value]) => isFloat(value));
    const other = others.find(([, tensor]) => tensor.dtype !== first[1].dtype);
    if (other)
        throw badInput(
            `${first[0]} is ${first[1].dtype} and ${other[0]} ${other[1].dtype}: one call has one dtype`,
        );
    return first?.[1].dtype;
}

// Whether safetensors can say it. A plain array cannot be: it may be values or labels, which only
// the daemon knows, and which JSON leaves open.
const fitsBytes = (entries) =>
    entries.every(
        ([name, value]) =>
            value instanceof Tensor ||
            value instanceof Cache ||
            typeof value === "string" ||
            (typeof value === "number" && name.includes(".")),
    );

const bytesOf = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

// Tensors of wider elements first, so that each begins at a multiple of its element.
function writeBytes(entries) {
    const tensors = entries.filter(([, value]) => value instanceof Tensor);
    tensors.sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
    const scalars = entries
        .filter(([, value]) => !(value instanceof Tensor))
        .map(([name, value]) => [name, String(value)]);
    const header = { __metadata__: Object.fromEntries(scalars) };
    let end = 0;
    for (const [name, { dtype, shape, data }] of tensors) {
        const begin = end;
        end += data.byteLength;
        header[name] = { dtype: DTYPES[dtype].name, shape, data_offsets: [begin, end] };
    }
    const head = new TextEncoder().encode(JSON.stringify(header));
    const start = 8 + Math.ceil(head.length / 8) * 8;
    const body = new Uint8Array(start + end);
    new DataView(body.buffer).setBigUint64(0, BigInt(start - 8), true);
    body.set(head, 8);
    body.fill(0x20, 8 + head.length, start);
    for (const [name, tensor] of tensors)
        body.set(bytesOf(tensor), start + header[name].data_offsets[0]);
    return body;
}

// NaN and the infinities as the contract's strings; -0 keeps its sign.
function writeNumber(number) {
    if (Object.is(number, -0)) return "-0.0";
    return typeof number === "bigint" || Number.isFinite(number) ? String(number) : `"${number}"`;
}

const writeNumbers = (data) => `[${Array.from(data, writeNumber).join(",")}]`;

function writeJson(value) {
    if (typeof value === "number" || typeof value === "bigint") return writeNumber(value);
    if (value instanceof Cache) return JSON.stringify(value.handle);
    const tensor = asTensor(value);
    if (tensor) return `{"shape":[${tensor.shape}],"data":${writeNumbers(tensor.data)}}`;
    if (Array.isArray(value)) return `[${value.map((part) => writeJson(part ?? null)).join(",")}]`;
    if (!isObject(value)) return JSON.stringify(value);
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${writeJson(member)}`).join(",")}}`;
}

/* ---- what comes back ----------------------------------------------------------------------- */

// Numbers that came as text: safetensors' scalars, and JSON's NaN and infinities.
const NUMBER = /^(-?\d+(\.\d*)?([eE][-+]?\d+)?|NaN|-?Infinity)$/;

const readScalar = (key, value) =>
    key !== "cache" && typeof value === "string" && NUMBER.test(value) ? Number(value) : value;

// Puts "bn_param.running_mean" where {bn_param: {running_mean}} has it.
function place(answer, name, value) {
    const path = name.split(".");
    const last = path.pop();
    path.reduce((object, key) => (object[key] ??= {}), answer)[last] = value;
}

function readTensor(buffer, start, { dtype, shape, data_offsets: [from, to] }) {
    const { type } = Object.values(DTYPES).find(({ name }) => name === dtype);
    const first = start + from;
    if (
        to - from !== product(shape) * type.BYTES_PER_ELEMENT ||
        first + (to - from) > buffer.byteLength
    )
        throw new RangeError("a tensor does not fill its place");
    // A view of the answer; a copy where it does not begin at a multiple of its element.
    const aligned = first % type.BYTES_PER_ELEMENT === 0;
    const data = aligned
        ? new type(buffer, first, (to - from) / type.BYTES_PER_ELEMENT)
        : new type(buffer.slice(first, start + to));
    return new Tensor(data, shape);
}

function readBytes(buffer) {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(
        new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 8, length)),
    );
    const answer = {};
    for (const [name, value] of Object.entries(header))
        if (name !== "__metadata__") place(answer, name, readTensor(buffer, 8 + length, value));
    for (const [name, text] of Object.entries(header.__metadata__ ?? {}))
        place(answer, name, readScalar(name, text));
    return answer;
}

// JSON's answer, its flat tensors as Tensors of `dtype`.
function readJson(value, dtype, key) {
    if (!isObject(value)) return readScalar(key, value);
    if (Array.isArray(value.data))
        return new Tensor(new DTYPES[dtype].type(value.data), value.shape);
    return Object.fromEntries(
        Object.entries(value).map(([name, member]) => [name, readJson(member, dtype, name)]),
    );
}

async function readProblem(response, requestId) {
    const problem = (await response.json().catch(() => null)) ?? {};
    const retryAfter = Number(response.headers.get("Retry-After") ?? NaN);
    return new LayerdError(
        problem.code ?? "bad_answer",
        problem.detail ?? `the answer has status ${response.status} and says no more`,
        {
            status: response.status,
            pointer: problem.pointer,
            requestId,
            retryAfter: retryAfter >= 0 ? retryAfter : undefined,
        },
    );
}

/* ---- the client ---------------------------------------------------------------------------- */

// Waits, and rejects with the signal's reason as soon as there is one.
function sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const stop = () => {
            clearTimeout(timer);
            reject(signal.reason);
        };
        const timer = setTimeout(() => {
            signal.removeEventListener("abort", stop);
            resolve();
        }, milliseconds);
        signal.addEventListener("abort", stop, { once: true });
    });
}

// Runs `work` with a signal that also ends it after `timeout` milliseconds.
async function withTimeout(timeout, outer, work) {
    const controller = new AbortController();
    const stop = () => controller.abort(outer.reason);
    const late = () =>
        controller.abort(new LayerdError("timeout", `no answer came within ${timeout} ms`));
    outer?.throwIfAborted();
    outer?.addEventListener("abort", stop, { once: true });
    const timer = timeout > 0 ? setTimeout(late, timeout) : undefined;
    try {
        return await work(controller.signal);
    } finally {
        clearTimeout(timer);
        outer?.removeEventListener("abort", stop);
    }
}

const FIRST_PAUSE = 0.1; // seconds, doubled with each try

export class Layerd {
    #url;
    #options;

    constructor(options = {}) {
        const { url, form = "safetensors", timeout = 120_000, retries = 2, headers = {} } = options;
        if (form !== "safetensors" && form !== "json")
            throw badInput(`form is "safetensors" or "json", not ${JSON.stringify(form)}`);
        const fallback = globalThis.process?.env?.LAYERD_URL ?? "http://127.0.0.1:8080";
        this.#url = String(url ?? fallback).replace(/\/+$/, "");
        // Called without a receiver: a browser's fetch refuses any but window.
        const fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
        this.#options = { form, timeout, retries, headers, fetch };
    }

    async call(layer, operation, inputs, options = {}) {
        const { form, timeout, signal, cache } = { ...this.#options, ...options };
        const entries = flatten(inputs);
        const dtype = commonDtype(entries);
        const taken = entries.map(([, value]) => value).find((value) => value instanceof Cache);
        const bytes = form === "safetensors" && fitsBytes(entries);
        const path = [layer, operation].map(encodeURIComponent).join("/");
        const query = { ...(form === "json" && { tensors: "flat" }), ...(cache && { cache }) };
        const search = String(new URLSearchParams(query));
        const request = {
            method: "POST",
            path: `/${path}${search && `?${search}`}`,
            headers: {
                "Content-Type": bytes ? BYTES : JSON_TYPE,
                Accept: form === "safetensors" ? BYTES : JSON_TYPE,
            },
            body: bytes
                ? writeBytes(entries)
                : writeJson({ ...inputs, dtype: inputs.dtype ?? dtype }),
            // A cache that was given up could be gone after a try whose answer was lost.
            repeatable: cache !== "release",
        };
        const reply = await this.#send(request, { timeout, signal });
        // Used after the answer, `taken` is no garbage, and not deleted, before it.
        if (cache === "release") taken?.forget();
        return this.#read(reply, inputs.dtype ?? dtype ?? taken?.dtype ?? "float64");
    }

    async remove(handle, { timeout = this.#options.timeout, signal } = {}) {
        const path = `/cache/${encodeURIComponent(handle)}`;
        await this.#send(
            { method: "DELETE", path, headers: {}, repeatable: false },
            { timeout, signal },
        );
    }

    #read({ buffer, type, requestId }, dtype) {
        let answer;
        try {
            answer = type.startsWith(BYTES)
                ? readBytes(buffer)
                : readJson(JSON.parse(new TextDecoder().decode(buffer)), dtype);
        } catch (cause) {
            throw badAnswer("the answer is not what the contract promises", {
                status: 200,
                requestId,
                cause,
            });
        }
        if (answer.cache) {
            const given = Object.values(answer).find(isFloat)?.dtype ?? dtype;
            answer.cache = new Cache(this, answer.cache, given);
        }
        return answer;
    }

    // Tries until there is an answer, the time is over, or another try would help nobody.
    async #send(request, { timeout, signal }) {
        const end = timeout > 0 ? Date.now() + timeout : Infinity;
        return withTimeout(timeout, signal, async (ending) => {
            for (let pause = FIRST_PAUSE, left = this.#options.retries; ; pause *= 2, left--) {
                try {
                    return await this.#try(request, ending);
                } catch (error) {
                    if (ending.aborted) throw ending.reason;
                    if (left <= 0 || !this.#mayRetry(request, error)) throw error;
                    const seconds = error.retryAfter ?? pause;
                    if (Date.now() + seconds * 1000 >= end) throw error;
                    await sleep(seconds * 1000, ending);
                }
            }
        });
    }

    #mayRetry({ repeatable }, { code, status }) {
        return status === 503 || status === 429 || (code === "transport" && repeatable);
    }

    async #try({ method, path, headers, body }, signal) {
        const { fetch, headers: own } = this.#options;
        let requestId;
        try {
            const response = await fetch(this.#url + path, {
                method,
                headers: { ...own, ...headers },
                body,
                signal,
            });
            requestId = response.headers.get("X-Request-Id") ?? undefined;
            if (!response.ok) throw await readProblem(response, requestId);
            const type = response.headers.get("Content-Type") ?? "";
            return { buffer: await response.arrayBuffer(), type, requestId };
        } catch (error) {
            if (error instanceof LayerdError) throw error;
            const why = error.cause?.message || error.message;
            throw new LayerdError("transport", `${this.#url} gave no answer: ${why}`, {
                requestId,
                cause: error,
            });
        }
    }
}
