// What POST /graph takes and gives.
import { commonDtype, readFile, readJson, readScalar, writeBytes, writeJson } from "./forms.js";
import { Cache, Handle, Kept } from "./handles.js";
import { Tensor, asTensor, badInput, isFloat, isObject } from "./tensor.js";

const KEPT = "kept.";

// Where nodes take a value: as labels, whose field is always `y`, or in parameters, as a mask is.
const isLabels = (name, nodes) => nodes.some(({ y }) => y === name);
const isInParams = (name, nodes) =>
    nodes.some((node) =>
        Object.values(node).some((part) => isObject(part) && Object.values(part).includes(name)),
    );

// The dtype in which the daemon has an input.
function dtypeOfInput(name, value, { nodes = [], dtype = "float64" }) {
    if (value instanceof Handle) return value.dtype;
    if (!(value instanceof Tensor)) return isLabels(name, nodes) ? "int64" : dtype;
    if (isFloat(value)) return value.dtype;
    return value.dtype === "uint8" && isInParams(name, nodes) ? dtype : "int64";
}

// An input that is no tensor of the file, as the document has it.
function writeInput(name, value, graph) {
    if (value instanceof Cache) return { cache: value.handle };
    if (value instanceof Kept) return { tensor: value.handle };
    if (!(value instanceof Tensor) || dtypeOfInput(name, value, graph) !== "int64") return value;
    return { shape: value.shape, data: Array.from(value.data), dtype: "int64" };
}

// A graph with its inputs as a list, and its dtype: that of typed arrays, else of what is kept.
export function prepareGraph({ inputs = {}, dtype, ...rest }) {
    const entries = Object.entries(inputs)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, asTensor(value) ?? value]);
    const common = commonDtype(entries);
    if (dtype && common && common !== dtype)
        throw badInput(`the graph's dtype is ${dtype}, but that of its typed arrays ${common}`);
    const held = entries.find(([, value]) => value instanceof Handle && value.dtype !== "int64");
    return { ...rest, entries, dtype: dtype ?? common ?? held?.[1].dtype };
}

export function writeGraph(prepared, bytes) {
    const { entries, nodes, give, keep, release, dtype } = prepared;
    const inFile = ([, value]) => bytes && value instanceof Tensor;
    const rest = entries.filter((entry) => !inFile(entry));
    const graph = writeJson({
        dtype,
        inputs: Object.fromEntries(
            rest.map(([name, value]) => [name, writeInput(name, value, prepared)]),
        ),
        nodes,
        give,
        keep,
        release: release?.map(String),
    });
    return bytes ? writeBytes([...entries.filter(inFile), ["graph", graph]]) : graph;
}

// Results by their names, and the handles that stand beside them.
function readGraphBytes(buffer, keep) {
    const { tensors, texts } = readFile(buffer);
    const isKept = ([name]) => name.startsWith(KEPT) && keep.includes(name.slice(KEPT.length));
    const scalars = texts
        .filter((entry) => !isKept(entry))
        .map(([name, text]) => [name, readScalar(name, text)]);
    const handles = texts.filter(isKept).map(([name, text]) => [name.slice(KEPT.length), text]);
    return {
        results: Object.fromEntries([...tensors, ...scalars]),
        handles: Object.fromEntries(handles),
    };
}

function readGraphJson(buffer, dtype) {
    const { results, kept } = JSON.parse(new TextDecoder().decode(buffer));
    return { results: readJson(results, dtype), handles: kept };
}

// The class and the dtype of what is kept under a name.
function kindOf(name, graph) {
    const { entries, nodes, dtype = "float64" } = graph;
    const input = entries.find(([key]) => key === name)?.[1];
    if (input !== undefined) {
        const isCache = input instanceof Cache || typeof input.cache === "string";
        return [isCache ? Cache : Kept, dtypeOfInput(name, input, graph)];
    }
    const [node, field, ...inner] = name.split(".");
    const isCache = field === "cache" && inner.length === 0;
    const { op } = nodes.find((other) => other.name === node);
    return [isCache && op !== "gradients" ? Cache : Kept, dtype];
}

export function readGraph(client, { buffer, isBytes }, graph) {
    const { keep = [], dtype = "float64" } = graph;
    const { results, handles } = isBytes
        ? readGraphBytes(buffer, keep)
        : readGraphJson(buffer, dtype);
    const kept = [...new Set(keep)].map((name) => {
        if (typeof handles[name] !== "string") throw new TypeError(`${name} was not kept`);
        const [Kind, kind] = kindOf(name, graph);
        return [name, new Kind(client, handles[name], kind)];
    });
    return { results, kept: Object.fromEntries(kept) };
}
