// Tensors over typed arrays, and the error of all of the client.

export class LayerdError extends Error {
    constructor(code, detail, { status = 0, pointer, requestId, retryAfter, cause } = {}) {
        super(detail, cause === undefined ? undefined : { cause });
        this.name = "LayerdError";
        Object.assign(this, { code, detail, status, pointer, requestId, retryAfter });
    }
}

export const badInput = (detail) => new LayerdError("invalid_input", detail);
export const badAnswer = (detail, about) => new LayerdError("bad_answer", detail, about);

// What can be sent and received; `name` is safetensors' word.
export const DTYPES = {
    float64: { type: Float64Array, name: "F64" },
    float32: { type: Float32Array, name: "F32" },
    int64: { type: BigInt64Array, name: "I64" },
    int32: { type: Int32Array, name: "I32" },
    uint8: { type: Uint8Array, name: "U8" },
};

const isTyped = (value) => ArrayBuffer.isView(value) && !(value instanceof DataView);
export const isList = (value) => Array.isArray(value) || isTyped(value);
export const product = (shape) => shape.reduce((size, length) => size * length, 1);

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
export function asTensor(value) {
    if (value instanceof Tensor) return value;
    if (isTyped(value)) return new Tensor(value);
    if (isTyped(value?.data)) return new Tensor(value.data, value.shape);
    return undefined;
}

export const isFloat = (value) => value instanceof Tensor && value.dtype.startsWith("float");

export const isObject = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
