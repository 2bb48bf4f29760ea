// Requests and answers as safetensors and as JSON.
import { Cache, Kept, keptHandle } from "./handles.js";
import { DTYPES, Tensor, asTensor, badInput, isFloat, isObject, product } from "./tensor.js";

/* ---- what is sent -------------------------------------------------------------------------- */

// The inputs as a flat list: {bn_param: {mode: "train"}} is ["bn_param.mode", "train"].
export function flatten(inputs, prefix = "") {
    return Object.entries(inputs).flatMap(([key, value]) => {
        const name = prefix + key;
        if (value === undefined) return [];
        const tensor = asTensor(value);
        if (tensor) return [[name, tensor]];
        const held = value instanceof Cache || keptHandle(value) !== undefined;
        const inner = isObject(value) && !held && !("data" in value);
        return inner ? flatten(value, `${name}.`) : [[name, value]];
    });
}

// The dtype that the typed arrays ask for, undefined where none does.
export function commonDtype(entries) {
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
export const fitsBytes = (entries) =>
    entries.every(
        ([name, value]) =>
            value instanceof Tensor ||
            value instanceof Cache ||
            keptHandle(value) !== undefined ||
            typeof value === "string" ||
            (typeof value === "number" && name.includes(".")),
    );

const bytesOf = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

// Tensors of wider elements first, so that each begins at a multiple of its element.
export function writeBytes(entries) {
    const tensors = entries.filter(([, value]) => value instanceof Tensor);
    tensors.sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
    const scalars = entries
        .filter(([, value]) => !(value instanceof Tensor))
        .map(([name, value]) => [name, keptHandle(value) ?? String(value)]);
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

export function writeJson(value) {
    if (typeof value === "number" || typeof value === "bigint") return writeNumber(value);
    if (value instanceof Cache) return JSON.stringify(value.handle);
    if (value instanceof Kept) return writeJson({ tensor: value.handle });
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

export const readScalar = (key, value) =>
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

// The tensors and the texts of a file, each a list of names and values.
export function readFile(buffer) {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(
        new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 8, length)),
    );
    const { __metadata__: texts = {}, ...tensors } = header;
    return {
        tensors: Object.entries(tensors).map(([name, value]) => [
            name,
            readTensor(buffer, 8 + length, value),
        ]),
        texts: Object.entries(texts),
    };
}

export function readBytes(buffer) {
    const { tensors, texts } = readFile(buffer);
    const answer = {};
    for (const [name, tensor] of tensors) place(answer, name, tensor);
    for (const [name, text] of texts) place(answer, name, readScalar(name, text));
    return answer;
}

// JSON's answer, its flat tensors as Tensors of `dtype` where they do not say theirs.
export function readJson(value, dtype, key) {
    if (!isObject(value)) return readScalar(key, value);
    if (Array.isArray(value.data)) {
        const { type } = DTYPES[value.dtype ?? dtype];
        const data = type === BigInt64Array ? value.data.map(BigInt) : value.data;
        return new Tensor(new type(data), value.shape);
    }
    return Object.fromEntries(
        Object.entries(value).map(([name, member]) => [name, readJson(member, dtype, name)]),
    );
}
